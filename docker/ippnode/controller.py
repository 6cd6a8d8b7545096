"""The controller container's agent: keeps ipcontroller running, checks it end to end.

It is started again with the same keys and ports, and takes over the engines that are still there,
when one of its processes ends, when the hub stops answering, or when a scheduler stops passing
tasks on.
"""

import asyncio
import platform
import re
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import zmq.asyncio

from ippnode import machine, paths, record
from ippnode.census import Census
from ippnode.checks import SchedulerChecks
from ippnode.files import canonical, digest, read_json, write_private
from ippnode.hublink import Hub, HubUnreachable
from ippnode.images import differences, python_mismatches, python_note
from ippnode.jobs import Jobs, Process
from ippnode.rpc import Failed, Progress, serve
from ippnode.tasks import essential
from ippnode.workers import Workers

CONFIG = paths.PROFILE / "ipcontroller_config.py"
ENGINE_JSON = paths.SECURITY / "ipcontroller-engine.json"
CLIENT_JSON = paths.SECURITY / "ipcontroller-client.json"
CURVE_JSON = paths.SECURITY / "curve.json"
PROFILE_FILES = (CONFIG, ENGINE_JSON, CLIENT_JSON, CURVE_JSON)

START_SECONDS = 45.0
"""An ipcontroller that answers nobody this long after its start is started again."""
CHECK_SECONDS = 5.0
"""Between two checks of the hub and the schedulers."""
WORKERS_SECONDS = 1.2
"""How long the workers may take to say how they are."""
SILENCE_SECONDS = 8.0
"""How long the hub may take to answer a check."""
ENOUGH_FAILED_CHECKS = 2
"""Checks that must fail in a row: a machine with too much to do is slow, not dead."""
END_SECONDS = 2.0
"""How long ipcontroller may take to pass on what it was sent, when it is ended."""
LONGEST_PAUSE_SECONDS = 30.0
ENOUGH_FAILURES = 3

IDENT = re.compile(r"(?P<worker>.+)-(?P<slot>\d+)-(?P<incarnation>[0-9a-z]+)")


def pause_after(failures: int) -> float:
    """Seconds to wait before the next start, after so many in a row that failed."""
    return 0.0 if failures < 2 else min(2.0 ** (failures - 2), LONGEST_PAUSE_SECONDS)


@dataclass
class Engine:
    """A registered engine, as its ident names it."""

    id: int
    ident: str
    worker: str
    slot: int


def parse_ident(id: int, ident: str) -> Engine:
    """Whose engine this is; one that is none of ours has worker "" and slot 0."""
    if match := IDENT.fullmatch(ident):
        return Engine(id, ident, match["worker"], int(match["slot"]))
    return Engine(id, ident, "", 0)


class ControllerAgent:
    """Owns ipcontroller and the commands of the controller's container."""

    def __init__(self, fork_server: socket.socket) -> None:
        self.jobs = Jobs(fork_server)
        self.context = zmq.asyncio.Context()
        self.process: Process | None = None
        self.hub: Hub | None = None
        self.census: Census | None = None
        self.workers: Workers | None = None
        self.described: dict[str, dict[str, str]] = {}
        self.contained: dict[str, dict[str, Any]] = {}
        self.state = "no profile"
        self.answers = asyncio.Event()
        self.profile_written = asyncio.Event()
        self.restart = asyncio.Event()
        self.changed = asyncio.Condition()
        self.failures = self.restarts = 0
        self.restarted_at: float | None = None
        self.reason = ""

    async def run(self) -> None:
        """Keep ipcontroller running until SIGTERM."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await self.jobs.connect()
        server = await serve(
            {
                "controller": self.controller,
                "ready": self.ready,
                "status": self.status,
                "health": self.health,
            }
        )
        if CONFIG.exists() and CLIENT_JSON.exists():
            self.profile_written.set()
        keep = essential(self._keep())
        await stop.wait()
        server.close()
        keep.cancel()
        await asyncio.gather(keep, return_exceptions=True)

    # ---- what runs

    async def _keep(self) -> None:
        while True:
            await self.profile_written.wait()
            self.restart.clear()
            self.reason = await self._live()
            print(f"ipcontroller {self.reason}", flush=True)
            self.failures = 0 if self.answers.is_set() else self.failures + 1
            self.answers.clear()
            self.restarts += 1
            self.restarted_at = time.time()
            await self._mark("failed" if self.failures >= ENOUGH_FAILURES else "restarting")
            await asyncio.sleep(pause_after(self.failures))

    async def _live(self) -> str:
        """One run of ipcontroller, from start to end; returns why it ended."""
        connection = {**read_json(CLIENT_JSON), "interface": "tcp://127.0.0.1"}
        await self._mark("starting")
        self.hub = Hub(connection, self.context)
        self.process = await self.jobs.start("ipcontroller", {})
        watch = asyncio.create_task(self._watch(connection))
        waits = [
            watch,
            asyncio.create_task(self.process.ended.wait()),
            asyncio.create_task(self.restart.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self.process.ended.is_set():
                return self.process.why
            if watch.done():
                return watch.result()
            return "was restarted: its profile changed"
        finally:
            for wait in waits:
                wait.cancel()
            self.hub.close()
            if self.census:
                self.census.close()
                self.workers.close()
                self.census = self.workers = None
            await self.jobs.end(self.process, END_SECONDS)
            self.process = None

    async def _watch(self, connection: dict[str, Any]) -> str:
        """Wait for the first answer, then check now and again; returns what is wrong."""
        try:
            await self.hub.engines(START_SECONDS)
        except HubUnreachable:
            return f"did not answer within {START_SECONDS:.0f} seconds of its start"
        self.census = Census(connection, self.described, self.contained)
        self.workers = Workers(self.context, connection)
        self.answers.set()
        await self._mark("answering")
        engine = {**read_json(ENGINE_JSON), "interface": connection["interface"]}
        checks = SchedulerChecks(self.context, connection, engine)
        failed = 0
        try:
            while failed < ENOUGH_FAILED_CHECKS:
                await asyncio.sleep(0 if failed else CHECK_SECONDS)
                wrong = await self._check(checks)
                failed = failed + 1 if wrong else 0
                if wrong:  # whoever was only stopped goes on, and has lost nothing
                    self.jobs.kill(self.process, signal.SIGCONT)
            return f"had to be ended: {wrong}"
        finally:
            checks.close()

    async def _check(self, checks: SchedulerChecks) -> str:
        """What is wrong with the hub or a scheduler; "" when all is well."""
        try:
            await self.hub.engines(SILENCE_SECONDS)
        except HubUnreachable as error:
            return str(error)
        if silent := await checks.silent():
            return f"nothing passed through the {' and the '.join(silent)} scheduler"
        return ""

    async def _mark(self, state: str) -> None:
        self.state = state
        async with self.changed:
            self.changed.notify_all()

    # ---- commands

    async def controller(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl controller`: write the profile, (re)start ipcontroller, wait for its answer."""
        try:
            texts = {
                CONFIG: stdin["config"],
                ENGINE_JSON: canonical(stdin["engine"]),
                CLIENT_JSON: canonical(stdin["client"]),
                CURVE_JSON: canonical(stdin["curve"]),
            }
        except (TypeError, KeyError) as error:
            raise Failed(
                "controller: standard input must be a JSON object with "
                f"'config', 'engine', 'client' and 'curve': {error} is missing"
            ) from error
        try:
            changed = [path for path, text in texts.items() if write_private(path, text)]
            record.note(list(texts))
        except OSError as error:
            raise Failed(f"controller: can't write {error.filename}: {error.strerror}") from error
        if changed and self.profile_written.is_set():
            progress(f"controller: restarting: {', '.join(p.name for p in changed)} changed")
            self.answers.clear()
            self.restart.set()
        self.failures = 0
        self.profile_written.set()
        try:
            async with asyncio.timeout(options["timeout"]), self.changed:
                while self.restart.is_set() or not self.answers.is_set():
                    if self.failures >= ENOUGH_FAILURES:
                        raise TimeoutError
                    await self.changed.wait()
        except TimeoutError:
            raise Failed(
                f"controller: ipcontroller {self.reason or self.state}", *_log_tail()
            ) from None
        return {"controller": "answering", "pid": self.process.pid}

    async def ready(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl ready`: wait until every declared engine is registered and has answered."""
        try:
            workers: dict[str, int] = stdin["workers"]
            wanted = _slots(workers)
        except (TypeError, KeyError, AttributeError) as error:
            raise Failed(
                'ready: standard input must be {"workers": {"<name>": <number of engines>, ...}}'
            ) from error
        images: dict[str, str] = stdin.get("images") or {}
        pythons: dict[str, str] = stdin.get("pythons") or {}
        enough: int | None = stdin.get("minReady")
        with suppress(OSError):  # a full disk is said by the status
            write_private(paths.WORKERS, canonical(workers))
        if pythons:
            progress(python_note(pythons))
        deadline = time.monotonic() + options["timeout"]
        said = ""
        try:
            while True:
                report, contents = await self._who_answers(wanted, images)
                wrong = python_mismatches(report["engines"], platform.python_version(), pythons)
                if wrong := wrong + differences(images, contents):
                    raise Failed(*wrong)
                here = len(report["engines"])
                if not report["missing"]:
                    return report
                text = f"{here} of {len(wanted)} engines answer"
                if text != said:
                    progress(text)
                    said = text
                if time.monotonic() > deadline:
                    lines = [_describe(missing) for missing in report["missing"]]
                    if enough is None or here < enough:
                        raise Failed(*lines)
                    for line in lines:
                        progress(f"warning: {line}")
                    return report
                await asyncio.sleep(0.1)
        finally:
            if self.census:
                self.census.leave()

    async def _who_answers(
        self, wanted: set[tuple[str, int]], images: dict[str, str]
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Which of the wanted engines answer, which are missing and why, and who else is there.

        Where images are named, also what is in the image of each worker that answers.
        """
        contents: dict[str, dict[str, Any]] = {}
        try:
            if not self.answers.is_set():
                raise HubUnreachable(f"ipcontroller {self.reason or self.state}")
            known = await self.hub.engines()
            registered = [parse_ident(id, ident) for ident, id in known.items()]
            ours = [e for e in registered if (e.worker, e.slot) in wanted]
            answers = await self.census.describe({e.id: e.ident for e in ours}) if ours else {}
            if images:
                first = {e.worker: e for e in reversed(ours) if e.ident in answers}
                found = await self.census.contents({e.id: e.ident for e in first.values()})
                contents = {w: found[e.ident] for w, e in first.items() if e.ident in found}
        except HubUnreachable as error:
            return {
                "engines": [],
                "missing": [
                    {"worker": worker, "slot": slot, "why": str(error)}
                    for worker, slot in sorted(wanted)
                ],
                "extra": [],
            }, contents
        answering = [
            {
                "id": e.id,
                "ident": e.ident,
                "worker": e.worker,
                "slot": e.slot,
                **answers[e.ident],
                **({"content": contents[e.worker]["id"]} if e.worker in contents else {}),
            }
            for e in sorted(ours, key=lambda e: e.id)
            if e.ident in answers
        ]
        found = {(e["worker"], e["slot"]) for e in answering}
        silent = {(e.worker, e.slot): e.ident for e in ours}
        return {
            "engines": answering,
            "missing": [
                {
                    "worker": worker,
                    "slot": slot,
                    "why": f"registered as {silent[worker, slot]}, but does not answer"
                    if (worker, slot) in silent
                    else "not registered with the controller",
                }
                for worker, slot in sorted(wanted - found)
            ],
            "extra": [
                {"id": e.id, "ident": e.ident, "worker": e.worker, "slot": e.slot}
                for e in registered
                if (e.worker, e.slot) not in wanted
            ],
        }, contents

    async def status(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl status`: what runs here, which engines the hub knows, how their workers are."""
        engines: list[dict[str, Any]] = []
        statuses: dict[str, dict[str, Any]] = {}
        if self.answers.is_set():
            try:
                known, queues = await self.hub.engines(2.0), await self.hub.queues()
                for ident, id in sorted(known.items(), key=lambda item: item[1]):
                    e = parse_ident(id, ident)
                    engines.append(
                        {
                            "id": id,
                            "ident": ident,
                            "worker": e.worker,
                            "slot": e.slot,
                            "tasks": queues.get(id, 0),
                        }
                    )
                if self.workers:
                    one_each = {e["worker"]: e["ident"] for e in engines}.values()
                    statuses = await self.workers.statuses(one_each, WORKERS_SECONDS)
            except HubUnreachable:
                pass
        workers = read_json(paths.WORKERS)
        present = {(e["worker"], e["slot"]) for e in engines}
        return {
            "role": "controller",
            "container": machine.container(),
            "python": platform.python_version(),
            "declared": workers,
            "missing": [f"{w} engine {n}" for w, n in sorted(_slots(workers or {}) - present)],
            "state": self.state,
            "pid": self.process.pid if self.process else None,
            "restarts": self.restarts,
            "last_restart": self.restarted_at,
            "reason": self.reason,
            "profile_sha256": {
                "config": digest(CONFIG.read_text()) if CONFIG.exists() else None,
                "engine": digest(read_json(ENGINE_JSON)),
                "client": digest(read_json(CLIENT_JSON)),
                "curve": digest(read_json(CURVE_JSON)),
            },
            **record.look({path: path.name for path in PROFILE_FILES}),
            "engines": engines,
            "workers": statuses,
            "sshd": machine.listens(2222),
            "disks": machine.disks([paths.HOME, paths.RUN]),
        }

    async def health(self, options: dict[str, Any], stdin: Any, progress: Progress) -> Any:
        """`ippctl health`: ipcontroller answers, or waits for its profile."""
        if self.profile_written.is_set() and not self.answers.is_set():
            raise Failed(f"ipcontroller {self.reason or self.state}")
        return {"state": self.state}


def _slots(workers: dict[str, int]) -> set[tuple[str, int]]:
    """Each worker's slots, by the number of its engines."""
    return {(worker, slot) for worker, count in workers.items() for slot in range(1, count + 1)}


def _describe(missing: dict[str, Any]) -> str:
    return f"worker {missing['worker']}: engine {missing['slot']}: {missing['why']}"


def _log_tail(lines: int = 10) -> list[str]:
    try:
        return paths.LOG.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return []
