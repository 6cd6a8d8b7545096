"""Broadcast schedulers whose tasks the hub knows, so that they outlive the controller.

ipyparallel's form a tree: the root takes a client's message, each leaf sends it to its engines.
What an engine answers goes back the same way. For a client that wants one answer the root puts
those of all engines together, in the order in which the client named them, as an error if one of
them is; ipyparallel would take the order in which they come, and leave errors out.
The root tells the hub of each task and each answer (see `hub`). After a restart it passes answers
that it did not ask for to the hub as well.
"""

from dataclasses import dataclass, field
from typing import Any

import zmq
from ipyparallel import util
from ipyparallel.controller.broadcast_scheduler import BroadcastScheduler
from jupyter_client.session import DELIM, Session

from ippnode import ending, scheduler

REQUEST, RESULT = b"inbcast", b"outbcast"
"""What the hub calls the messages that it is told of."""
HEAD = 6
"""Frames of a message from the delimiter to the content, before its data."""


@dataclass
class Broadcast:
    """A client's message that not all engines have answered yet."""

    targets: list[Any]
    """Ident and id of each engine, as the client named them."""
    coalescing: bool
    waiting: set[str]
    """The idents of the engines that have not answered."""
    replies: dict[str, list[Any]] = field(default_factory=dict)
    """If they are to be coalesced, what engines have answered: frames, the signature first."""


class ToldBroadcastScheduler(BroadcastScheduler):
    """One scheduler of the tree."""

    def start(self) -> None:
        """Begin to work; after a restart when peers have had time to connect."""
        self.open: dict[str, Broadcast] = {}
        """What the root expects answers to, by the ids of clients' messages."""
        self.notifier_stream.on_recv(self._hear_of_engines)
        begin = super().start
        if scheduler.is_restart:
            self.loop.call_later(scheduler.SETTLE_SECONDS, begin)
        else:
            begin()

    def send_to_sub_schedulers(
        self, msg: Any, original_msg_id: str, targets: Any, idents: Any, is_coalescing: bool
    ) -> None:
        """Send a message down the tree, which does not coalesce what comes back."""
        if self.depth == 0:
            waiting = {ident for ident, _ in targets}
            self.open[original_msg_id] = Broadcast(targets, is_coalescing, waiting)
            self.mon_stream.send_multipart([REQUEST, *self.session.serialize(msg, idents)])
        super().send_to_sub_schedulers(msg, original_msg_id, targets, idents, False)

    def send_to_targets(
        self, msg: Any, original_msg_id: str, targets: Any, idents: Any, is_coalescing: bool
    ) -> None:
        """Send a message to engines."""
        super().send_to_targets(msg, original_msg_id, targets, idents, False)

    @util.log_errors
    def dispatch_result(self, raw_msg: list[zmq.Frame]) -> None:
        """Pass an answer on: up the tree, and from the root to the client and the hub."""
        if ending.begun.is_set():
            return  # the engine will be asked for it again
        if self.depth > 0:
            self.client_stream.send_multipart(raw_msg[1:], copy=False)
            return
        idents, frames = self.session.feed_identities(raw_msg, copy=False)
        original = self.session.unpack(frames[3].bytes).get("original_msg_id")
        broadcast = self.open.get(original)
        if broadcast is None:
            self.mon_stream.send_multipart([RESULT, *raw_msg[1:]], copy=False)
            return
        engine = self.session.unpack(frames[2].bytes)["msg_id"].removeprefix(f"{original}_")
        broadcast.waiting.discard(engine)
        if not broadcast.waiting:
            del self.open[original]
        if broadcast.coalescing:
            broadcast.replies[engine] = [*(frame.bytes for frame in frames[:5]), *frames[5:]]
            if broadcast.waiting:
                return
            replies = [broadcast.replies[ident] for ident, _ in broadcast.targets]
            reply = coalesce(self.session, replies, broadcast.targets)
            self.client_stream.send_multipart([*idents[1:], *reply], copy=False)
        else:
            self.client_stream.send_multipart(raw_msg[1:], copy=False)
        self.mon_stream.send_multipart([RESULT, *raw_msg[1 : len(idents) + HEAD]], copy=False)

    @util.log_errors
    def _hear_of_engines(self, message: list[bytes]) -> None:
        """Forget what an engine that is gone was to answer: clients give it up, too."""
        _, frames = self.session.feed_identities(message)
        notification = self.session.deserialize(frames)
        if notification["msg_type"] != "unregistration_notification":
            return
        engine = notification["content"]["uuid"]
        for id, broadcast in list(self.open.items()):
            if engine in broadcast.waiting:
                broadcast.waiting.discard(engine)
                if broadcast.coalescing or not broadcast.waiting:
                    del self.open[id]


def coalesce(session: Session, replies: list[list[Any]], targets: list[Any]) -> list[Any]:
    """One reply made of those of `targets`, in their order; if one is an error, that error."""
    status = [session.unpack(reply[4])["status"] for reply in replies]
    worst = next((word for word in ("error", "aborted") if word in status), status[-1])
    _, header, parent, metadata, content, *_ = replies[status.index(worst)]
    metadata = session.pack({**session.unpack(metadata), "broadcast_targets": targets})
    head = [header, parent, metadata, content]
    return [DELIM, session.sign(head), *head, *(data for reply in replies for data in reply[5:])]
