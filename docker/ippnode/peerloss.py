"""Noticing that a peer's machine is gone: after a power cut nobody says that connections end.

Who only waits would wait for ever. So both ends of a connection ask each other now and again: an
engine learns that way that its controller's machine was started anew, and so does a client, which
has none of our code: how long it may hear nothing is part of what the controller asks.
"""

import zmq

INTERVAL_MS = 2000
"""Between two questions."""
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


class AskingContext(zmq.Context):
    """A context of the controller, whose sockets ask their peers and have them notice silence."""

    silence_ms = SILENCE_MS

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.sockopts.update(OPTIONS | {zmq.HEARTBEAT_TTL: self.silence_ms})
