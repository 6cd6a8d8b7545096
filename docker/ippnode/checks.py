"""End-to-end checks, made as any user would make them: through an ipyparallel Client."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import ipyparallel
from ipyparallel.error import RemoteError

from ippnode.hublink import HubUnreachable
from ippnode.probe import describe

APPLY_SECONDS = 5.0
"""How long an engine may take to answer a question."""
ALTOGETHER_SECONDS = 20.0


class Cluster:
    """A Client of our own ipcontroller, used from one thread beside the agent's loop."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self.connection = connection
        self.client: ipyparallel.Client | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="client")
        self.described: dict[str, dict[str, str]] = {}
        self.checks: list[ipyparallel.AsyncResult] = []

    async def describe(self, engines: dict[int, str]) -> dict[str, dict[str, str]]:
        """What each engine (ident by id) says of itself; those that don't answer are left out."""
        return await self._in_thread(self._describe, engines)

    async def silent_schedulers(self) -> list[str]:
        """The schedulers through which no task passes; none while no engine is idle."""
        return await self._in_thread(self._silent_schedulers)

    def close(self) -> None:
        """Give up the client."""
        client, self.client = self.client, None
        if client:
            self.thread.submit(client.close)
        self.thread.shutdown(wait=False)

    async def _in_thread(self, work: Any, *args: Any) -> Any:
        """Do `work` in the client's thread. A client waits for a silent hub without limit."""
        done = asyncio.get_running_loop().run_in_executor(self.thread, work, *args)
        try:
            return await asyncio.wait_for(done, ALTOGETHER_SECONDS)
        except TimeoutError:
            raise HubUnreachable("the hub did not answer a client") from None

    def _connected(self) -> ipyparallel.Client:
        if self.client is None:
            self.client = ipyparallel.Client(self.connection, timeout=APPLY_SECONDS)
        return self.client

    def _describe(self, engines: dict[int, str]) -> dict[str, dict[str, str]]:
        client = self._connected()
        asked = {
            ident: client[id].apply_async(describe)
            for id, ident in engines.items()
            if ident not in self.described and id in client.ids
        }
        for ident, result in asked.items():
            with suppress(TimeoutError, RemoteError):
                self.described[ident] = result.get(APPLY_SECONDS)
        return {i: self.described[i] for i in engines.values() if i in self.described}

    def _silent_schedulers(self) -> list[str]:
        client = self._connected()
        self._forget_checks()
        queues = client.queue_status()
        idle = [id for id in client.ids if not queues[id]["queue"] + queues[id]["tasks"]]
        if not idle:
            return []
        views = {
            "the direct scheduler": client[idle[0]],
            "the task scheduler": client.load_balanced_view(targets=idle[:1]),
        }
        asked = {name: view.apply_async(describe) for name, view in views.items()}
        self.checks = list(asked.values())
        return [name for name, result in asked.items() if not self._passed(result, idle[0])]

    def _passed(self, result: ipyparallel.AsyncResult, engine: int) -> bool:
        """Whether a task got through: it came back, or is seen to wait at the engine."""
        client = self._connected()
        try:
            result.get(APPLY_SECONDS)
        except RemoteError:
            pass  # the engine died over it; its worker sees to that
        except TimeoutError:
            status = client.queue_status(verbose=True)
            if engine not in client.ids:
                return True
            waiting = {*status[engine]["queue"], *status[engine]["tasks"]}
            return not waiting.isdisjoint(result.msg_ids)
        return True

    def _forget_checks(self) -> None:
        """Have the hub drop the last check's records: its memory is for the users' tasks."""
        if self.checks:
            with suppress(RemoteError, RuntimeError):  # one that is still waiting
                self._connected().purge_results(self.checks)
