"""Keeps each of the controller's processes within its share of memory, whatever clients do.

What is for a client that does not read (it was stopped, its disk is full, its link is dead) waits
in ZeroMQ, without a limit in bytes. So when a process has more than its share, the connection that
has not taken anything for the longest time is ended, and what waits for it is dropped.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECK_SECONDS = 0.5
STALLED_SECONDS = 5.0
"""A client that has taken nothing for so long, though there is something for it, has stalled."""
SLOW_SECONDS = 20.0
"""One that takes some, but less than comes, is given so long."""
BYTES_ACKED = struct.Struct("120xQ")
"""Linux's tcp_info, up to the number of bytes that the peer has acknowledged."""
M_MMAP_THRESHOLD, MMAP_BYTES = -3, 256 * 1024

exceeded = threading.Event()
"""Whether this process has more than its share."""


def give_back_large_blocks() -> None:
    """Have freed memory go back to the system; glibc would keep ever larger blocks of it."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def trim() -> None:
    """Give back what is free now."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def used() -> int:
    """Bytes of memory that this process uses, without files."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def connections(ports: set[int]) -> Iterator[socket.socket]:
    """What this process has accepted at these ports; to be closed by the caller."""
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if not str(link.readlink()).startswith("socket:"):
                continue
            connection = socket.socket(fileno=os.dup(int(link.name)))
            if (
                connection.family in (socket.AF_INET, socket.AF_INET6)
                and connection.getsockname()[1] in ports
                and not connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            ):
                yield connection
            else:
                connection.close()


@dataclass
class Backlog:
    """A connection on which something waits to be taken."""

    acknowledged: int
    stalled_since: float
    since: float


class Watch:
    """What the connections of a process take, as far as it has more than its share."""

    def __init__(self, ports: set[int], limit: int) -> None:
        self.ports = ports
        self.limit = limit
        self.at_first = used()
        """What it shares with the process that it was forked from, mostly."""
        self.backlogs: dict[tuple[object, ...], Backlog] = {}

    def run(self) -> None:
        """Work for ever."""
        while True:
            time.sleep(CHECK_SECONDS)
            self.check(used() - self.at_first, time.monotonic())

    def check(self, memory: int, now: float) -> None:
        """Look at the connections once memory is short; end the worst while it is exceeded."""
        if memory > self.limit:
            exceeded.set()
        else:
            exceeded.clear()
        if memory < self.limit / 2:
            self.backlogs.clear()
            return
        waiting = self._note(now)
        if memory > self.limit and waiting and self._end_worst(waiting, now):
            trim()
        for connection in waiting.values():
            connection.close()

    def _note(self, now: float) -> dict[tuple[object, ...], socket.socket]:
        waiting = {}
        backlogs = {}
        for connection in connections(self.ports):
            try:
                peer = connection.getpeername()
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED.size)
                queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            except OSError:
                connection.close()
                continue
            if not int.from_bytes(queued, sys.byteorder):
                connection.close()
                continue
            (acknowledged,) = BYTES_ACKED.unpack(info)
            backlog = self.backlogs.get(peer) or Backlog(acknowledged, now, now)
            if backlog.acknowledged != acknowledged:
                backlog.acknowledged, backlog.stalled_since = acknowledged, now
            backlogs[peer] = backlog
            waiting[peer] = connection
        self.backlogs = backlogs
        return waiting

    def _end_worst(self, waiting: dict[tuple[object, ...], socket.socket], now: float) -> bool:
        peer, backlog = min(self.backlogs.items(), key=lambda item: item[1].stalled_since)
        if now - backlog.stalled_since < STALLED_SECONDS:
            peer, backlog = min(self.backlogs.items(), key=lambda item: item[1].since)
            if now - backlog.since < SLOW_SECONDS:
                return False
        print(
            f"client at {peer[0]}: disconnected, since it does not read and the controller's "
            "memory is short",
            file=sys.stderr,
            flush=True,
        )
        with suppress(OSError):
            waiting[peer].shutdown(socket.SHUT_RDWR)
        del self.backlogs[peer]
        return True


def watch(ports: set[int], limit: int) -> None:
    """Keep this process within `limit` bytes, by the connections to these ports."""
    threading.Thread(target=Watch(ports, limit).run, daemon=True, name="memory").start()
