"""The figures as a table for people, and as JSON."""

import datetime
import json
import os
import platform
from pathlib import Path

from .figures import Figure


def table(figures: list[Figure]) -> str:
    """One line for each figure, and the parts of each below it."""
    lines = []
    for figure in figures:
        value = figure.sample.text(figure.unit) if figure.sample else figure.missing
        lines.append(f"{figure.name}: {figure.what}")
        lines.append(f"    {value}   must be {figure.bound_text()}: {figure.verdict()}")
        width = max((len(part) for part in figure.parts), default=0)
        lines += [
            f"      {part.ljust(width)}  {sample.text(unit(part))}"
            for part, sample in figure.parts.items()
        ]
    return "\n".join(lines)


def unit(part: str) -> str:
    """Parts are in seconds, unless their name says another unit."""
    return "" if part.endswith(")") or "ms per" in part else " s"


def summary(figures: list[Figure]) -> str:
    counts = [figure.verdict() for figure in figures]
    words = ["holds", "MISSED", "not measured"]
    return ", ".join(f"{counts.count(word)} {word}" for word in words)


def to_json(figures: list[Figure], runs: int, load: tuple[float, float]) -> str:
    machine = {
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.platform(terse=True),
        "load_before_and_after": load,
    }
    return json.dumps(
        {
            "measured": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "runs": runs,
            "machine": machine,
            "figures": [figure.to_json() for figure in figures],
        },
        indent=2,
    )


def write(path: Path, text: str) -> None:
    """Writes a file as a whole."""
    path.write_text(text + "\n")
