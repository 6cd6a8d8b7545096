"""What a client may expect of the controller, whatever other clients do."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import zmq
from cluster import Cluster, remote, wait_until
from ipyparallel import Client, util
from ipyparallel.error import RemoteError
from jupyter_client.session import Session

pytestmark = pytest.mark.real

MEMORY_MIB = 480


@pytest.fixture(scope="module")
def cluster(image: str) -> Iterator[Cluster]:
    """A controller with little memory, and a worker with 3 engines."""
    with Cluster(image) as made:
        made.config += f"c.Controller.memory = {MEMORY_MIB} * 2**20\n"
        for name in ("controller", "w1"):
            made.create(name)
        made.start_controller()
        made.engines("w1", 3)
        made.ready({"w1": 3})
        yield made


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.close_clients()


@remote
def nap(seconds: float) -> str:
    """A task that takes a while."""
    import time

    time.sleep(seconds)
    return "ran"


@remote
def fail_on(victims: list[int], seconds: float) -> int:
    """A task that fails on some engines, before the others have ended."""
    import os
    import time

    if os.getpid() in victims:
        raise ArithmeticError(f"victim {victims.index(os.getpid())}")
    time.sleep(seconds)
    return os.getpid()


@remote
def block(size: int) -> bytes:
    """A large result."""
    return bytes(size)


def memory_mib(cluster: Cluster) -> float:
    """What the controller's processes use, shared pages counted once, in MiB."""
    command = "for pid in $(pgrep -x ipcontroller); do grep ^Pss: /proc/$pid/smaps_rollup; done"
    lines = cluster.run("controller", "sh", "-c", command).splitlines()
    return sum(int(line.split()[1]) for line in lines) / 1024


# ---- load-balanced tasks


def test_a_task_that_waits_longer_than_its_timeout_ends(cluster: Cluster) -> None:
    view = cluster.client().load_balanced_view()
    busy = [view.apply_async(nap, 4) for _ in range(3)]
    wait_until("all engines to be busy", 5, lambda: not view.queue_status()["unassigned"])
    with view.temp_flags(timeout=1):
        queued = view.apply_async(nap, 0)
    with view.temp_flags(timeout=1, after=busy[:1]):
        dependent = view.apply_async(nap, 0)
    with view.temp_flags(timeout=60):
        patient = view.apply_async(nap, 0)
    for task in (queued, dependent):
        with pytest.raises(RemoteError, match="TaskTimeout"):
            task.get(20)
    assert not busy[0].ready()
    assert patient.get(20) == "ran"


# ---- broadcasts


def test_a_coalesced_answer_has_the_order_of_the_engines(cluster: Cluster) -> None:
    client = cluster.client()
    pids = dict(zip(client.ids, client[:].apply_sync(fail_on, [], 0), strict=True))
    for ids in (client.ids, client.ids[::-1], client.ids[1:]):
        view = client.broadcast_view(ids, is_coalescing=True)
        result = view.apply_async(fail_on, [], 0)
        assert result.get(10) == [pids[id] for id in ids]
        assert result.engine_id == ids


def test_a_coalesced_answer_is_the_error_of_the_first_engine_that_has_one(
    cluster: Cluster,
) -> None:
    client = cluster.client()
    pids = client[:].apply_sync(fail_on, [], 0)
    view = client.broadcast_view(is_coalescing=True)
    for victims in ([pids[1]], [pids[2], pids[0]], pids):
        with pytest.raises(RemoteError, match="ArithmeticError") as raised:
            view.apply_async(fail_on, victims, 0.3).get(10)
        first = next(pid for pid in pids if pid in victims)
        assert raised.value.evalue == f"victim {victims.index(first)}"


# ---- other clients


def half_connect(client: Client, context: zmq.Context) -> zmq.Socket:
    """Do what a client does first, and nothing of what it does next."""
    known = client._config
    session = Session(
        key=known["key"].encode(),
        signature_scheme=known["signature_scheme"],
        packer=known["pack"],
        unpacker=known["unpack"],
    )
    socket = context.socket(zmq.DEALER)
    util.connect(socket, known["registration"], curve_serverkey=client.curve_serverkey)
    session.send(socket, "connection_request")
    assert socket.poll(5000)
    return socket


def test_who_asks_for_the_engines_and_never_listens_delays_nobody(cluster: Cluster) -> None:
    client = cluster.client()
    with zmq.Context() as context:
        for number in range(3):
            half_connect(client, context)
            task = client[0].execute(f"print({number})", block=False)
            assert task.wait_for_output(3)
            assert task.stdout == f"{number}\n"
        context.destroy(linger=0)


def test_a_new_client_gets_all_that_its_first_task_prints_and_once(cluster: Cluster) -> None:
    for _ in range(5):
        client = cluster.client()
        first = client[:].execute("print('first')", block=False)
        cluster.client()  # is sent what was missed, too
        second = client[:].execute("print('second')", block=False)
        assert first.wait_for_output(10)
        assert second.wait_for_output(10)
        assert first.stdout == ["first\n"] * 3
        assert second.stdout == ["second\n"] * 3


OTHER = """
import json, os, signal, sys
from ipyparallel import Client

client = Client(json.loads(sys.stdin.readline()), timeout=20)
view = client[:]
if sys.argv[1] == "results":
    tasks = [view.apply_async(lambda: bytes(2_000_000)) for _ in range(60)]
else:
    tasks = [view.execute("print('x' * 1_000_000, flush=True)", block=False) for _ in range(100)]
client._io_loop.add_callback(lambda: client._io_loop.call_later(0.2, print, "sent", flush=True))
sys.stdin.read()
"""


@contextlib.contextmanager
def stopped_client(cluster: Cluster, work: str) -> Iterator[None]:
    """A client that is stopped when it has sent its tasks."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, work], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        interface = f"tcp://{cluster.address('controller')}"
        connection = json.dumps(cluster.connection("client", interface))
        process.stdin.write(connection.encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("work", ["results", "output"])
def test_a_client_that_is_stopped_does_not_fill_the_controller(cluster: Cluster, work: str) -> None:
    client = cluster.client()
    limit = memory_mib(cluster) + MEMORY_MIB / 4
    with stopped_client(cluster, work):
        wait_until(
            "the engines to be done",
            90,
            lambda: (
                not any(
                    queue["queue"] + queue["tasks"]
                    for id, queue in client.queue_status().items()
                    if isinstance(id, int)
                )
            ),
        )
        wait_until("memory to be given back", 60, lambda: memory_mib(cluster) < limit)
        task = client[:].execute("print('here')", block=False)
        assert task.wait_for_output(10)
        assert task.stdout == ["here\n"] * 3
        assert client.load_balanced_view().apply_async(nap, 0).get(10) == "ran"
    assert cluster.status("controller")["restarts"] == 0


def test_a_result_that_was_dropped_is_said_to_be(cluster: Cluster) -> None:
    client = cluster.client()
    first = client[0].apply_async(block, 1_500_000)
    [id] = first.msg_ids
    assert len(first.get(10)) == 1_500_000
    assert len(cluster.client().get_result(id).get(10)) == 1_500_000
    for _ in range(30):  # more than the 30 MiB that are for records
        client[0].apply_sync(block, 1_500_000)
    late = cluster.client()
    with pytest.raises(RemoteError, match=r"was dropped.*controller\.memory") as raised:
        late.get_result(id).get(10)
    assert raised.value.ename == "KeyError"
    with pytest.raises(RemoteError, match="No such message"):
        late.get_result("0123-4567_1_1").get(10)


def test_purging_gives_back_memory(cluster: Cluster) -> None:
    client = cluster.client()
    client.purge_everything()
    limit = memory_mib(cluster) + 10
    for _ in range(18):
        client[0].apply_sync(block, 1_500_000)
    assert memory_mib(cluster) > limit
    client.purge_everything()
    assert client.hub_history() == []
    wait_until("memory to be given back", 20, lambda: memory_mib(cluster) < limit)


def test_tasks_that_there_is_no_room_for_are_refused_and_others_go_on(cluster: Cluster) -> None:
    client, other = cluster.client(), cluster.client()
    view = client.load_balanced_view()
    busy = [view.apply_async(nap, 8) for _ in range(3)]
    wait_until("all engines to be busy", 5, lambda: not view.queue_status()["unassigned"])
    tasks = []
    for _ in range(150):
        tasks.append(view.apply_async(len, b"x" * 2_000_000))
        time.sleep(0.02)
    small = other.load_balanced_view().apply_async(nap, 0)
    ends = [task.get(60, return_exceptions=True) for task in tasks]
    refused = [end for end in ends if isinstance(end, RemoteError)]
    assert refused
    assert {end.ename for end in refused} == {"ControllerFull"}
    assert all("controller.memory" in end.evalue for end in refused)
    assert {end for end in ends if end not in refused} == {2_000_000}
    assert small.get(30) == "ran"
    assert [task.get(30) for task in busy] == ["ran"] * 3


def test_dask_is_refused_where_it_can_not_work(cluster: Cluster) -> None:
    client = cluster.client()
    reply = client._send_recv(client._query_stream, "become_dask_request", {})
    assert reply["content"]["status"] == "error"
    assert "images.default.packages" in reply["content"]["evalue"]
    assert client[:].apply_async(nap, 0).get(10) == ["ran"] * 3


def test_a_client_that_asks_when_the_controller_ends_gets_an_answer(cluster: Cluster) -> None:
    """Its question was taken by a hub that did not live to read it."""
    hub = "$(pgrep -x ipcontroller | head -1)"
    cluster.run("controller", "sh", "-c", f"kill -STOP {hub}")
    opened: list[Client] = []
    thread = threading.Thread(target=lambda: opened.append(cluster.client()))
    thread.start()
    time.sleep(1)
    assert not opened
    cluster.run("controller", "sh", "-c", f"kill -KILL {hub}")
    thread.join(30)
    assert opened, "the client was not answered"
    assert opened[0][:].apply_async(nap, 0).get(20) == ["ran"] * 3
