"""Faults on real containers, with work running, and how long the cluster takes to repair them."""

import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from client import outcome
from cluster import Cluster, ControlFailed, remote, sh, wait_until
from conftest import recovery_times
from ipyparallel import AsyncResult, Client
from ipyparallel.error import RemoteError

pytestmark = pytest.mark.real

WORKERS = {"w1": 2, "w2": 2}
TASK_SECONDS = 6.0
NO_HANG_SECONDS = 35.0


@remote
def work(seconds: float) -> str:
    """A task that takes a while."""
    import time

    time.sleep(seconds)
    return "done"


def outcomes(broadcast: AsyncResult, deadline: float) -> list[str]:
    """What became of a task on each engine: its value, or the name of the error it ended with."""
    ends = broadcast.get(max(deadline - time.monotonic(), 0.1), return_exceptions=True)
    return [end.ename if isinstance(end, RemoteError) else end for end in ends]


def told_of_the_end(task: AsyncResult, deadline: float) -> bool:
    """Whether word comes that nothing will be printed any more: `execute(block=True)` waits for it.

    It is told apart from the result; to whoever has it coalesced, ipyparallel tells it never.
    """
    return task.wait_for_output(max(deadline - time.monotonic(), 0.1))


def open_again(cluster: Cluster, deadline: float) -> Client:
    """A second client; a hub that is frozen does not let anybody in until it is replaced."""
    while True:
        try:
            return cluster.client()
        except TimeoutError:
            assert time.monotonic() < deadline, "no client can be opened"


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.close_clients()


# ---- faults


def engine_pid(cluster: Cluster, slot: int = 1) -> str:
    """The pid, inside its container, of an engine of w1."""
    return str(next(e["pid"] for e in cluster.status("w1")["engines"] if e["slot"] == slot))


def signal_engine(name: str) -> Callable[[Cluster], None]:
    """Send a signal to the first engine of w1."""
    return lambda cluster: void(cluster.run("w1", "kill", f"-{name}", engine_pid(cluster)))


def void(_: object) -> None:
    """Nothing, whatever it is given."""


def kill(container: str, process: str) -> Callable[[Cluster], None]:
    """Kill the first process of that name in a container."""
    command = f"kill -9 $(pgrep -x {process} | head -1)"
    return lambda cluster: void(cluster.run(container, "sh", "-c", command))


def kill_everything(container: str) -> Callable[[Cluster], None]:
    """Kill all processes of a container but its first."""
    return lambda cluster: void(cluster.run(container, "sh", "-c", "kill -9 -1"))


def host_pid(cluster: Cluster, container: str) -> int:
    """The pid of a container's first process, on this machine."""
    return int(cluster.docker("inspect", container, "--format={{.State.Pid}}"))


def kill_first_process(container: str) -> Callable[[Cluster], None]:
    """Kill a container's PID 1: Docker restarts the container."""
    return lambda cluster: os.kill(host_pid(cluster, container), signal.SIGKILL)


def restart(container: str) -> Callable[[Cluster], None]:
    """Restart a container."""
    return lambda cluster: void(cluster.docker("restart", container))


def controller_process(number: int, name: str) -> Callable[[Cluster], None]:
    """Send a signal to one of ipcontroller's processes; the first is the hub."""
    command = f"kill -{name} $(pgrep -x ipcontroller | sed -n {number}p)"
    return lambda cluster: void(cluster.run("controller", "sh", "-c", command))


def set_link(cluster: Cluster, container: str, state: str) -> None:
    """Cut a container's link ("down"), or mend it ("up")."""
    pid = host_pid(cluster, container)
    sh("nsenter", "-t", str(pid), "-n", "ip", "link", "set", "eth0", state)


def cut(container: str, seconds: float) -> Callable[[Cluster], None]:
    """Cut a container's link for a while."""

    def inject(cluster: Cluster) -> None:
        set_link(cluster, container, "down")
        try:
            time.sleep(seconds)
        finally:
            set_link(cluster, container, "up")

    return inject


@dataclass
class Fault:
    """A fault, how soon it must be repaired, and what it may cost."""

    name: str
    inject: Callable[[Cluster], None]
    allowed: float
    """Seconds from the injection (for a cut link: from its end) to full strength."""
    lost: frozenset[str] = frozenset()
    """The engines whose running tasks and state are lost."""
    queue_lost: bool = False
    """Whether tasks that no engine has yet may fail too."""


W1 = frozenset({"w1-1", "w1-2"})
FIRST = frozenset({"w1-1"})
FAULTS = [
    Fault("an engine is killed", signal_engine("KILL"), 12, FIRST),
    Fault("an engine freezes", signal_engine("STOP"), 22, FIRST),
    Fault("all processes of a worker are killed", kill_everything("w1"), 20, W1),
    Fault("a worker's PID 1 is killed", kill_first_process("w1"), 20, W1),
    Fault("a worker's fork server is killed", kill("w1", "ippnode"), 20, W1),
    Fault("a worker's agent is killed", kill("w1", "ippagent"), 20),
    Fault("a worker's sshd is killed", kill("w1", "sshd"), 20),
    Fault("a worker restarts", restart("w1"), 20, W1),
    Fault("ipcontroller is killed", kill("controller", "ipcontroller"), 15, queue_lost=True),
    Fault("a scheduler is killed", controller_process(3, "KILL"), 30, queue_lost=True),
    Fault("the task scheduler is killed", controller_process(5, "KILL"), 30, queue_lost=True),
    Fault("the hub freezes", controller_process(1, "STOP"), 30, queue_lost=True),
    Fault("the direct scheduler freezes", controller_process(3, "STOP"), 30),
    Fault("the task scheduler freezes", controller_process(5, "STOP"), 30, queue_lost=True),
    Fault("the broadcast scheduler is killed", controller_process(6, "KILL"), 30, queue_lost=True),
    Fault("the broadcast scheduler freezes", controller_process(6, "STOP"), 30),
    Fault("a leaf of the broadcast scheduler freezes", controller_process(8, "STOP"), 30),
    Fault("the controller's agent is killed", kill("controller", "ippagent"), 15),
    Fault(
        "all processes of the controller are killed",
        kill_everything("controller"),
        20,
        queue_lost=True,
    ),
    Fault(
        "the controller's PID 1 is killed", kill_first_process("controller"), 20, queue_lost=True
    ),
    Fault("the controller restarts", restart("controller"), 15, queue_lost=True),
    Fault("a worker is cut off for 5 s", cut("w1", 5), 30),
    Fault("a worker is cut off for 15 s", cut("w1", 15), 30, W1),
    Fault("the controller is cut off for 5 s", cut("controller", 5), 30),
]


def slug(fault: Fault) -> str:
    """A fault's name in the name of its test."""
    return fault.name.replace(" ", "-")


@pytest.mark.parametrize("fault", FAULTS, ids=slug)
def test_it_is_repaired_while_work_goes_on(cluster: Cluster, fault: Fault) -> None:
    is_repaired(cluster, fault)


FORKSERVER = """
FROM {image}
USER root
RUN echo 'import multiprocessing; multiprocessing.set_start_method("forkserver")' \
  > "$(/opt/venv/bin/python3 -c 'import site; print(site.getsitepackages()[0])')/forkserver.pth"
USER ipp
"""
"""An image whose Python starts processes as Python 3.14 does."""
CONTROLLER_FAULTS = [
    fault
    for fault in FAULTS
    if fault.name
    in (
        "ipcontroller is killed",
        "the task scheduler is killed",
        "the broadcast scheduler is killed",
        "the hub freezes",
        "the controller restarts",
    )
]


@pytest.fixture(scope="module")
def forkserver_cluster(image: str) -> Iterator[Cluster]:
    """A cluster like the other, whose Python starts processes by forkserver."""
    tag = f"{image}-forkserver"
    sh("docker", "build", "-q", "-t", tag, "-", stdin=FORKSERVER.format(image=image))
    with Cluster(tag) as made:
        for name in ("controller", *WORKERS):
            made.create(name)
        made.start_controller()
        for name, count in WORKERS.items():
            made.engines(name, count)
        made.ready(WORKERS)
        yield made


@pytest.mark.parametrize("fault", CONTROLLER_FAULTS, ids=slug)
def test_it_is_repaired_where_processes_are_not_forked_by_default(
    forkserver_cluster: Cluster, fault: Fault
) -> None:
    code = "import multiprocessing; print(multiprocessing.get_start_method())"
    assert forkserver_cluster.run("controller", "python3", "-c", code) == "forkserver"
    try:
        is_repaired(forkserver_cluster, fault)
    finally:
        forkserver_cluster.close_clients()


def is_repaired(cluster: Cluster, fault: Fault) -> None:
    """Inject a fault while tasks of each kind are there; see what becomes of them."""
    client = cluster.client()
    cluster.full_strength(client, WORKERS, 20)
    slots = {id: client._engines[id].rsplit("-", 1)[0] for id in client.ids}
    client[:]["kept"] = True
    direct = {slots[id]: client[id].apply_async(work, TASK_SECONDS) for id in slots}
    view = client.load_balanced_view()
    balanced = [view.apply_async(work, 0.3) for _ in range(16)]
    broadcast = client.broadcast_view().apply_async(work, 0.2)
    coalesced = client.broadcast_view(is_coalescing=True).apply_async(work, 0.2)
    time.sleep(0.5)

    deadline = time.monotonic() + NO_HANG_SECONDS
    start = time.monotonic()
    fault.inject(cluster)
    if "cut off" in fault.name:
        start = time.monotonic()
    cluster.full_strength(client, WORKERS, fault.allowed)
    again = open_again(cluster, start + fault.allowed)
    recovery_times.append((fault.name, time.monotonic() - start, fault.allowed))

    for slot, task in direct.items():
        expected = {"EngineError"} if slot in fault.lost else {"done"}
        assert outcome(task, deadline) in expected, slot
    # Those that were broadcast may have come first, and be done before an engine is lost.
    for slot, end in zip(slots.values(), outcomes(broadcast, deadline), strict=True):
        assert end == "done" or (end == "EngineError" and slot in fault.lost), slot
    end = outcome(coalesced, deadline)
    assert end == ["done"] * 4 or (end == "EngineError" and fault.lost)
    ends = [outcome(task, deadline) for task in balanced]
    assert set(ends) <= {"done", "EngineError"}
    if not fault.queue_lost:
        assert ends.count("EngineError") <= len(fault.lost)

    for task in (*direct.values(), *balanced, broadcast):
        assert told_of_the_end(task, deadline)

    kept = client[:].apply_sync(remote(lambda: globals().get("kept")))
    now = [client._engines[id].rsplit("-", 1)[0] for id in client.ids]
    assert {slot for slot, here in zip(now, kept, strict=True) if not here} == fault.lost
    assert again.ids == client.ids
    assert len(cluster.ready(WORKERS)["engines"]) == 4


def test_tasks_that_end_while_the_controller_is_away_have_an_answer(cluster: Cluster) -> None:
    """Results wait for the controller; of a task whose result is too large to be kept, word comes
    that it was lost."""
    client = cluster.client()
    cluster.full_strength(client, WORKERS, 20)
    first, second, *_ = client.ids
    client[:]["kept"] = True
    direct = [client[id].apply_async(work, 3.0) for id in client.ids]
    executed = client[first].execute("kept = 'changed'", silent=False, block=False)
    large = client[second].apply_async(remote(lambda: bytes(10_000_000)))
    view = client.load_balanced_view()
    # No result must come just when the link is cut: a client whose last message that was notices
    # nothing (docs/limits.md). So these begin after the direct tasks.
    time.sleep(0.3)
    balanced = [view.apply_async(work, 0.5) for _ in client.ids]
    broadcast = client.broadcast_view().apply_async(work, 0.1)
    coalesced = client.broadcast_view(is_coalescing=True).apply_async(work, 0.1)
    time.sleep(0.5)
    deadline = time.monotonic() + NO_HANG_SECONDS

    # The controller's processes are gone, its machine answers to nothing: as after a power cut.
    set_link(cluster, "controller", "down")
    time.sleep(8)
    cluster.docker("kill", "controller")
    cluster.docker("start", "controller")

    cluster.full_strength(client, WORKERS, 20)
    assert [outcome(task, deadline) for task in direct] == ["done"] * 4
    assert outcomes(broadcast, deadline) == ["done"] * 4
    assert outcome(coalesced, deadline) == ["done"] * 4
    assert outcome(executed, deadline).status == "ok"
    for task in (*direct, executed, large, *balanced, broadcast):
        assert told_of_the_end(task, deadline)
    assert outcome(large, deadline) in (bytes(10_000_000), "EngineError")
    assert {outcome(task, deadline) for task in balanced} <= {"done", "EngineError"}
    assert client[first]["kept"] == "changed"


@pytest.mark.parametrize(
    "fault", [restart("controller"), kill("controller", "ipcontroller")], ids=["restart", "kill"]
)
def test_the_end_of_each_task_is_told_though_the_controller_is_started_anew(
    cluster: Cluster, fault: Callable[[Cluster], None]
) -> None:
    client = cluster.client()
    cluster.full_strength(client, WORKERS, 20)
    threading.Timer(1, fault, [cluster]).start()
    start = time.monotonic()
    while time.monotonic() - start < 5:
        task = client[:].execute("import time; time.sleep(0.01); print('here')", block=False)
        deadline = time.monotonic() + NO_HANG_SECONDS
        while not task.wait(1) and time.monotonic() < deadline:
            client[:].apply_async(int)  # what follows a lost task shows that it is missing
        assert outcome(task, deadline) != "hangs"
        assert told_of_the_end(task, deadline)


def test_no_id_was_given_twice(cluster: Cluster) -> None:
    """After all of the above: an engine that is started now gets an id that nobody had."""
    client = cluster.client()
    highest = max(client.ids)
    cluster.run("w2", "kill", "-9", str(cluster.status("w2")["engines"][0]["pid"]))
    wait_until("a new engine", 15, lambda: len(client.ids) == 4 and max(client.ids) > highest)


def test_a_controller_that_comes_back_without_engines_forgets_them(cluster: Cluster) -> None:
    """Engines that died while the controller was away are no ghosts when it is back."""
    client = cluster.client()
    cluster.docker("stop", "controller")
    cluster.docker("stop", "w1")
    cluster.docker("start", "controller")
    start = time.monotonic()
    cluster.full_strength(client, {"w2": 2}, 20)
    recovery_times.append(("ghosts after an outage are gone", time.monotonic() - start, 20))
    cluster.docker("start", "w1")
    cluster.full_strength(client, WORKERS, 20)


def test_a_controller_whose_clock_is_set_back_goes_on_repairing(
    image: str, tmp_path: pathlib.Path
) -> None:
    tmp_path.chmod(0o755)  # the cluster's user reads it
    clock = tmp_path / "now"
    clock.write_text("+0")
    with Cluster(image) as cluster:
        cluster.create(
            "controller",
            "--volume=/usr/lib/x86_64-linux-gnu/faketime:/faketime:ro",
            f"--volume={tmp_path}:/clock:ro",
            "--env=LD_PRELOAD=/faketime/libfaketimeMT.so.1",
            "--env=FAKETIME_TIMESTAMP_FILE=/clock/now",
            "--env=FAKETIME_CACHE_DURATION=1",
            "--env=FAKETIME_DONT_FAKE_MONOTONIC=1",
        )
        cluster.create("w1")
        cluster.start_controller()
        cluster.engines("w1", 2)
        client = cluster.client()
        clock.write_text("-3600s")
        wait_until("the clock to be told of", 15, lambda: cluster.status("w1")["clock"]["off"])
        cluster.run("w1", "kill", "-9", engine_pid(cluster))
        start = time.monotonic()
        cluster.full_strength(client, {"w1": 2}, 12)
        recovery_times.append(("an engine, the clock set back", time.monotonic() - start, 12))
        assert cluster.status("controller")["restarts"] == 0


# ---- a worker of its own for each of these


@pytest.fixture
def worker(cluster: Cluster) -> Iterator[str]:
    """The name of a third worker, which the test creates; removed afterwards."""
    yield "w3"
    cluster.remove("w3")


def of(cluster: Cluster, name: str) -> dict[int, str]:
    """Ident of a worker's engines, by slot."""
    return {e["slot"]: e["ident"] for e in cluster.status(name)["engines"]}


def test_a_task_that_takes_too_much_memory_costs_only_its_engine(
    cluster: Cluster, worker: str
) -> None:
    cluster.create(worker, "--memory=300m", "--memory-swap=300m")
    cluster.engines(worker, 2)
    client = cluster.client()
    before = of(cluster, worker)
    ids = {ident: id for id, ident in client._engines.items()}
    neighbour = client[ids[before[2]]].apply_async(work, TASK_SECONDS)
    start = time.monotonic()
    task = client[ids[before[1]]].apply_async(remote(lambda: len(bytearray(10**9))))
    assert outcome(task, start + NO_HANG_SECONDS) == "EngineError"
    cluster.full_strength(client, {**WORKERS, worker: 2}, 20)
    recovery_times.append(("a task hits the memory limit", time.monotonic() - start, 20))
    assert outcome(neighbour, start + NO_HANG_SECONDS) == "done"
    after = of(cluster, worker)
    assert after[2] == before[2]
    assert after[1] != before[1]
    reason = cluster.status(worker)["engines"][0]["reason"]
    assert reason == "ended by signal SIGKILL: out of memory (the container may use 300 MiB)"
    assert cluster.docker("inspect", worker, "--format={{.RestartCount}}") == "0"
    assert sh(*cluster.ssh_command(worker), "echo", "here") == "here"


def test_a_full_disk_is_said_and_does_not_stop_the_engines(cluster: Cluster, worker: str) -> None:
    cluster.create(worker, "--tmpfs=/home/ipp:rw,size=8m,uid=1000,gid=1000,mode=0700")
    cluster.engines(worker, 1)
    assert cluster.status(worker)["disks"]["/home/ipp"]["full"] is False
    cluster.run(worker, "sh", "-c", "cat /dev/zero > /home/ipp/filling")
    assert cluster.status(worker)["disks"]["/home/ipp"]["full"] is True
    client = cluster.client()
    cluster.run(worker, "pkill", "-9", "-x", "ipengine")
    wait_until("the engine to be noticed", 5, lambda: of(cluster, worker) not in ({}, None))
    cluster.full_strength(client, {**WORKERS, worker: 1}, 20)
    with pytest.raises(ControlFailed, match="No space left on device"):
        cluster.engines(worker, 2)
    cluster.run(worker, "rm", "/home/ipp/filling")
    cluster.engines(worker, 2)


def test_an_engine_that_dies_at_once_is_not_started_over_and_over(
    cluster: Cluster, worker: str
) -> None:
    cluster.create(worker)
    with pytest.raises(ControlFailed):
        cluster.engines(worker, 1, "--import=nonsense")
    before = cluster.status(worker)["engines"][0]["restarts"]
    time.sleep(10)
    engine = cluster.status(worker)["engines"][0]
    assert engine["restarts"] - before <= 5
    assert engine["state"] == "failed"
    assert "No module named 'nonsense'" in engine["reason"]
