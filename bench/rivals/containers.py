"""Worker containers as the manual steps have them, for peers that bring only their own launcher."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

THIS_MACHINE = ""


# Another host has no file of this machine that could be mounted, so the key is an argument.
SSHD = """
  mkdir /home/ipp/.ssh
  echo "$0" >/home/ipp/.ssh/authorized_keys
  exec /usr/sbin/sshd -D -e
"""


@dataclass
class Containers:
    """Containers that are being started; `wait` returns once each has an answering sshd."""

    names: list[str]
    key: Path
    sshds: list[tuple[str, int]]
    """Address and port of each."""
    started: list[Future]

    def wait(self) -> None:
        for future in self.started:
            future.result()

    def addresses(self) -> list[str]:
        """Addresses on the default bridge of this machine."""
        template = "{{.NetworkSettings.IPAddress}}"
        return _docker(THIS_MACHINE, "inspect", "-f", template, *self.names).split()


def _docker(host: str, *args: str) -> str:
    command = ["docker", *(["-H", host] if host else []), *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _address(host: str) -> str:
    return urlsplit(host).hostname or "127.0.0.1"


def _start(host: str, image: str, name: str, port: int, public_key: str) -> None:
    address = _address(host)
    _docker(
        host, "run", "-d", "--name", name, "-p", f"{address}:{port}:22",
        image, "sh", "-c", SSHD, public_key,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1) as link:
            link.settimeout(1)
            if link.recv(4) == b"SSH-":
                return
        time.sleep(0.02)
    raise TimeoutError(f"container {name}: no SSH server on port {port} after 30 s")


@contextlib.contextmanager
def containers(workers: int, hosts: Sequence[str] = ()) -> Iterator[Containers]:
    """Starts `workers` containers side by side, on the hosts by turns; removes them at the end.

    Hosts are as for `docker -H`; without any, all are on this machine.
    Environment: IMAGE, PREFIX and SSH_PORT, as for manual.sh.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is removed then, too
    image, prefix = os.environ["IMAGE"], os.environ["PREFIX"]
    first_port = int(os.environ["SSH_PORT"])
    names = [f"{prefix}-w{number}" for number in range(1, workers + 1)]
    ports = [first_port + index for index in range(workers)]
    places = list(islice(cycle(hosts or [THIS_MACHINE]), workers))
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "id")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        public_key = key.with_suffix(".pub").read_text().strip()
        sshds = [(_address(host), port) for host, port in zip(places, ports, strict=True)]
        try:
            with ThreadPoolExecutor(workers) as pool:
                started = [
                    pool.submit(_start, host, image, name, port, public_key)
                    for host, name, port in zip(places, names, ports, strict=True)
                ]
                yield Containers(names, key, sshds, started)
        finally:
            for host in dict.fromkeys(places):
                with contextlib.suppress(subprocess.CalledProcessError):
                    _docker(host, "rm", "-fv", *names)


class Milestones:
    """When what was reached, in seconds from the making of this object."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.reached: dict[str, float] = {}

    def mark(self, name: str) -> None:
        self.reached[name] = round(time.monotonic() - self._start, 3)
