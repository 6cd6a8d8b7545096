"""How the workers are, asked all at once over the control channel.

To run `ippctl status` in each container takes a tenth of a CPU second there, most of it Docker's.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import zmq
import zmq.asyncio
from ipyparallel import util

from ippnode.hublink import make_session
from ippnode.relay import STATUS_REQUEST


class Workers:
    """A socket on the clients' side of the control channel of an ipcontroller."""

    def __init__(self, context: zmq.asyncio.Context, connection: dict[str, Any]) -> None:
        self.session = make_session(connection)
        self.socket = context.socket(zmq.DEALER)
        key = connection.get("curve_serverkey")
        url = f"{connection['interface']}:{connection['control']}"
        util.connect(self.socket, url, curve_serverkey=key.encode() if key else None)
        self.lock = asyncio.Lock()

    async def statuses(self, engines: Iterable[str], timeout: float) -> dict[str, dict[str, Any]]:
        """What the agents of these engines (idents, one of each worker) say, by worker; those that
        do not answer in time are left out."""
        answers: dict[str, dict[str, Any]] = {}
        async with self.lock:
            asked = {
                self.session.send(self.socket, STATUS_REQUEST, ident=ident.encode())["msg_id"]
                for ident in engines
            }
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    while asked:
                        reply = await self._receive()
                        id = reply["parent_header"].get("msg_id")
                        if id in asked:
                            asked.discard(id)
                            answers[reply["content"]["worker"]] = reply["content"]
        return answers

    async def _receive(self) -> dict[str, Any]:
        try:
            _, frames = self.session.feed_identities(await self.socket.recv_multipart())
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():
                raise
            raise TimeoutError from None  # by close()
        return self.session.deserialize(frames)

    def close(self) -> None:
        """Give up the socket."""
        self.socket.close(linger=0)
