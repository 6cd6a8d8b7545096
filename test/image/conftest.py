"""What the tests of the image share: where its code is, and the image itself."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCKER = HERE.parent.parent / "docker"
sys.path[:0] = [str(HERE), str(DOCKER)]

BASE = "ipyparallel-base:3.11-bookworm"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: needs the machine's Docker")


@pytest.fixture(scope="session")
def image() -> str:
    """The image, built from docker/ (from the local base image where there is one)."""
    tag = "ippimg-test"
    local = subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False)
    base = ["--build-arg", f"BASE_IMAGE={BASE}"] if local.returncode == 0 else []
    subprocess.run(["docker", "build", "-q", "-t", tag, *base, str(DOCKER)], check=True)
    return tag


@pytest.fixture(scope="module")
def cluster(image: str) -> Iterator["object"]:
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
