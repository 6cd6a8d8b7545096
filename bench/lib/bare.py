"""Bare ipyparallel on this machine: ipcontroller and ipengines, started from the shell."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import ipyparallel as ipp

from .process import end


@contextlib.contextmanager
def bare_cluster(venv_bin: Path, engines: int, curve: bool) -> Iterator[Path]:
    """Starts a controller and engines; gives the client's connection file once all are there."""
    with tempfile.TemporaryDirectory(prefix="ipyparallel-bare-") as folder:
        environment = {**os.environ, "IPYTHONDIR": folder}
        processes: list[subprocess.Popen] = []

        def start(program: str, *args: str) -> None:
            with Path(folder, f"{len(processes)}.log").open("w") as log:
                command = [venv_bin / program, "--profile=bare", *args]
                processes.append(
                    subprocess.Popen(
                        command, env=environment, stdout=log, stderr=log, start_new_session=True
                    )
                )

        try:
            start("ipcontroller", "--init", f"--IPController.enable_curve={curve}")
            file = Path(folder, "profile_bare", "security", "ipcontroller-client.json")
            deadline = time.monotonic() + 30
            while not (file.exists() and file.read_text().rstrip().endswith("}")):
                if time.monotonic() > deadline:
                    raise TimeoutError("ipcontroller has not written its connection file in 30 s")
                time.sleep(0.05)
            for _ in range(engines):
                start("ipengine")
            with ipp.Client(str(file), timeout=30) as client:
                client.wait_for_engines(engines, timeout=60, interactive=False)
            yield file
        finally:
            for process in reversed(processes):
                end(process)
