"""Whatever a task leaves behind, engines come back after a restart, and the status names it."""

import json
from collections.abc import Iterator

import pytest
from cluster import Cluster, ControlFailed, wait_until

pytestmark = pytest.mark.real

BROKEN = "raise RuntimeError('left by a task')"
MODULES = [
    "argparse",
    "asyncio",
    "ctypes",
    "dataclasses",
    "encodings",
    "inspect",
    "json",
    "logging",
    "platform",
    "random",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "struct",
    "subprocess",
    "tempfile",
    "threading",
    "tornado",
    "traceback",
    "typing",
    "uuid",
    "zmq",
    "IPython",
    "ipykernel",
    "ipyparallel",
    "ippnode",
    "numpy",
    "sitecustomize",
    "usercustomize",
]
"""Files of the user's that have the names of modules which the machinery needs."""


@pytest.fixture(scope="module")
def pair(image: str) -> Iterator[Cluster]:
    """A controller and one worker with one engine, that finds modules in its home folder, too."""
    with Cluster(image) as made:
        made.create("controller")
        made.create("w1", "--env=PYTHONPATH=/home/ipp/lib", "--env=PYTHONHASHSEED=5")
        made.start_controller()
        made.engines("w1", 1)
        yield made


@pytest.fixture
def home(pair: Cluster) -> Iterator[Cluster]:
    """The worker; its home folder is emptied afterwards, but for what the worker itself needs."""
    yield pair
    pair.run("w1", "chmod", "u+rwx", "/home/ipp")
    pair.run("w1", "sh", "-c", "cd && find . -mindepth 1 -maxdepth 1 ! -name .ipp -exec rm -r {} +")
    pair.docker("restart", "w1")
    pair.engines("w1", 1)
    assert not pair.status("w1")["engines"][0]["without_home"]


def leave(cluster: Cluster, **files: str) -> None:
    """Write files as a task does, and restart the container."""
    client = cluster.client()
    code = (
        "import pathlib\n"
        f"for path, text in {files!r}.items():\n"
        "    file = pathlib.Path.home() / path\n"
        "    file.parent.mkdir(parents=True, exist_ok=True)\n"
        "    file.write_text(text)"
    )
    client[:].execute(code, block=True)
    cluster.docker("restart", "w1")


def comes_back(cluster: Cluster, seconds: float = 30) -> None:
    """Wait until the engine is there and answers, and everything else works that an `up` needs."""
    cluster.full_strength(cluster.client(), {"w1": 1}, seconds)
    cluster.engines("w1", 1)
    assert [e["host"] for e in cluster.ready({"w1": 1})["engines"]] == ["w1"]
    assert json.loads(cluster.run("w1", "ippctl", "health")) == {"engines": 1}


@pytest.mark.parametrize("folder", ["", "lib/", ".local/lib/python3.11/site-packages/"])
def test_modules_with_the_names_of_others(home: Cluster, folder: str) -> None:
    leave(home, **{f"{folder}{name}.py": BROKEN for name in MODULES})
    comes_back(home)
    assert not home.status("w1")["engines"][0]["without_home"]


def test_modules_of_the_users_are_found_as_ever(home: Cluster) -> None:
    leave(home, **{"mine.py": "x = 1", "lib/theirs.py": "x = 2", "lib/sitecustomize.py": "x = 3"})
    comes_back(home)
    code = (
        "import os, sys\nos.chdir('/tmp')\nimport mine, theirs\n"
        "seen = [mine.x, theirs.x, sys.modules['sitecustomize'].x, os.environ['PYTHONPATH'], "
        "hash('a') == int(os.popen(\"python3 -c 'print(hash(chr(97)))'\").read())]"
    )
    client = home.client()
    client[:].execute(code, block=True)
    assert client[:].pull("seen", block=True) == [[1, 2, 3, "/home/ipp/lib", True]]


def test_an_ipython_profile_that_ends_engines(home: Cluster) -> None:
    profile = ".ipython/profile_default"
    end = "import os\nos._exit(17)"
    leave(home, **{f"{profile}/startup/00.py": end, f"{profile}/ipengine_config.py": end})
    home.full_strength(home.client(), {"w1": 1}, 40)
    assert home.status("w1")["engines"][0]["without_home"] == "exited with status 17"
    comes_back(home)


def test_shells_and_ssh_files(home: Cluster) -> None:
    end = "echo left by a task; exit 1"
    names = (
        ".bashrc",
        ".profile",
        ".bash_profile",
        ".ssh/rc",
        ".ssh/environment",
        ".pam_environment",
    )
    leave(home, **dict.fromkeys(names, end))
    comes_back(home)


def test_a_home_folder_without_rights(home: Cluster) -> None:
    client = home.client()
    client[:].execute("import os; os.chmod('/home/ipp', 0)", block=True)
    home.docker("restart", "w1")
    comes_back(home)


def test_an_emptied_home_folder(home: Cluster) -> None:
    client = home.client()
    code = (
        "import os, shutil\nfor name in os.listdir('/home/ipp'):\n"
        "    shutil.rmtree(f'/home/ipp/{name}', ignore_errors=True)"
    )
    before = home.status("w1")["applied"]
    client[:].execute(code, block=True)
    home.docker("restart", "w1")
    home.full_strength(home.client(), {"w1": 1}, 30)
    status = home.status("w1")
    assert (status["applied"], status["drift"]) == (before, [])
    comes_back(home)


@pytest.mark.parametrize("path", ["/home/ipp/.ipython", "/tmp", "/run"])
def test_a_full_folder(image: str, path: str) -> None:
    with Cluster(image) as cluster:
        cluster.create("controller")
        size = "2m" if path == "/run" else "64k"
        cluster.create("w1", f"--tmpfs={path}:size={size},uid=1000,exec,mode=1777")
        cluster.start_controller()
        cluster.run("w1", "sh", "-c", f"cat /dev/zero > {path}/left")
        cluster.engines("w1", 1)
        cluster.full_strength(cluster.client(), {"w1": 1}, 30)
        full = [folder for folder, disk in cluster.status("w1")["disks"].items() if disk["full"]]
        assert full == {"/tmp": ["/tmp"], "/run": ["/run/ipp"]}.get(path, [])


# ---- engines that end again and again


def test_a_crash_loop_is_reported_with_its_reason(image: str) -> None:
    with Cluster(image) as cluster:
        cluster.create("controller")
        cluster.create("w1", "--memory=300m", "--memory-swap=300m")
        cluster.start_controller()
        cluster.engines("w1", 1)
        client = cluster.client()

        def ended() -> int:
            return cluster.status("w1")["engines"][0]["recent_ends"]

        fill = "open('/tmp/left', 'wb').write(bytes(150 << 20))"
        client[:].execute(fill, block=True)
        for times in range(1, 4):
            client[:].execute("hog = bytearray(400 << 20)", block=False)
            wait_until("the engine has ended", 40, lambda times=times: ended() >= times)
            cluster.full_strength(client, {"w1": 1}, 40)
        [engine] = cluster.status("w1")["engines"]
        assert engine["reason"] == (
            "ended by signal SIGKILL: out of memory (the container may use 300 MiB, of which files "
            "take 150 MiB in /tmp)"
        )
        client[:].execute("import os; os._exit(41)", block=False)
        wait_until("it has ended", 40, lambda: ended() >= 4)
        cluster.full_strength(client, {"w1": 1}, 40)
        assert cluster.status("w1")["engines"][0]["reason"] == "exited with status 41"


def test_an_agent_that_does_not_answer_is_named_with_its_last_words(image: str) -> None:
    with Cluster(image) as cluster:
        cluster.create("controller")
        there = "test -S /run/ipp/agent.sock && echo yes"
        wait_until("it", 20, lambda: cluster.run("controller", "sh", "-c", there))
        cluster.run(
            "controller", "sh", "-c", "rm /run/ipp/agent.sock; echo words >> /run/ipp/log/current"
        )
        with pytest.raises(ControlFailed, match=r"does not answer: .*; its log ends with: .*words"):
            cluster.ippctl("controller", "ready", "--timeout=1", stdin={"workers": {}})
