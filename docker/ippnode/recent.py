"""What engines have printed lately, for clients that begin to listen.

A client asks for the engines first and begins to listen last, when its first task may have run
already: what that has printed would be lost, and `execute(block=True)`, which waits for word of the
end, would never return. So the hub announces each client's session before it answers, and messages
to that session are kept for a while.

A client that listens again, since it was cut off or the controller was restarted, may have missed
the end of tasks: the latest ends are kept too, and after a restart everything for a while. To a
client that knows, ends make no difference; what a task has printed can't be repeated, since it
would be taken for printed twice.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from jupyter_client.session import DELIM

from ippnode.output_thread import STATUS

Message = list[Any]
"""Frames of ZeroMQ, the topic first."""

EVERYBODY = b""
"""What is announced when the messages of every session are to be kept."""
CONNECT_SECONDS = 30.0
"""How long a client may take to listen after it was announced."""
KEEP_BYTES = 16 * 1024 * 1024
KEEP_MESSAGES = 20_000
"""How much is kept for clients that do not listen yet."""
ENDS_SECONDS = 120.0
KEEP_ENDS = 10_000
"""For how long, and how many ends of tasks are kept."""


class RecentOutput:
    """The messages that a client which begins to listen may have missed."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, float] = {}
        """Until when messages to announced sessions are kept."""
        self.kept: deque[tuple[float, int, Message]] = deque()
        """Until when, how many bytes, and the message."""
        self.bytes = 0
        self.ends: deque[tuple[float, Message]] = deque(maxlen=KEEP_ENDS)

    def announce(self, session: bytes) -> None:
        """A client with this session is about to listen."""
        self.sessions[session] = time.monotonic() + CONNECT_SECONDS

    def add(self, message: Message) -> None:
        """A message was published."""
        now = time.monotonic()
        self._forget(now)
        is_status = message[0].bytes.endswith(STATUS)
        if not is_status and not self.sessions:
            return
        delimiter = next((i for i, frame in enumerate(message) if frame.bytes == DELIM), None)
        if delimiter is None or len(message) < delimiter + 6:
            return
        parent = message[delimiter + 3].bytes
        for session, until in self.sessions.items():
            if session in parent:
                self._keep(until, message)
                return
        if _is_end(message):
            self.ends.append((now, message))

    def missed(self) -> Iterator[Message]:
        """What a client that begins to listen is to be sent."""
        self._forget(time.monotonic())
        yield from (message for _, message in self.ends)
        yield from (message for _, _, message in self.kept)

    def _keep(self, until: float, message: Message) -> None:
        size = sum(len(frame) for frame in message)
        self.kept.append((until, size, message))
        self.bytes += size
        while self.bytes > KEEP_BYTES or len(self.kept) > KEEP_MESSAGES:
            self._drop()

    def _drop(self) -> None:
        """Give up the oldest message; the end of a task goes on as one of the latest ends."""
        _, size, message = self.kept.popleft()
        self.bytes -= size
        if _is_end(message):
            self.ends.append((time.monotonic(), message))

    def _forget(self, now: float) -> None:
        while self.sessions and next(iter(self.sessions.values())) <= now:
            del self.sessions[next(iter(self.sessions))]
        while self.kept and self.kept[0][0] <= now:
            self._drop()
        while self.ends and self.ends[0][0] <= now - ENDS_SECONDS:
            self.ends.popleft()


def _is_end(message: Message) -> bool:
    """Whether this says that a task has ended."""
    if not message[0].bytes.endswith(STATUS):
        return False
    delimiter = next(i for i, frame in enumerate(message) if frame.bytes == DELIM)
    return b"idle" in message[delimiter + 5].bytes
