"""Which engines answer, and what they say of themselves: asked as any user would."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import ipyparallel
from ipyparallel.error import RemoteError

from ippnode.hublink import HubUnreachable
from ippnode.probe import describe

APPLY_SECONDS = 5.0
"""How long an engine may take to answer."""
ALTOGETHER_SECONDS = 20.0


class Census:
    """A Client of our own ipcontroller, used from one thread beside the agent's loop."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self.connection = connection
        self.client: ipyparallel.Client | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="client")
        self.described: dict[str, dict[str, str]] = {}

    async def describe(self, engines: dict[int, str]) -> dict[str, dict[str, str]]:
        """What each engine (ident by id) says of itself; those that don't answer are left out.

        One that has answered before is not asked again: it may be busy now.
        """
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self.thread, self._describe, engines)
        try:
            return await asyncio.wait_for(done, ALTOGETHER_SECONDS)
        except TimeoutError:  # a Client waits for a silent hub without limit
            raise HubUnreachable("the hub did not answer a client") from None

    def close(self) -> None:
        """Give up the client."""
        if self.client:
            self.thread.submit(self.client.close)
        self.thread.shutdown(wait=False)

    def _describe(self, engines: dict[int, str]) -> dict[str, dict[str, str]]:
        if self.client is None:
            self.client = ipyparallel.Client(self.connection, timeout=APPLY_SECONDS)
        client = self.client
        asked = {
            ident: client[id].apply_async(describe)
            for id, ident in engines.items()
            if ident not in self.described and id in client.ids
        }
        for ident, result in asked.items():
            with suppress(TimeoutError, RemoteError):
                self.described[ident] = result.get(APPLY_SECONDS)
        if asked:
            # What this was is nobody else's concern; one that still waits can't be dropped.
            with suppress(RemoteError, RuntimeError):
                client.purge_results(list(asked.values()))
        return {
            ident: self.described[ident] for ident in engines.values() if ident in self.described
        }
