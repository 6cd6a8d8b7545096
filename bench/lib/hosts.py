"""Other machines: hosts of the test suite, each with its own address, sshd and dockerd."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .process import Failed

BENCH = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Hosts:
    """What has to be known of them."""

    declared: dict[str, dict[str, str]]
    """`hosts` of a stack file."""
    gateway: str
    """This machine's address, as they see it."""
    path: str
    """A PATH with an `ssh` that has the key to log in there."""

    def docker_urls(self) -> list[str]:
        return [host["docker"] for host in self.declared.values()]


class NoHosts(Exception):
    """Hosts can't be made on this machine; the message says what is missing."""


@contextlib.contextmanager
def hosts(count: int, *images: str) -> Iterator[Hosts]:
    """Makes hosts that have the images; removes them at the end."""
    with subprocess.Popen(
        ["node", "-r", "ts-node/register/transpile-only", "hosts.ts", str(count), *images],
        cwd=BENCH,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as maker:
        try:
            line = maker.stdout.readline()
            if not line:
                raise Failed(f"the hosts were not made:\nerror: {maker.stderr.read()}")
            told = json.loads(line)
            if "missing" in told:
                raise NoHosts(f"test hosts need {', '.join(told['missing'])}")
            yield Hosts(**told)
        finally:
            maker.stdin.close()
            maker.wait()
