"""An engine's last results, for a controller that asks for them after it was away.

Nobody tells what a connection had taken and not delivered when it broke: after the controller's
death, or a power cut of its machine, that is every result since then. So an engine keeps its
results for a while. A controller that was started anew asks for those that clients still wait for;
what an engine does not have by then it will not have any more, since it does one thing after the
other.
"""

import time
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_client.session import DELIM

REQUEST, REPLY = "results_request", "results_reply"
"""Types of the controller's question, with the tasks' ids, and of the answer after the results."""
KEEP_SECONDS = 120.0
"""How long a result is kept: longer than it takes to notice that a connection is broken."""
KEEP_BYTES = 8 * 1024 * 1024
"""How much is kept; a task with a larger result fails instead, should it be lost."""


class Outbox:
    """Keeps what a kernel sends to the schedulers, and sends it again when asked."""

    def __init__(self, kernel: IPythonKernel) -> None:
        self.session = kernel.session
        self.kept: dict[str, tuple[float, list[bytes]]] = {}
        """When results were sent, and what; by the ids of their tasks, the oldest first."""
        self.bytes = 0
        self.send = kernel.shell_stream.send_multipart
        kernel.shell_stream.send_multipart = self._send_and_keep
        kernel.shell_handlers[REQUEST] = self._send_again

    def _send_and_keep(self, frames: list[Any], *args: Any, **kwargs: Any) -> Any:
        sent = self.send(frames, *args, **kwargs)
        size = sum(memoryview(frame).nbytes for frame in frames)
        if DELIM in frames and size <= KEEP_BYTES:
            parent = self.session.unpack(frames[frames.index(DELIM) + 3])
            self._make_room(size)
            self.kept[parent["msg_id"]] = time.monotonic(), [bytes(frame) for frame in frames]
            self.bytes += size
        return sent

    def _make_room(self, size: int) -> None:
        expired = time.monotonic() - KEEP_SECONDS
        while self.kept:
            oldest = next(iter(self.kept))
            sent, frames = self.kept[oldest]
            if sent > expired and self.bytes + size <= KEEP_BYTES:
                break
            self.bytes -= sum(map(len, frames))
            del self.kept[oldest]

    async def _send_again(self, stream: Any, ident: list[bytes], parent: dict[str, Any]) -> None:
        for id in parent["content"]["ids"]:
            if id in self.kept:
                self.send(self.kept[id][1])
        self.session.send(stream, REPLY, {}, parent=parent, ident=ident)
