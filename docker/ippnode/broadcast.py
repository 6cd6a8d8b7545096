"""Broadcast schedulers whose tasks the hub knows, so that they outlive the controller.

ipyparallel's form a tree: the root takes a client's message, each leaf sends it to its engines.
What an engine answers goes back the same way, "coalesced" to one reply if the client wants that.
The root tells the hub of each task and each answer (see `hub`). After a restart it passes answers
that it did not ask for to the hub as well.
"""

from typing import Any

import zmq
from ipyparallel.controller.broadcast_scheduler import BroadcastScheduler
from jupyter_client.session import DELIM, Session

from ippnode import ending, scheduler

REQUEST, RESULT = b"inbcast", b"outbcast"
"""What the hub calls the messages that it is told of."""
HEAD = 6
"""Frames of a message from the delimiter to the content, before its data."""


class ToldBroadcastScheduler(BroadcastScheduler):
    """One scheduler of the tree."""

    def start(self) -> None:
        """Begin to work; after a restart when peers have had time to connect."""
        self.open: dict[str, int] = {}
        """How many answers the root expects, by the ids of clients' messages."""
        begin = super().start
        if scheduler.is_restart:
            self.loop.call_later(scheduler.SETTLE_SECONDS, begin)
        else:
            begin()

    def send_to_sub_schedulers(
        self, msg: Any, original_msg_id: str, targets: Any, idents: Any, is_coalescing: bool
    ) -> None:
        if self.depth == 0:
            self.open[original_msg_id] = 1 if is_coalescing else len(targets)
            self.mon_stream.send_multipart([REQUEST, *self.session.serialize(msg, idents)])
        super().send_to_sub_schedulers(msg, original_msg_id, targets, idents, is_coalescing)

    def dispatch_result(self, raw_msg: list[zmq.Frame]) -> None:
        if ending.begun.is_set():
            return  # the engine will be asked for it again
        idents, frames = self.session.feed_identities(raw_msg, copy=False)
        metadata = self.session.unpack(frames[3].bytes)
        original = metadata.get("original_msg_id")
        if self.depth == 0:
            self._pass_to_client(original, raw_msg, len(idents))
        elif metadata.get("is_coalescing") and original not in self.accumulated_replies:
            self.client_stream.send_multipart(raw_msg[1:], copy=False)
        else:
            super().dispatch_result(raw_msg)

    def _pass_to_client(self, original: str, raw_msg: list[zmq.Frame], idents: int) -> None:
        if original not in self.open:
            self.mon_stream.send_multipart([RESULT, *raw_msg[1:]], copy=False)
            return
        super().dispatch_result(raw_msg)
        if original in self.accumulated_replies:
            return
        self.mon_stream.send_multipart([RESULT, *raw_msg[1 : idents + HEAD]], copy=False)
        self.open[original] -= 1
        if not self.open[original]:
            del self.open[original]


def coalesce(session: Session, replies: list[list[bytes]], targets: list[Any]) -> list[bytes]:
    """One reply made of those of `targets`; it is an error if one of them is."""
    status = [session.unpack(reply[4])["status"] for reply in replies]
    _, header, parent, metadata, content, *_ = next(
        (reply for reply, word in zip(replies, status, strict=True) if word != "ok"), replies[-1]
    )
    metadata = session.pack({**session.unpack(metadata), "broadcast_targets": targets})
    head = [header, parent, metadata, content]
    return [DELIM, session.sign(head), *head, *(data for reply in replies for data in reply[5:])]
