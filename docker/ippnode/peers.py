"""Reaching clients that have connected again but not said anything yet.

An ipyparallel client has no identity of its own: a ROUTER socket gives it a number when it
connects, and a new one when it connects again. Whoever waits for a reply says nothing, so a
scheduler that was restarted can't know its number. But libzmq counts these numbers up (a zero
byte and 32 bits), and a ROUTER refuses to send to one that is not connected: that is enough to
find everyone who is there.
"""

import struct
from itertools import count

import zmq
from jupyter_client.session import Session

BEFORE, AFTER = 256, 1024
"""How many numbers below and above our own are tried."""

_names = count()


class AnonymousPeers:
    """The peers without identity that are connected to a ROUTER socket."""

    def __init__(self, router: zmq.Socket, session: Session) -> None:
        self.router = router
        self.session = session
        self.early: list[list[zmq.Frame]] = []
        """Messages that were there before ours; they are the caller's to handle."""
        own = self._own_number()
        numbers = range(own - BEFORE, own + AFTER)
        self.candidates = [b"\0" + struct.pack(">I", n % 2**32) for n in numbers if n != own]
        self.replies: list[list[bytes]] = []
        self.sent: dict[bytes, int] = {}
        """How many of the replies each peer has."""

    def remember(self, *replies: list[bytes]) -> None:
        """Have replies to tell: messages as they are sent, from the delimiter on."""
        self.replies += replies

    def tell(self) -> None:
        """Send everyone the replies that they do not have, also to those who connected since."""
        self.router.ROUTER_MANDATORY = 1
        for peer in self.candidates:
            self._catch_up(peer)
        self.router.ROUTER_MANDATORY = 0

    def forget(self) -> None:
        """Tell nobody any more what was remembered until now."""
        self.replies, self.sent = [], {}

    def _catch_up(self, peer: bytes) -> None:
        for reply in self.replies[self.sent.get(peer, 0) :]:
            try:
                self.router.send_multipart([peer, *self._afresh(reply)], zmq.NOBLOCK)
            except zmq.ZMQError:
                return
            self.sent[peer] = self.sent.get(peer, 0) + 1

    def _afresh(self, reply: list[bytes]) -> list[bytes]:
        """The reply as a message of its own: a client that is sent the same one twice, since it has
        connected again, takes it for an attack, and stumbles over that."""
        delimiter, _, header, *rest = reply
        header = self.session.pack({**self.session.unpack(header), "msg_id": self.session.msg_id})
        return [delimiter, self.session.sign([header, *rest[:3]]), header, *rest]

    def _own_number(self) -> int:
        """Connect to the socket ourselves, to see where its count stands."""
        address = f"inproc://ippnode-peers-{next(_names)}"
        self.router.bind(address)
        with self.router.context.socket(zmq.DEALER) as dealer:
            dealer.connect(address)
            dealer.send(address.encode())
            while True:
                message = self.router.recv_multipart(copy=False)
                if message[-1].bytes == address.encode():
                    return struct.unpack(">I", message[0].bytes[1:])[0]
                self.early.append(message)
