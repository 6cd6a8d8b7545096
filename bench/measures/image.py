"""Rebuilding the image after a changed line in the list of the user's packages."""

import json
import re
import time
from collections import defaultdict
from pathlib import Path

from lib.clusters import cluster
from lib.context import Context
from lib.figures import Figure
from lib.process import run
from lib.stack import Stack
from lib.stats import Sample, ratios

FIGURES = ["rebuild", "rebuild-layers"]

IMAGE = "docker:index/remoteImage:RemoteImage"


def measure(context: Context) -> None:
    """Through Pulumi, against plain `docker build` of the same change."""
    seconds: dict[str, list[float]] = defaultdict(list)
    rebuilt: list[float] = []
    made: list[str] = []
    with Stack("bench-image", cluster("bench-image", [1])) as stack:
        docker = stack.folder / "docker"
        base = stack.folder / ".local" / "base-image"
        args = ["--build-arg", f"BASE_IMAGE={base.read_text().strip()}"] if base.exists() else []
        try:
            stack.up()
            first = image_id(stack)
            for number in context.repeat("rebuild"):
                ask_for(docker, f"six {' ' * number}")
                made.append(plain_build(docker, args, seconds["docker build"]))
                ask_for(docker, f"{' ' * number} six")
                operation = stack.up("--target", "**RemoteImage::*")
                begin = operation.last("resourcePreEvent", IMAGE)
                end = operation.last("resOutputsEvent", IMAGE)
                if begin is None or end is None:
                    raise RuntimeError("the changed package list did not change the image")
                seconds["image in up"].append(end - begin)
                made.append(image_id(stack))
                rebuilt.append(new_layers(first, made[-1]) - new_layers(first, made[-2]))
        finally:
            if made:
                stack.destroy()
                run(["docker", "rmi", "-f", *set(made) - {first}])
    parts = {name: Sample(tuple(values)) for name, values in seconds.items()}
    context.add(
        Figure(
            "rebuild", "rebuild after a changed package / plain docker build", 1.1, "",
            ratios(seconds["image in up"], seconds["docker build"]), parts=parts,
        )
    )  # fmt: skip
    context.add(
        Figure(
            "rebuild-layers", "layers rebuilt beyond those of plain docker build", 0, "",
            Sample(tuple(rebuilt)),
        )
    )  # fmt: skip


def ask_for(docker: Path, packages: str) -> None:
    """Changes the line of the Dockerfile that lists the user's packages."""
    file = docker / "Dockerfile"
    text, changed = re.subn(
        r"(?m)^ARG PACKAGES=.*$", f'ARG PACKAGES="{packages}"', file.read_text()
    )
    if changed != 1:
        raise RuntimeError(f"{file} has {changed} lines ARG PACKAGES=; there must be one")
    file.write_text(text)


def image_id(stack: Stack) -> str:
    """The id of the image in the stack's state."""
    (image,) = (resource for resource in stack.resources() if resource["type"] == IMAGE)
    return image["outputs"]["imageId"]


def plain_build(docker: Path, args: list[str], seconds: list[float]) -> str:
    """Builds as a user would; adds the seconds to the list, and returns the image's id."""
    begin = time.monotonic()
    output = run(["docker", "build", "--quiet", *args, docker])
    seconds.append(time.monotonic() - begin)
    return output.split()[-1]


def new_layers(old: str, new: str) -> int:
    """How many layers of an image another one does not share."""
    layers = [
        json.loads(run(["docker", "inspect", "-f", "{{json .RootFS.Layers}}", image]))
        for image in (old, new)
    ]
    return sum(layer not in layers[0] for layer in layers[1])
