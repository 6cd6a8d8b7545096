"""What an engine prints, and word of the end of each task, on its way to the controller.

What the controller had not passed on when it ended is lost. `execute(block=True)` waits for word
of the end and would never return. So a controller that subscribes to the ends alone is told of the
last ones once more; to a client that knows, it makes no difference. What a task has printed can't
be told twice: a client would take it for printed twice.
"""

from collections import deque
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread
from jupyter_client.session import Session

SUBSCRIPTION = b"\1"
"""What a subscriber sends first, before the topic; one to all that is published names none."""
STATUS = b".status"
"""How the topic ends under which engines say when a task begins and ends."""
ENDS = b"ippnode-ends"
"""The topic of that subscription; nothing is published under it."""
KEPT = 50
"""How many ends are told once more: what was on its way just then, also with the shortest tasks."""
IDLE = {"execution_state": "idle"}
"""What an engine publishes when a task has ended."""


class OutputThread(IOPubThread):
    """An engine's thread that publishes."""

    def __init__(self, socket: zmq.Socket, session: Session) -> None:
        socket.XPUB_VERBOSE = 1  # to hear of a subscriber that takes another's place
        self.ended: deque[tuple[bytes, bytes]] = deque(maxlen=KEPT)
        """Under which topic the end of the last tasks was told, and their headers."""
        super().__init__(socket, session=session)

    def _really_send(self, msg: list[bytes], *args: Any, **kwargs: Any) -> None:
        if not self._is_master_process():  # the sockets are no forked child's
            return
        if msg[0].endswith(STATUS):
            topic, _, _, _, header, _, content = msg
            if b"idle" in content:
                self.ended.append((topic, header))
        super()._really_send(msg, *args, **kwargs)

    def _handle_subscription(self, frames: list[bytes]) -> None:
        if frames == [SUBSCRIPTION + ENDS]:
            for topic, header in self.ended:
                parent = self.session.unpack(header)
                self.session.send(self.socket, "status", IDLE, parent=parent, ident=topic)
