"""Programs that the bench runs: never left behind, whatever ends the bench."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 30


class Failed(Exception):
    """A program ended with a status that is not 0; the message has what it printed."""


def run(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None, timeout: float = 600
) -> str:
    """Runs a program in a process group of its own and returns what it printed.

    When this process is interrupted, or the time is over, the group gets a SIGTERM first, so that
    scripts can clean up, and is killed if that takes too long.
    """
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            output, errors = child.communicate(timeout=timeout)
        except BaseException:
            end(child)
            raise
    if child.returncode != 0:
        raise Failed(
            f"{' '.join(map(str, command))} ended with status {child.returncode}:\n"
            f"{output[-4000:]}{errors[-4000:]}"
        )
    return output


def end(child: subprocess.Popen) -> None:
    """Ends a program that leads a process group, and the rest of its group."""
    _signal_group(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
