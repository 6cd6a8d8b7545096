"""A small process that has imported ipyparallel and does nothing but fork.

Starting an engine by `exec` costs most of a CPU second in imports, and another half for its nanny.
Forked from here it costs a tenth of that, and the engines of a worker share the memory of what
was imported. This process runs no threads of its own and has no ZeroMQ context, so forking is
safe; what decides and talks to others is its first child, the agent.

Agent and fork server speak JSON lines over a socket pair:

    agent -> fork server   {"do": "start", "key": ..., "job": {...}}
                           {"do": "kill", "key": ..., "signal": 15}
    fork server -> agent   {"event": "ready"}
                           {"event": "started", "key": ..., "pid": ..., "job": {...}}
                           {"event": "ended", "key": ..., "status": -9, "reason": "..."}

`status` is the exit code, or minus the signal. When the agent dies it is forked again and told
of all that runs; when the fork server dies, the kernel ends its children and s6 starts it anew.
"""

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Job = dict[str, Any]
RunJob = Callable[[Job, Callable[[str], None]], None]
RunAgent = Callable[[socket.socket], None]

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 4.0
"""How long the agent may take to end everything in order when the container stops."""


def die_with_parent() -> None:
    """Have the kernel end this process when the one that forked it is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def set_process_name(name: str) -> None:
    """Set the name that `ps -o comm` and `pgrep -x` know this process by (15 characters)."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


@dataclass
class Child:
    """A running job."""

    key: str
    pid: int
    job: Job
    reason: int
    """Read end of the pipe into which the job writes why it is about to fail."""


class ForkServer:
    """Forks the agent, then whatever the agent asks for, until SIGTERM."""

    def __init__(
        self, run_agent: RunAgent, run_job: RunJob, warm_up: Callable[[], None] | None = None
    ) -> None:
        self.run_agent = run_agent
        self.run_job = run_job
        self.warm_up = warm_up
        """Imports more for the jobs, while the agent is already at work."""
        self.children: dict[str, Child] = {}
        self.agent_pid = 0
        self.agent: socket.socket | None = None
        self.unread = b""
        self.stop_at: float | None = None

    def serve(self) -> Callable[[], None]:
        """Serve until stopped. Returns more than once: in each forked child, with its work."""
        _share_memory()
        self._wakeups = socket.socketpair()
        for end in self._wakeups:
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeups[1].fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            if not self.agent_pid:
                if self.stop_at:
                    return lambda: None
                if work := self._fork_agent():
                    return work
                self._warm_up()
            if self.stop_at and time.monotonic() > self.stop_at:
                os.kill(self.agent_pid, signal.SIGKILL)
            for line in self._wait():
                if work := self._obey(json.loads(line)):
                    return work
            self._reap()

    def _warm_up(self) -> None:
        if self.warm_up:
            self.warm_up()
            self.warm_up = None
            _share_memory()

    def _stop(self, *_: object) -> None:
        """SIGTERM: the agent ends its children in order, then itself."""
        self.stop_at = time.monotonic() + STOP_SECONDS
        if self.agent_pid:
            with suppress(ProcessLookupError):
                os.kill(self.agent_pid, signal.SIGTERM)

    def _wait(self) -> list[bytes]:
        """Sleep until a signal or a request; returns the requests."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeups[0], selectors.EVENT_READ)
            if self.agent:
                selector.register(self.agent, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(0.5 if self.stop_at else None)]
        if self._wakeups[0] in ready:
            with suppress(BlockingIOError):
                self._wakeups[0].recv(4096)
        if self.agent not in ready:
            return []
        try:
            data = self.agent.recv(65536)
        except ConnectionError:
            data = b""
        if not data:  # it died; _reap will see to it
            self.agent.close()
            self.agent = None
        *lines, self.unread = (self.unread + data).split(b"\n")
        return lines

    def _tell(self, **event: Any) -> None:
        if self.agent:
            with suppress(OSError):
                self.agent.sendall(json.dumps(event).encode() + b"\n")

    def _obey(self, request: dict[str, Any]) -> Callable[[], None] | None:
        child = self.children.get(request["key"])
        if request["do"] == "kill":
            if child:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, request["signal"])
        elif child:
            self._tell(event="started", key=child.key, pid=child.pid, job=child.job)
        else:
            return self._fork_job(request["key"], request["job"])
        return None

    def _fork_agent(self) -> Callable[[], None] | None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become_child()
            return lambda: self.run_agent(theirs)
        theirs.close()
        self.agent_pid, self.agent, self.unread = pid, ours, b""
        for child in self.children.values():
            self._tell(event="started", key=child.key, pid=child.pid, job=child.job)
        self._tell(event="ready")
        return None

    def _fork_job(self, key: str, job: Job) -> Callable[[], None] | None:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            os.setpgid(0, 0)  # a group of its own, so that what it starts can be ended with it
            self._become_child()
            return lambda: self.run_job(job, lambda why: _write(write, why))
        os.close(write)
        os.set_blocking(read, False)
        with suppress(OSError):
            os.setpgid(pid, pid)
        self.children[key] = Child(key, pid, job, read)
        self._tell(event="started", key=key, pid=pid, job=job)
        return None

    def _become_child(self) -> None:
        """Let go of what belongs to the fork server alone."""
        die_with_parent()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        for end in self._wakeups:
            end.close()
        if self.agent:
            self.agent.close()
        for child in self.children.values():
            os.close(child.reason)
        self.children.clear()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid == self.agent_pid:
                self.agent_pid = 0
                if not self.stop_at:
                    print(f"ippnode: the agent ended ({code}): starting it again", file=sys.stderr)
                    time.sleep(0.2)
                continue
            child = next((c for c in self.children.values() if c.pid == pid), None)
            if child is None:
                continue
            with suppress(OSError):  # what it started and left behind
                os.killpg(pid, signal.SIGKILL)
            reason = _read(child.reason)
            os.close(child.reason)
            del self.children[child.key]
            self._tell(event="ended", key=child.key, status=code, reason=reason)


def _share_memory() -> None:
    """Have all that is imported so far stay shared with the children: no collector writes to it.

    Whoever imports may have switched the collector off meanwhile: from here on it runs.
    """
    gc.freeze()
    gc.enable()


def _write(pipe: int, text: str) -> None:
    os.write(pipe, text.encode()[:4000])


def _read(pipe: int) -> str:
    with suppress(BlockingIOError):
        return os.read(pipe, 4000).decode(errors="replace")
    return ""
