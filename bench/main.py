"""Measures the cluster against its peers; see README.md beside this file.

npm run bench -- [--only NAME]... [--runs N] [--json FILE] [--chart FILE] [--list]
"""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import types
from pathlib import Path
from typing import IO

from lib import chart, report
from lib.context import Context
from lib.figures import Figure
from lib.log import say
from lib.peers import Peers
from lib.process import Failed
from measures import bring_up, change, image, large, preview, running

ROOT = Path(__file__).resolve().parents[1]

# What is measured together, and the names of its figures, for --only.
MEASURES = [
    (bring_up.measure, bring_up.FIGURES),
    (bring_up.measure_16, bring_up.FIGURES_16),
    (bring_up.measure_two_hosts, bring_up.FIGURES_TWO_HOSTS),
    (change.measure, change.FIGURES),
    (running.measure, running.FIGURES),
    (image.measure, image.FIGURES),
    (preview.measure, preview.FIGURES),
    (large.engines_64, large.FIGURES_REAL),
    (large.fake_engines, large.FIGURES_FAKE),
]
NAMES = [name for _, names in MEASURES for name in names]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="npm run bench --", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="one of the figures (may be repeated)"
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to a file")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the phases, as SVG")
    parser.add_argument("--list", action="store_true", help="print the names of the figures")
    args = parser.parse_args()
    unknown = [name for name in args.only or [] if name not in NAMES]
    if unknown:
        parser.error(f"--only {unknown[0]}: no such figure; there are {', '.join(NAMES)}")
    if args.runs < 1:
        parser.error(f"--runs {args.runs}: must be at least 1")
    return args


def base_image() -> str:
    """The base image that the workers' image is built from as well."""
    file = ROOT / ".local" / "base-image"
    return file.read_text().strip() if file.exists() else "python:3.11-slim-bookworm"


def lock() -> IO[str]:
    """Makes sure that no other bench runs here: the two would use the same names and ports."""
    file = (ROOT / ".local" / "bench" / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("error: another bench is running in this folder; wait for it, or end it")
    return file


def interrupt(number: int, _: types.FrameType | None) -> None:
    """SIGTERM ends the bench as Ctrl-C does: everything that it made is removed."""
    raise KeyboardInterrupt(number)


def headline(error: str) -> str:
    """What a report has room for: what failed, and the last error that it told of."""
    first, *lines = error.splitlines()
    told = [line.strip() for line in lines if "error:" in line.lower()]
    return " ".join([first[:60], *told[-1:]])


def main() -> int:
    args = arguments()
    if args.list:
        print("\n".join(NAMES))
        return 0
    held = lock()
    signal.signal(signal.SIGTERM, interrupt)
    load = os.getloadavg()[0]
    if load > os.cpu_count() / 2:
        say(f"the machine is busy (load {load:.1f}): the figures will be doubtful")
    peers = Peers(Path(sys.executable).parents[1])
    say("building the peers' images")
    peers.build_images(base_image())
    context = Context(peers, args.runs, args.only or NAMES)
    interrupted = failed = False
    for measure, names in MEASURES:
        if not context.wants(*names):
            continue
        try:
            measure(context)
        except KeyboardInterrupt:
            say("interrupted")
            interrupted = True
            break
        except (Failed, OSError, RuntimeError, TimeoutError) as error:
            say(f"{', '.join(names)}: {error}")
            failed = True
            reason = headline(str(error))
            measured = {figure.name for figure in context.figures}
            for name in names:
                if name not in measured:
                    context.add(Figure(name, "could not be measured", missing=reason))
    print(report.table(context.figures))
    print(report.summary(context.figures))
    if args.json is not None:
        loads = (load, os.getloadavg()[0])
        report.write(args.json, report.to_json(context.figures, args.runs, loads))
    if args.chart is not None:
        report.write(args.chart, chart.phases(context.figures))
    held.close()
    if interrupted:
        return 130
    missed = any(figure.holds is False for figure in context.figures)
    return 1 if missed or failed else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
