"""Rebuilding the image after a changed line in the list of the user's packages."""

import json
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

BUILD = "command:local:Command"
IMAGE = "docker:index/remoteImage:RemoteImage"
DEFAULT_BASE = "python:3.11-slim-bookworm"


def measure(context: Context) -> None:
    """Through Pulumi, against plain `docker build` of the same change."""
    name = "bench-image"
    seconds: dict[str, list[float]] = defaultdict(list)
    rebuilt: list[float] = []
    plain = cluster(name, [1])
    with Stack(name, plain) as stack:
        base = stack.folder / ".local" / "base-image"
        base_image = base.read_text().strip() if base.exists() else DEFAULT_BASE
        folder = stack.folder / "docker"
        arguments = {"BASE_IMAGE": base_image, "PACKAGES": "", "APT_PACKAGES": ""}
        # The two builders may have a cache each.
        before_by_hand = plain_build(folder, arguments, [])
        stack.up()
        before = image_of(stack)
        build = before["urn"].replace(IMAGE, BUILD).removesuffix("-image") + "-build"
        target = ("--target", build, "--target", before["urn"])
        for _ in context.repeat("rebuild"):
            by_hand = plain_build(
                folder,
                {**arguments, "PACKAGES": unseen_package()},
                seconds["docker build"],
            )
            stack.declare(cluster(name, [1], images={"default": {"packages": [unseen_package()]}}))
            operation = stack.up(*target)
            # The first of each is the new image; what follows is the removal of the old one.
            begin = operation.first("resourcePreEvent", BUILD)
            end = operation.first("resOutputsEvent", IMAGE)
            after = image_of(stack)["outputs"]["imageId"]
            if begin is None or end is None or after == before["outputs"]["imageId"]:
                raise RuntimeError("a changed list of packages did not change the image")
            seconds["image in up"].append(end - begin)
            rebuilt.append(
                new_layers(before["outputs"]["imageId"], after)
                - new_layers(before_by_hand, by_hand)
            )
            stack.declare(plain)
            stack.up(*target)
            run(["docker", "rmi", "-f", by_hand, after])
    parts = {part: Sample(tuple(values)) for part, values in seconds.items()}
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


def image_of(stack: Stack) -> dict:
    """The image in the stack's state."""
    (image,) = (resource for resource in stack.resources() if resource["type"] == IMAGE)
    return image


def unseen_package() -> str:
    """A small package, said in a way that no build cache has seen."""
    return f"six>=0.{time.time_ns()}"


def plain_build(folder: Path, arguments: dict[str, str], seconds: list[float]) -> str:
    """Builds as a user would; adds the seconds to the list, and returns the image's id."""
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    begin = time.monotonic()
    output = run(["docker", "build", "--quiet", *options, folder])
    seconds.append(time.monotonic() - begin)
    return output.split()[-1]


def new_layers(old: str, new: str) -> int:
    """How many layers of an image another one does not share."""
    layers = [
        json.loads(run(["docker", "inspect", "-f", "{{json .RootFS.Layers}}", image]))
        for image in (old, new)
    ]
    return sum(layer not in layers[0] for layer in layers[1])
