"""The controller: ipyparallel's own `IPController`, with what it lacks to survive its own death.

- All its processes end when one of them does; the agent then starts it anew.
- No task is lost without an answer: see `scheduler`.
- Engines that are restored after a restart but have died meanwhile are unregistered.
- An interrupted write of the list of engines does no harm.
"""

import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ipyparallel.controller.app as controller_app
import zmq
from ipyparallel.controller import heartmonitor
from ipyparallel.controller.app import IPController
from ipyparallel.controller.heartmonitor import HeartMonitor
from ipyparallel.controller.hub import Hub
from jupyter_client.session import DELIM
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets.config import Config

from ippnode import paths, scheduler
from ippnode.checks import IDENT
from ippnode.files import read_json
from ippnode.forkserver import die_with_parent, set_process_name
from ippnode.peerloss import SILENCE_MS, AskingContext

CHILD_CHECK_MS = 250
RESTORE_GRACE_SECONDS = 8.0
"""Time a restored engine may take to be heard of, before it is held for dead."""


class RestoringHub(Hub):
    """A hub that does not keep restored engines that are dead, nor results for itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.silent: set[bytes] = set()
        """Restored engines that have not been heard of yet."""
        self.scheduler: bytes | None = None
        self.query_handlers["scheduler_request"] = self._meet_scheduler

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
        target = self.engine_state_file
        self.engine_state_file = f"{target}.new"
        try:
            super()._save_engine_state()
            Path(self.engine_state_file).replace(target)
        except OSError as error:  # a full disk must not keep engines out
            self.log.error("can't note the engines in %s: %s", target, error)
        finally:
            self.engine_state_file = target

    def handle_new_heart(self, heart: bytes) -> None:
        if heart in self.silent:
            self.silent.discard(heart)
        else:
            super().handle_new_heart(heart)

    def _meet_scheduler(self, idents: list[bytes], msg: dict[str, Any]) -> None:
        if scheduler.is_restart:
            self.scheduler = idents[0]

    def save_queue_request(self, idents: list[bytes], msg: list[bytes]) -> None:
        if IDENT not in idents:
            super().save_queue_request(idents, msg)

    def save_task_request(self, idents: list[bytes], msg: list[bytes]) -> None:
        if IDENT not in idents:
            super().save_task_request(idents, msg)

    def save_task_result(self, idents: list[bytes], msg: list[bytes]) -> None:
        if IDENT not in idents:
            super().save_task_result(idents, msg)

    def save_queue_result(self, idents: list[bytes], msg: list[bytes]) -> None:
        """Note a direct result. One of a task that was sent before a restart has reached nobody:
        its client has another address now. The task scheduler finds it."""
        id = self.session.unpack(msg[2]).get("msg_id")
        if self.scheduler and id not in self.pending and id not in self.all_completed:
            self.query.send_multipart([self.scheduler, DELIM, *msg])
        else:
            super().save_queue_result(idents, msg)

    def _unregister_silent(self) -> None:
        for heart in self.silent:
            if (engine := self.hearts.get(heart)) is not None:
                self.log.warning("engine %i did not outlive the restart: unregistered", engine)
                self.unregister_engine(heart, {"content": {"id": engine}})
        self.silent.clear()


class PromptHeartMonitor(HeartMonitor):
    """A heart monitor that reports a new heart when it first beats, not one period later.

    It does not write a line for each missed beat: the hub says which engine is given up.
    """

    def start(self) -> None:
        self.log.setLevel(logging.ERROR)
        super().start()

    def handle_pong(self, msg: list[bytes]) -> None:
        super().handle_pong(msg)
        if msg[0] in self.responses and msg[0] not in self.hearts:
            self.handle_new_hearts([msg[0]])


class Controller(IPController):
    """An IPController whose processes live and die together."""

    name = "ipcontroller"
    report: Callable[[str], None]
    """Takes why all of it is about to end."""
    mq_class = "ippnode.scheduler.SettlingProcessQueue"

    def init_hub(self) -> None:
        """Let connections outlive what engines may be cut off without being given up."""
        beats = self.config.HeartMonitor
        cut_off_ms = beats.get("period", 0) * beats.get("max_heartmonitor_misses", 0)
        AskingContext.silence_ms = max(SILENCE_MS, cut_off_ms + 5000)
        super().init_hub()

    def start(self) -> None:
        self.check = PeriodicCallback(self._check_children, CHILD_CHECK_MS)
        self.check.start()
        super().start()

    def _check_children(self) -> None:
        processes = [getattr(child, "launcher", child) for child in self.children]
        for process in [*processes, self.heartmonitor_process]:
            if not process.is_alive():
                self.report(f"its {process.name} had ended by itself")
                os.killpg(0, signal.SIGKILL)


def _begin_process() -> None:
    """What each of the controller's processes begins with.

    libzmq leaves the C library's random numbers unseeded, so that clients would get the numbers by
    which they are addressed in the same order after a restart, and so each other's replies.
    """
    die_with_parent()
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4)))


def run_controller(job: dict[str, Any], report: Callable[[str], None]) -> None:
    """Run ipcontroller with the profile that the agent has written, until it is ended."""
    set_process_name("ipcontroller")
    os.register_at_fork(after_in_child=_begin_process)
    controller_app.Hub = RestoringHub
    heartmonitor.HeartMonitor = PromptHeartMonitor
    controller_app.time = SimpleNamespace(sleep=lambda _: None)  # it sleeps while nobody waits
    controller_app.TaskScheduler = scheduler.JournalingScheduler
    zmq.Context = AskingContext
    # Tornado's clock is the one that people set: heartbeats would stop until it is where it was.
    IOLoop.time = lambda _: time.monotonic()
    state = read_json(paths.ENGINE_STATE) or {}
    scheduler.is_restart = bool(state.get("engines"))
    config = Config()
    config.ProfileDir.location = str(paths.PROFILE)
    try:
        app = Controller.instance(
            config=config, log_level=logging.WARNING, raise_config_file_errors=True
        )
        app.report = report
        app.initialize([])
        app.start()
    except Exception as error:
        report(f"{type(error).__name__}: {error}\n")
        raise
