"""One engine: ipyparallel's own `IPEngine`, in a process forked for it."""

import importlib
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import ipyparallel.engine.app as engine_app
import ipyparallel.serialize as serialize
import ipyparallel.serialize.canning as canning
from ipyparallel.controller import heartmonitor
from ipyparallel.engine.app import IPEngine
from jupyter_client.connect import ConnectionFileMixin
from traitlets.config import Config

from ippnode import bytecode, paths, peerloss, results, surroundings, usercode
from ippnode.forkserver import set_process_name
from ippnode.kernel import EngineKernel
from ippnode.outbox import Outbox
from ippnode.output_thread import OutputThread
from ippnode.streams import EngineStream
from ippnode.typemap import TypeMap

# The debugger costs each engine 0.1 CPU seconds and 15 MiB (it also imports numpy), and can't be
# reached through a cluster. Engines may still import debugpy themselves.
sys.modules["debugpy"] = None  # type: ignore[assignment]
import ipykernel.debugger  # noqa: E402, F401

del sys.modules["debugpy"]

# To tell arrays from other values, ipyparallel would import numpy for an engine's first result.
serialize.can_map = canning.can_map = TypeMap(canning.can_map)

bytecode.guard()
results.install()

# A kernel could make clients of itself, and would import what these need. An engine's kernel has
# no connection file that they could use.
ConnectionFileMixin.blocking_class.default_value = object

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

OOM_SCORE = 500
"""Out of memory, the kernel ends an engine first: never sshd, the agent or PID 1."""


def warm_up() -> None:
    """Import what every engine does when it starts, sends its first result, or shows an error.

    Here it is shared, and no file that a task has left is found in its place.
    """
    for module in (
        "IPython.core.completerlib",
        "IPython.core.magics.namespace",
        "IPython.core.oinspect",
        "IPython.extensions.storemagic",
        "executing._position_node_finder",
        "ippnode.content",
        "ippnode.probe",
        "platform",
        "pygments.formatters.html",
        "pygments.formatters.terminal256",
        "pygments.lexers.python",
        "pygments.styles.default",
        "sqlite3",
        "stack_data.serializing",
        "tornado.locks",
        "tornado.platform.asyncio",
    ):
        importlib.import_module(module)


class Engine(IPEngine):
    """An IPEngine whose agent does the nanny's work, for all engines of a worker in one process."""

    name = "ipengine"

    def start_nanny(self, control_url: str) -> tuple[str, None]:
        """Where to connect the control channel: to the agent, which relays it and hears signals."""
        return paths.control_url(self.ident), None

    stopped = False

    def start(self) -> None:
        """Work until SIGTERM, which stops the loop: ipyparallel would let that be an error."""
        try:
            super().start()
        except RuntimeError:
            if not self.stopped:
                raise

    users_modules_last = False
    """Whether modules of the user's come after all others."""

    def init_signal(self) -> None:
        """Handle signals; and, since the kernel was just made, look at the user's modules."""
        super().init_signal()
        surroundings.find_users_modules(last=self.users_modules_last)

    def _signal_stop(self, *args: Any) -> None:
        self.stopped = True
        super()._signal_stop(*args)

    async def complete_registration(self, *args: Any) -> None:
        """Begin to work, and to keep results."""
        await super().complete_registration(*args)
        Outbox(self.kernel)
        usercode.reset_signals_in_children(self._signal_stop)


class Heart(heartmonitor.Heart):
    """A heart whose sockets, which are not of the engine's context, have the same options."""

    options: ClassVar[dict[int, int]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option, value in self.options.items():
            self.device.setsockopt_in(option, value)
            self.device.setsockopt_out(option, value)


class LastCritical(logging.Handler):
    """Passes on the last message that says why an engine gives up."""

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__(logging.CRITICAL)
        self.report = report

    def emit(self, record: logging.LogRecord) -> None:
        self.report(record.getMessage().strip() + "\n")


def limit_threads(threads: int) -> None:
    """Have numeric libraries, none of which is loaded yet, use so many threads, unless the user
    has said how many."""
    if not any(name in os.environ for name in THREAD_VARIABLES):
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def run_engine(job: dict[str, Any], report: Callable[[str], None]) -> None:
    """Run the engine that `job` describes until it is ended; `report` takes why it fails.

    The modules are imported before the engine registers: one that can't be imported is an engine
    that is never offered to anybody.
    """
    set_process_name("ipengine")
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    try:
        limit_threads(job["threads"])
        config = Config()
        if job["cautious"]:
            surroundings.without_profile(config)
        config.IPEngine.work_dir = surroundings.enter_home()
        surroundings.restore_environment()
        surroundings.find_users_modules(last=job["cautious"])
        for module in job["imports"]:
            importlib.import_module(module)
        surroundings.leave_users_modules()
        sys.argv[:] = ["ipengine"]
        config.IPEngine.out_stream_factory = EngineStream
        config.Session.session = job["ident"]
        config.IPEngine.timeout = 15.0
        # The agent asks the hub itself; an engine whose controller is away keeps its state.
        config.IPEngine.max_heartbeat_misses = 0
        app = Engine.instance(config=config, log_level=logging.WARNING)
        app.users_modules_last = job["cautious"]
        interface = job["connection"]["interface"]
        Heart.options = peerloss.engine_options(job["patience_ms"], interface)
        app.context.sockopts.update(Heart.options)
        engine_app.Heart = Heart
        engine_app.IOPubThread = OutputThread
        engine_app.Kernel = EngineKernel
        app.log.addHandler(LastCritical(report))
        app.connection_info_env = json.dumps(job["connection"])
        if job["curve"]:
            app.curve_publickey, app.curve_secretkey = (k.encode() for k in job["curve"])
        app.initialize([])
        surroundings.leave_users_modules()  # ipyparallel adds the working folder
        app.start()
    except Exception as error:
        report(f"{type(error).__name__}: {error}\n")
        raise
