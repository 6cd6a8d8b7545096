"""Tasks of an agent that must not end by themselves."""

import asyncio
import os
import traceback
from collections.abc import Coroutine
from typing import Any


def essential(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Run `work` as a task; a mistake in it ends the agent, which is then started anew.

    An agent that goes on without one of its parts would look well and repair nothing.
    """

    def ended(task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error)
            os._exit(70)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task
