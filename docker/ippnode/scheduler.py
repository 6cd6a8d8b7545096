"""Schedulers that lose no task when the controller is killed.

A client waits for its task for ever when the scheduler that knew of it is gone. So the task
scheduler keeps a journal, and after a restart

- passes on the results of tasks that went on running on their engines meanwhile,
- answers with EngineError for tasks that had not been given to an engine, or whose engine or
  result is gone,
- passes on what the hub has for clients that wait for direct tasks: results that the direct
  scheduler had no address for any more, and word of those that were lost.

It remembers tasks that are done for those that depend on them: the latest, not all. And it takes no
more tasks than it has memory for.

All schedulers wait for their peers after a restart: ZeroMQ drops what is addressed to a peer that
has not connected again yet.
"""

import time
from collections import Counter, deque
from typing import Any

import zmq
from ipyparallel import error
from ipyparallel.controller.scheduler import Scheduler
from ipyparallel.controller.task_scheduler import Job, TaskScheduler
from jupyter_client.session import DELIM, json_packer

from ippnode import ending, memory, outbox, paths
from ippnode.checks import IDENT
from ippnode.journal import Journal, Task, lost_reply
from ippnode.peers import AnonymousPeers
from ippnode.ticks import Ticker

SETTLE_SECONDS = 1.5
"""After a restart, the time that engines and clients have to connect before messages pass."""
ENGINE_SECONDS = 12.0
"""After a restart, the time after which an engine that is not registered is gone."""
CLIENT_SECONDS = 30.0
"""How long a client may take to connect again and still get the replies it waits for."""
TELL_MS = 250
"""Between two times that clients are told what they missed; the first is late enough for them to
have heard from the engines which tasks have ended. ipyparallel's client stumbles over a result that
it has already, unless it also knows that nothing will be printed any more."""

KEEP_DONE = 50_000
"""How many tasks that are done can be depended on, the latest."""

is_restart = False
"""Set by the controller before it forks its schedulers."""


class ControllerFull(Exception):
    """What a task ends with that there is no room for."""

    def __str__(self) -> str:
        """What to do about it."""
        return (
            "too many tasks wait for an engine, more than the controller has memory for: send "
            "fewer at once, or raise controller.memory in the stack file"
        )


class JournalingScheduler(TaskScheduler):
    """A task scheduler that remembers its tasks over a restart."""

    def start(self) -> None:
        self.done: deque[str] = deque()
        """The ids of tasks that are done, the oldest first."""
        self.most, self.most_until = "", 0.0
        """The session with most data of waiting tasks, and until when that is not asked again."""
        self.journal = Journal(paths.TASK_JOURNAL)
        for task in self.journal.orphans.values():
            if task.engine:
                self._resume(task, task.engine.encode())
        super().start()
        self.session.send(self.query_stream, "scheduler_request", {})
        if is_restart:
            self._wait_for_peers()

    # ---- after a restart

    def _wait_for_peers(self) -> None:
        self.engine_stream.stop_on_recv()
        self.client_stream.stop_on_recv()
        self.peers = AnonymousPeers(self.client_stream.socket, self.session)
        self.loop.call_later(SETTLE_SECONDS, self._begin)
        for seconds in (2 * SETTLE_SECONDS, ENGINE_SECONDS):
            self.loop.call_later(seconds, self._ask_engines)
        self.loop.call_later(ENGINE_SECONDS, self._give_up_absent_engines)
        self.teller = Ticker(self._tell, TELL_MS)

    def _begin(self) -> None:
        Scheduler.start(self)
        for message in self.peers.early:
            self.dispatch_submission(message)
        waiting = [task for task in self.journal.orphans.values() if task.engine is None]
        why = "the controller was restarted before it could run"
        self._announce(*(lost_reply(self.session, task, why) for task in waiting))
        for task in waiting:
            self.journal.answer(task.id)

    def _resume(self, task: Task, engine: bytes) -> None:
        """Expect the result of a task that an engine may still be working on."""
        frames = [b"", DELIM, b"", json_packer(task.header), b"{}", b"{}", b"{}"]
        job = Job(
            task.id,
            [zmq.Frame(frame) for frame in frames],
            [b""],
            {},
            task.header,
            {},
            targets={engine},  # it can't run elsewhere: only its header is left
            after=[],
            follow=[],
            timeout=None,
        )
        self.retries[task.id] = 0
        self.pending.setdefault(engine, {})[task.id] = job
        self.completed.setdefault(engine, set())
        self.failed.setdefault(engine, set())

    def _ask_engines(self) -> None:
        """Ask the engines of resumed tasks for their results; see `outbox`."""
        for engine in self.targets:
            if ids := [id for id in self.pending[engine] if id in self.journal.orphans]:
                ident = [engine, IDENT]
                self.session.send(self.engine_stream, outbox.REQUEST, {"ids": ids}, ident=ident)

    def _engine_has_answered(self, engine: bytes) -> None:
        lost = {id: job for id, job in self.pending[engine].items() if id in self.journal.orphans}
        others = {id: job for id, job in self.pending[engine].items() if id not in lost}
        if lost:
            self.pending[engine] = lost
            completed, failed = self.completed[engine], self.failed[engine]
            self.handle_stranded_tasks(engine)
            self.completed[engine], self.failed[engine] = completed, failed
            self.pending[engine].update(others)

    def dispatch_result(self, raw_msg: list[zmq.Frame]) -> None:
        """Pass on a result that somebody waits for, unless it answers what we asked ourselves.

        Once the process ends, nobody gets it any more: the engine will be asked for it again.
        """
        if ending.begun.is_set():
            return
        engine = bytes(raw_msg[0])
        if bytes(raw_msg[1]) == IDENT:
            self._engine_has_answered(engine)
            return
        _, frames = self.session.feed_identities(raw_msg, copy=False)
        if self.session.unpack(frames[2].bytes).get("msg_id") in self.pending.get(engine, {}):
            super().dispatch_result(raw_msg)

    def _give_up_absent_engines(self) -> None:
        for engine in set(self.pending).difference(self.targets):
            self.handle_stranded_tasks(engine)

    def _announce(self, *replies: list[bytes]) -> None:
        """Pass on replies whose clients have an address that is not known."""
        if replies:
            self.tell_until = time.monotonic() + CLIENT_SECONDS
            self.peers.remember(*replies)
            if not self.teller.is_running():
                self.teller.start()

    def _tell(self) -> None:
        self.peers.tell()
        self.client_stream.flush(zmq.POLLIN)  # sending has hidden from the loop what came in
        if time.monotonic() > self.tell_until:
            self.teller.stop()
            self.peers.forget()

    def dispatch_query_reply(self, msg: list[bytes]) -> None:
        """The hub's list of engines, or what it has for clients that wait for direct tasks."""
        _, frames = self.session.feed_identities(msg)
        if self.session.unpack(frames[1])["msg_type"] in ("apply_reply", "execute_reply"):
            self._announce([DELIM, *frames])
        else:
            super().dispatch_query_reply(msg)

    # ---- what is written down

    def _register_engine(self, uid: bytes) -> None:
        if uid in self.targets:
            return  # heard of in the hub's reply and by its notification, which may be repeated
        resumed = self.pending.get(uid, {})
        super()._register_engine(uid)
        self.pending[uid].update(resumed)
        for _ in resumed:
            self.add_job(self.targets.index(uid))

    def _unregister_engine(self, uid: bytes) -> None:
        if uid in self.targets:
            super()._unregister_engine(uid)

    def save_unmet(self, job: Job) -> None:
        """Have a task wait, if there is room for it."""
        if memory.exceeded.is_set() and self._has_most(job.header["session"]):
            self.queue_map[job.msg_id] = job
            self.fail_unreachable(job.msg_id, ControllerFull)
            return
        self.journal.take(Task(job.msg_id, job.header))
        super().save_unmet(job)

    def _has_most(self, session: str) -> bool:
        """Whether no other client has more waiting here than this one: seen once a second."""
        if time.monotonic() > self.most_until:
            sizes: Counter[str] = Counter()
            for job in self.queue_map.values():
                sizes[job.header["session"]] += sum(len(frame) for frame in job.raw_msg)
            self.most = max(sizes, key=sizes.__getitem__, default="")
            self.most_until = time.monotonic() + 1
        return session == self.most

    def submit_task(self, job: Job, indices: list[int] | None = None) -> None:
        super().submit_task(job, indices)
        engine = next(e for e in reversed(self.targets) if job.msg_id in self.pending[e])
        self.journal.place(Task(job.msg_id, job.header, engine.decode()))

    def handle_result(self, idents: Any, parent: Any, raw_msg: Any, success: bool = True) -> None:
        if parent["msg_id"] in self.journal.orphans:
            frames = [bytes(frame) for frame in raw_msg]
            self._announce(frames[frames.index(DELIM) :])
        super().handle_result(idents, parent, raw_msg, success)
        self._note_done(parent["msg_id"])

    def fail_unreachable(self, msg_id: str, why: Any = error.ImpossibleDependency) -> None:
        super().fail_unreachable(msg_id, why)
        self._note_done(msg_id)

    def _note_done(self, id: str) -> None:
        self.journal.answer(id)
        self.done.append(id)
        if len(self.done) >= 2 * KEEP_DONE:
            self._forget_done()

    def _forget_done(self) -> None:
        """Forget the older half of the tasks that are done, but not what others wait for."""
        needed = set().union(*(job.dependents for job in self.queue_map.values()))
        old = {self.done.popleft() for _ in range(KEEP_DONE)}
        self.done.extendleft(old & needed)
        old -= needed
        for known in (self.all_ids, self.all_completed, self.all_failed, self.all_done):
            known -= old
        for of_engine in (*self.completed.values(), *self.failed.values()):
            of_engine -= old
        for id in old:
            self.destinations.pop(id, None)
            self.retries.pop(id, None)
            self.graph.pop(id, None)
