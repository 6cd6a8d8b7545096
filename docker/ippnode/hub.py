"""The controller: ipyparallel's own `IPController`, with what it lacks to survive its own death.

- All its processes end when one of them does; the agent then starts it anew.
- Engines that are restored after a restart but have died meanwhile are unregistered.
- An interrupted write of the list of engines does no harm.
"""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipyparallel.controller.app as controller_app
from ipyparallel.controller.app import IPController
from ipyparallel.controller.hub import Hub
from ipyparallel.controller.task_scheduler import TaskScheduler
from tornado.ioloop import PeriodicCallback
from traitlets.config import Config

from ippnode import paths
from ippnode.files import read_json
from ippnode.forkserver import die_with_parent, set_process_name

CHILD_CHECK_MS = 250
RESTORE_GRACE_BEATS = 10
"""Heartbeats that a restored engine may take to be heard of, before it is held for dead."""
RESTORE_GRACE_SECONDS = 8.0


class RestoringHub(Hub):
    """A hub that does not keep restored engines that are dead."""

    def _load_engine_state(self) -> None:
        state = read_json(Path(self.engine_state_file))
        if state is None:
            return  # none yet, or half-written: the workers start their engines anew
        # The original counts ids from 0 while it restores, and writes that down.
        self._idcounter = state["next_id"]
        super()._load_engine_state()
        self._save_engine_state()
        self.silent = set(self.hearts)
        self.loop.call_later(RESTORE_GRACE_SECONDS, self._unregister_silent)

    def _save_engine_state(self) -> None:
        target, self.engine_state_file = self.engine_state_file, f"{self.engine_state_file}.new"
        try:
            super()._save_engine_state()
            with suppress(FileNotFoundError):
                os.replace(self.engine_state_file, target)
        finally:
            self.engine_state_file = target

    def handle_new_heart(self, heart: bytes) -> None:
        if heart in getattr(self, "silent", ()):
            self.silent.discard(heart)
        else:
            super().handle_new_heart(heart)

    def _unregister_silent(self) -> None:
        for heart in self.silent:
            if (engine := self.hearts.get(heart)) is not None:
                self.log.warning("engine %i did not outlive the restart: unregistered", engine)
                self.unregister_engine(heart, {"content": {"id": engine}})
        self.silent.clear()


class Controller(IPController):
    """An IPController whose processes live and die together."""

    name = "ipcontroller"

    def start(self) -> None:
        self.check = PeriodicCallback(self._check_children, CHILD_CHECK_MS)
        self.check.start()
        super().start()

    def _check_children(self) -> None:
        processes = [getattr(child, "launcher", child) for child in self.children]
        for process in [*processes, self.heartmonitor_process]:
            if not process.is_alive():
                self.log.critical("%s ended by itself: restarting the controller", process.name)
                os.killpg(0, signal.SIGKILL)


def run_controller(job: dict[str, Any], report: Callable[[str], None]) -> None:
    """Run ipcontroller with the profile that the agent has written, until it is ended."""
    set_process_name("ipcontroller")
    os.register_at_fork(after_in_child=die_with_parent)
    controller_app.Hub = RestoringHub
    config = Config()
    config.ProfileDir.location = str(paths.PROFILE)
    try:
        app = Controller.instance(config=config, log_level=logging.WARNING)
        app.initialize([])
        app.start()
    except Exception as error:
        report(f"{type(error).__name__}: {error}\n")
        raise
