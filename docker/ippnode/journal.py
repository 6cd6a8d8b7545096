"""A record on disk of tasks that clients have sent and not yet had an answer to."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipyparallel import error
from jupyter_client.session import Session

from ippnode import ending

REWRITE_BYTES = 4 * 1024 * 1024


@dataclass
class Task:
    """A task that a client waits for."""

    id: str
    header: dict[str, Any]
    """The request's header: what a reply needs to be recognised."""
    engine: str | None = None
    """The ident of the engine that works on it; None while it waits."""

    @property
    def coalesced(self) -> bool:
        """Whether its client gets one answer to this task and those to other engines."""
        return self.id != self.header["msg_id"]


def lost_reply(session: Session, task: Task, why: str) -> list[bytes]:
    """The reply to a task that will never be answered otherwise."""
    try:
        raise error.EngineError(f"Task {task.id!r} was lost: {why}")
    except error.EngineError:
        content = error.wrap_exception()
    kind = task.header["msg_type"].replace("_request", "_reply")
    return session.serialize(session.msg(kind, content, parent=task.header))


def taken(path: Path) -> list[str]:
    """The ids of all tasks in a journal that another process writes, also of those answered."""
    changes = []
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            with suppress(ValueError):  # the last line of a full disk
                changes.append(json.loads(line))
    return [change[1]["id"] for change in changes if change[0] == "take"]


class Journal:
    """Appends one line for each change; nothing is lost when the process is killed.

    A full disk costs the record, never the task.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tasks: dict[str, Task] = {}
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                self._replay(line)
        self.orphans = dict(self.tasks)
        """Tasks that an earlier process took; their clients have new addresses now."""
        self._rewrite()

    def take(self, task: Task) -> None:
        """A task came in and waits, or waits again."""
        self.tasks[task.id] = task
        self._append(["take", vars(task)])

    def place(self, task: Task) -> None:
        """A task went to an engine, perhaps after it had waited."""
        known = task.id in self.tasks
        self.tasks[task.id] = task
        self._append(["place", task.id, task.engine] if known else ["take", vars(task)])

    def answer(self, id: str) -> None:
        """A task was answered, whether with a result or an error.

        While its process ends, the answer reaches nobody: the next one will ask for it again.
        """
        if ending.begun.is_set():
            return
        self.orphans.pop(id, None)
        if self.tasks.pop(id, None):
            self._append(["answer", id])

    def _replay(self, line: str) -> None:
        try:
            match json.loads(line):
                case ["take", record]:
                    self.tasks[record["id"]] = Task(**record)
                case ["place", id, engine]:
                    self.tasks[id].engine = engine
                case ["answer", id]:
                    self.tasks.pop(id, None)
        except (ValueError, KeyError, TypeError):
            pass  # the last line of a full disk

    def _append(self, change: list[Any]) -> None:
        line = json.dumps(change).encode() + b"\n"
        try:
            self.size += os.write(self.file, line)
            if self.size > REWRITE_BYTES + 1000 * len(self.tasks):
                os.close(self.file)
                self._rewrite()
        except OSError:
            pass

    def _rewrite(self) -> None:
        """Begin the file anew with what is still open."""
        lines = [json.dumps(["take", vars(task)]) + "\n" for task in self.tasks.values()]
        new = self.path.with_suffix(".new")
        self.size = sum(map(len, lines))
        try:
            new.write_text("".join(lines))
            new.replace(self.path)
        except OSError:
            new.unlink(missing_ok=True)
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
