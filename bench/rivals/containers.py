"""Worker containers as the manual steps have them, for peers that bring only their own launcher."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Containers:
    """Containers that are being started; `wait` returns once each has an answering sshd."""

    names: list[str]
    key: Path
    ports: list[int]
    started: list[Future]

    def wait(self) -> None:
        for future in self.started:
            future.result()

    def addresses(self) -> list[str]:
        """Addresses on the default bridge."""
        template = "{{.NetworkSettings.IPAddress}}"
        return _docker("inspect", "-f", template, *self.names).split()


def _docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True).stdout


def _start(image: str, name: str, port: int, public_key: Path) -> None:
    _docker(
        "run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:22",
        "-v", f"{public_key}:/home/ipp/.ssh/authorized_keys:ro", image,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as link:
            link.settimeout(1)
            if link.recv(4) == b"SSH-":
                return
        time.sleep(0.02)
    raise TimeoutError(f"container {name}: no SSH server on port {port} after 30 s")


@contextlib.contextmanager
def containers(workers: int) -> Iterator[Containers]:
    """Starts `workers` containers side by side; removes them at the end.

    Environment: IMAGE, PREFIX and SSH_PORT, as for manual.sh.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is removed then, too
    prefix, first_port = os.environ["PREFIX"], int(os.environ["SSH_PORT"])
    names = [f"{prefix}-w{number}" for number in range(1, workers + 1)]
    ports = [first_port + index for index in range(workers)]
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "id")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        public_key = key.with_suffix(".pub")
        try:
            with ThreadPoolExecutor(workers) as pool:
                started = [
                    pool.submit(_start, os.environ["IMAGE"], name, port, public_key)
                    for name, port in zip(names, ports, strict=True)
                ]
                yield Containers(names, key, ports, started)
        finally:
            subprocess.run(["docker", "rm", "-fv", *names], check=False, capture_output=True)


class Milestones:
    """When what was reached, in seconds from the making of this object."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.reached: dict[str, float] = {}

    def mark(self, name: str) -> None:
        self.reached[name] = round(time.monotonic() - self._start, 3)
