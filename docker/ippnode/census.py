"""Which engines answer, and what they say of themselves: asked as any user would."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ipyparallel.client.client import Client
from ipyparallel.error import RemoteError

from ippnode.content import describe_content
from ippnode.hublink import HubUnreachable
from ippnode.probe import describe

Answer = dict[str, Any]

APPLY_SECONDS = 5.0
"""How long an engine may take to answer."""
ALTOGETHER_SECONDS = 20.0


class Census:
    """A Client of our own ipcontroller, used from one thread beside the agent's loop."""

    def __init__(
        self,
        connection: dict[str, Any],
        described: dict[str, dict[str, str]],
        contained: dict[str, dict[str, Any]],
    ) -> None:
        """What engines have said before goes on in `described` and `contained`, by ident."""
        self.connection = connection
        self.client: Client | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="client")
        self.described = described
        self.contained = contained

    async def contents(self, engines: dict[int, str]) -> dict[str, dict[str, Any]]:
        """What is in the image of each engine (ident by id), as far as they answer."""
        return await self._ask(describe_content, engines, self.contained)

    async def describe(self, engines: dict[int, str]) -> dict[str, dict[str, str]]:
        """What each engine (ident by id) says of itself; those that don't answer are left out.

        One that has answered before is not asked again: it may be busy now.
        """
        return await self._ask(describe, engines, self.described)

    async def _ask(
        self, question: Callable[[], Answer], engines: dict[int, str], known: dict[str, Answer]
    ) -> dict[str, Answer]:
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self.thread, self._ask_now, question, engines, known)
        try:
            return await asyncio.wait_for(done, ALTOGETHER_SECONDS)
        except TimeoutError:  # a Client waits for a silent hub without limit
            raise HubUnreachable("the hub did not answer a client") from None

    def leave(self) -> None:
        """Give up the client, until somebody asks again: it hears of all that engines do."""
        self.thread.submit(self._leave_now)

    def close(self) -> None:
        """Give up the client for good."""
        self.leave()
        self.thread.shutdown(wait=False)

    def _leave_now(self) -> None:
        if self.client:
            self.client.close()
            self.client = None

    def _ask_now(
        self, question: Callable[[], Answer], engines: dict[int, str], known: dict[str, Answer]
    ) -> dict[str, Answer]:
        if unknown := {id: ident for id, ident in engines.items() if ident not in known}:
            self._ask_engines(question, unknown, known)
        return {ident: known[ident] for ident in engines.values() if ident in known}

    def _ask_engines(
        self, question: Callable[[], Answer], engines: dict[int, str], known: dict[str, Answer]
    ) -> None:
        if self.client is None:
            self.client = Client(self.connection, timeout=APPLY_SECONDS)
        client = self.client
        asked = {
            ident: client[id].apply_async(question)
            for id, ident in engines.items()
            if id in client.ids
        }
        for ident, result in asked.items():
            with suppress(TimeoutError, RemoteError):
                known[ident] = result.get(APPLY_SECONDS)
        if asked:
            # What this was is nobody else's concern; one that still waits can't be dropped.
            with suppress(RemoteError, RuntimeError):
                client.purge_results(list(asked.values()))
