"""The large end: 64 engines on this machine, and the hub with engines that have no kernel."""

import json
import time

from lib.clusters import cluster, hello, milestones
from lib.context import Context
from lib.figures import Figure
from lib.peers import BENCH
from lib.process import Failed, run
from lib.stack import Stack
from lib.stats import Sample

FIGURES_REAL = ["engines-64"]
FIGURES_FAKE = ["fake-engines-200"]
FAKE_SIZES = [100, 200, 500, 1000]


def engines_64(context: Context) -> None:
    """Once, whatever the number of runs: it takes long, and tells of a limit, not of a ratio."""
    what = "engines missing of 64 (8 workers x 8)"
    figure = Figure("engines-64", what, 0)
    for _ in context.repeat("64 engines", 1):
        with Stack("bench-64", cluster("bench-64", [8] * 8)) as stack:
            begin = time.monotonic()
            reached = milestones(stack.up())
            try:
                hello(stack, context.python, 64)
                figure.sample = Sample((0,))
            except Failed as failed:
                figure.missing = str(failed).splitlines()[-1]
            reached["answered"] = time.monotonic() - begin
            figure.parts = {f"up to {name}": Sample((at,)) for name, at in reached.items()}
    context.add(figure)


def fake_engines(context: Context) -> None:
    """Once as well."""
    parts: dict[str, Sample] = {}
    lost: dict[int, int] = {}
    for size in FAKE_SIZES:
        for _ in context.repeat(f"{size} fake engines", 1):
            told = json.loads(
                run(
                    [
                        context.python,
                        "-W",
                        "ignore",
                        BENCH / "fake_engines.py",
                        str(size),
                        "--curve",
                    ]
                )
            )
            lost[size] = size - told["still_registered"]
            parts[f"{size}: all registered"] = Sample((told["seconds"],))
            parts[f"{size}: lost (engines)"] = Sample((lost[size],))
            parts[f"{size}: CPU at rest (%)"] = Sample((told["idle_cpu_percent"],))
            parts[f"{size}: memory of the controller (MiB)"] = Sample((told["memory_mib"],))
    what = "engines lost of 200 that have no kernel, at one hub"
    context.add(Figure("fake-engines-200", what, 0, "", Sample((lost[200],)), parts=parts))
