"""The other ways to a cluster, each as a script of its own."""

import json
import os
from pathlib import Path

from .hosts import Hosts
from .process import run

BENCH = Path(__file__).resolve().parents[1]
ROOT = BENCH.parent
SSH_PORT = 12200  # and up; below the ports that connections of this machine itself get
PREFIX = "ipp-bench-manual"
PLAIN_IMAGE = "ipyparallel-bench:plain"
DASK_IMAGE = "ipyparallel-bench:dask"


class Peers:
    """Runs the peers, with the images and the Python environment that they share."""

    def __init__(self, venv: Path) -> None:
        self.python = venv / "bin" / "python"
        self._environment = {
            **os.environ,
            "VENV": str(venv),
            "PREFIX": PREFIX,
            "SSH_PORT": str(SSH_PORT),
            "BRIDGE": bridge_address(),
            "PYTHONWARNINGS": "ignore",
        }

    def build_images(self, base_image: str) -> None:
        """Builds the image that the peers share, and Dask's with one more layer."""
        pins = dict(
            line.split("==")
            for line in (BENCH / "requirements.txt").read_text().split()
            if "==" in line
        )
        for target, tag in [("plain", PLAIN_IMAGE), ("dask", DASK_IMAGE)]:
            run(
                [
                    "docker", "build", "--quiet", "--tag", tag, "--target", target,
                    "--build-arg", f"BASE_IMAGE={base_image}",
                    "--build-arg", f"DISTRIBUTED={pins['distributed']}",
                    "--file", BENCH / "manual" / "Dockerfile", ROOT / "docker",
                ]
            )  # fmt: skip

    def manual(self, workers: int, engines: int, period: int | None = None) -> dict[str, float]:
        """The manual steps; milestones in seconds from the start."""
        periods = [] if period is None else [str(period)]
        return self._milestones(
            PLAIN_IMAGE, BENCH / "manual.sh", str(workers), str(engines), *periods
        )

    def ssh_launcher(
        self, workers: int, engines: int, hosts: Hosts | None = None
    ) -> dict[str, float]:
        """With hosts, the containers are there by turns; the controller is on this machine."""
        command = [self.python, BENCH / "rivals/ssh_launcher.py", str(workers), str(engines)]
        if hosts is None:
            return self._milestones(PLAIN_IMAGE, *command)
        return self._milestones(
            PLAIN_IMAGE, *command, *hosts.docker_urls(), BRIDGE=hosts.gateway, PATH=hosts.path
        )

    def dask(self, workers: int, processes: int) -> dict[str, float]:
        script = BENCH / "rivals/dask_ssh.py"
        return self._milestones(DASK_IMAGE, self.python, script, str(workers), str(processes))

    def _milestones(self, image: str, *command: str | Path, **more: str) -> dict[str, float]:
        output = run(command, {**self._environment, "IMAGE": image, **more})
        return json.loads(output.splitlines()[-1])


def bridge_address() -> str:
    """This machine's address on Docker's default bridge."""
    interfaces = json.loads(run(["ip", "-json", "-4", "address", "show", "docker0"]))
    return interfaces[0]["addr_info"][0]["local"]
