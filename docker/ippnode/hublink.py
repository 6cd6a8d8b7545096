"""Asks the hub which engines it knows, over its registration port."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import zmq
import zmq.asyncio
from ipyparallel import util
from jupyter_client.session import Session

LEAVE_SECONDS = 0.2
"""How long a hub that is told goodbye may take to answer."""


class HubUnreachable(Exception):
    """The hub did not answer in time."""


@dataclass
class Hub:
    """A connection to the hub that the engine file (or the client file) describes."""

    connection: dict[str, Any]
    context: zmq.asyncio.Context = field(repr=False)
    skew: float = 0.0
    """Seconds by which the controller's clock is ahead of ours."""
    patience_ms: int = 0
    """How long engines may be cut off from the controller without being given up."""
    claims: dict[str, str] = field(default_factory=dict)
    """The container that each worker was set up in last, as far as the hub knows."""

    def __post_init__(self) -> None:
        util._disable_session_extract_dates()
        self.session = make_session(self.connection)
        self.socket: zmq.asyncio.Socket | None = None
        self.lock = asyncio.Lock()

    @property
    def url(self) -> str:
        """The hub's own address."""
        return self.channel_url("registration")

    def channel_url(self, channel: str) -> str:
        """The address of one of the controller's channels."""
        return f"{self.connection['interface']}:{self.connection[channel]}"

    async def engines(
        self, timeout: float = 3.0, claims: dict[str, str] | None = None
    ) -> dict[str, int]:
        """The ids of the registered engines, by ident; the hub is told of new `claims` before."""
        content = await self.request("connection_request", {"claims": claims or {}}, timeout)
        self.patience_ms = content.get("patience_ms", 0)
        self.claims = content.get("claims", {})
        return {ident: int(id) for id, ident in content["engines"].items()}

    async def queues(self, timeout: float = 1.0) -> dict[int, int]:
        """How many tasks each engine has before it, by id."""
        content = await self.request("queue_request", {"targets": None, "verbose": False}, timeout)
        return {
            int(id): queue["queue"] + queue["tasks"]
            for id, queue in content.items()
            if id.isdigit()
        }

    async def request(self, kind: str, content: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send one request and return the content of its reply; HubUnreachable if none comes."""
        async with self.lock:
            socket = self._connected()
            message = self.session.send(socket, kind, content=content)
            try:
                async with asyncio.timeout(timeout):
                    while True:
                        reply = self._read(await socket.recv_multipart())
                        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                            break
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():
                    raise
                raise HubUnreachable("the connection was given up") from None  # by close()
            except TimeoutError:
                self.close()  # the next request takes a new connection
                raise HubUnreachable(f"no answer from the controller at {self.url}") from None
            if reply["msg_type"] == "hub_error":
                raise HubUnreachable(f"the controller at {self.url} answers with an error")
            return reply["content"]

    def unregister(self, id: int) -> None:
        """Tell the hub that an engine is gone, as an engine's nanny would; there is no reply."""
        self.session.send(self._connected(), "unregistration_request", content={"id": id})

    async def leave(self) -> None:
        """Drop the connection once the hub has heard all; one that is gone is not waited for."""
        with suppress(HubUnreachable):
            await self.engines(LEAVE_SECONDS)
        self.close()

    def close(self) -> None:
        """Drop the connection; what was sent goes out within a second."""
        if self.socket is not None:
            self.socket.close(linger=1000)
            self.socket = None

    def _connected(self) -> zmq.asyncio.Socket:
        if self.socket is None:
            self.socket = self.context.socket(zmq.DEALER)
            self.socket.RECONNECT_IVL, self.socket.RECONNECT_IVL_MAX = 30, 250
            self.socket.CONNECT_TIMEOUT = 1000
            key = self.connection.get("curve_serverkey")
            util.connect(
                self.socket,
                self.url,
                curve_serverkey=key.encode() if key else None,
            )
        return self.socket

    def _read(self, frames: list[bytes]) -> dict[str, Any]:
        _, frames = self.session.feed_identities(frames)
        reply = self.session.deserialize(frames)
        sent = datetime.fromisoformat(str(reply["header"]["date"]))
        self.skew = (sent - datetime.now(UTC)).total_seconds()
        return reply


def dialable(connection: dict[str, Any]) -> dict[str, Any]:
    """The connection with an address that can be dialled: the location in place of 0.0.0.0.

    ipyparallel does this too, but lists the machine's addresses and asks the name server for it,
    which takes time and fails while the controller is away.
    """
    scheme, _, address = connection["interface"].partition("://")
    if address in ("0.0.0.0", "*"):
        return {**connection, "interface": f"{scheme}://{connection['location']}"}
    return connection


def make_session(connection: dict[str, Any]) -> Session:
    """A Session that signs and packs as the connection file says."""
    return Session(
        key=connection.get("key", "").encode(),
        signature_scheme=connection["signature_scheme"],
        packer=connection["pack"],
        unpacker=connection["unpack"],
    )
