"""The control channel of one engine, by way of the agent.

ipyparallel gives each engine a nanny process for this, so that a signal reaches an engine whose
own loop is busy. Here one agent does it for all engines of a worker, and says how the worker is.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import zmq
import zmq.asyncio
from ipyparallel import error, util
from jupyter_client.session import Session

from ippnode import paths

OWN = b"ippnode-agent"
"""Routing id of what the agent itself asks an engine."""
STATUS_REQUEST, STATUS_REPLY = "worker_status_request", "worker_status_reply"
"""Types of the question how the whole worker is, and of the answer."""


class ControlRelay:
    """Passes messages between the controller's control channel and one engine, both ways."""

    def __init__(
        self,
        context: zmq.asyncio.Context,
        ident: str,
        control_url: str,
        server_key: bytes | None,
        engine_keys: tuple[bytes, bytes] | None,
        session: Session,
        send_signal: Callable[[int], None],
        status: Callable[[], Awaitable[dict[str, Any]]],
    ) -> None:
        self.session = session
        self.status = status
        self.heard = asyncio.Event()
        self.send_signal = send_signal
        public, secret = engine_keys or (None, None)
        self.outer = context.socket(zmq.ROUTER)
        self.outer.IDENTITY = ident.encode()
        util.connect(
            self.outer,
            control_url,
            curve_serverkey=server_key,
            curve_publickey=public,
            curve_secretkey=secret,
        )
        self.inner = context.socket(zmq.DEALER)
        self.path = paths.CONTROL / ident
        util.bind(self.inner, paths.control_url(ident), curve_secretkey=secret)
        self.tasks = {asyncio.create_task(self._inwards()), asyncio.create_task(self._outwards())}

    async def _inwards(self) -> None:
        while True:
            frames = await self.outer.recv_multipart()
            try:
                idents, rest = self.session.feed_identities(frames)
                message = self.session.deserialize(rest)
            except ValueError:
                continue  # unsigned or garbled: not for us, nor for the engine
            if message["msg_type"] == "signal_request":
                reply = self._signal(message["content"])
                self.session.send(self.outer, "signal_reply", reply, parent=message, ident=idents)
            elif message["msg_type"] == STATUS_REQUEST:
                self.tasks.add(asyncio.create_task(self._say(message, idents)))
            else:
                self.inner.send_multipart(frames)

    async def _say(self, request: dict[str, Any], idents: list[bytes]) -> None:
        try:
            status = await self.status()
            self.session.send(self.outer, STATUS_REPLY, status, parent=request, ident=idents)
        finally:
            self.tasks.discard(asyncio.current_task())

    async def _outwards(self) -> None:
        while True:
            frames = await self.inner.recv_multipart()
            if frames[0] == OWN:
                self.heard.set()
            else:
                self.outer.send_multipart(frames)

    async def answers(self, timeout: float) -> bool:
        """Whether the engine answers, even while its task goes on, within so many seconds."""
        self.heard.clear()
        request = self.session.serialize(self.session.msg("kernel_info_request"), ident=[OWN])
        self.inner.send_multipart(request)
        try:
            await asyncio.wait_for(self.heard.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def _signal(self, content: dict[str, Any]) -> dict[str, Any]:
        try:
            number = content["sig"]
            self.send_signal(getattr(signal, number) if isinstance(number, str) else number)
        except Exception:
            return error.wrap_exception()
        return {"status": "ok"}

    def close(self) -> None:
        """Stop relaying and remove the engine's socket."""
        for task in self.tasks:
            task.cancel()
        self.outer.close(linger=0)
        self.inner.close(linger=0)
        self.path.unlink(missing_ok=True)
