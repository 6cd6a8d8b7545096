"""What was last set up, so that what is changed by hand afterwards can be told."""

import hashlib
import secrets
from pathlib import Path
from typing import Any

from ippnode import paths
from ippnode.files import canonical, read_json, write_private


def note(files: list[Path]) -> None:
    """Take down that these files were just set up, under a new name."""
    content = {"applied": secrets.token_hex(4), "files": {str(p): _hash(p) for p in files}}
    write_private(paths.APPLIED, canonical(content))


def look(names: dict[Path, str]) -> dict[str, Any]:
    """The name of the last set-up (None before the first), and what has changed since, in words."""
    noted = read_json(paths.APPLIED)
    if not isinstance(noted, dict):
        present = [f"{name} was not set up" for path, name in names.items() if path.exists()]
        return {"applied": None, "drift": present}
    drift = []
    for path, name in names.items():
        found = _hash(path)
        if found != noted["files"].get(str(path)):
            drift.append(f"{name} is missing" if found is None else f"{name} was changed")
    return {"applied": noted["applied"], "drift": drift}


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
