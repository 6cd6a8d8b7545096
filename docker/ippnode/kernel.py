"""An engine's kernel: ipyparallel's, with tasks that run as they do in any Python."""

import asyncio
import functools
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from ipyparallel.engine.kernel import IPythonParallelKernel
from ipyparallel.error import wrap_exception

from ippnode import bytecode, usercode


class MainThreadOnly:
    """In place of the thread for subshells, which an engine does not have; counts as none.

    ipykernel asks it which thread cells run in, also where there are no subshells: without an
    answer a cell that awaits something never ends.
    """

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class EngineKernel(IPythonParallelKernel):
    """What takes tasks in an engine, and answers."""

    _supports_kernel_subshells = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(shell_channel_thread=MainThreadOnly(), **kwargs)
        self.pid = os.getpid()
        usercode.let_loop_be_entered(asyncio.get_running_loop())
        self.shell.run_cell = _alone(self.shell)

    def do_apply(self, *args: Any) -> tuple[dict[str, Any], list[Any]]:
        """Call a function."""
        bytecode.received.clear()
        try:
            with usercode.without_running_loop():
                reply, buffers = super().do_apply(*args)
        except KeyboardInterrupt:  # another one, while the first was made a reply of
            reply, buffers = {**wrap_exception(self.get_engine_info("apply")), "evalue": ""}, []
        self._finish(reply)
        return reply, buffers

    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run a cell."""
        reply = await super().do_execute(*args, **kwargs)
        self._finish(reply)
        return reply

    @contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Iterator[None]:
        """Cancel a cell that awaits something, also while the loop sleeps until that is done."""
        with super()._cancel_on_sigint(future):
            loop, upstream = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)

            def cancel(*args: Any) -> None:
                upstream(*args)
                loop.call_soon_threadsafe(int)  # wakes the loop

            signal.signal(signal.SIGINT, cancel)
            yield

    def _finish(self, reply: dict[str, Any]) -> None:
        usercode.explain(reply)
        if os.getpid() != self.pid:
            usercode.end_forked_child(reply)


def _alone(shell: ZMQInteractiveShell) -> Any:
    """The shell's `run_cell`, which is for cells that await nothing, without a running loop."""
    upstream = shell.run_cell

    @functools.wraps(upstream)
    def run_cell(*args: Any, **kwargs: Any) -> Any:
        with usercode.without_running_loop():
            return upstream(*args, **kwargs)

    return run_cell
