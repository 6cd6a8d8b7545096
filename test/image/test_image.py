"""The image on real containers: what it promises to those who use it."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import ipyparallel
import pytest
import zmq
from cluster import Cluster, ControlFailed, remote, sh, wait_until

pytestmark = pytest.mark.real

WORKERS = {"w1": 2, "w2": 2}


def processes(cluster: Cluster, name: str) -> dict[int, tuple[str, int]]:
    """Ident and pid of a worker's engines, by slot."""
    return {e["slot"]: (e["ident"], e["pid"]) for e in cluster.status(name)["engines"]}


def test_every_engine_answers_and_says_where_it_is(cluster: Cluster) -> None:
    report = cluster.ready(WORKERS)
    assert (report["missing"], report["extra"]) == ([], [])
    assert sorted((e["worker"], e["slot"], e["host"]) for e in report["engines"]) == [
        ("w1", 1, "w1"),
        ("w1", 2, "w1"),
        ("w2", 1, "w2"),
        ("w2", 2, "w2"),
    ]
    client = cluster.client()
    assert client[:].apply_sync(remote(lambda: "Hello World")) == ["Hello World"] * 4
    squares = client.load_balanced_view().map_sync(remote(lambda x: x * x), range(20))
    assert squares == [x * x for x in range(20)]
    assert {e["ipyparallel"] for e in report["engines"]} == {"9.2.0"}


def test_ready_names_what_is_missing_and_what_is_too_much(cluster: Cluster) -> None:
    with pytest.raises(ControlFailed) as failed:
        cluster.ready({"w1": 3, "w9": 1}, "--timeout=1")
    assert "worker w1: engine 3: not registered with the controller" in failed.value.stderr
    assert "worker w9: engine 1: not registered with the controller" in failed.value.stderr
    extra = cluster.ready({"w1": 2})["extra"]
    assert sorted((e["worker"], e["slot"]) for e in extra) == [("w2", 1), ("w2", 2)]


def test_enough_engines_are_enough(cluster: Cluster) -> None:
    report = cluster.ready({**WORKERS, "w9": 1}, "--timeout=1", minReady=4)
    assert [(m["worker"], m["slot"]) for m in report["missing"]] == [("w9", 1)]
    assert cluster.status("controller")["missing"] == ["w9 engine 1"]
    with pytest.raises(ControlFailed, match="worker w9: engine 1"):
        cluster.ready({**WORKERS, "w9": 1}, "--timeout=1", minReady=5)
    cluster.ready(WORKERS)
    status = cluster.status("controller")
    assert (status["declared"], status["missing"]) == (WORKERS, [])


def test_the_controller_says_how_all_workers_are(cluster: Cluster) -> None:
    cluster.ready(WORKERS)
    told = cluster.status("controller")["workers"]
    assert sorted(told) == sorted(WORKERS)
    for name, status in told.items():
        assert status["container"] == cluster.docker("inspect", name, "--format={{.Id}}").strip()
        asked = cluster.status(name)
        for key in ("role", "worker", "container", "applied", "drift", "connection_sha256"):
            assert status[key] == asked[key]
        assert [e["ident"] for e in status["engines"]] == [e["ident"] for e in asked["engines"]]
    cluster.run("w2", "sh", "-c", "echo >> /home/ipp/.ipp/engines.json")
    try:
        drift = cluster.status("controller")["workers"]["w2"]["drift"]
        assert drift == ["the declared number of engines was changed"]
    finally:
        cluster.engines("w2", WORKERS["w2"])


def test_workers_say_what_is_in_their_image(cluster: Cluster) -> None:
    engines = cluster.ready(WORKERS, images={"w1": "default", "w2": "default"})["engines"]
    assert len({engine["content"] for engine in engines}) == 1
    assert len(engines[0]["content"]) == 64


def test_workers_with_other_packages_are_told_apart(cluster: Cluster, image: str) -> None:
    dockerfile = (
        f"FROM {image}\nUSER root\nRUN rm -r /opt/venv/lib/python3*/site-packages/wcwidth-*\n"
        "USER ipp\n"
    )
    other = f"{cluster.prefix}-other"
    sh("docker", "build", "-q", "-t", other, "-", stdin=dockerfile)
    try:
        cluster.create("w3", image=other)
        cluster.engines("w3", 1)
        with pytest.raises(ControlFailed) as failed:
            cluster.ready({**WORKERS, "w3": 1}, images={"w1": "default", "w3": "default"})
        line = "image default is not the same on workers w1 and w3: only on w1: wcwidth 0."
        assert line in failed.value.stderr
    finally:
        cluster.remove("w3")
        sh("docker", "rmi", other)
        cluster.full_strength(cluster.client(), WORKERS, 15)


def test_an_engine_is_gone_as_soon_as_it_is_not_declared_any_more(cluster: Cluster) -> None:
    client = cluster.client()
    cluster.engines("w1", 3)
    cluster.full_strength(client, {**WORKERS, "w1": 3}, 15)
    cluster.engines("w1", 2)
    assert len(cluster.client().ids) == 4


def test_many_clients_come_and_go(cluster: Cluster) -> None:
    for _ in range(15):
        client = cluster.client()
        for id in client.ids:
            assert client[id].apply_sync(remote(lambda: 1)) == 1
        client.close()
    assert len(cluster.ready(WORKERS, "--timeout=10")["engines"]) == 4
    assert cluster.status("controller")["restarts"] == 0


def test_a_client_misses_nothing_that_its_first_task_prints(cluster: Cluster) -> None:
    """It may have run before the client listens to what engines print."""
    for _ in range(40):
        client = cluster.client()
        task = client[:].execute("print('here')", block=False)
        assert task.wait_for_output(10)
        assert task.stdout == ["here\n"] * 4
        client.close()


def test_nothing_but_volumes_and_memory_is_writable(image: str) -> None:
    found = sh(
        "docker",
        "run",
        "--rm",
        "--entrypoint=sh",
        "--tmpfs=/run",
        "--tmpfs=/tmp",
        image,
        "-c",
        "find / -xdev -writable -not -type l -not -path '/proc/*' 2>/dev/null; true",
    )
    mounted = {"/run", "/tmp", "/home/ipp"}
    assert set(found.splitlines()) - mounted == {"/data"}


def test_threads_are_shared_out_unless_the_user_says_how_many(cluster: Cluster) -> None:
    @remote
    def threads() -> str:
        import os

        return os.environ["OMP_NUM_THREADS"]

    client = cluster.client()
    cores = int(cluster.run("w1", "nproc"))
    assert set(client[:].apply_sync(threads)) == {str(max(cores // 2, 1))}


def test_nothing_changes_when_the_same_is_declared_again(cluster: Cluster) -> None:
    before = processes(cluster, "w1")
    pid = cluster.status("controller")["pid"]
    again = cluster.engines("w1", 2)
    cluster.start_controller()
    assert processes(cluster, "w1") == before
    assert [(e["ident"], e["pid"]) for e in again["engines"]] == list(before.values())
    assert cluster.status("controller")["pid"] == pid


def test_status_tells_idle_busy_and_frozen_engines_apart(cluster: Cluster) -> None:
    def states() -> list[tuple[str, bool]]:
        return [(engine["state"], engine["answers"]) for engine in cluster.status("w1")["engines"]]

    client = cluster.client()
    cluster.full_strength(client, WORKERS, 10)
    assert states() == [("registered", True), ("registered", True)]
    ids = {client._engines[id].rsplit("-", 1)[0]: id for id in client.ids}
    task = client[ids["w1-2"]].apply_async(time.sleep, 4)
    pid = str(processes(cluster, "w1")[1][1])
    cluster.run("w1", "kill", "-STOP", pid)
    try:
        assert states() == [("registered", False), ("busy", True)]
    finally:
        cluster.run("w1", "kill", "-CONT", pid)
    task.get(10)
    assert states() == [("registered", True), ("registered", True)]
    assert cluster.status("w1")["sshd"] is True


def test_another_count_leaves_the_other_engines_as_they_are(cluster: Cluster) -> None:
    before = processes(cluster, "w1")
    client = cluster.client()
    client[:]["kept"] = 42
    cluster.engines("w1", 3)
    grown = processes(cluster, "w1")
    assert grown.keys() == {1, 2, 3}
    assert {slot: grown[slot] for slot in before} == before
    cluster.engines("w1", 2)
    cluster.full_strength(client, WORKERS, 10)
    assert processes(cluster, "w1") == before
    assert client[:]["kept"] == [42] * 4


def test_no_engines_at_all_is_a_number_too(cluster: Cluster) -> None:
    client = cluster.client()
    assert cluster.engines("w2", 0)["engines"] == []
    cluster.full_strength(client, {"w1": 2}, 10)
    cluster.engines("w2", 2)
    cluster.full_strength(client, WORKERS, 10)


def test_a_signal_reaches_a_busy_engine(cluster: Cluster) -> None:
    @remote
    def wait() -> str:
        import time

        try:
            time.sleep(30)
        except KeyboardInterrupt:
            return "interrupted"
        return "slept"

    @remote
    def handle_interrupts() -> None:
        import signal

        signal.signal(signal.SIGINT, signal.default_int_handler)

    client = cluster.client()
    engine = client.ids[0]
    client[engine].apply_sync(handle_interrupts)
    task = client[engine].apply_async(wait)
    time.sleep(0.5)
    client.send_signal("SIGINT", targets=engine, block=True)
    assert task.get(5) == "interrupted"


def test_an_engine_that_is_shut_down_comes_back(cluster: Cluster) -> None:
    client = cluster.client()
    client.shutdown(targets=client.ids[:1], block=False)
    time.sleep(1)
    cluster.full_strength(client, WORKERS, 15)


def test_a_client_that_listens_late_hears_which_engines_came_and_went(cluster: Cluster) -> None:
    late, other = cluster.client(), cluster.client()
    before = late.ids
    listen = late._notification_socket
    late._io_loop.add_callback(listen.unsubscribe, b"")
    time.sleep(0.5)
    other.shutdown(targets=before[0], block=False)
    time.sleep(1)
    cluster.full_strength(other, WORKERS, 15)
    assert late.ids == before != other.ids
    late._io_loop.add_callback(listen.subscribe, b"")
    cluster.full_strength(late, WORKERS, 5)


def test_who_waits_for_engines_is_not_told_of_those_that_ended_before(cluster: Cluster) -> None:
    client = cluster.client()
    client.shutdown(targets=client.ids[0], block=False)
    wait_until("the engine's end", 10, lambda: len(client.ids) == 3)
    waiting = cluster.client()  # who waits would give up at the end of any engine
    cluster.client()
    waiting.wait_for_engines(4, timeout=20, interactive=False)


def test_status_is_answered_without_starting_python(cluster: Cluster) -> None:
    def plain(text: str) -> dict[str, Any]:
        status = json.loads(text)
        return {key: status[key] for key in ("role", "worker", "declared", "applied", "superseded")}

    status = cluster.run("w1", "ippctl", "status")
    trace = cluster.run("w1", "sh", "-c", "sh -x /opt/ipp/ippctl.sh status 2>&1 >/dev/null")
    assert "s6-ipcclient" in trace
    assert "exec /opt/ipp/ippctl" not in trace
    assert plain(status) == plain(cluster.run("w1", "/opt/ipp/ippctl", "status"))


def test_status_shows_an_edited_and_a_deleted_engine_file(cluster: Cluster) -> None:
    before = processes(cluster, "w2")
    declared = cluster.status("w2")["connection_sha256"]
    file = ".ipp/ipcontroller-engine.json"
    cluster.run("w2", "sh", "-c", f"sed -i s/10001/10009/ {file}")
    assert cluster.status("w2")["connection_sha256"] not in (declared, None)
    cluster.run("w2", "rm", file)
    assert cluster.status("w2")["connection_sha256"] is None
    cluster.engines("w2", 2)
    assert cluster.status("w2")["connection_sha256"] == declared
    assert processes(cluster, "w2") == before


def test_files_with_keys_are_their_users_alone(cluster: Cluster) -> None:
    for name in ("controller", "w1"):
        found = cluster.run(
            name, "find", "/home/ipp", "-name", "*.json", "-printf", "%m %f\n"
        ).splitlines()
        assert {line.split()[0] for line in found} == {"600"} or name == "controller"
        secret = [line for line in found if "ipcontroller" in line or "curve" in line]
        assert secret
        assert {line.split()[0] for line in secret} == {"600"}


def test_no_secret_is_in_a_command_line_an_environment_or_a_log(cluster: Cluster) -> None:
    for name in ("controller", "w1"):
        seen = cluster.run(name, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ")
        seen += subprocess.run(
            ["docker", "logs", cluster.container(name)], capture_output=True, text=True, check=True
        ).stderr
        seen += sh("docker", "logs", cluster.container(name))
        seen += cluster.docker("inspect", name)
        assert cluster.secret not in seen


def test_everything_runs_without_privileges(cluster: Cluster) -> None:
    for name in ("controller", "w1"):
        users = cluster.run(name, "ps", "-eo", "user=").split()
        assert set(users) == {"ipp"}
        caps = cluster.run(name, "sh", "-c", "grep -h CapEff /proc/[0-9]*/status").split()
        assert set(caps[1::2]) == {"0" * 16}


def test_only_the_declared_ports_listen(cluster: Cluster) -> None:
    def listening(name: str) -> set[str]:
        table = cluster.run(name, "sh", "-c", "cat /proc/net/tcp /proc/net/tcp6")
        sockets = [line.split() for line in table.splitlines()]
        return {
            "loopback" if s[1].startswith("0100007F") else str(int(s[1].split(":")[1], 16))
            for s in sockets
            if s[3] == "0A" and not s[1].startswith("0B00007F")  # Docker's own name server
        }

    assert listening("w1") == {"2222"}
    public = {"2222", *map(str, range(10001, 10010)), *map(str, range(10011, 10017))}
    assert listening("controller") == {*public, "loopback"}


@pytest.mark.parametrize(
    ("what", "options", "user"),
    [
        ("a password", ["-oPubkeyAuthentication=no"], "ipp"),
        ("root", [], "root"),
        ("a wrong key", ["-i/dev/null"], "ipp"),
    ],
)
def test_sshd_refuses(cluster: Cluster, what: str, options: list[str], user: str) -> None:
    command = [*cluster.ssh_command("w1")[:-1], *options, f"{user}@127.0.0.1", "true"]
    if what == "a wrong key":
        command = [part for part in command if not part.endswith("/client")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_sshd_forwards_nothing(cluster: Cluster) -> None:
    options = ("-oExitOnForwardFailure=yes", "-R0:localhost:22")
    done = subprocess.run(
        [*cluster.ssh_command("w1", *options), "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 255
    done = subprocess.run(
        cluster.ssh_command("w1", "-W", "controller:10001"),
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    assert done.returncode == 255
    assert "administratively prohibited" in done.stderr or "open failed" in done.stderr


def test_the_health_check_passes(cluster: Cluster) -> None:
    for name in ("controller", "w1"):
        sh("docker", "exec", cluster.container(name), "ippctl", "health")


# ---- a worker of its own for each of these


def test_an_earlier_container_of_a_worker_ends_its_engines(cluster: Cluster) -> None:
    """A worker was moved off a host that could not be reached, and the host is back."""
    as_w3 = "--env=IPP_NAME=w3"
    cluster.create("earlier", as_w3)
    cluster.create("later", as_w3)
    try:
        client = cluster.client()
        cluster.engines("earlier", 1)
        cluster.docker("pause", "earlier")
        cluster.engines("later", 2)
        # Also when the controller is another one by then.
        claims = "/home/ipp/.ipython/profile_cluster/log/claims.json"
        cluster.run("controller", "rm", claims)
        cluster.docker("restart", "controller")
        wait_until("the claim", 20, lambda: "w3" in cluster.run("controller", "cat", claims))
        cluster.docker("unpause", "earlier")
        cluster.full_strength(client, WORKERS | {"w3": 2}, 15)
        for name in ("earlier", "controller", "later"):
            cluster.docker("restart", name)
        cluster.full_strength(client, WORKERS | {"w3": 2}, 30)
        time.sleep(3)
        later = {engine["ident"] for engine in cluster.status("later")["engines"]}
        mine = {ident for ident in client._engines.values() if ident.startswith("w3-")}
        assert mine == later
        assert cluster.status("earlier")["engines"] == []
        assert cluster.status("earlier")["superseded"] is True

        cluster.engines("earlier", 1)  # and moved back
        cluster.full_strength(client, WORKERS | {"w3": 1}, 15)
    finally:
        cluster.remove("earlier")
        cluster.remove("later")
    cluster.full_strength(cluster.client(), WORKERS, 15)


@pytest.fixture
def worker(cluster: Cluster) -> Iterator[str]:
    """A third worker without engines, removed afterwards."""
    cluster.create("w3", "--env=OMP_NUM_THREADS=3", "--env=GREETING=hello there")
    yield "w3"
    cluster.remove("w3")


def test_engines_have_the_containers_environment_and_its_modules(
    cluster: Cluster, worker: str
) -> None:
    cluster.engines(worker, 1, "--import=numpy")
    client = cluster.client()
    mine = next(i for i in client.ids if client._engines[i].startswith("w3-"))

    @remote
    def look() -> tuple[str, str, str, bool]:
        import os
        import pathlib
        import sys

        return (
            os.environ["OMP_NUM_THREADS"],
            os.environ["GREETING"],
            str(pathlib.Path.cwd()),
            ("numpy" in sys.modules),
        )

    assert client[mine].apply_sync(look) == ("3", "hello there", "/home/ipp", True)


def test_engines_import_what_only_some_use_when_it_is_used(cluster: Cluster) -> None:
    client = cluster.client()

    @remote
    def look() -> list[str]:
        import sys

        costly = (
            "numpy",
            "ipyparallel.cluster",
            "ipyparallel.client.view",
            "jupyter_client.manager",
        )
        return [name for name in costly if name in sys.modules]

    @remote
    def use() -> tuple[str, str, object]:
        import ipyparallel
        import numpy

        return ipyparallel.Client.__name__, ipyparallel.__version__, numpy.ones(2)

    fresh = client.ids[0]
    client[fresh].apply(lambda: __import__("os")._exit(1))
    cluster.full_strength(client, WORKERS, 25)
    fresh = client.ids[-1]
    assert client[fresh].apply_sync(look) == []
    name, version, ones = client[fresh].apply_sync(use)
    assert (name, version, ones.tolist()) == ("Client", ipyparallel.__version__, [1, 1])


def test_a_module_that_cant_be_imported_is_named_at_once(cluster: Cluster, worker: str) -> None:
    start = time.monotonic()
    with pytest.raises(ControlFailed) as failed:
        cluster.engines(worker, 2, "--import=nonsense")
    assert time.monotonic() - start < 20
    for slot in (1, 2):
        line = (
            f"worker w3: engine {slot} exited with status 1: "
            "ModuleNotFoundError: No module named 'nonsense'"
        )
        assert line in failed.value.stderr
    assert {e["state"] for e in cluster.status(worker)["engines"]} == {"failed"}
    cluster.engines(worker, 1)  # the next declaration makes it good


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"interface": "tcp://nowhere"}, "can't reach the controller at tcp://nowhere:10001"),
        ({"registration": 10999}, "can't reach the controller at tcp://controller:10999"),
        (
            {"curve_serverkey": "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"},
            "something listens there, but does not accept the engine file's keys",
        ),
    ],
)
def test_a_controller_out_of_reach_is_named(
    cluster: Cluster, worker: str, changed: dict[str, object], why: str
) -> None:
    with pytest.raises(ControlFailed) as failed:
        cluster.engines(worker, 1, "--timeout=2", **changed)
    assert failed.value.status == 1
    assert "worker w3: engine 1 " in failed.value.stderr
    assert why in failed.value.stderr


def test_input_that_makes_no_sense_is_refused(cluster: Cluster, worker: str) -> None:
    with pytest.raises(ControlFailed, match="standard input must be"):
        cluster.ippctl(worker, "engines", "--count=1", stdin={"connection": {}})
    with pytest.raises(ControlFailed, match="is not a whole number, 0 or more"):
        cluster.ippctl(worker, "engines", "--count=-1", stdin={})
    with pytest.raises(ControlFailed, match="there is no command 'ready' here"):
        cluster.ippctl(worker, "ready", stdin={"workers": {}})


def test_a_stopped_worker_leaves_in_order_and_comes_back(cluster: Cluster, worker: str) -> None:
    cluster.engines(worker, 2)
    client = cluster.client()
    busy = next(i for i in client.ids if client._engines[i].startswith("w3-"))
    client[busy].apply_async(time.sleep, 60)
    start = time.monotonic()
    cluster.docker("stop", worker)
    assert time.monotonic() - start < 5
    cluster.full_strength(client, WORKERS, 2)
    cluster.docker("start", worker)
    cluster.full_strength(client, {**WORKERS, "w3": 2}, 20)


def test_a_worker_whose_controller_is_gone_ends_at_once(image: str) -> None:
    with Cluster(image) as cluster:
        cluster.create("controller")
        cluster.create("w1")
        cluster.start_controller()
        cluster.engines("w1", 2)
        cluster.docker("stop", "controller")
        start = time.monotonic()
        cluster.docker("stop", "w1")
        assert time.monotonic() - start < 2


def test_a_removed_worker_leaves_nothing_registered(cluster: Cluster, worker: str) -> None:
    cluster.engines(worker, 1)
    client = cluster.client()
    cluster.docker("kill", worker)
    cluster.full_strength(client, WORKERS, 15)


def test_new_keys_restart_all_and_the_old_ones_no_longer_work(image: str) -> None:
    with Cluster(image) as cluster:
        cluster.create("controller")
        cluster.create("w1")
        cluster.start_controller()
        cluster.engines("w1", 1)
        old = cluster.connection("client")
        before = processes(cluster, "w1")
        cluster.public, cluster.secret = (key.decode() for key in zmq.curve_keypair())
        cluster.start_controller()
        cluster.engines("w1", 1)
        assert processes(cluster, "w1")[1][0] != before[1][0]
        assert len(cluster.ready({"w1": 1})["engines"]) == 1
        stale = {**old, "interface": f"tcp://{cluster.address('controller')}"}
        with pytest.raises(TimeoutError):
            ipyparallel.Client(stale, timeout=3)
        client = cluster.client()
        cluster.full_strength(client, {"w1": 1}, 5)


def test_a_controller_that_cant_start_says_why(image: str) -> None:
    with Cluster(image) as cluster:
        cluster.create("controller")
        with pytest.raises(ControlFailed) as failed:
            cluster.start_controller(config="c = get_config()\nc.nonsense(")
        assert failed.value.status == 1
        assert "SyntaxError" in failed.value.stderr
        cluster.start_controller()


def test_it_runs_without_a_read_only_root_and_without_tmpfs(image: str) -> None:
    name = "ippimg-plain"
    sh("docker", "rm", "--force", "--volumes", name, check=False)
    sh("docker", "run", "-d", f"--name={name}", "-eIPP_ROLE=worker", "-eIPP_NAME=w1", image)
    try:
        for _ in range(2):
            deadline = time.monotonic() + 10
            while not (out := sh("docker", "exec", name, "ippctl", "status", check=False)):
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert json.loads(out)["worker"] == "w1"
            sh("docker", "restart", name)
    finally:
        sh("docker", "rm", "--force", "--volumes", name)


def test_a_role_that_is_none_is_refused(image: str) -> None:
    done = subprocess.run(
        ["docker", "run", "--rm", "-eIPP_ROLE=nonsense", image],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64
    assert "it must be 'worker' or 'controller'" in done.stderr


def test_no_key_is_in_the_image(image: str) -> None:
    found = sh(
        "docker",
        "run",
        "--rm",
        "--entrypoint=sh",
        "--user=root",
        image,
        "-c",
        "find / -xdev \\( -name 'ssh_host_*key*' -o -name authorized_keys -o -name '*.pem' \\) "
        "-not -path '*/ssl/*' -not -path '*/site-packages/*'; true",
    )
    assert found == ""
