"""What work costs on a cluster: throughput.py CLIENT_FILE REPEATS

Prints as JSON the median seconds of an apply_sync over all engines, of a map_sync of 1,000 small
tasks, and of a broadcast of 50 MB to all engines.
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median

import ipyparallel as ipp
import numpy as np


def timed(work: Callable[[], object], repeats: int) -> float:
    """The median seconds of some work, after it was done once."""
    work()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


def main() -> None:
    file, repeats = sys.argv[1], int(sys.argv[2])
    data = np.random.default_rng(0).integers(0, 255, 50_000_000, dtype=np.uint8)
    with ipp.Client(file, timeout=30) as client:
        every = client[:]
        balanced = client.load_balanced_view()
        broadcast = client.broadcast_view()
        figures = {
            "apply": timed(lambda: every.apply_sync(int, 1), 20 * repeats),
            "map": timed(lambda: balanced.map_sync(abs, range(1000)), repeats),
            "broadcast": timed(lambda: broadcast.push({"data": data}, block=True), repeats),
        }
    print(json.dumps(figures))


main()
