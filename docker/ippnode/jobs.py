"""The agent's view of the fork server: start a job, know when it ends."""

import asyncio
import json
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


def describe_status(status: int) -> str:
    """How a process ended, in words: its exit status, or the signal that ended it."""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = str(-status)
        hint = " (killed: out of memory, or by hand)" if -status == signal.SIGKILL else ""
        return f"ended by signal {name}{hint}"
    return f"exited with status {status}"


@dataclass
class Process:
    """A job that was started."""

    key: str
    job: dict[str, Any]
    pid: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    """Its exit status, or minus the signal that ended it."""
    why: str = ""
    """How it ended and, as far as known, why."""


class Jobs:
    """Starts and ends jobs through the fork server."""

    def __init__(self, fork_server: socket.socket) -> None:
        self._socket = fork_server
        self._writer: asyncio.StreamWriter | None = None
        self.running: dict[str, Process] = {}

    async def connect(self) -> None:
        """Begin to listen; returns when what already runs is known (after the agent's restart)."""
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        ready = asyncio.Event()
        self._listener = asyncio.create_task(self._listen(reader, ready))
        await ready.wait()

    async def start(self, key: str, job: dict[str, Any]) -> Process:
        """Fork a process for `job`; returns when it has a pid."""
        process = self.running.setdefault(key, Process(key, job))
        self._send(do="start", key=key, job=job)
        await process.started.wait()
        return process

    def kill(self, process: Process, number: int = signal.SIGKILL) -> None:
        """Send a signal to a job and to all that it started."""
        self._send(do="kill", key=process.key, signal=int(number))

    async def end(self, process: Process, grace: float = 0.0) -> None:
        """End a job: SIGTERM and `grace` seconds for its last task, then SIGKILL."""
        if grace and not process.ended.is_set():
            self.kill(process, signal.SIGTERM)
            self.kill(process, signal.SIGCONT)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.ended.wait(), grace)
        if not process.ended.is_set():
            self.kill(process)
            await process.ended.wait()

    def _send(self, **request: Any) -> None:
        assert self._writer
        self._writer.write(json.dumps(request).encode() + b"\n")

    async def _listen(self, reader: asyncio.StreamReader, ready: asyncio.Event) -> None:
        while line := await reader.readline():
            event = json.loads(line)
            if event["event"] == "ready":
                ready.set()
                continue
            key = event["key"]
            if event["event"] == "started":
                process = self.running.setdefault(key, Process(key, event["job"]))
                process.pid = event["pid"]
                process.started.set()
            else:
                process = self.running.pop(key)
                reason = event["reason"].strip().splitlines()
                process.status = event["status"]
                process.why = describe_status(event["status"])
                if reason:
                    process.why += f": {reason[-1]}"
                process.ended.set()
