"""The parts that run without a container. Quick."""

import asyncio
import gc
import importlib.machinery
import importlib.util
import io
import json
import os
import pickle
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import pytest
import zmq
import zmq.asyncio
from conftest import DOCKER
from ippnode import bytecode, controller, files, machine, paths, queues, recent, rpc, worker
from ippnode.arrivals import Arrivals
from ippnode.hublink import Hub, HubUnreachable, dialable
from ippnode.images import differences, python_mismatches, python_note
from ippnode.jobs import describe_status
from ippnode.journal import Journal, Task
from ippnode.output_thread import ENDS, OutputThread
from ippnode.peers import AnonymousPeers
from ippnode.relay import ControlRelay
from ipyparallel import util
from ipyparallel.client.view import BroadcastView
from ipyparallel.serialize import canning, codeutil
from jupyter_client.session import DELIM, Session

# ---- what is imported


def python(program: str) -> None:
    """Run a program in a process of its own."""
    command = [sys.executable, "-W", "error", "-c", program]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(DOCKER)}, check=True)


def test_a_package_runs_its_own_module_when_something_of_it_is_asked_for() -> None:
    python("""if True:
        import sys
        from ippnode.deferred import defer

        defer("ipyparallel", Dependency="controller.dependency")
        import ipyparallel.engine.app
        from ipyparallel import Dependency, util

        assert "ipyparallel.cluster" not in sys.modules
        try:
            ipyparallel.nonsense
        except AttributeError as error:
            assert "nonsense" in str(error)
        else:
            raise AssertionError("it has nonsense")
        import ipyparallel as ipp

        assert ipp.Client is sys.modules["ipyparallel.client.client"].Client
        assert ipp.Dependency is Dependency
        assert ipp.util is util
        assert ipp.__version__
    """)


def test_a_deferred_package_serves_threads_that_ask_at_once() -> None:
    python("""if True:
        from concurrent.futures import ThreadPoolExecutor
        from ippnode.deferred import defer

        package = defer("ipyparallel")
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda _: package.Client, range(8)))
        assert len(set(found)) == 1
    """)


def test_types_are_known_by_name_until_their_module_is_there() -> None:
    python("""if True:
        import sys
        import ipyparallel.serialize.canning as canning
        from ippnode.typemap import TypeMap

        canning.can_map = TypeMap(canning.can_map)
        assert canning.can("text") == "text"
        assert "numpy" not in sys.modules
        import numpy

        array = canning.can(numpy.ones(3))
        assert isinstance(array, canning.CannedArray)
        assert canning.uncan(array).tolist() == [1, 1, 1]
        assert isinstance(canning.can(lambda: 1), canning.CannedFunction)
    """)


# ---- files


def test_a_private_file_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    assert files.write_private(path, "text") is True
    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_private_file_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_private(path, "text")
    before = path.stat().st_ino
    assert files.write_private(path, "text") is False
    assert path.stat().st_ino == before
    path.chmod(0o644)
    assert files.write_private(path, "text") is True
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert files.digest({"a": 1, "b": [2]}) == files.digest({"b": [2], "a": 1})
    assert files.digest({"a": 1}) != files.digest({"a": 2})
    assert files.digest(None) is None


def test_a_broken_json_file_reads_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "half").write_text('{"engines": {"0": "w1-')
    assert files.read_json(tmp_path / "half") is None
    assert files.read_json(tmp_path / "absent") is None


# ---- small decisions


@pytest.mark.parametrize(
    ("ident", "owner"),
    [
        ("w1-2-0a1b2c3d", ("w1", 2)),
        ("gpu-node-1-12-0a1b2c3d", ("gpu-node-1", 12)),
        ("a4f7-99", ("", 0)),
        ("0b5e3c1d-aa11bb22", ("", 0)),
    ],
)
def test_an_ident_tells_whose_engine_it_is(ident: str, owner: tuple[str, int]) -> None:
    engine = controller.parse_ident(7, ident)
    assert (engine.worker, engine.slot) == owner


@pytest.mark.parametrize("pause", [worker.pause_after, controller.pause_after])
def test_the_first_restart_is_at_once_and_later_ones_ever_slower(pause: Any) -> None:
    pauses = [pause(failures) for failures in range(20)]
    assert pauses[:2] == [0, 0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (1, "exited with status 1"),
        (-signal.SIGSEGV, "ended by signal SIGSEGV"),
        (-signal.SIGKILL, "ended by signal SIGKILL (killed: out of memory, or by hand)"),
    ],
)
def test_the_end_of_a_process_in_words(status: int, words: str) -> None:
    assert describe_status(status) == words


def test_the_location_is_dialled_when_the_interface_is_any() -> None:
    file = {"interface": "tcp://0.0.0.0", "location": "controller"}
    assert dialable(file)["interface"] == "tcp://controller"
    file["interface"] = "tcp://10.0.0.1"
    assert dialable(file) == file


def test_a_clock_is_off_beyond_a_minute() -> None:
    assert machine.clock(3600) == {"ahead_seconds": 3600, "off": True}
    assert machine.clock(-59.96) == {"ahead_seconds": -60.0, "off": False}


def test_a_listening_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert machine.listens(port) is True
    assert machine.listens(port) is False


def test_a_disk_with_room_is_not_full(tmp_path: Path) -> None:
    assert machine.disks([tmp_path])[str(tmp_path)]["full"] is False


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_cores_are_what_affinity_and_quota_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert machine.cores() == cores


# ---- images


def content(id: str, packages: dict[str, str], python: str = "3.11.2") -> dict[str, Any]:
    return {"id": id, "python": python, "packages": packages, "files": "f"}


def test_workers_with_the_same_image_must_have_the_same_content() -> None:
    a = content("a", {"python3 numpy": "2.2.6", "python3 scipy": "1.14.1", "debian s6": "1"})
    b = content("b", {"python3 numpy": "2.2.5", "debian s6": "1", "debian jq": "2"})
    images = {"w1": "default", "w2": "default", "w3": "gpu", "w4": "default"}
    assert differences(images, {"w1": a, "w2": b, "w3": b, "w4": a}) == [
        "image default is not the same on workers w1 and w2: "
        "only on w2: jq 2, numpy 2.2.6 / 2.2.5, only on w1: scipy 1.14.1"
    ]
    assert differences(images, {"w1": a, "w3": b, "w4": a}) == []


def test_a_long_list_of_differences_is_cut_short() -> None:
    many = content("a", {f"python3 p{n}": "1" for n in range(30)})
    [line] = differences({"w1": "x", "w2": "x"}, {"w1": many, "w2": content("b", {})})
    assert line.endswith(", and 20 more")
    other = content("c", {}, "3.11.4")
    [line] = differences({"w1": "x", "w2": "x"}, {"w1": content("b", {}), "w2": other})
    assert line.endswith(": Python 3.11.2 / 3.11.4")


def test_engines_must_have_the_declared_python() -> None:
    engines = [{"worker": "w1", "python": "3.11.9"}, {"worker": "w3", "python": "3.12.1"}]
    assert python_mismatches(engines, "3.11.2", {"w1": "3.11", "w3": "3.12"}) == []
    wrong = "worker w3: Python 3.12, but 3.11 is declared: name its Python as python under images"
    for declared in ({}, {"w1": "3.11", "w3": "3.11"}):  # the controller's, where nothing is said
        [line] = python_mismatches(engines, "3.11.2", declared)
        assert line.startswith(wrong)


def test_the_pythons_of_a_cluster_are_told_in_a_line() -> None:
    assert python_note({"w1": "3.11", "w2": "3.13", "w3": "3.11"}) == (
        "engines have Python 3.11 on 2 workers, 3.13 on 1 worker: "
        "functions reach those of the client's Python"
    )


# ---- byte code

SENT: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "functions.json").read_text())
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def receive(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
    """What an engine makes of a function that a client of some Python has sent."""
    monkeypatch.setattr(codeutil, "code_ctor", codeutil.code_ctor)
    bytecode.guard()
    return lambda python, name: canning.uncan(pickle.loads(b64decode(SENT[python][name])), {})


def test_functions_of_the_engines_python_are_taken(receive: Callable[[str, str], Any]) -> None:
    assert receive(HERE, "hello")() == "Hello World"
    assert receive(HERE, "squares")(4) == [0, 1, 4, 9]
    assert list(receive(HERE, "generator")(2)) == [0, 1]
    assert receive(HERE, "closure")(2) == 10
    assert asyncio.run(receive(HERE, "coroutine")(1)) == 1
    assert receive(HERE, "module_wide")(2) == 2.0


@pytest.mark.parametrize("python", sorted(set(SENT) - {HERE}))
def test_functions_of_another_python_are_refused(
    python: str, receive: Callable[[str, str], Any]
) -> None:
    for name in ("hello", "squares", "generator", "closure", "coroutine", "module_wide"):
        with pytest.raises(bytecode.AnotherPython) as refusal:
            receive(python, name)
        assert re.match(
            rf"\S*{name}\S* is byte code of another Python than this engine's {HERE}: use a client "
            rf"with Python {HERE}, or an engine with the client's .* or send source with execute",
            str(refusal.value),
        )


@pytest.mark.skipif(HERE not in ("3.11", "3.12"), reason="others have RESUME by another number")
def test_what_passes_from_the_nearest_python_means_the_same(
    receive: Callable[[str, str], Any],
) -> None:
    for python in ("3.11", "3.12"):
        assert receive(python, "total")(2, 10) == 12


@pytest.mark.parametrize("python", sorted(SENT))
def test_functions_that_every_engine_has_are_found_by_their_name(
    python: str, receive: Callable[[str, str], Any]
) -> None:
    assert receive(python, "_pull").__code__ == util._pull.__code__
    assert receive(python, "_broadcast_map").__code__ == BroadcastView._broadcast_map.__code__
    assert receive(python, "describe")()["python"] == platform.python_version()


def test_a_part_of_a_function_is_not_taken_for_the_whole(
    receive: Callable[[str, str], Any],
) -> None:
    other = "3.13" if HERE != "3.13" else "3.12"
    with pytest.raises(bytecode.AnotherPython):
        receive(other, "part")()


def test_no_function_of_this_python_is_refused() -> None:
    todo = [one.__code__ for one in gc.get_objects() if isinstance(one, FunctionType)]
    seen = set()
    while todo:
        code = todo.pop()
        if code not in seen:
            seen.add(code)
            assert bytecode.is_native(code.co_code), code
            todo += [const for const in code.co_consts if isinstance(const, CodeType)]
    assert len(seen) > 5000


# ---- journal


def task(id: str, engine: str | None = None) -> Task:
    return Task(id, {"msg_id": id}, engine)


def test_a_journal_remembers_what_was_not_answered(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path)
    first.take(task("waits"))
    first.take(task("moves"))
    first.place(task("moves", "w1-1-aa"))
    first.place(task("runs", "w2-1-bb"))
    first.place(task("done", "w2-1-bb"))
    first.answer("done")
    first.answer("never taken")
    again = Journal(path)  # the first was killed: it closed nothing
    assert {t.id: t.engine for t in again.tasks.values()} == {
        "waits": None,
        "moves": "w1-1-aa",
        "runs": "w2-1-bb",
    }
    assert again.tasks["waits"].header == {"msg_id": "waits"}


def test_a_journal_survives_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).take(task("whole"))
    with path.open("a") as file:
        file.write('["take", {"id": "ha')
    assert list(Journal(path).tasks) == ["whole"]


def test_a_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.take(task("waits"))
    big = {"filling": "x" * 100_000}
    for number in range(200):
        journal.take(Task(str(number), big))
        journal.answer(str(number))
    assert path.stat().st_size < 5 * 1024 * 1024
    assert list(Journal(path).tasks) == ["waits"]


def test_a_full_disk_costs_the_record_but_not_the_task(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    os.close(journal.file)
    journal.file = os.open("/dev/full", os.O_WRONLY)
    journal.take(task("taken"))
    journal.answer("taken")
    assert journal.tasks == {}


# ---- what clients have sent


def arrivals(tmp_path: Path, *ids: str) -> Arrivals:
    """What is remembered after a restart, when these came before it."""
    path = tmp_path / "arrivals"
    before = Arrivals(path, [])
    for id in ids:
        before.note(id)
    return Arrivals(path, [])


def test_numbers_that_are_missing_after_a_restart_are_told_once(tmp_path: Path) -> None:
    known = arrivals(tmp_path, "s_7_4", "s_7_5", "s_7_8", "other_9_1")
    assert known.note("s_7_11") == "s_7"
    assert known.note("s_7_12") is None
    assert known.take_missing("s_7", known.latest("s_7")) == [f"s_7_{n}" for n in (6, 7, 9, 10)]
    assert known.take_missing("s_7", known.latest("s_7")) == []
    assert Arrivals(known.path, []).take_missing("s_7", 12) == []


def test_what_only_another_journal_knew_is_not_missing(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    before = Arrivals(path, [])
    before.note("s_7_4")
    before.note("s_7_5", lasting=False)
    before.note("s_7_6", lasting=False)
    after = Arrivals(path, ["s_7_5"])
    after.note("s_7_9")
    assert after.take_missing("s_7", 9) == ["s_7_6", "s_7_7", "s_7_8"]


def test_a_new_client_misses_nothing(tmp_path: Path) -> None:
    known = arrivals(tmp_path, "s_7_4")
    assert known.note("new_8_100") is None
    assert not known.knows("ippnode-check")
    assert not known.knows("unheard_9_1")


def test_numbers_are_kept_until_it_is_known_what_is_missing(tmp_path: Path) -> None:
    known = arrivals(tmp_path, "s_7_1")
    for number in range(3, 3000):
        known.note(f"s_7_{number}")
    assert known.take_missing("s_7", 2999) == ["s_7_2"]
    for number in range(3000, 4000):
        known.note(f"s_7_{number}")
    assert len(known.sessions["s_7"]) < 1000


# ---- the end


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_process_that_takes_leave_reads_all_that_was_handed_to_it(tmp_path: Path) -> None:
    """A peer that goes on sending: what was handed over is read, the rest waits for who is next."""
    script = tmp_path / "server.py"
    script.write_text(
        "import os, sys, zmq\n"
        "from ippnode import ending\n"
        "port = int(sys.argv[1])\n"
        "ending.before_the_end(lambda: ending.take_leave({port}))\n"
        "router = zmq.Context().socket(zmq.ROUTER)\n"
        "router.bind(f'tcp://127.0.0.1:{port}')\n"
        "while True:\n"
        "    os.write(1, router.recv_multipart()[1] + b'\\n')\n"
    )
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(DOCKER)}
    read: list[int] = []
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.LINGER = 0
        dealer.connect(f"tcp://127.0.0.1:{port}")
        sent = 0
        for _ in range(3):
            server = subprocess.Popen(
                [sys.executable, script, str(port)], env=environment, stdout=subprocess.PIPE
            )
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                dealer.send(str(sent).encode())
                sent += 1
                time.sleep(0.0005)
            server.terminate()
            for _ in range(300):
                dealer.send(str(sent).encode())
                sent += 1
                time.sleep(0.0005)
            read += map(int, server.communicate(timeout=10)[0].split())
    assert read == list(range(len(read)))
    assert len(read) > 1000


# ---- peers


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


def dealer(context: zmq.Context, url: str, identity: bytes = b"") -> zmq.Socket:
    """A peer of a ROUTER socket; a client has no name of its own."""
    made = context.socket(zmq.DEALER)
    made.RCVTIMEO = 2000
    if identity:
        made.identity = identity
    made.connect(url)
    return made


def test_peers_are_told_though_they_never_said_anything(context: zmq.Context) -> None:
    router = context.socket(zmq.ROUTER)
    router.bind("tcp://127.0.0.1:*")
    address = router.LAST_ENDPOINT.decode()
    early = dealer(context, address)
    early.send(b"first")
    assert router.poll(2000)
    named = dealer(context, address, b"engine")
    session = Session(key=b"5ecret")
    peers = AnonymousPeers(router, session)

    def reply(text: str) -> list[bytes]:
        return session.serialize(session.msg("apply_reply", {"text": text}))

    def take(receiver: Session, peer: zmq.Socket) -> str:
        """What a client takes a message for; its session refuses one that came before."""
        _, frames = receiver.feed_identities(peer.recv_multipart())
        return receiver.deserialize(frames)["content"]["text"]

    assert [message[-1].bytes for message in peers.early] == [b"first"]

    silent = dealer(context, address)
    time.sleep(0.2)
    peers.remember(reply("one"))
    peers.tell()
    late = dealer(context, address)
    time.sleep(0.2)
    peers.remember(reply("two"))
    peers.tell()
    # The three could be connections of one client, one after the other.
    client = Session(key=b"5ecret")
    for peer in (early, silent, late):
        assert [take(client, peer), take(client, peer)] == ["one", "two"]
        assert not peer.poll(50), "told twice"
    assert not named.poll(50)
    peers.forget()
    peers.tell()
    assert not late.poll(50)


# ---- what engines print


@dataclass
class Published:
    """The ends of an output queue that runs here."""

    engine: zmq.Socket
    hub: zmq.Socket
    clients: str
    context: zmq.Context

    def client(self) -> zmq.Socket:
        """Somebody who begins to listen."""
        made = self.context.socket(zmq.SUB)
        made.SUBSCRIBE = b""
        made.connect(self.clients)
        return made


def subscriptions(engine: zmq.Socket) -> set[bytes]:
    """What an engine hears of a subscriber."""
    engine.poll(2000)
    heard = set()
    while engine.poll(100):
        heard.add(engine.recv())
    return heard


@pytest.fixture
def published(context: zmq.Context) -> Iterator[Published]:
    hub = context.socket(zmq.SUB)
    hub.SUBSCRIBE = b""
    hub.RCVTIMEO = 2000
    hub.bind("tcp://127.0.0.1:*")
    engines, clients = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    queue = queues.ProcessQueue(zmq.SUB, zmq.PUB, zmq.PUB, b"iopub", b"N/A")
    queue.setsockopt_in(zmq.SUBSCRIBE, b"")
    queue.bind_in(engines)
    queue.bind_out(clients)
    queue.connect_mon(hub.LAST_ENDPOINT.decode())
    thread = threading.Thread(target=queue.run)
    thread.start()
    assert not hub.poll(300)  # which also lets the queue connect
    engine = context.socket(zmq.XPUB)
    engine.connect(engines)
    try:
        assert subscriptions(engine) == {b"\1", b"\1" + ENDS}
        yield Published(engine, hub, clients, context)
    finally:
        queue._context.term()
        thread.join(5)


def printed(session: str, text: str, kind: str = "stdout") -> list[bytes]:
    """What an engine publishes for a task of a session."""
    parent = json.dumps({"session": session}).encode()
    return [f"engine.0.{kind}".encode(), DELIM, b"", b"", parent, b"{}", text.encode()]


def received(client: zmq.Socket) -> list[bytes]:
    """The texts that a client gets until nothing comes any more."""
    texts = []
    while client.poll(1000 if not texts else 200):
        texts.append(client.recv_multipart()[-1])
    return texts


def test_who_begins_to_listen_gets_what_was_printed_for_announced_sessions(
    published: Published,
) -> None:
    listening = published.client()
    wait_for_listeners(published, listening)
    published.engine.send_multipart([queues.ANNOUNCEMENT, b"new"])
    published.engine.send_multipart(printed("new", "first"))
    published.engine.send_multipart(printed("other", "elsewhere"))
    assert received(listening) == [b"first", b"elsewhere"]
    late = published.client()
    assert received(late) == [b"first"]
    published.engine.send_multipart(printed("new", "second"))
    assert received(late) == [b"second"]
    assert received(listening) == [b"second"]
    assert published.hub.recv_multipart()[0] == b"iopub"


def test_nobody_waits_for_a_client_that_does_not_listen(published: Published) -> None:
    listening = published.client()
    wait_for_listeners(published, listening)
    published.engine.send_multipart([queues.ANNOUNCEMENT, b"half"])
    published.engine.send_multipart(printed("other", "text"))
    assert received(listening) == [b"text"]


def test_who_listens_again_is_told_of_ends_and_nobody_else(published: Published) -> None:
    listening = published.client()
    wait_for_listeners(published, listening)
    published.engine.send_multipart(printed("cut off", "text"))
    published.engine.send_multipart(printed("cut off", "idle", "status"))
    assert received(listening) == [b"text", b"idle"]
    cut_off = published.client()
    assert received(cut_off) == [b"idle"]
    assert received(listening) == []


def test_a_client_may_listen_to_one_topic_and_to_none_any_more(published: Published) -> None:
    client = published.context.socket(zmq.SUB)
    client.subscribe(b"engine.0.status")
    client.connect(published.clients)
    wait_for_listeners(published, client, "status")
    published.engine.send_multipart(printed("mine", "text"))
    published.engine.send_multipart(printed("mine", "busy", "status"))
    assert received(client) == [b"busy"]
    client.unsubscribe(b"engine.0.status")
    client.subscribe(b"engine.0.stdout")
    wait_for_listeners(published, client)
    published.engine.send_multipart(printed("mine", "busy", "status"))
    assert received(client) == []


def wait_for_listeners(published: Published, client: zmq.Socket, kind: str = "stdout") -> None:
    """Publish until a client hears of it."""
    while not client.poll(50):
        published.engine.send_multipart(printed("test", "listening?", kind))
    received(client)
    while published.hub.poll(50):
        published.hub.recv_multipart()


def test_what_is_kept_for_listeners_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    def message(text: str, session: str = "new") -> list[zmq.Frame]:
        return [zmq.Frame(frame) for frame in printed(session, text)]

    now = [1000.0]
    monkeypatch.setattr(recent, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(recent, "KEEP_BYTES", 250)
    kept = recent.RecentOutput()
    kept.announce(b"new")
    for number in range(5):
        kept.add(message(f"{number}" * 50))
    texts = [missed[-1].bytes[:1] for missed in kept.missed()]
    assert texts == [b"3", b"4"]
    kept.add(message("x" * 300))
    assert list(kept.missed()) == []
    kept.add(message("later"))
    now[0] += recent.CONNECT_SECONDS + 1
    assert list(kept.missed()) == []
    kept.add(message("too late"))
    assert list(kept.missed()) == []
    kept.announce(recent.EVERYBODY)
    kept.add(message("of any session", "other"))
    assert [missed[-1].bytes for missed in kept.missed()] == [b"of any session"]


def test_ends_are_told_once_more_to_who_asks(context: zmq.Context) -> None:
    subscriber = context.socket(zmq.SUB)
    subscriber.bind("tcp://127.0.0.1:*")
    socket = context.socket(zmq.XPUB)
    socket.connect(subscriber.LAST_ENDPOINT.decode())
    session = Session(key=b"5ecret")
    engine = OutputThread(socket, session)
    engine.start()
    client = Session(key=b"5ecret")
    task = client.msg("execute_request")

    def publish(kind: str, content: dict[str, str]) -> None:
        topic = f"engine.0.{kind}".encode()
        session.send(engine.background_socket, kind, content, parent=task, ident=topic)

    def take() -> tuple[str, Any]:
        assert subscriber.poll(2000)
        idents, frames = client.feed_identities(subscriber.recv_multipart())
        assert idents[0].startswith(b"engine.0.")
        message = client.deserialize(frames)
        assert message["parent_header"]["msg_id"] == task["header"]["msg_id"]
        return message["msg_type"], message["content"]

    said = [
        ("status", {"execution_state": "busy"}),
        ("stream", {"text": "here"}),
        ("status", {"execution_state": "idle"}),
    ]
    subscriber.subscribe(b"")
    assert not subscriber.poll(200)  # which connects as well
    for kind, content in said:
        publish(kind, content)
    assert [take() for _ in said] == said
    for _ in range(2):
        subscriber.subscribe(ENDS)
        assert take() == said[-1]
        assert not subscriber.poll(100)
        subscriber.unsubscribe(ENDS)
    engine.stop()


# ---- hub link and relay

CONNECTION = {
    "interface": "tcp://127.0.0.1",
    "location": "controller",
    "key": "5ecret",
    "signature_scheme": "hmac-sha256",
    "pack": "json",
    "unpack": "json",
}


def run(work: Callable[[zmq.asyncio.Context], Awaitable[None]]) -> None:
    """Run a test's coroutine with a context of its own."""

    async def inside() -> None:
        context = zmq.asyncio.Context()
        try:
            await asyncio.wait_for(work(context), 10)
        finally:
            context.destroy(linger=0)

    asyncio.run(inside())


async def answer(router: zmq.asyncio.Socket, ahead: timedelta = timedelta()) -> dict[str, Any]:
    """Be the hub for one request; its content."""
    session = Session(key=b"5ecret")
    idents, frames = session.feed_identities(await router.recv_multipart())
    request = session.deserialize(frames)
    reply = session.msg("connection_reply", {"engines": {"3": "w1-1-aa"}}, parent=request)
    reply["header"]["date"] = datetime.now(UTC) + ahead
    router.send_multipart(session.serialize(reply, ident=idents))
    return request


def test_the_hub_says_which_engines_it_knows_and_what_time_it_is() -> None:
    async def work(context: zmq.asyncio.Context) -> None:
        router = context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        hub = Hub({**CONNECTION, "registration": port}, context)
        known, request = await asyncio.gather(
            hub.engines(), answer(router, ahead=timedelta(hours=1))
        )
        assert known == {"w1-1-aa": 3}
        assert request["header"]["msg_type"] == "connection_request"
        assert machine.clock(hub.skew)["off"] is True
        assert abs(hub.skew - 3600) < 5
        hub.close()

    run(work)


def test_a_hub_is_left_when_it_has_heard_all_and_at_once_when_it_is_gone() -> None:
    async def work(context: zmq.asyncio.Context) -> None:
        router = context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        hub = Hub({**CONNECTION, "registration": port}, context)
        hub.unregister(3)
        leaving = asyncio.create_task(hub.leave())
        heard = [await answer(router), await answer(router)]
        assert [message["header"]["msg_type"] for message in heard] == [
            "unregistration_request",
            "connection_request",
        ]
        await leaving
        router.close()
        start = time.monotonic()
        await hub.leave()
        assert time.monotonic() - start < 1

    run(work)


def test_a_hub_that_does_not_answer_is_named_and_asked_anew() -> None:
    async def work(context: zmq.asyncio.Context) -> None:
        router = context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        hub = Hub({**CONNECTION, "registration": port}, context)
        with pytest.raises(HubUnreachable, match=f"tcp://127.0.0.1:{port}"):
            await hub.engines(0.1)
        await router.recv_multipart()  # the first request, whose asker is gone
        known, _ = await asyncio.gather(hub.engines(), answer(router))
        assert known == {"w1-1-aa": 3}
        hub.close()

    run(work)


def test_signals_stop_at_the_relay_and_all_else_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "CONTROL", tmp_path)
    signals: list[int] = []

    async def status() -> dict[str, Any]:
        return {"w": 1}

    async def work(context: zmq.asyncio.Context) -> None:
        scheduler = context.socket(zmq.ROUTER)
        scheduler.identity = b"control_out"
        port = scheduler.bind_to_random_port("tcp://127.0.0.1")
        session, engine_session = Session(key=b"5ecret"), Session(key=b"5ecret")
        relay = ControlRelay(
            context,
            "w1-1-aa",
            f"tcp://127.0.0.1:{port}",
            None,
            None,
            Session(key=b"5ecret"),
            signals.append,
            status,
        )
        engine = context.socket(zmq.ROUTER)
        engine.identity = b"w1-1-aa"
        engine.connect(paths.control_url("w1-1-aa"))
        await asyncio.sleep(0.2)

        def send(kind: str, content: dict[str, Any]) -> None:
            message = session.msg(kind, content)
            idents = [b"w1-1-aa", b"client"]
            scheduler.send_multipart(session.serialize(message, ident=idents))

        async def receive() -> dict[str, Any]:
            _, frames = session.feed_identities(await scheduler.recv_multipart())
            return session.deserialize(frames)

        send("signal_request", {"sig": "SIGINT"})
        assert (await receive())["content"] == {"status": "ok"}
        assert signals == [signal.SIGINT]
        send("signal_request", {"sig": "SIGNONSENSE"})
        assert (await receive())["content"]["status"] == "error"

        send("worker_status_request", {})
        reply = await receive()
        assert (reply["header"]["msg_type"], reply["content"]) == ("worker_status_reply", {"w": 1})

        send("clear_request", {})
        idents, frames = engine_session.feed_identities(await engine.recv_multipart())
        request = engine_session.deserialize(frames)
        assert request["header"]["msg_type"] == "clear_request"
        reply = engine_session.msg("clear_reply", {"status": "ok"}, parent=request)
        engine.send_multipart(engine_session.serialize(reply, ident=idents))
        assert (await receive())["header"]["msg_type"] == "clear_reply"

        async def serve_kernel_info() -> None:
            idents, frames = engine_session.feed_identities(await engine.recv_multipart())
            request = engine_session.deserialize(frames)
            reply = engine_session.msg("kernel_info_reply", {}, parent=request)
            engine.send_multipart(engine_session.serialize(reply, ident=idents))

        answered, _ = await asyncio.gather(relay.answers(2), serve_kernel_info())
        assert answered is True
        assert await relay.answers(0.1) is False
        await engine.recv_multipart()
        assert not await scheduler.poll(100), "what the agent asks stays between it and the engine"

        forged = session.serialize(session.msg("signal_request", {"sig": 9}))
        forged[1] = b"wrong"
        scheduler.send_multipart([b"w1-1-aa", b"client", *forged])
        await asyncio.sleep(0.2)
        assert signals == [signal.SIGINT]
        relay.close()
        assert list(tmp_path.iterdir()) == []

    run(work)


# ---- ippctl and the agent's socket


@pytest.fixture
def ippctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`ippctl` as a module, talking to a socket of the test."""
    loader = importlib.machinery.SourceFileLoader("ippctl", str(DOCKER / "ippctl"))
    spec = importlib.util.spec_from_loader("ippctl", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "SOCKET", str(tmp_path / "agent.sock"))
    monkeypatch.setattr(paths, "SOCKET", tmp_path / "agent.sock")
    return module


def call(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *argv: str, stdin: str = "") -> int:
    monkeypatch.setattr(sys, "argv", ["ippctl", *argv])
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    return module.main()


def test_ippctl_passes_on_requests_progress_answers_and_errors(
    ippctl: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def engines(options: dict[str, Any], stdin: Any, progress: rpc.Progress) -> Any:
        progress("halfway")
        return {"options": options, "stdin": stdin}

    async def status(options: dict[str, Any], stdin: Any, progress: rpc.Progress) -> Any:
        raise rpc.Failed("first line", "second line")

    async def work(_: zmq.asyncio.Context) -> None:
        server = await rpc.serve({"engines": engines, "status": status})
        assert paths.SOCKET.stat().st_mode & 0o777 == 0o600
        loop = asyncio.get_running_loop()

        async def ctl(*argv: str, stdin: str = "") -> tuple[int, str, str]:
            work = lambda: call(ippctl, monkeypatch, *argv, stdin=stdin)  # noqa: E731
            return await loop.run_in_executor(None, work), *capsys.readouterr()

        given = ("engines", "--count=3", "--import=numpy", "--import=json", "--timeout=7")
        code, out, err = await ctl(*given, stdin='{"connection": {}}')
        assert (code, err) == (0, "halfway\n")
        options = json.loads(out)["options"]
        assert (options["count"], options["import"]) == (3, ["numpy", "json"])
        assert 6 < options["timeout"] <= 7
        assert await ctl("status") == (1, "", "first line\nsecond line\n")
        code, _, err = await ctl("ready", stdin="{}")
        assert code == 1
        assert "no command 'ready' here; there are: engines, status" in err
        server.close()

    run(work)


@pytest.mark.parametrize("count", ["-1", "two", "1.5", ""])
def test_ippctl_refuses_a_number_of_engines_that_is_none(
    ippctl: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    count: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        call(ippctl, monkeypatch, "engines", f"--count={count}", stdin="{}")
    assert ended.value.code == 2
    assert f"'{count}' is not a whole number, 0 or more" in capsys.readouterr().err


def test_ippctl_refuses_what_is_not_json(
    ippctl: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="standard input is not JSON"):
        call(ippctl, monkeypatch, "ready", stdin="workers: 2")


def test_ippctl_says_when_nobody_answers(
    ippctl: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="agent of this container does not answer"):
        call(ippctl, monkeypatch, "status", "--timeout=0.1")


# ---- fork server

FORK_SERVER = """
import json, os, sys, time
from ippnode.forkserver import ForkServer

def agent(link):
    lines = link.makefile()
    say = lambda **what: link.sendall(json.dumps(what).encode() + b"\\n")
    out = open(sys.argv[1], "a", buffering=1)
    print(json.dumps({"agent": os.getpid()}), file=out)
    if not os.path.exists(sys.argv[1] + ".once"):
        open(sys.argv[1] + ".once", "w").close()
        say(do="start", key="a", job={"do": "sleep"})
        say(do="start", key="b", job={"do": "fail"})
    for line in lines:
        print(line, end="", file=out)

def job(job, report):
    if job["do"] == "fail":
        report("no module named foo")
        sys.exit(3)
    time.sleep(100)

ForkServer(agent, job).serve()()
"""


def test_the_fork_server_outlives_its_agent_but_no_job_outlives_the_fork_server(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    server = subprocess.Popen(
        [sys.executable, "-c", FORK_SERVER, str(out)], env={**os.environ, "PYTHONPATH": str(DOCKER)}
    )

    def seen(event: str) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lines = [json.loads(line) for line in out.read_text().splitlines() if out.exists()]
            if found := [line for line in lines if event in (line.get("event"), *line)]:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {event}")

    def wait_for(condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 10
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.05)
        return condition()

    try:
        assert wait_for(out.exists)
        [ended] = seen("ended")
        assert (ended["key"], ended["status"], ended["reason"]) == ("b", 3, "no module named foo")
        job = next(event["pid"] for event in seen("started") if event["key"] == "a")

        os.kill(seen("agent")[0]["agent"], signal.SIGKILL)
        assert wait_for(lambda: len(seen("agent")) == 2)
        assert wait_for(lambda: [e["pid"] for e in seen("started") if e["key"] == "a"] == [job] * 2)

        server.kill()
        server.wait()

        def gone() -> bool:
            try:
                return Path(f"/proc/{job}/stat").read_text().split()[2] == "Z"
            except FileNotFoundError:
                return True

        assert wait_for(gone)
    finally:
        server.kill()
        server.wait()


def test_a_broken_request_gets_an_answer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SOCKET", tmp_path / "agent.sock")

    async def work(_: zmq.asyncio.Context) -> None:
        server = await rpc.serve({})
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(paths.SOCKET))
            client.sendall(b"nonsense\n")
            client.setblocking(False)
            line = await asyncio.get_running_loop().sock_recv(client, 4096)
        assert "internal error" in json.loads(line)["errors"][0]
        server.close()

    run(work)


@pytest.mark.parametrize("url", ["tcp://no-such-name.invalid:40001", "tcp://127.0.0.1:1"])
def test_worker_stops_waiting_where_nothing_answers_at_the_controllers_address(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "REACH_SECONDS", 0.01)
    agent = object.__new__(worker.WorkerAgent)
    agent.hub = ModuleType("hub")
    agent.hub.url = url

    async def waits() -> bool:
        agent.hub_answers = asyncio.Event()
        try:
            async with asyncio.timeout(60) as limit, agent._giving_up(limit):
                await asyncio.Event().wait()
        except TimeoutError:
            return False
        return True

    assert asyncio.run(asyncio.wait_for(waits(), 30)) is False


def test_worker_goes_on_waiting_where_the_controller_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "REACH_SECONDS", 0.01)
    agent = object.__new__(worker.WorkerAgent)
    probed = asyncio.Event()

    async def listens() -> str:
        probed.set()
        return worker.LISTENS

    async def waits() -> bool:
        agent.hub_answers = asyncio.Event()
        async with asyncio.timeout(60) as limit, agent._giving_up(limit):
            await probed.wait()
            await asyncio.sleep(0)
            return limit.when() > asyncio.get_running_loop().time() + 30

    agent._probe = listens
    assert asyncio.run(waits())
