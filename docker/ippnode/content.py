"""What is in an image: Python, packages, our own files. Runs in an engine of each worker.

Where there is no registry each host builds its own image, and what was not pinned may differ.
"""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

OURS = Path("/opt/ipp")
CACHE = Path("/run/ipp/content.json")


def describe_content() -> dict[str, Any]:
    """The image's content and its id; worked out once for each start of a container."""
    if CACHE.exists():
        return json.loads(CACHE.read_text())
    rest = {
        "python": platform.python_version(),
        "packages": {**_python_packages(), **_debian_packages()},
        "files": _files(),
    }
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    content = {"id": hashlib.sha256(canonical.encode()).hexdigest(), **rest}
    new = CACHE.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(CACHE)
    return content


def _python_packages() -> dict[str, str]:
    return {f"python3 {found.name}": found.version for found in distributions()}


def _debian_packages() -> dict[str, str]:
    command = ["dpkg-query", "-W", "-f=${Package} ${Version}\\n"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {f"debian {name}": version for name, version in (line.split(" ") for line in lines)}


def _files() -> str:
    hashed = hashlib.sha256()
    for path in sorted(OURS.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            mode = path.stat().st_mode & 0o777
            hashed.update(f"{path} {mode:o} ".encode())
            hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()
