"""Previews of large clusters that do not exist yet."""

from collections import defaultdict

from lib.clusters import cluster
from lib.context import Context
from lib.figures import Figure
from lib.peers import BENCH
from lib.stack import Operation, Stack
from lib.stats import Sample, ratios

SIZES = [100, 300, 1000]
FIGURES = [*(f"preview-{size}" for size in SIZES), "preview-linear"]


def measure(context: Context) -> None:
    """Against a program that registers as many plain resources."""
    ours: dict[int, list[float]] = defaultdict(list)
    work: dict[int, list[float]] = defaultdict(list)
    bare: dict[int, list[float]] = defaultdict(list)
    counts: dict[int, int] = {}
    linear = context.wants("preview-linear")
    sizes = [size for size in SIZES if linear or context.wants(f"preview-{size}")]
    if not sizes:
        return
    with (
        Stack("bench-preview", {}) as stack,
        Stack("bench-plain", {}, BENCH / "programs" / "plain") as plain,
    ):
        for _ in context.repeat("previews"):
            for size in sizes:
                stack.declare(cluster("bench-preview", [1] * size))
                preview = stack.preview()
                ours[size].append(preview.seconds)
                work[size].append(preview.cpu_seconds)
                counts[size] = registered(preview)
                if context.wants(f"preview-{size}"):
                    plain.declare({"bench:count": counts[size]})
                    bare[size].append(plain.preview().seconds)
    for size in sizes:
        if bare[size]:
            what = f"preview of {size} workers / {counts[size]} plain resources"
            parts = {"preview": Sample(tuple(ours[size])), "plain": Sample(tuple(bare[size]))}
            figure = Figure(
                f"preview-{size}", what, 1.3, "", ratios(ours[size], bare[size]), parts=parts
            )
            context.add(figure)
    if linear:
        small, middle, large = SIZES
        late, early = (
            [(b - a) / (to - at) for a, b in zip(work[at], work[to], strict=True)]
            for at, to in [(middle, large), (small, middle)]
        )
        what = "CPU time per worker from 300 to 1,000 / from 100 to 300"
        parts = {
            "ms per worker, 100 to 300": Sample(tuple(1000 * value for value in early)),
            "ms per worker, 300 to 1,000": Sample(tuple(1000 * value for value in late)),
        }
        context.add(Figure("preview-linear", what, 1.3, "", ratios(late, early), parts=parts))


def registered(preview: Operation) -> int:
    """The number of resources, without the stack itself."""
    return sum(event.kind == "resourcePreEvent" for event in preview.events) - 1
