"""Where the parts find each other. `RUN` is gone when the container restarts, `HOME` is not."""

from pathlib import Path

INSTALLED = Path("/opt/ipp")
"""Our own code; root's."""
RUN = Path("/run/ipp")
SOCKET = RUN / "agent.sock"
"""The agent's Unix socket, which `ippctl` talks to."""
CONTROL = RUN / "control"
"""One socket per engine: its control channel, by way of the agent."""
LOG = RUN / "log" / "current"
"""The last lines that the service wrote."""

TMP = Path("/tmp")
HOME = Path("/home/ipp")
KEEP = HOME / ".ipp"
ENGINE_FILE = KEEP / "ipcontroller-engine.json"
"""A worker's copy of the engine file: where the controller is, and the keys."""
DECLARED = KEEP / "engines.json"
"""How many engines a worker is to run, and what they import."""
CLAIM = KEEP / "claim"
"""What tells a worker's container from an earlier one of the same worker; see `worker`."""
APPLIED = KEEP / "applied.json"
"""Hashes of what was last set up; see `record`."""
WORKERS = KEEP / "workers.json"
"""The workers and numbers of engines that the controller was last asked to wait for."""

PROFILE = HOME / ".ipython" / "profile_cluster"
SECURITY = PROFILE / "security"
"""The controller's connection files and its Curve keys."""
ENGINE_STATE = PROFILE / "log" / "engines.json"
"""The controller's list of registered engines, read again when it restarts."""
CLAIMS = PROFILE / "log" / "claims.json"
"""The container that each worker was set up in last, read again when the controller restarts."""
TASK_JOURNAL = PROFILE / "log" / "tasks.journal"
"""The load-balanced tasks that clients wait for, read again when the controller restarts."""
DIRECT_JOURNAL = PROFILE / "log" / "direct.journal"
"""The same of the tasks that clients sent to one engine."""

ARRIVALS = PROFILE / "log" / "arrivals"
"""The numbers of the messages that clients have sent, read again when the controller restarts."""


def control_url(ident: str) -> str:
    """The ZeroMQ address at which the engine `ident` reaches its agent."""
    return f"ipc://{CONTROL / ident}"
