"""Whether workers that should have the same image do have the same one."""

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


def python_mismatches(engines: list[dict[str, Any]], python: str) -> list[str]:
    """One line for each worker whose engines have another Python than the controller."""
    ours = _minor(python)
    theirs = {engine["worker"]: _minor(engine["python"]) for engine in engines}
    return [
        f"worker {worker}: Python {minor}, but the controller and clients have {ours}: "
        "functions could not be sent there"
        for worker, minor in sorted(theirs.items())
        if minor != ours
    ]


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
