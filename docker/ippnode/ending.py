"""Ends one of the controller's processes when it is asked to, with nothing lost on the way.

What a killed process has not read yet is lost, and so may be what it has just sent: its client has
handed it over and thinks no more of it. So before a scheduler ends, it lets nobody connect any more
and says on each client's connection that it will send nothing else. The client then ends the
connection after all it has handed over, and keeps what comes later until the next controller is
there.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LONGEST_SECONDS = 1.0
"""How long clients may take to end their connections, and what they sent to be passed on."""
SEND_SECONDS = 0.005
"""How long what was sent before may take to be handed to the network."""
IDLE_SECONDS = 0.02
"""A process that hardly works for so long has passed everything on."""

begun = threading.Event()
"""Whether this process is about to end: what it sends from now on may reach nobody."""


def before_the_end(work: Callable[[], None]) -> None:
    """Have SIGTERM do some work in a thread of its own, and then end this process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def end() -> None:
        signal.sigwait({signal.SIGTERM})
        begun.set()
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()


def take_leave(ports: set[int]) -> None:
    """Take leave of all that are connected to these ports of this process."""
    deadline = time.monotonic() + LONGEST_SECONDS
    time.sleep(SEND_SECONDS)
    left = _hang_up(ports)
    while left and time.monotonic() < deadline:
        time.sleep(0.002)
        left = [connection for connection in left if not _has_ended(connection)]
    wait_until_idle(deadline)


def wait_until_idle(deadline: float) -> None:
    """Return when this process has nothing more to do."""
    worked = -1.0
    while time.process_time() - worked > IDLE_SECONDS / 20 and time.monotonic() < deadline:
        worked = time.process_time()
        time.sleep(IDLE_SECONDS)


def _hang_up(ports: set[int]) -> list[socket.socket]:
    """Close what listens at these ports, and our direction of the connections to them.

    ZeroMQ is not asked, since its sockets are another thread's; it finds the connections ended.
    """
    connections = []
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number in [int(link.name) for link in Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):
            connection = socket.socket(fileno=os.dup(number))
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            if connection.getsockname()[1] not in ports:
                continue
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                os.dup2(nothing, number)
            else:
                connection.shutdown(socket.SHUT_WR)
                connections.append(connection)
    return connections


def _has_ended(connection: socket.socket) -> bool:
    """Whether everything was read, and the other side has ended the connection too."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
