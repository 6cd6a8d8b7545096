"""What the tests of the image share: its code, the image itself, a table of recovery times."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).parent
DOCKER = HERE.parent.parent / "docker"
sys.path[:0] = [str(HERE), str(HERE.parent / "faults"), str(DOCKER)]

if TYPE_CHECKING:
    from cluster import Cluster

BASE = "ipyparallel-base:3.11-bookworm"
TAG = "ippimg-test"

recovery_times: list[tuple[str, float, float]] = []
"""Fault, seconds to full strength, seconds allowed."""


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker that the tests on real containers have."""
    config.addinivalue_line("markers", "real: needs the machine's Docker")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each fault took to repair."""
    if recovery_times:
        terminalreporter.section("seconds to full strength")
        for fault, seconds, allowed in recovery_times:
            terminalreporter.write_line(f"{fault:60} {seconds:5.1f}  (allowed {allowed:.0f})")


def build_image(tag: str, *options: str) -> str:
    """The image, built from docker/ (on the local base image where there is one); its tag."""
    local = subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False)
    base = ["--build-arg", f"BASE_IMAGE={BASE}"] if local.returncode == 0 else []
    build = ["docker", "build", "-q", "-t", tag, *base, *options, str(DOCKER)]
    subprocess.run(build, check=True, capture_output=True)
    return tag


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the tests."""
    return build_image(TAG)


@pytest.fixture(scope="module")
def cluster(image: str) -> Iterator["Cluster"]:
    """A controller and 2 workers with 2 engines each, for the tests of one module."""
    from cluster import Cluster

    with Cluster(image) as made:
        for name in ("controller", "w1", "w2"):
            made.create(name)
        made.start_controller()
        for name in ("w1", "w2"):
            made.engines(name, 2)
        made.ready({"w1": 2, "w2": 2})
        yield made
