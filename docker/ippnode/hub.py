"""The controller: ipyparallel's own `IPController`, with what it lacks to survive its own death.

- All its processes end when one of them does; the agent then starts it anew.
- No task is lost without an answer: see `scheduler`.
- Engines that are restored after a restart but have died meanwhile are unregistered.
- It knows in which container each worker was set up last.
- Clients miss no engine that comes or goes while they connect.
- An interrupted write of the list of engines does no harm.
"""

import asyncio
import ctypes
import importlib.util
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ipyparallel.controller.app as controller_app
import zmq
from ipyparallel import util
from ipyparallel.controller import heartmonitor
from ipyparallel.controller.app import IPController
from ipyparallel.controller.heartmonitor import HeartMonitor
from ipyparallel.controller.hub import Hub
from ipyparallel.error import wrap_exception
from jupyter_client.session import DELIM
from traitlets import Bool, Integer, default
from traitlets.config import Config

from ippnode import broadcast, ending, memory, outbox, paths, queues, scheduler
from ippnode.arrivals import Arrivals
from ippnode.checks import ASKER, OWN
from ippnode.compat import ControllerProcess, replace
from ippnode.files import canonical, read_json, write_private
from ippnode.forkserver import die_with_parent, set_process_name
from ippnode.journal import Journal, Task, lost_reply, taken
from ippnode.output_thread import SUBSCRIPTION
from ippnode.peerloss import SILENCE_MS, AskingContext
from ippnode.peers import AnonymousPeers
from ippnode.records import RecordStore
from ippnode.ticks import Ticker

CHILD_CHECK_MS = 250
RESTORE_GRACE_SECONDS = 8.0
"""Time a restored engine may take to be heard of, before it is held for dead."""
ASK_SECONDS = (3.0, 12.0, 30.0, 60.0)
"""When, after a restart, engines are asked for results of earlier direct tasks: more than once,
since a question does not reach an engine that is not connected yet."""
REPEAT_SECONDS = 600.0
"""How long it is told who was cut off and listens again that an engine came or went."""
CONNECT_SECONDS = 60.0
"""How long a client may take to listen after it was told of the engines."""
GATHER_SECONDS = 0.05
"""After somebody has begun to listen, time in which others may, to be told at once."""
BROADCAST_SECONDS = 10.0
"""How much longer than its last word an engine's answer to a broadcast task may take.

It takes another connection, which may be found to be broken later than the one that the engine was
asked over; so it is asked once more before that is over.
"""
LATER_SECONDS = 5.0
"""After a client's first message since a restart: later ones tell what should have come."""
MISSING_SECONDS = 10.0
"""How long after that a message may still be on its way, to another scheduler."""
KEEP_IDS = 1000
"""How many tasks that an engine has done are known by id."""
LOST = "the controller was restarted, and its engine has no result for it any more"
UNREAD = "the controller was restarted before it had read it"


RECORDS_SHARE = 16
"""Which part of the controller's memory records of tasks may take: one in so many."""
PROCESS_SHARE = 4
"""Which part a process may take before it drops what is for clients that do not read."""


class RestoringHub(Hub):
    """A hub that does not keep restored engines that are dead, nor loses direct tasks.

    The direct and the broadcast schedulers pass messages on and remember nothing of them, so the
    hub keeps the journal of their tasks, a broadcast to several engines as one for each. After a
    restart it has the task scheduler tell clients what became of them.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.changes: dict[int, tuple[float, str]] = {}
        """When an engine came or went last, and its ident; the latest is the last."""
        self.connecting: deque[float] = deque()
        """When clients were told of the engines that do not listen yet."""
        self.repeat_since: float | None = None
        super().__init__(**kwargs)
        self.notifier.socket.XPUB_VERBOSE = 1
        self.notifier.on_recv(self._meet_listener)
        self.db.on_drop = self.all_completed.discard
        self.silent: set[bytes] = set()
        """Restored engines that have not been heard of yet."""
        self.scheduler: bytes | None = None
        self.untold: list[list[bytes]] = []
        """Replies that wait for the task scheduler."""
        self.claims: dict[str, str] = read_json(paths.CLAIMS) or {}
        """The container that each worker was set up in last; see `worker`."""
        self.query_handlers["scheduler_request"] = self._meet_scheduler
        for kind, handler in self.query_handlers.items():
            self.query_handlers[kind] = partial(self._note_query, handler)
        if not scheduler.is_restart:
            paths.DIRECT_JOURNAL.unlink(missing_ok=True)
            paths.ARRIVALS.unlink(missing_ok=True)
        self.arrivals = Arrivals(paths.ARRIVALS, taken(paths.TASK_JOURNAL))
        self.monitor_handlers[b"incontrol"] = self._note_control
        if paths.ENGINE_STATE.exists():
            self.peers = AnonymousPeers(self.query.socket, self.session)
            for frames in self.peers.early:
                self.loop.add_callback(self.dispatch_query, [frame.bytes for frame in frames])
            self.peers_until = time.monotonic() + scheduler.CLIENT_SECONDS
            self.teller = Ticker(self._tell_peers, scheduler.TELL_MS)
            self.teller.start()
        self.announcer = AskingContext.instance().socket(zmq.PUB)
        self._connect(self.announcer, self.parent.engine_url("iopub"))
        self.journal = Journal(paths.DIRECT_JOURNAL)
        self.parts: dict[str, list[bytes]] = {}
        """Answers to orphans that wait for others to be coalesced with."""
        if self.journal.orphans:
            self.asker = AskingContext.instance().socket(zmq.DEALER)
            self.asker.IDENTITY = ASKER
            self._connect(self.asker, self.parent.client_url("mux"))
            for seconds in ASK_SECONDS:
                self.loop.call_later(seconds, self._ask_engines)

    def _connect(self, socket: zmq.Socket, url: str) -> None:
        """Connect to another of the controller's processes."""
        self.parent.connect(socket, util.disambiguate_url(url))

    def _load_engine_state(self) -> None:
        state = read_json(Path(self.engine_state_file))
        if state is None:
            return  # none yet, or half-written: the workers start their engines anew
        # The original counts ids from 0 while it restores, and writes that down.
        self._idcounter = state["next_id"]
        super()._load_engine_state()
        self._save_engine_state()
        self.silent = set(self.hearts)
        self.loop.call_later(RESTORE_GRACE_SECONDS, self._unregister_silent)

    def _save_engine_state(self) -> None:
        target = self.engine_state_file
        self.engine_state_file = f"{target}.new"
        try:
            super()._save_engine_state()
            Path(self.engine_state_file).replace(target)
        except OSError as error:  # a full disk must not keep engines out
            self.log.error("can't note the engines in %s: %s", target, error)
        finally:
            self.engine_state_file = target

    def handle_new_heart(self, heart: bytes) -> None:
        if heart in self.silent:
            self.silent.discard(heart)
        else:
            super().handle_new_heart(heart)

    def _meet_scheduler(self, idents: list[bytes], msg: dict[str, Any]) -> None:
        if scheduler.is_restart:
            self.scheduler = idents[0]
            self._tell(*self.untold)

    def connection_request(self, client_id: bytes, msg: dict[str, Any]) -> None:
        """Reply with the engines, and with how long those may be cut off without being given up.

        Agents send what they claim; a client, which does not, listens for changes next.
        """
        if (new := msg["content"].get("claims")) is None:
            self.connecting.append(time.monotonic())
            self.announcer.send_multipart([queues.ANNOUNCEMENT, msg["header"]["session"].encode()])
        elif new:
            self.claims |= new
            try:
                write_private(paths.CLAIMS, canonical(self.claims))
            except OSError as error:  # a full disk must not keep engines out
                self.log.error("can't note in %s who runs where: %s", paths.CLAIMS, error)
        self.session.send(
            self.query, "connection_reply", self._engine_list(), parent=msg, ident=client_id
        )

    def _engine_list(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "engines": {str(id): engine.uuid for id, engine in self.engines.items()},
            "patience_ms": AskingContext.patience_ms,
            "claims": self.claims,
        }

    def _tell_peers(self) -> None:
        """Send the engines to everybody who has connected since a restart.

        A client that asked for them when the controller ended waits, and does not ask again. To
        others it makes no difference: they know which of their questions was answered.
        """
        if time.monotonic() > self.peers_until:
            self.teller.stop()
            return
        reply = self.session.serialize(self.session.msg("connection_reply", self._engine_list()))
        self.peers.replies = [reply]
        self.peers.tell()
        self.query.flush(zmq.POLLIN)  # sending has hidden from the loop what came in

    # ---- messages that came, and those that did not

    def _note(self, id: str, lasting: bool = True) -> None:
        if session := self.arrivals.note(id, lasting):
            self.loop.call_later(LATER_SECONDS, self._expect_missing, session)

    def _expect_missing(self, session: str) -> None:
        up_to = self.arrivals.latest(session)
        self.loop.call_later(MISSING_SECONDS, self._give_up_missing, session, up_to)

    def _give_up_missing(self, session: str, up_to: int) -> None:
        for id in self.arrivals.take_missing(session, up_to):
            task = Task(id, {"msg_id": id, "msg_type": "apply_request"})
            self._tell(lost_reply(self.session, task, UNREAD))

    def _note_control(self, idents: list[bytes], msg: list[bytes]) -> None:
        id = self.session.unpack(msg[1])["msg_id"] if OWN.isdisjoint(idents) else ""
        if self.arrivals.knows(id):
            self._note(id)

    def _note_query(self, handler: Callable[..., Any], idents: list[bytes], msg: Any) -> Any:
        """Answer a question; a client that has sent tasks numbers its questions with them."""
        if self.arrivals.knows(id := msg["header"]["msg_id"]):
            self._note(id)
        return handler(idents, msg)

    # ---- what was dropped

    def get_results(self, client_id: Any, msg: dict[str, Any]) -> None:
        """Answer with results; with an error for a task that is not known any more."""
        ids = msg["content"]["msg_ids"]
        if gone := self._gone(ids):
            content = _as_error(KeyError(gone))
            self.session.send(self.query, "result_reply", content, parent=msg, ident=client_id)
        else:
            super().get_results(client_id, msg)

    def resubmit_task(self, client_id: Any, msg: dict[str, Any]) -> None:
        """Send tasks once more; with an error for a task that is not known any more."""
        if gone := self._gone(msg["content"]["msg_ids"]):
            content = _as_error(KeyError(gone))
            self.session.send(self.query, "resubmit_reply", content, parent=msg, ident=client_id)
        else:
            super().resubmit_task(client_id, msg)

    def purge_results(self, client_id: Any, msg: dict[str, Any]) -> None:
        """Drop records, and give their memory back to the system."""
        super().purge_results(client_id, msg)
        memory.trim()

    def _gone(self, ids: list[str]) -> str:
        """Why a result can't be had, if there is one of which nothing is known any more."""
        for id in ids:
            if id in self.pending or id in self.db:
                continue
            if self.arrivals.knows(id):
                limit = self.db.size_limit // 2**20
                return (
                    f"The record of task {id} was dropped: it was purged, or the controller needed "
                    f"the memory. It keeps the latest tasks, {limit} MiB of them; "
                    "controller.memory in the stack file sets the limit"
                )
            return f"No such message: {id}: the controller has not seen it, or dropped it long ago"
        return ""

    # ---- Dask

    async def become_dask(self, client_id: Any, msg: dict[str, Any]) -> None:
        """Start Dask's scheduler in this process, if engines and client can reach it."""
        if self.parent.several_hosts:
            raise NotImplementedError(
                "Dask's scheduler would listen in the controller's container, which engines on "
                "other hosts can't reach: become_dask works in a cluster on one host"
            )
        if importlib.util.find_spec("distributed") is None:
            raise ModuleNotFoundError(
                "become_dask needs the package distributed in the image: add it to "
                "images.default.packages in the stack file"
            )
        if sys.modules.get("numpy", self) is None:
            del sys.modules["numpy"]  # what clients send may need it
        # Importing it takes a second or more, in which the hub must answer.
        await asyncio.to_thread(importlib.import_module, "distributed")
        await super().become_dask(client_id, msg)

    async def stop_distributed(self, client_id: Any, msg: dict[str, Any]) -> None:
        """Stop it; ipyparallel would let it run on."""
        running = self.distributed_scheduler
        self.distributed_scheduler = None
        super().stop_distributed(client_id, msg)
        if running is not None:
            await running.close()

    # ---- load-balanced tasks

    def save_task_request(self, idents: list[bytes], msg: list[bytes]) -> None:
        if OWN.isdisjoint(idents):
            # The task scheduler has a journal; what is not in there when it is killed is lost.
            self._note(self.session.unpack(msg[1])["msg_id"], lasting=False)
            super().save_task_request(idents, msg)

    def save_task_result(self, idents: list[bytes], msg: list[bytes]) -> None:
        if OWN.isdisjoint(idents):
            self._note(self.session.unpack(msg[2]).get("msg_id", ""))
            super().save_task_result(idents, msg)

    # ---- direct tasks

    def save_queue_request(self, idents: list[bytes], msg: list[bytes]) -> None:
        if OWN.isdisjoint(idents):
            super().save_queue_request(idents, msg)
            header = self.session.unpack(msg[1])
            self.journal.take(Task(header["msg_id"], header, idents[0].decode()))
            self._note(header["msg_id"])

    def save_queue_result(self, idents: list[bytes], msg: list[bytes]) -> None:
        """Note a direct result. One of a task that was sent before a restart has reached nobody:
        its client has another address now. The task scheduler finds it."""
        id = self.session.unpack(msg[2]).get("msg_id")
        if ASKER in idents:
            self.loop.call_later(BROADCAST_SECONDS, self._give_up_orphans, idents[1].decode())
        elif id in self.journal.orphans:
            self.journal.answer(id)
            self._tell([DELIM, *msg])
        elif OWN.isdisjoint(idents):
            self.journal.answer(id)
            super().save_queue_result(idents, msg)

    # ---- broadcast tasks

    def save_broadcast_request(self, idents: list[bytes], msg: list[bytes]) -> None:
        """Note a task for each engine; of a coalesced one, all have the client's header."""
        if not OWN.isdisjoint(idents):
            return
        header, metadata = self.session.unpack(msg[1]), self.session.unpack(msg[3])
        for engine, _ in metadata["targets"]:
            id = f"{header['msg_id']}_{engine}"
            answered = header if metadata["is_coalescing"] else {**header, "msg_id": id}
            self.journal.take(Task(id, answered, engine))
        self._note(header["msg_id"])

    def save_broadcast_result(self, idents: list[bytes], msg: list[bytes]) -> None:
        """Note a result; tell clients that of an orphan, a coalesced one when it is whole."""
        task = self.journal.tasks.get(self.session.unpack(msg[2]).get("msg_id"))
        if task is None:
            return
        parts = self._parts(task)
        if task.id in self.journal.orphans:
            self.parts[task.id] = msg
            if any(part.id not in self.parts for part in parts):
                return
            replies = [self.parts.pop(part.id) for part in parts]
            targets = [[part.engine, self.by_ident.get(part.engine.encode())] for part in parts]
            self._tell(
                broadcast.coalesce(self.session, replies, targets)
                if task.coalesced
                else [DELIM, *msg]
            )
        self._settle(parts)

    def _parts(self, task: Task) -> list[Task]:
        """All tasks that have one answer together with this one."""
        if not task.coalesced:
            return [task]
        tasks = self.journal.tasks.values()
        return [part for part in tasks if part.header["msg_id"] == task.header["msg_id"]]

    def _settle(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self.journal.answer(task.id)
            self.parts.pop(task.id, None)

    # ---- engines that come and go

    def finish_registration(self, heart: bytes) -> None:
        super().finish_registration(heart)
        if (id := self.hearts.get(heart)) is not None:
            self.completed[id] = LatestIds()
            self._note_change(id, self.engines[id].uuid)

    def unregister_engine(self, ident: bytes, msg: dict[str, Any]) -> None:
        engine = self.engines.get(msg["content"].get("id"))
        super().unregister_engine(ident, msg)
        if engine is not None:
            self.ids.discard(engine.id)
            self._note_change(engine.id, engine.uuid)
            self._give_up_orphans(engine.uuid)
            # Clients that are told that an engine is gone give up its tasks by themselves.
            for task in self._tasks_of(engine.uuid, self.journal.tasks):
                self._settle(self._parts(task))

    def _handle_stranded_msgs(self, eid: int, uuid: str) -> None:
        """Note that an engine's tasks are lost; then nothing is known of it any more."""
        super()._handle_stranded_msgs(eid, uuid)
        for of_engine in (self.queues, self.tasks, self.completed):
            of_engine.pop(eid, None)

    def _note_change(self, id: int, ident: str) -> None:
        self.changes.pop(id, None)
        self.changes[id] = (time.monotonic(), ident)

    def _meet_listener(self, frames: list[bytes]) -> None:
        """Somebody begins to listen: a client that was told of the engines some time before, or one
        that was cut off."""
        if frames != [SUBSCRIPTION]:
            return
        now = time.monotonic()
        while self.connecting and self.connecting[0] < now - CONNECT_SECONDS:
            self.connecting.popleft()
        since = self.connecting.popleft() if self.connecting else now - REPEAT_SECONDS
        if self.repeat_since is None:
            self.repeat_since = since
            self.loop.call_later(GATHER_SECONDS, self._repeat_changes)
        self.repeat_since = min(since, self.repeat_since)

    def _repeat_changes(self) -> None:
        """Tell all who listen what changed since; no more than that, since who waits for engines
        is told of each one that goes, known or not, and gives up."""
        since, self.repeat_since = self.repeat_since, None
        kept = time.monotonic() - REPEAT_SECONDS
        self.changes = {id: change for id, change in self.changes.items() if change[0] > kept}
        for id, (when, ident) in self.changes.items():
            if when >= since:
                kind = "registration" if id in self.engines else "unregistration"
                content = {"id": id, "uuid": ident}
                self.session.send(self.notifier, f"{kind}_notification", content=content)

    def _ask_engines(self) -> None:
        """Ask the engines of orphans for their results."""
        for engine in {task.engine for task in self.journal.orphans.values()}:
            if engine.encode() in self.by_ident:
                ids = [task.id for task in self._tasks_of(engine, self.journal.orphans)]
                self.session.send(self.asker, outbox.REQUEST, {"ids": ids}, ident=engine.encode())

    def _tasks_of(self, engine: str, tasks: dict[str, Task]) -> list[Task]:
        return [task for task in tasks.values() if task.engine == engine]

    def _give_up_orphans(self, engine: str) -> None:
        for task in self._tasks_of(engine, self.journal.orphans):
            if task.id not in self.parts:
                self._settle(self._parts(task))
                self._tell(lost_reply(self.session, task, LOST))

    def _tell(self, *replies: list[bytes]) -> None:
        """Have the task scheduler pass on replies."""
        if self.scheduler is None:
            self.untold += replies
            return
        for reply in replies:
            self.query.send_multipart([self.scheduler, *reply])

    def _unregister_silent(self) -> None:
        for heart in self.silent:
            if (engine := self.hearts.get(heart)) is not None:
                self.log.warning("engine %i did not outlive the restart: unregistered", engine)
                self.unregister_engine(heart, {"content": {"id": engine}})
        self.silent.clear()
        for engine in {task.engine for task in self.journal.orphans.values()}:
            if engine.encode() not in self.by_ident:
                self._give_up_orphans(engine)


def _as_error(error: Exception) -> dict[str, Any]:
    """The content of a reply that has a client raise an error."""
    try:
        raise error
    except Exception:
        return wrap_exception()


class LatestIds(list[str]):
    """The ids of the tasks that an engine has done: the latest, and how many there were."""

    dropped = 0

    def append(self, id: str) -> None:
        """Add one; of twice as many as are kept, the older half goes."""
        super().append(id)
        if super().__len__() >= 2 * KEEP_IDS:
            del self[:KEEP_IDS]
            self.dropped += KEEP_IDS

    def __len__(self) -> int:
        """How many tasks the engine has done."""
        return super().__len__() + self.dropped


class PromptHeartMonitor(HeartMonitor):
    """A heart monitor that reports a new heart when it first beats, not one period later.

    It does not write a line for each missed beat: the hub says which engine is given up.
    """

    def start(self) -> None:
        self.log.setLevel(logging.ERROR)
        super().start()
        # Heartbeats must not stop when the clock is set back.
        self.caller.stop()
        self.caller = Ticker(self.beat, self.period)
        self.caller.start()

    def handle_pong(self, msg: list[bytes]) -> None:
        super().handle_pong(msg)
        if msg[0] in self.responses and msg[0] not in self.hearts:
            self.handle_new_hearts([msg[0]])


class HubContext(AskingContext):
    """The hub's context: who publishes hears who begins to listen."""

    def socket(self, socket_type: int, *args: Any, **kwargs: Any) -> Any:
        kind = zmq.XPUB if socket_type == zmq.PUB else socket_type
        return super().socket(kind, *args, **kwargs)


class Controller(IPController):
    """An IPController whose processes live and die together."""

    name = "ipcontroller"
    report: Callable[[str], None]
    """Takes why all of it is about to end."""
    mq_class = "ippnode.queues.ProcessQueue"
    db_class = RecordStore
    memory = Integer(2 * 2**30, config=True, help="Bytes of memory for all of it.")
    several_hosts = Bool(config=True, help="Whether there are engines on other hosts.")

    def init_hub(self) -> None:
        """Let connections outlive what engines may be cut off without being given up, and divide
        the memory."""
        self.config.RecordStore.size_limit = self.memory // RECORDS_SHARE
        _Limits.process_bytes = self.memory // PROCESS_SHARE
        beats = self.config.HeartMonitor
        cut_off_ms = beats.get("period", 0) * beats.get("max_heartmonitor_misses", 0)
        AskingContext.patience_ms = cut_off_ms
        AskingContext.silence_ms = max(SILENCE_MS, cut_off_ms + 5000)
        super().init_hub()

    @default("context")
    def _hub_context(self) -> HubContext:
        return HubContext()

    def client_url(self, channel: str, index: int | None = None) -> str:
        """The address of one of the clients' channels: they are asked often there, but on the one
        that engines use as well."""
        url = super().client_url(channel, index)
        if channel != "registration":
            AskingContext.client_urls.add(url)
        return url

    def start(self) -> None:
        urls = [self.client_url(channel) for channel in ("registration", "notification")]
        memory.watch({int(url.rpartition(":")[2]) for url in urls}, _Limits.process_bytes)
        self.check = Ticker(self._check_children, CHILD_CHECK_MS)
        self.check.start()
        super().start()

    def _check_children(self) -> None:
        if ending.begun.is_set():
            return
        for process in self._processes():
            if not process.is_alive():
                self.report(f"its {process.name} had ended by itself")
                os.killpg(0, signal.SIGKILL)

    def _processes(self) -> list[Any]:
        children = [getattr(child, "launcher", child) for child in self.children]
        return [*children, self.heartmonitor_process]

    def end(self) -> None:
        """Wait until the schedulers, which end as well, have passed on what they were sent."""
        deadline = time.monotonic() + 1.5 * ending.LONGEST_SECONDS
        while any(process.is_alive() for process in self._processes()):
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
        ending.wait_until_idle(deadline)


class _Limits:
    """What each process is allowed; set before there is one."""

    process_bytes = 0


def _begin_process() -> None:
    """What each of the controller's processes begins with.

    libzmq leaves the C library's random numbers unseeded, so that clients would get the numbers by
    which they are addressed in the same order after a restart, and so each other's replies.
    """
    die_with_parent()
    ports = {int(url.rpartition(":")[2]) for url in AskingContext.client_urls}
    ending.before_the_end(lambda: ending.take_leave(ports))
    memory.watch(ports, _Limits.process_bytes)
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4)))


def run_controller(job: dict[str, Any], report: Callable[[str], None]) -> None:
    """Run ipcontroller with the profile that the agent has written, until it is ended."""
    set_process_name("ipcontroller")
    memory.give_back_large_blocks()
    os.register_at_fork(after_in_child=_begin_process)
    replace(controller_app, "Process", ControllerProcess)
    replace(controller_app, "Hub", RestoringHub)
    replace(controller_app, "TaskScheduler", scheduler.JournalingScheduler)
    replace(controller_app, "BroadcastScheduler", broadcast.ToldBroadcastScheduler)
    # It sleeps while nobody waits.
    replace(controller_app, "time", SimpleNamespace(**vars(time) | {"sleep": lambda _: None}))
    replace(heartmonitor, "HeartMonitor", PromptHeartMonitor)
    replace(zmq, "Context", AskingContext)
    state = read_json(paths.ENGINE_STATE) or {}
    scheduler.is_restart = bool(state.get("engines"))
    config = Config()
    config.ProfileDir.location = str(paths.PROFILE)
    try:
        app = Controller.instance(
            config=config, log_level=logging.WARNING, raise_config_file_errors=True
        )
        app.report = report
        ending.before_the_end(app.end)
        app.initialize([])
        app.start()
    except Exception as error:
        report(f"{type(error).__name__}: {error}\n")
        raise
