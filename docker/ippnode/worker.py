"""A worker's agent: keeps as many engines registered as are declared.

For each slot it compares "the process runs" with "the hub knows its ident", and starts the slot
anew whenever the two differ. That one rule repairs engines that were killed, froze, were cut off,
or were forgotten by a controller.

A worker may be moved off a host that can't be reached, and the host come back with the container.
So the hub is told in which container the worker was set up last, and another one ends its engines.
"""

import asyncio
import os
import platform
import re
import secrets
import signal
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio

from ippnode import machine, paths, peerloss, record
from ippnode.files import canonical, digest, is_gone, read_json, write_private
from ippnode.hublink import Hub, HubUnreachable, dialable
from ippnode.jobs import Jobs, Process
from ippnode.relay import ControlRelay
from ippnode.rpc import Failed, Progress, serve
from ippnode.tasks import essential

REGISTRATION_SECONDS = 45.0
"""An engine that is not registered this long after its start is started again."""
REACH_SECONDS = 20.0
"""After which it counts that nothing answers at the controller's address."""
STEADY_POLL_SECONDS = 2.0
STARTING_POLL_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0
ENOUGH_FAILURES = 3
"""Starts that may fail in a row before `ippctl engines` gives up."""
ENOUGH_WITH_USERS_FILES = 2
"""Starts that may fail in a row before an engine is started without what is in the home folder."""
LOOP_SECONDS = 120.0
"""Ends that are so recent are counted together: of a few, the status says so."""
SSHD_PORT = 2222
LISTENS = "something listens there, but does not accept the engine file's keys"
ANSWER_SECONDS = 0.5
"""An engine that takes longer does not answer, as far as the status is concerned."""
STOP_SECONDS = 2.5
"""How long an engine's last task may go on when the engine is to end."""

SET_UP = {
    paths.ENGINE_FILE: "the engine file",
    paths.DECLARED: "the declared number of engines",
}
"""What `ippctl engines` writes, and how it is called."""
KEPT = (paths.CLAIM, paths.APPLIED, *SET_UP)
"""All that this container comes back with."""


def pause_after(failures: int) -> float:
    """Seconds to wait before the next start, after so many starts in a row that failed."""
    return 0.0 if failures < 2 else min(2.0 ** (failures - 2), LONGEST_PAUSE_SECONDS)


@dataclass
class Slot:
    """One of a worker's engines, through all its incarnations."""

    number: int
    state: str = "starting"
    ident: str = ""
    process: Process | None = None
    relay: ControlRelay | None = None
    registered: asyncio.Event = field(default_factory=asyncio.Event)
    missing: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    """Starts in a row that did not lead to a registered engine."""
    restarts: int = 0
    restarted_at: float | None = None
    reason: str = ""
    """Why the last incarnation ended."""
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    """When the last incarnations ended."""
    cautious_because: str = ""
    """Why it is started without the user's files; "" when it is not."""
    task: asyncio.Task[None] | None = None


class WorkerAgent:
    """Owns the slots, the connection to the hub, and the commands of a worker."""

    def __init__(self, fork_server: socket.socket) -> None:
        self.name = os.environ.get("IPP_NAME", "worker")
        self.mine = re.compile(rf"{re.escape(self.name)}-(\d+)-[0-9a-z]+")
        self.jobs = Jobs(fork_server)
        self.context = zmq.asyncio.Context()
        self.context.sockopts.update(peerloss.OPTIONS)
        self.slots: dict[int, Slot] = {}
        self.hub: Hub | None = None
        self.known: dict[str, int] = {}
        self.claim = ""
        """What this container is known by."""
        with suppress(OSError):
            self.claim = paths.CLAIM.read_text()
        self.claims: dict[str, str] = {}
        """What the hub is still to be told: that the worker was set up here."""
        self.hub_answers = asyncio.Event()
        self.look_now = asyncio.Event()
        self.changed = asyncio.Condition()
        self.applying = asyncio.Lock()
        self.memory_kills = machine.MemoryKills()
        self.kept: dict[Path, str] = {}
        """What was last set up, for when a task sweeps the home folder."""

    async def run(self) -> None:
        """Bring up what is declared, and keep it up until SIGTERM."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await self.jobs.connect()
        server = await serve(
            {"engines": self.engines, "status": self.status, "health": self.health}
        )
        declared, connection = read_json(paths.DECLARED), read_json(paths.ENGINE_FILE)
        self._remember()
        if declared and connection:
            await self._apply(declared, connection)
        watch = essential(self._watch_hub())
        await stop.wait()
        self._restore_swept()
        server.close()
        watch.cancel()
        await self._set_count(0)
        if self.hub:
            await self.hub.leave()

    # ---- what runs

    async def _apply(self, declared: dict[str, Any], connection: dict[str, Any]) -> None:
        """Make the slots what is declared."""
        async with self.applying:
            connection = dialable(connection)
            self.context.sockopts.update(peerloss.dial_options(connection["interface"]))
            if self.hub is None or self.hub.connection != connection:
                await self._set_count(0)
                if self.hub:
                    self.hub.close()
                self.hub_answers.clear()
                self.hub = Hub(connection, self.context)
            self.imports = declared["imports"]
            await self._set_count(declared["count"])
            self.look_now.set()

    async def _set_count(self, count: int) -> None:
        """Start slots up to `count`, end those above it."""
        surplus = [self.slots.pop(n) for n in list(self.slots) if n > count]
        for slot in surplus:
            slot.task.cancel()
        await asyncio.gather(*(slot.task for slot in surplus), return_exceptions=True)
        for number in range(1, count + 1):
            if number not in self.slots:
                slot = self.slots[number] = Slot(number)
                slot.task = essential(self._keep(slot))

    async def _keep(self, slot: Slot) -> None:
        """Keep one slot running until this task is cancelled."""
        while True:
            await self.hub_answers.wait()
            slot.reason = await self._live(slot)
            print(f"engine {slot.number} ({slot.ident}) {slot.reason}", flush=True)
            slot.failures = 0 if slot.registered.is_set() else slot.failures + 1
            if slot.failures >= ENOUGH_WITH_USERS_FILES and self.hub_answers.is_set():
                slot.cautious_because = slot.cautious_because or slot.reason
            slot.ends.append(time.monotonic())
            slot.restarts += 1
            slot.restarted_at = time.time()
            await self._mark(slot, "failed" if slot.failures >= ENOUGH_FAILURES else "restarting")
            await asyncio.sleep(pause_after(slot.failures))

    async def _live(self, slot: Slot) -> str:
        """One incarnation of an engine, from start to end; returns why it ended."""
        hub, job = self.hub, self._running_job(slot.number) or self._new_job(slot)
        slot.ident = job["ident"]
        slot.registered.clear()
        slot.missing.clear()
        server_key = hub.connection.get("curve_serverkey")
        keys = tuple(key.encode() for key in job["curve"]) if server_key else None
        slot.relay = ControlRelay(
            self.context,
            slot.ident,
            hub.channel_url("control"),
            server_key.encode() if server_key else None,
            keys,
            hub.session,
            lambda number: os.kill(slot.process.pid, number),
            self._say_how_it_is,
        )
        try:
            slot.process = await self.jobs.start(slot.ident, job)
            self.look_now.set()
            events = slot.process.ended, slot.registered
            if not await _first(*events, timeout=REGISTRATION_SECONDS):
                return f"did not register within {REGISTRATION_SECONDS:.0f} seconds"
            if slot.registered.is_set():
                await self._mark(slot, "registered")
                await _first(slot.process.ended, slot.missing)
            if slot.process.status == -signal.SIGKILL and self.memory_kills.recent():
                return f"ended by signal SIGKILL: {machine.out_of_memory()}"
            return slot.process.why or "was no longer known to the controller"
        finally:
            cancelled = asyncio.current_task().cancelling()
            if slot.ident in self.known:
                hub.unregister(self.known[slot.ident])
            if slot.process:
                await self.jobs.end(slot.process, STOP_SECONDS if cancelled else 0)
            slot.relay.close()
            slot.process = slot.relay = None

    def _running_job(self, number: int) -> dict[str, Any] | None:
        """The engine of a slot that outlived an earlier agent, if there is one."""
        jobs = (process.job for process in self.jobs.running.values())
        return next((job for job in jobs if job["slot"] == number), None)

    def _new_job(self, slot: Slot) -> dict[str, Any]:
        """A new incarnation of a slot's engine."""
        keys = zmq.curve_keypair() if self.hub.connection.get("curve_serverkey") else None
        return {
            "slot": slot.number,
            "ident": f"{self.name}-{slot.number}-{secrets.token_hex(4)}",
            "imports": self.imports,
            "cautious": bool(slot.cautious_because),
            "threads": max(machine.cores() // max(len(self.slots), 1), 1),
            "connection": self.hub.connection,
            "patience_ms": self.hub.patience_ms,
            "curve": [key.decode() for key in keys] if keys else None,
        }

    async def _mark(self, slot: Slot, state: str) -> None:
        slot.state = state
        async with self.changed:
            self.changed.notify_all()

    # ---- what is kept in the home folder

    def _remember(self) -> None:
        self.kept = {}
        for path in KEPT:
            with suppress(OSError):
                self.kept[path] = path.read_text()

    def _restore_swept(self) -> None:
        """Write again what was set up, if all of it is gone: a single file is for `up` to see."""
        if self.kept and all(is_gone(path) for path in self.kept):
            print("the home folder was emptied: what was set up is written again", flush=True)
            with suppress(OSError):
                for path, text in self.kept.items():
                    write_private(path, text)

    # ---- what the hub knows

    async def _watch_hub(self) -> None:
        """Look at the hub's list: often while an engine starts, else every few seconds."""
        while True:
            self.look_now.clear()
            self.memory_kills.look()
            self._restore_swept()
            if self.hub:
                await self._look()
            starting = any(s.process and not s.registered.is_set() for s in self.slots.values())
            pause = STARTING_POLL_SECONDS if starting else STEADY_POLL_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self.look_now.wait(), pause)

    async def _look(self) -> None:
        hub = self.hub
        claims = dict(self.claims)
        try:
            known = await hub.engines(claims=claims)
        except HubUnreachable:
            if hub is self.hub:
                self.hub_answers.clear()
            return
        if hub is not self.hub:
            return
        if claims == self.claims:
            self.claims.clear()
        if self.claim and self.name not in hub.claims:
            self.claims = {self.name: self.claim}  # the controller is a new one
            self.look_now.set()
        self.known = known
        if self._superseded():
            if not self.claims:
                await self._stand_down()
            return
        self.hub_answers.set()
        for slot in self.slots.values():
            if slot.ident in known:
                slot.registered.set()
            elif slot.registered.is_set():
                slot.missing.set()
        for ident, id in known.items():
            if ident not in self.jobs.running and self.mine.fullmatch(ident):
                hub.unregister(id)  # an earlier incarnation that the hub still lists

    async def _stand_down(self) -> None:
        if self.slots:
            print("this worker was set up in another container since: engines end", flush=True)
        await self._set_count(0)
        for process in list(self.jobs.running.values()):  # of an earlier agent
            await self.jobs.end(process)

    def _superseded(self) -> bool:
        """Whether the worker was set up in another container since."""
        return self.hub is not None and self.hub.claims.get(self.name, self.claim) != self.claim

    # ---- commands

    async def engines(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl engines`: declare how many engines run, and wait until they do."""
        declared, connection, timeout = self._parse_engines(options, stdin)
        try:
            self.claim = self.claim or secrets.token_hex(4)
            write_private(paths.CLAIM, self.claim)
            write_private(paths.ENGINE_FILE, canonical(connection))
            write_private(paths.DECLARED, canonical(declared))
            record.note(list(SET_UP))
            self._remember()
        except OSError as error:
            raise Failed(
                f"worker {self.name}: can't write {error.filename}: {error.strerror}"
            ) from error
        self.claims = {self.name: self.claim}
        for slot in self.slots.values():
            slot.failures = 0
            slot.cautious_because = ""
        changed_imports = self.hub is not None and self.imports != declared["imports"]
        if changed_imports and set(declared["imports"]) - set(self.imports):
            await self._set_count(0)
        await self._apply(declared, connection)
        said = ""
        try:
            async with asyncio.timeout(timeout) as limit, self._giving_up(limit), self.changed:
                while missing := self._missing():
                    if any(s.failures >= ENOUGH_FAILURES for s in missing):
                        raise TimeoutError
                    text = f"{len(self.slots) - len(missing)} of {len(self.slots)} registered"
                    if text != said:
                        progress(f"worker {self.name}: {text}")
                        said = text
                    await self.changed.wait()
        except TimeoutError:
            raise Failed(*[await self._why_missing(slot) for slot in self._missing()]) from None
        return {
            "worker": self.name,
            "engines": [
                {"slot": slot.number, "ident": slot.ident, "pid": slot.process.pid}
                for slot in self.slots.values()
            ],
        }

    def _parse_engines(
        self, options: dict[str, Any], stdin: Any
    ) -> tuple[dict[str, Any], dict[str, Any], float]:
        connection = stdin.get("connection") if isinstance(stdin, dict) else None
        needed = ("interface", "location", "registration", "control", "signature_scheme", "pack")
        if not isinstance(connection, dict) or any(key not in connection for key in needed):
            raise Failed(
                f"worker {self.name}: standard input must be "
                '{"connection": <content of ipcontroller-engine.json>}'
            )
        declared = {"count": options["count"], "imports": options["import"]}
        return declared, connection, options["timeout"]

    def _missing(self) -> list[Slot]:
        return [slot for slot in self.slots.values() if slot.state != "registered"]

    async def _why_missing(self, slot: Slot) -> str:
        who = f"worker {self.name}: engine {slot.number}"
        if slot.reason:
            return f"{who} {slot.reason}"
        if not self.hub_answers.is_set():
            return f"{who} can't reach the controller at {self.hub.url}: {await self._probe()}"
        return f"{who} started, but has not registered yet"

    @asynccontextmanager
    async def _giving_up(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """Bring a limit forward where nothing answers at the controller's address."""

        async def give_up() -> None:
            await asyncio.sleep(REACH_SECONDS)
            if not self.hub_answers.is_set() and await self._probe() != LISTENS:
                limit.reschedule(asyncio.get_running_loop().time())

        task = asyncio.create_task(give_up())
        try:
            yield
        finally:
            task.cancel()

    async def _probe(self) -> str:
        """Why the hub does not answer, as far as a plain TCP connection can tell."""
        host, port = self.hub.url.removeprefix("tcp://").rsplit(":", 1)
        try:
            async with asyncio.timeout(3):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.close()
        except TimeoutError:
            return "no answer within 3 seconds"
        except OSError as error:
            return error.strerror or str(error)
        return LISTENS

    async def status(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl status`: what runs here."""
        return await self._say_how_it_is()

    async def _say_how_it_is(self) -> dict[str, Any]:
        queues: dict[int, int] = {}
        if self.hub_answers.is_set():
            try:
                queues = await self.hub.queues()
            except HubUnreachable:
                self.hub_answers.clear()
        slots = list(self.slots.values())
        answers = await asyncio.gather(*(self._answers(slot) for slot in slots))
        declared, connection = read_json(paths.DECLARED), read_json(paths.ENGINE_FILE)
        recent = time.monotonic() - LOOP_SECONDS
        return {
            "role": "worker",
            "worker": self.name,
            "container": machine.container(),
            "python": platform.python_version(),
            "declared": declared,
            "connection_sha256": digest(connection),
            "controller": {
                "url": self.hub.url if self.hub else None,
                "answers": self.hub_answers.is_set(),
            },
            "superseded": self._superseded(),
            "engines": [
                {
                    "slot": slot.number,
                    "state": self._state(slot, queues),
                    "answers": answering,
                    "ident": slot.ident,
                    "id": self.known.get(slot.ident),
                    "pid": slot.process.pid if slot.process else None,
                    "restarts": slot.restarts,
                    "last_restart": slot.restarted_at,
                    "reason": slot.reason,
                    "recent_ends": sum(t > recent for t in slot.ends),
                    "without_home": slot.cautious_because,
                }
                for slot, answering in zip(slots, answers, strict=True)
            ],
            "sshd": machine.listens(SSHD_PORT),
            **record.look(SET_UP),
            "disks": machine.disks([paths.HOME, paths.RUN, paths.TMP]),
            "clock": machine.clock(self.hub.skew if self.hub else 0.0),
        }

    def _state(self, slot: Slot, queues: dict[int, int]) -> str:
        if slot.state == "registered" and queues.get(self.known.get(slot.ident, -1)):
            return "busy"
        return slot.state

    async def _answers(self, slot: Slot) -> bool:
        """Whether a slot's engine answers its agent: it is neither frozen nor still starting."""
        relay = slot.relay if slot.state == "registered" else None
        return relay is not None and await relay.answers(ANSWER_SECONDS)

    async def health(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl health`: every declared engine is registered."""
        if missing := self._missing():
            raise Failed(*[await self._why_missing(slot) for slot in missing])
        return {"engines": len(self.slots)}


async def _first(*events: asyncio.Event, timeout: float | None = None) -> bool:
    """Wait for the first of some events; False when `timeout` seconds pass before it."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
