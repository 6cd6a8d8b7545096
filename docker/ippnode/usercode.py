"""Runs a task's code as if it had the process to itself, as any Python program has.

The kernel calls it from its event loop, so `asyncio.run` would refuse to begin another one; and a
child that a task forks would go on with the kernel's work once the task's function returns.
"""

import asyncio
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

SIGNALS = {signal.SIGTERM, signal.SIGINT}


@contextmanager
def without_running_loop() -> Iterator[None]:
    """Have this thread's event loop, which is blocked meanwhile, not count as running."""
    loop = asyncio._get_running_loop()
    if loop is None:
        yield
        return
    task = asyncio.current_task(loop)
    if task:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio.set_event_loop(loop)  # asyncio.run leaves none
        asyncio._set_running_loop(loop)
        if task:
            asyncio.tasks._enter_task(loop, task)


def let_loop_be_entered(loop: asyncio.AbstractEventLoop) -> None:
    """Have the kernel's loop, which `asyncio.get_event_loop()` finds, run what tasks give it.

    It can't run while it waits for the task; another one does it in its place.
    """
    upstream = loop.run_until_complete

    def run_until_complete(future: Any) -> Any:
        if not loop.is_running() or asyncio._get_running_loop() is not None:
            return upstream(future)
        if not inspect.iscoroutine(future):
            raise RuntimeError(
                "the engine's event loop waits for this task: give run_until_complete() a "
                "coroutine, or use asyncio.run()"
            )
        try:
            return asyncio.run(future)
        finally:
            asyncio.set_event_loop(loop)

    loop.run_until_complete = run_until_complete  # type: ignore[method-assign]


def completed(value: Any) -> Any:
    """A task's value; one that is a coroutine, or a list of them, is run first."""
    if inspect.iscoroutine(value):
        return asyncio.run(value)
    if type(value) in (list, tuple) and value and all(map(inspect.iscoroutine, value)):
        return asyncio.run(_gather(value))
    return value


async def _gather(coroutines: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*coroutines)


HINTS = {
    "no running event loop": "use asyncio.run() in a function; a cell has a loop if it awaits "
    "something, for instance `await asyncio.sleep(0)`",
    "asyncio.run() cannot be called from a running event loop": "in a cell that awaits something, "
    "await this too",
}
"""What to do, by the errors of asyncio."""


def explain(reply: dict[str, Any]) -> None:
    """Have the reply to a task that used asyncio in a way that can't work say how it can."""
    if hint := HINTS.get(reply.get("evalue", "")):
        error = reply["evalue"]
        reply["evalue"] = f"{error}: {hint}"
        reply["traceback"] = [line.replace(error, reply["evalue"]) for line in reply["traceback"]]


# ---- forked children

_mask = threading.local()


def reset_signals_in_children(engines_own: Callable[..., Any]) -> None:
    """Have forked children end on SIGTERM, instead of the engine's handler `engines_own`.

    A signal that comes between the fork and the reset would be lost: it is held back meanwhile.
    """

    def before() -> None:
        _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def in_child() -> None:
        signal.set_wakeup_fd(-1)
        if signal.getsignal(signal.SIGTERM) == engines_own:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        after()

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=in_child)


def end_forked_child(reply: dict[str, Any]) -> NoReturn:
    """End a child that a task forked, and that has come to its end, as `reply` says."""
    status = 0
    if reply["status"] == "error":
        if reply["ename"] == "SystemExit":
            status = _exit_status(reply["evalue"])
        else:
            status = 1
            print("\n".join(reply["traceback"]), file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


def _exit_status(text: str) -> int:
    """The status of `sys.exit(x)`, of which the text of `x` is known."""
    if text in ("", "None"):
        return 0
    with suppress(ValueError):
        return int(text) & 0xFF
    print(text, file=sys.stderr)
    return 1
