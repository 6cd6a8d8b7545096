"""Noticing that a peer's machine is gone: after a power cut nobody says that connections end.

Who only waits would wait for ever. So both ends of a connection ask each other now and again: an
engine learns that way that its controller's machine was started anew, and so does a client, which
has none of our code: how long it may hear nothing is part of what the controller asks.
"""

from typing import Any, ClassVar

import zmq

INTERVAL_MS = 2000
"""Between two questions."""
CLIENT_INTERVAL_MS = 100
"""Between two questions to a client.

libzmq measures a peer's silence from a question on, and no more once anything else has come: a
client whose last message is a result, not a question, notices nothing. There are few clients, so
that they can be asked often, and seldom are in that state.
"""
SILENCE_MS = 25_000
"""How long a peer of the controller hears nothing before it connects anew.

Longer than engines may be cut off without being given up (10 seconds, unless it is set): what is on
its way when a connection is given up is lost.
"""
FORGET_MS = 600_000
"""How long the one who asks waits for an answer."""

OPTIONS = {
    zmq.HEARTBEAT_IVL: INTERVAL_MS,
    zmq.HEARTBEAT_TIMEOUT: FORGET_MS,
}
"""Options of a socket that asks."""


def engine_options(patience_ms: int, interface: str) -> dict[int, int]:
    """Options of an engine's sockets, which are cut off so long without being given up.

    After that they connect anew as soon as the controller's machine is there again. TCP alone
    would try again after as long a time as it had been away.
    """
    return {
        **OPTIONS,
        **dial_options(interface),
        zmq.TCP_MAXRT: patience_ms,
        zmq.CONNECT_TIMEOUT: 1000,
    }


def dial_options(interface: str) -> dict[int, int]:
    """Options of a socket that connects to an address such as `tcp://[2001:db8::1]`.

    IPv6 is for IPv6 addresses alone: of a name that has addresses of both kinds, ZeroMQ would try
    the IPv6 one only, which a container may have no way to.
    """
    return {zmq.IPV6: int("[" in interface)}


class AskingSocket(zmq.Socket):
    """A socket that asks clients more often than other peers.

    Who connects again under the same name is the same peer, even if the end of the earlier
    connection has not been noticed yet.
    """

    def bind(self, addr: str) -> Any:
        if self.socket_type == zmq.ROUTER:
            self.ROUTER_HANDOVER = 1
        if addr in AskingContext.client_urls:
            self.HEARTBEAT_IVL = CLIENT_INTERVAL_MS
        return super().bind(addr)


class AskingContext(zmq.Context):
    """A context of the controller, whose sockets ask their peers and have them notice silence."""

    _socket_class = AskingSocket
    silence_ms = SILENCE_MS
    patience_ms = 0
    """How long engines may be cut off without being given up."""
    client_urls: ClassVar[set[str]] = set()
    """Where sockets listen that clients connect to."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.sockopts.update(OPTIONS | {zmq.HEARTBEAT_TTL: self.silence_ms})
