"""Whether workers that should have the same image do have the same one."""

from collections import Counter
from typing import Any

Content = dict[str, Any]

MOST_NAMED = 10
"""Packages that a message names before it only counts them."""


def differences(images: dict[str, str], contents: dict[str, Content]) -> list[str]:
    """One line for each worker whose image differs from that of the first with its image's name.

    `images` names each worker's image, `contents` is what is known to be in it.
    """
    lines = []
    first: dict[str, str] = {}
    for worker in sorted(contents.keys() & images.keys()):
        image = images[worker]
        other = first.setdefault(image, worker)
        if contents[other]["id"] != contents[worker]["id"]:
            differ = _named(_compare(other, contents[other], worker, contents[worker]))
            lines.append(f"image {image} is not the same on workers {other} and {worker}: {differ}")
    return lines


def python_mismatches(
    engines: list[dict[str, Any]], python: str, declared: dict[str, str]
) -> list[str]:
    """One line for each worker whose engines have another Python than is declared for it.

    Where none is declared (minor version by worker), it is the controller's, `python`.
    """
    found = {engine["worker"]: _minor(engine["python"]) for engine in engines}
    wanted = {worker: declared.get(worker, _minor(python)) for worker in found}
    return [
        f"worker {worker}: Python {minor}, but {wanted[worker]} is declared: name its Python "
        "as python under images, or give it another image"
        for worker, minor in sorted(found.items())
        if minor != wanted[worker]
    ]


def python_note(declared: dict[str, str]) -> str:
    """What to know of engines whose Python (minor version by worker) is not the usual one."""
    workers = Counter(declared.values())
    by_minor = sorted(workers.items(), key=lambda item: int(item[0].split(".")[1]))
    each = [f"{minor} on {n} worker{'' if n == 1 else 's'}" for minor, n in by_minor]
    return f"engines have Python {', '.join(each)}: functions reach those of the client's Python"


def _compare(a: str, at_a: Content, b: str, at_b: Content) -> list[str]:
    found = []
    if at_a["python"] != at_b["python"]:
        found.append(f"Python {at_a['python']} / {at_b['python']}")
    here, there = at_a["packages"], at_b["packages"]
    for key in sorted(here.keys() | there.keys()):
        name = key.split(" ", 1)[1]
        if key not in there:
            found.append(f"only on {a}: {name} {here[key]}")
        elif key not in here:
            found.append(f"only on {b}: {name} {there[key]}")
        elif here[key] != there[key]:
            found.append(f"{name} {here[key]} / {there[key]}")
    return found or ["the files of docker/ differ"]


def _named(found: list[str]) -> str:
    more = len(found) - MOST_NAMED
    return ", ".join(found[:MOST_NAMED]) + (f", and {more} more" if more > 0 else "")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
