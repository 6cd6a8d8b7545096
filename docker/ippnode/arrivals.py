"""Notices messages of clients that were lost when the controller was killed.

What a client has sent, and no process of the controller had read before it was killed, is nowhere.
But a client numbers what it sends, to whichever scheduler. So once messages come again from a
client that was there before, numbers that are still missing after a while tell what was lost.
"""

import os
from contextlib import suppress
from pathlib import Path

KEEP = 256
"""How many numbers of a session are remembered, the latest."""
KEEP_SESSIONS = 64
REWRITE_BYTES = 1024 * 1024


def split(id: str) -> tuple[str, int] | None:
    """The session and the number of a message; None where the id is of another kind."""
    session, _, number = id.rpartition("_")
    return (session, int(number)) if session and number.isdecimal() else None


class Arrivals:
    """The numbers of the messages that clients have sent, also of those before a restart.

    A full disk costs the record, nothing else.
    """

    def __init__(self, path: Path, more: list[str]) -> None:
        """Read the ids in `path`, and add some more that are known from before a restart."""
        self.path = path
        self.sessions: dict[str, set[int]] = {}
        self.unsettled: set[str] = set()
        """Sessions of which it is not known yet what was lost; all their numbers are kept."""
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        for id in [*lines, *more]:
            self._add(id)
        self.silent = set(self.sessions)
        """Sessions of before the restart that have not been heard of since."""
        self.unsettled |= self.silent
        self._rewrite()

    def note(self, id: str, lasting: bool = True) -> str | None:
        """A message came in; `lasting` means that it can't be lost any more.

        Returns its session if that has not been heard of since the restart.
        """
        if lasting:
            self._append(id)
        session = self._add(id)
        if session not in self.silent:
            return None
        self.silent.discard(session)
        return session

    def knows(self, id: str) -> bool:
        """Whether this is a message of a session that has sent tasks."""
        return (parts := split(id)) is not None and parts[0] in self.sessions

    def latest(self, session: str) -> int:
        """The highest number of a session."""
        return max(self.sessions[session])

    def take_missing(self, session: str, up_to: int) -> list[str]:
        """The ids up to a number that have not come; from then on they count as known."""
        numbers = self.sessions[session]
        missing = [n for n in range(min(numbers), up_to) if n not in numbers]
        self.unsettled.discard(session)
        ids = [f"{session}_{number}" for number in missing]
        for id in ids:
            self.note(id)
        return ids

    def _add(self, id: str) -> str | None:
        if (parts := split(id)) is None:
            return None
        session, number = parts
        numbers = self.sessions.pop(session, set())
        self.sessions[session] = numbers  # the latest is the last
        numbers.add(number)
        if len(numbers) > 2 * KEEP and session not in self.unsettled:
            numbers.intersection_update(sorted(numbers)[-KEEP:])
        return session

    def _append(self, id: str) -> None:
        with suppress(OSError):
            self.size += os.write(self.file, f"{id}\n".encode())
            if self.size > self.enough:
                os.close(self.file)
                self._rewrite()

    def _rewrite(self) -> None:
        """Begin the file anew with what is remembered of the latest sessions."""
        self.sessions = dict(list(self.sessions.items())[-KEEP_SESSIONS:])
        ids = [f"{session}_{n}\n" for session, known in self.sessions.items() for n in known]
        new = self.path.with_suffix(".new")
        self.size = sum(map(len, ids))
        self.enough = self.size + REWRITE_BYTES
        try:
            new.write_text("".join(ids))
            new.replace(self.path)
        except OSError:
            new.unlink(missing_ok=True)
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
