"""End-to-end checks of the controller: do messages pass through each scheduler?

A killed or frozen scheduler goes unnoticed by everything else: engines stay registered while tasks
wait for ever. The checks need no engine, so they also tell the truth while all engines are busy,
and they leave nothing behind in the hub.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import zmq
import zmq.asyncio
from ipyparallel import util
from jupyter_client.session import DELIM

from ippnode.hublink import make_session

IDENT = b"ippnode-check"
"""Routing id of both ends of a check; the hub ignores what it sees of it."""
ASKER = b"ippnode-hub"
"""Routing id with which the hub asks engines whether they have done what they had to do."""
OWN = frozenset({IDENT, ASKER})
"""Routing ids that are no client's."""
TIMEOUT_SECONDS = 5.0

NAMES = {"mux": "direct", "control": "control", "task": "task", "broadcast": "broadcast"}


class SchedulerChecks:
    """Sockets on both sides of the schedulers of one ipcontroller."""

    def __init__(
        self, context: zmq.asyncio.Context, client: dict[str, Any], engine: dict[str, Any]
    ) -> None:
        self.session = make_session(client)
        key = client.get("curve_serverkey")
        self.server_key = key.encode() if key else None
        self.context = context
        self.client_side = {name: self._connect(client, name) for name in NAMES}
        self.engine_side = {name: self._connect(engine, name) for name in ("mux", "control")}
        self.leaves = [
            self._connect({**engine, "broadcast": port}, "broadcast")
            for port in engine["broadcast"]
        ]

    async def silent(self) -> list[str]:
        """The schedulers that let nothing pass within the time allowed."""
        await self._forget_late_answers()
        passed = await asyncio.gather(
            self._passes("mux"),
            self._passes("control"),
            self._task_scheduler_answers(),
            self._broadcast_passes(),
        )
        return [name for name, ok in zip(NAMES.values(), passed, strict=True) if not ok]

    def close(self) -> None:
        """Give up the sockets."""
        for socket in self._sockets():
            socket.close(linger=0)

    def _sockets(self) -> list[zmq.asyncio.Socket]:
        return [*self.client_side.values(), *self.engine_side.values(), *self.leaves]

    async def _forget_late_answers(self) -> None:
        """What an earlier check gave up waiting for is no answer to this one."""
        for socket in self._sockets():
            while await socket.poll(0):
                await socket.recv_multipart()

    def _connect(self, connection: dict[str, Any], channel: str) -> zmq.asyncio.Socket:
        socket = self.context.socket(zmq.DEALER)
        socket.IDENTITY = IDENT
        url = f"{connection['interface']}:{connection[channel]}"
        util.connect(socket, url, curve_serverkey=self.server_key)
        return socket

    async def _passes(self, channel: str) -> bool:
        """Whether a message from a client's side comes out on the engines' side."""
        return await self._arrives(
            channel, lambda: [IDENT, DELIM, b"check"], [self.engine_side[channel]]
        )

    async def _broadcast_passes(self) -> bool:
        """Whether a message comes out of each leaf of the tree of broadcast schedulers."""
        targets = [[IDENT.decode(), leaf] for leaf in range(len(self.leaves))]
        metadata = {"targets": targets, "is_broadcast": True, "is_coalescing": False}
        return await self._arrives("broadcast", lambda: self._request(metadata), self.leaves)

    async def _arrives(
        self,
        channel: str,
        message: Callable[[], list[bytes]],
        receivers: list[zmq.asyncio.Socket],
    ) -> bool:
        sender = self.client_side[channel]
        # The first is dropped where a receiver is not connected yet, so there is a second.
        for _ in range(2):
            sender.send_multipart(message())
            polls = (receiver.poll(int(TIMEOUT_SECONDS * 500)) for receiver in receivers)
            if all(await asyncio.gather(*polls)):
                return True
        return False

    async def _task_scheduler_answers(self) -> bool:
        """Whether the task scheduler refuses a task that depends on one it has never seen."""
        socket = self.client_side["task"]
        socket.send_multipart(self._request({"after": ["no such task"]}))
        return bool(await socket.poll(int(TIMEOUT_SECONDS * 1000)))

    def _request(self, metadata: dict[str, Any]) -> list[bytes]:
        """A task; it has the same id each time, since schedulers remember ids."""
        message = self.session.msg("apply_request", metadata=metadata)
        message["header"]["msg_id"] = message["msg_id"] = IDENT.decode()
        return self.session.serialize(message)
