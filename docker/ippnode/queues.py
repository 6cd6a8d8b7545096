"""ipcontroller's queues, which pass messages on without looking into them.

After a restart all of them let their peers connect first; see `scheduler`.

The queue that takes what engines print to the clients remembers the latest for a while, and sends
it to each client that begins to listen, to that one alone: see `recent`. Nobody waits for anybody.
"""

import time
from typing import Any

import zmq
from zmq.devices import ProcessMonitoredQueue

from ippnode import scheduler
from ippnode.compat import ControllerProcess
from ippnode.output_thread import ENDS, STATUS, SUBSCRIPTION
from ippnode.peerloss import AskingContext
from ippnode.recent import EVERYBODY, RecentOutput

ANNOUNCEMENT = b"ippnode-client"
"""What the hub sends here, with the session, for each client that is about to listen."""
ONE_LISTENER = b"\xff"
"""Under which topic a client is sent what it has missed: nobody else has it just then."""
EVERY_TOPIC = [bytes([number]) for number in range(256) if bytes([number]) != ONE_LISTENER]
"""What those get who listen to all: an empty topic would be that one as well."""
CLIENT_QUEUE = 50_000
"""How many messages a client may be behind before it misses some."""


class SettlingProcessQueue(ProcessMonitoredQueue):
    """A queue that lets its peers connect before it passes messages on."""

    context_factory = AskingContext
    _launch_class = ControllerProcess

    def _setup_sockets(self) -> Any:
        sockets = super()._setup_sockets()
        if scheduler.is_restart:
            time.sleep(scheduler.SETTLE_SECONDS)
        return sockets


class OutputQueue(SettlingProcessQueue):
    """Passes on what comes from engines, and what a client has missed when it begins to listen."""

    def __init__(self) -> None:
        super().__init__(zmq.SUB, zmq.XPUB, zmq.PUB, b"iopub")
        self.setsockopt_in(zmq.SUBSCRIBE, ENDS)

    def run_device(self) -> None:
        """Work for ever."""
        self.recent = RecentOutput()
        if scheduler.is_restart:
            self.recent.announce(EVERYBODY)
        # Which topics a client gets is decided here. ipcontroller asks for queues without a limit.
        self.setsockopt_out(zmq.XPUB_MANUAL, 1)
        self.setsockopt_out(zmq.SNDHWM, CLIENT_QUEUE)
        engines, clients, hub = self._setup_sockets()
        poller = zmq.Poller()
        poller.register(engines, zmq.POLLIN)
        poller.register(clients, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if clients in ready:
                self._subscribe(clients)
            if engines in ready:
                message = engines.recv_multipart(copy=False)
                if message[0].bytes == ANNOUNCEMENT:
                    self.recent.announce(message[1].bytes)
                    continue
                clients.send_multipart(message, copy=False)
                self.recent.add(message)
                if not message[0].bytes.endswith(STATUS):  # which the hub would ignore
                    hub.send_multipart([self._in_prefix, *message], copy=False)

    def _subscribe(self, clients: zmq.Socket) -> None:
        """Do as one client asks; one that begins to listen to all gets what it has missed."""
        request = clients.recv_multipart()[0]
        verb, topic = request[:1], request[1:]
        change = clients.subscribe if verb == SUBSCRIPTION else clients.unsubscribe
        if topic:
            change(topic)
            return
        if verb == SUBSCRIPTION:
            clients.subscribe(ONE_LISTENER)
            for message in self.recent.missed():
                clients.send_multipart([ONE_LISTENER, *message], copy=False)
            clients.unsubscribe(ONE_LISTENER)
        for beginning in EVERY_TOPIC:
            change(beginning)


def ProcessQueue(in_type: int, *args: Any) -> SettlingProcessQueue:
    """What ipcontroller makes its queues with: of them, engines publish to one alone.

    By "Process" in the name it knows that each is to have a process of its own.
    """
    return OutputQueue() if in_type == zmq.SUB else SettlingProcessQueue(in_type, *args)
