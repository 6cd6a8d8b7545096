"""Files that are never seen half-written."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str) -> bool:
    """Write `text` for this user alone (0600), whole or not at all; False if it was there."""
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == 0o600:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return True


def is_gone(path: Path) -> bool:
    """Whether there is no such file; False also where that can't be told."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def canonical(value: Any) -> str:
    """The one JSON text of a value: equal values have equal text (sorted keys, no spaces)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_json(path: Path) -> Any:
    """What a JSON file holds, or None when it is missing or broken."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def digest(value: Any) -> str | None:
    """SHA-256 of a value's canonical JSON, in hexadecimal; None for None."""
    return None if value is None else hashlib.sha256(canonical(value).encode()).hexdigest()
