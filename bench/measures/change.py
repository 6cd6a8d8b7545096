"""Changes of a running cluster of 8 workers, and runs with nothing to change."""

import contextlib
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import ipyparallel as ipp

from lib.clusters import cluster
from lib.context import Context
from lib.figures import Figure
from lib.peers import BENCH, PLAIN_IMAGE, PREFIX
from lib.process import run
from lib.stack import Stack
from lib.stats import Sample, ratios

FIGURES = [
    "one-more-worker",
    "one-more-engine",
    "no-change-up",
    "no-change-preview",
    "state-resources",
    "state-bytes",
]

WORKERS = 8


def measure(context: Context) -> None:
    """8 workers x 1 engine."""
    seconds: dict[str, list[float]] = defaultdict(list)
    eight = cluster("bench-eight", [1] * WORKERS)
    nine = cluster("bench-eight", [1] * (WORKERS + 1))
    more = cluster("bench-eight", [2] + [1] * (WORKERS - 1))
    growth: dict[str, float] = {}
    with (
        Stack("bench-eight", eight) as stack,
        Stack("bench-one", {}, BENCH / "programs" / "one") as one,
    ):
        stack.up()
        one.up()
        for _ in context.repeat("8 x 1, changed"):
            seconds["no-change up"].append(stack.up().seconds)
            if context.wants("no-change-up"):
                seconds["up of one resource"].append(one.up().seconds)
            if context.wants("no-change-preview"):
                seconds["no-change preview"].append(stack.preview().seconds)
                seconds["preview of one resource"].append(one.preview().seconds)
            if context.wants("one-more-worker", "state-resources", "state-bytes"):
                size = stack.state_bytes(), len(stack.resources())
                stack.declare(nine)
                seconds["one more worker"].append(stack.up().seconds)
                after = stack.state_bytes()
                growth["bytes"], growth["text"] = (
                    b - a for a, b in zip(size[0], after, strict=True)
                )
                growth["resources"] = len(stack.resources()) - size[1]
                stack.declare(eight)
                stack.up()
                seconds["worker by hand"].append(worker_by_hand(stack))
            if context.wants("one-more-engine"):
                stack.declare(more)
                seconds["one more engine"].append(stack.up().seconds)
                stack.declare(eight)
                stack.up()
                seconds["engine by hand"].append(engine_by_hand(stack))

    def compare(name: str, what: str, bound: float, ours: str, *others: tuple[float, str]) -> None:
        if not seconds[ours] or not context.wants(name):
            return
        peers = [
            sum(factor * seconds[peer][index] for factor, peer in others)
            for index in range(len(seconds[ours]))
        ]
        parts = {part: Sample(tuple(seconds[part])) for part in (ours, *(o for _, o in others))}
        context.add(Figure(name, what, bound, "", ratios(seconds[ours], peers), parts=parts))

    compare(
        "one-more-worker", "one more worker / (no-change up + 1.2 x a worker by hand)", 1,
        "one more worker", (1, "no-change up"), (1.2, "worker by hand"),
    )  # fmt: skip
    compare(
        "one-more-engine", "one more engine / (no-change up + 1.2 x ipengine by hand)", 1,
        "one more engine", (1, "no-change up"), (1.2, "engine by hand"),
    )  # fmt: skip
    compare(
        "no-change-up", "up with nothing to do, 8 workers / program with one resource", 1.3,
        "no-change up", (1, "up of one resource"),
    )  # fmt: skip
    compare(
        "no-change-preview", "preview with nothing to do, 8 workers / program with one resource",
        1.3, "no-change preview", (1, "preview of one resource"),
    )  # fmt: skip
    if growth:
        for name, what, bound, unit, key in [
            ("state-resources", "resources in the state for one more worker", 4, "", "resources"),
            ("state-bytes", "bytes of the state for one more worker", 8192, " B", "text"),
        ]:
            stored = {"compressed, as it is stored (B)": Sample((growth["bytes"],))}
            parts = stored if key == "text" else {}
            context.add(Figure(name, what, bound, unit, Sample((growth[key],)), parts=parts))


def engine_file(stack: Stack) -> str:
    """The content of ipcontroller-engine.json, as the controller has it."""
    path = "/home/ipp/.ipython/profile_cluster/security/ipcontroller-engine.json"
    return run(["docker", "exec", f"ipp-{stack.name}-controller", "cat", path])


@contextlib.contextmanager
def one_more(stack: Stack) -> Iterator[ipp.Client]:
    """A client that waits at the end for one engine more than there was, then ends that engine."""
    file = stack.ipython / f"profile_{stack.name}" / "security" / "ipcontroller-client.json"
    with ipp.Client(str(file), timeout=20) as client:
        client.wait_for_engines(WORKERS, timeout=20, interactive=False)
        before = set(client.ids)
        yield client
        client.shutdown(targets=list(set(client.ids) - before), block=False)
        deadline = time.monotonic() + 20
        while set(client.ids) != before:
            if time.monotonic() > deadline:
                raise TimeoutError("the engine started by hand has not ended within 20 s")
            time.sleep(0.05)


def wait_for_one_more(client: ipp.Client) -> None:
    client.wait_for_engines(WORKERS + 1, timeout=60, interactive=False)


def worker_by_hand(stack: Stack) -> float:
    """Seconds from `docker run` to a registered engine: docker run, scp, ssh, ipengine."""
    name = f"{PREFIX}-one-more"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ipcontroller-engine.json")
        file.write_text(engine_file(stack).replace("0.0.0.0", "controller"))
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/id"])
        try:
            with one_more(stack) as client:
                begin = time.monotonic()
                run([BENCH / "add_worker.sh", PLAIN_IMAGE, name, f"ipp-{stack.name}", folder])
                wait_for_one_more(client)
                return time.monotonic() - begin
        finally:
            run(["docker", "rm", "-f", "-v", name])


def engine_by_hand(stack: Stack) -> float:
    """Seconds from starting ipengine in a running worker until it is registered."""
    worker = f"ipp-{stack.name}-w1"
    connection = engine_file(stack).replace("0.0.0.0", "controller")
    with one_more(stack) as client:
        begin = time.monotonic()
        subprocess.run(
            ["docker", "exec", "-d", "-e", f"IPP_CONNECTION_INFO={connection}", worker, "ipengine"],
            check=True,
        )
        wait_for_one_more(client)
        return time.monotonic() - begin
