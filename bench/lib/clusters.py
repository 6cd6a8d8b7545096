"""Stack files of the bench's clusters, and the milestones of bringing one up."""

import time
from itertools import cycle
from pathlib import Path

from .process import run
from .stack import Operation, Stack

BENCH = Path(__file__).resolve().parents[1]

CONTAINER = "docker:index/container:Container"
REMOTE = "command:remote:Command"


def cluster(name: str, engines: list[int], hosts: dict | None = None, **more: object) -> dict:
    """The configuration of a cluster with the profile `name`: the engines of w1, w2, ...

    The workers are on the hosts by turns; without hosts, on this machine.
    """
    workers = [{"name": f"w{n}", "engines": count} for n, count in enumerate(engines, 1)]
    if hosts is not None:
        more["hosts"] = hosts
        for worker, host in zip(workers, cycle(hosts), strict=False):
            worker["host"] = host
    return {"ipyparallel:cluster": {"profile": name, "workers": workers, **more}}


def milestones(operation: Operation) -> dict[str, float]:
    """When an `up` had reached what, in seconds from its start."""
    reached = {
        "program": operation.first("resourcePreEvent", "ipyparallel:index:Cluster"),
        "containers": operation.last("resOutputsEvent", CONTAINER),
        "registered": operation.last("resOutputsEvent", REMOTE, "-start"),
        "ready": operation.last("resOutputsEvent", REMOTE, "-check"),
        "up": operation.seconds,
    }
    return {name: seconds for name, seconds in reached.items() if seconds is not None}


def up_and_hello(stack: Stack, python: Path, engines: int) -> dict[str, float]:
    """Brings a cluster up, then has each engine answer a client on this machine."""
    begin = time.monotonic()
    reached = milestones(stack.up())
    hello(stack, python, engines)
    return {**reached, "answered": time.monotonic() - begin}


def hello(stack: Stack, python: Path, engines: int) -> None:
    """The user's first program: a client that waits for all engines, and has each say hello."""
    run([python, BENCH / "hello.py", stack.name, str(engines)], stack.environment())
