"""ipcontroller's queues, which pass messages on without looking into them.

After a restart all of them let their peers connect first; see `scheduler`.

The queue that takes what engines print to the clients waits for these. A client is told of the
engines first and begins to listen last, when its first task may have run already: what that has
printed would be lost, and `execute(block=True)`, which waits for word of the end, would never
return. So the hub announces each client before it answers. Whoever listens without having been
announced was cut off, by the controller's restart mostly, and may have missed the end of tasks:
engines tell once more which have ended; see `output_thread`.
"""

import time
from collections import deque
from typing import Any

import zmq
from zmq.devices import ProcessMonitoredQueue

from ippnode import scheduler
from ippnode.output_thread import ENDS, STATUS, SUBSCRIPTION
from ippnode.peerloss import AskingContext

ANNOUNCEMENT = b"ippnode-client"
"""What the hub sends here for each client that is about to listen."""
CONNECT_SECONDS = 5.0
"""How long what engines say may wait for a client to listen."""
MOST_WAITING = 500
"""How many messages may wait; ZeroMQ would drop what is more than a client's queue holds."""
CLIENT_QUEUE = 50_000
"""How many messages a client may be behind before it misses some."""


class SettlingProcessQueue(ProcessMonitoredQueue):
    """A queue that lets its peers connect before it passes messages on."""

    context_factory = AskingContext

    def _setup_sockets(self) -> Any:
        sockets = super()._setup_sockets()
        if scheduler.is_restart:
            time.sleep(scheduler.SETTLE_SECONDS)
        return sockets


class OutputQueue(SettlingProcessQueue):
    """Passes on what comes from engines once all announced clients listen."""

    def __init__(self) -> None:
        super().__init__(zmq.SUB, zmq.XPUB, zmq.PUB, b"iopub")
        self.setsockopt_in(zmq.SUBSCRIBE, ENDS)
        self.setsockopt_out(zmq.XPUB_VERBOSE, 1)
        self.setsockopt_out(zmq.SNDHWM, CLIENT_QUEUE)
        self.announced: deque[float] = deque()
        """Until when clients that do not listen yet are waited for."""

    def run_device(self) -> None:
        """Work for ever."""
        engines, clients, hub = self._setup_sockets()
        poller = zmq.Poller()
        poller.register(engines, zmq.POLLIN)
        poller.register(clients, zmq.POLLIN)
        waiting: list[list[zmq.Frame]] = []
        patience = None
        while True:
            ready = dict(poller.poll(patience))
            if clients in ready and self._meet_listeners(clients):
                engines.unsubscribe(ENDS)
                engines.subscribe(ENDS)
            if engines in ready:
                message = engines.recv_multipart(copy=False)
                if message[0].bytes == ANNOUNCEMENT:
                    self.announced.append(time.monotonic() + CONNECT_SECONDS)
                else:
                    waiting.append(message)
                    if not message[0].bytes.endswith(STATUS):  # which the hub would ignore
                        hub.send_multipart([self._in_prefix, *message], copy=False)
            patience = self._patience_ms()
            if patience is None or len(waiting) >= MOST_WAITING:
                for message in waiting:
                    clients.send_multipart(message, copy=False)
                waiting.clear()

    def _meet_listeners(self, clients: zmq.Socket) -> bool:
        """Take note of all who have begun to listen; whether one of them was not announced."""
        unexpected = False
        while clients.poll(0):
            if clients.recv_multipart() == [SUBSCRIPTION]:
                if self.announced:
                    self.announced.popleft()
                else:
                    unexpected = True
        return unexpected

    def _patience_ms(self) -> float | None:
        """How long to wait for the next announced client; None when all listen."""
        now = time.monotonic()
        while self.announced and self.announced[0] <= now:
            self.announced.popleft()
        return 1000 * (self.announced[0] - now) + 1 if self.announced else None


def ProcessQueue(in_type: int, *args: Any) -> SettlingProcessQueue:
    """What ipcontroller makes its queues with: of them, engines publish to one alone.

    By "Process" in the name it knows that each is to have a process of its own.
    """
    return OutputQueue() if in_type == zmq.SUB else SettlingProcessQueue(in_type, *args)
