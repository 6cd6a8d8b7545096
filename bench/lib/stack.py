"""Stacks of the bench's own, each with a copy of the program, state, ports and IPython folder."""

import contextlib
import gzip
import json
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .log import say
from .process import Failed, run

ROOT = Path(__file__).resolve().parents[2]

# What the program is made of. node_modules is linked, the rest is copied, so that nothing changes
# under a run's feet.
PROGRAM = [
    "Pulumi.yaml", "package.json", "tsconfig.json",
    "program.cjs", "index.ts", "components", "config", "docker",
]  # fmt: skip


@dataclass
class Event:
    """An event of Pulumi's engine."""

    seconds: float
    """Since the command was started."""
    kind: str
    """`resourcePreEvent`, `resOutputsEvent`, ..."""
    name: str = ""
    """The resource's name."""
    type: str = ""
    """The resource's type."""


@dataclass
class Operation:
    """A Pulumi command that has ended."""

    seconds: float
    cpu_seconds: float
    """Of Pulumi, its program and its plugins, on all cores."""
    events: list[Event] = field(default_factory=list)

    def last(self, kind: str, type_: str, name_end: str = "") -> float | None:
        """When the last such event came."""
        times = [
            event.seconds
            for event in self.events
            if event.kind == kind and event.type == type_ and event.name.endswith(name_end)
        ]
        return max(times, default=None)

    def first(self, kind: str, type_: str | None = None) -> float | None:
        """When the first such event came."""
        times = [
            event.seconds
            for event in self.events
            if event.kind == kind and (type_ is None or event.type == type_)
        ]
        return min(times, default=None)


class Stack:
    """A stack; `with` removes all of it at the end."""

    def __init__(self, name: str, config: dict, program: Path | None = None) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"ipyparallel-{name}-"))
        self._program = program
        self.ipython = self.folder / "ipython"
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CREDENTIALS_PATH": str(self.folder / "credentials"),
            "PULUMI_CONFIG_PASSPHRASE": "only for a measurement",
            "PULUMI_DIY_BACKEND_GZIP": "true",  # as the project's own scripts have it
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
            "PULUMI_STACK": name,
            "PULUMI_DEBUG_COMMANDS": "true",  # without it there is no --event-log
            "IPYTHONDIR": str(self.ipython),
        }
        self._environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        self.config = config

    def __enter__(self) -> "Stack":
        remove_docker_objects(self.name)
        (self.folder / "state").mkdir()
        if self._program is None:
            for part in PROGRAM:
                copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
                copy(ROOT / part, self.folder / part)
            base_image = ROOT / ".local" / "base-image"
            if base_image.exists():
                (self.folder / ".local").mkdir()
                shutil.copy2(base_image, self.folder / ".local" / "base-image")
        else:
            shutil.copytree(self._program, self.folder, dirs_exist_ok=True)
            for part in ["package.json", "tsconfig.json"]:
                shutil.copy2(ROOT / part, self.folder / part)
        (self.folder / "node_modules").symlink_to(ROOT / "node_modules")
        (self.folder / "stacks").mkdir()
        try:
            self._pulumi("stack", "init", self.name)
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        self.declare(self.config)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with contextlib.suppress(Failed):
                self.destroy()
        finally:
            remove_docker_objects(self.name)
            shutil.rmtree(self.folder, ignore_errors=True)

    def declare(self, config: dict) -> None:
        """Writes the stack file."""
        self.config = config
        text = json.dumps({"config": config})
        (self.folder / "stacks" / f"Pulumi.{self.name}.yaml").write_text(text)

    def up(self, *args: str) -> Operation:
        return self._operation("up", "--yes", "--skip-preview", "--suppress-outputs", *args)

    def preview(self) -> Operation:
        return self._operation("preview")

    def destroy(self, *args: str) -> Operation:
        return self._operation("destroy", "--yes", "--skip-preview", *args)

    def resources(self) -> list[dict]:
        """The resources in the state."""
        return json.loads(self._pulumi("stack", "export"))["deployment"].get("resources", [])

    def state_bytes(self) -> tuple[int, int]:
        """The size of the state file, and that of the text in it, which has no indentation."""
        (file,) = (self.folder / "state").glob(f".pulumi/stacks/*/{self.name}.json.gz")
        return file.stat().st_size, len(gzip.decompress(file.read_bytes()))

    def environment(self) -> dict[str, str]:
        """For a client of the cluster."""
        return self._environment

    def _operation(self, *args: str) -> Operation:
        """Runs a command and notes when each of its events comes, through a named pipe."""
        pipe = self.folder / "events"
        os.mkfifo(pipe)
        events: list[Event] = []
        cpu = _children_cpu_seconds()
        begin = time.monotonic()

        def read() -> None:
            with pipe.open() as lines:
                for line in lines:
                    if '"diagnosticEvent"' not in line[:200]:
                        events.append(_event(time.monotonic() - begin, json.loads(line)))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            self._pulumi(*args, "--event-log", str(pipe), "--non-interactive")
            seconds = time.monotonic() - begin
        finally:
            # Where the command failed before it opened the pipe, the reader still waits for it.
            with contextlib.suppress(OSError):
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            reader.join(10)
            pipe.unlink()
        say(f"  {self.name}: {args[0]} took {seconds:.1f} s")
        return Operation(seconds, _children_cpu_seconds() - cpu, events)

    def _pulumi(self, *args: str) -> str:
        return run(["pulumi", "-C", self.folder, *args], self._environment)


def _children_cpu_seconds() -> float:
    """Of all children of this process that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _event(seconds: float, event: dict) -> Event:
    kind = next((key for key in event if key not in ("sequence", "timestamp")), "")
    metadata = event[kind].get("metadata") if kind else None
    if not isinstance(metadata, dict) or "urn" not in metadata:
        return Event(seconds, kind)
    return Event(seconds, kind, metadata["urn"].split("::")[-1], metadata["type"])


def remove_docker_objects(cluster: str) -> None:
    """Removes what a cluster has on this machine's Docker, if no destroy has removed it."""
    label = f"label=ipyparallel.cluster={cluster}"
    for listing, removal in [
        (["ps", "-aq"], ["rm", "-fv"]),
        (["network", "ls", "-q"], ["network", "rm"]),
        (["volume", "ls", "-q"], ["volume", "rm", "-f"]),
    ]:
        found = subprocess.run(
            ["docker", *listing, "--filter", label], capture_output=True, text=True, check=True
        ).stdout.split()
        if found:
            subprocess.run(["docker", *removal, *found], capture_output=True, check=False)
