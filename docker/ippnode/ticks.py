"""Calls a function again and again, whatever happens to the clock that people set.

Tornado's `PeriodicCallback` plans its calls by that clock: set back by an hour, it calls nobody
for an hour.
"""

import asyncio
from collections.abc import Callable

from tornado.ioloop import IOLoop


class Ticker:
    """Calls a function every so many milliseconds, in the loop of where it is started."""

    def __init__(self, callback: Callable[[], object], period_ms: float) -> None:
        self.callback = callback
        self.seconds = period_ms / 1000
        self.next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Call the function after one period, and so on."""
        self.loop = IOLoop.current().asyncio_loop
        self.due = self.loop.time()
        self._plan()

    def stop(self) -> None:
        """Call it no more."""
        if self.next:
            self.next.cancel()
            self.next = None

    def is_running(self) -> bool:
        """Whether it will be called."""
        return self.next is not None

    def _plan(self) -> None:
        self.due = max(self.due + self.seconds, self.loop.time())  # without calls that were missed
        self.next = self.loop.call_at(self.due, self._tick)

    def _tick(self) -> None:
        self._plan()
        self.callback()
