"""Locks Python packages: what they bring, each in one version and with the hashes of its files.

Reads `{"packages": [...], "pins": [...], "python": "3.11"}` from standard input, prints a
requirements file for `pip install --require-hashes`. Only files that an image can install have
their hash in it: source, and wheels for Linux, of every architecture, and that Python.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from uv import find_uv_bin


def resolve(packages: list[str], pins: list[str], python: str) -> list[dict[str, Any]]:
    """What is to be installed, as the packages of a `pylock.toml`; the pins stay as they are."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "pins.txt")
        constraints.write_text("\n".join(pins))
        command = [find_uv_bin(), "pip", "compile", "-", "--quiet", "--no-config", "--universal"]
        command += ["--python", sys.executable, "--python-version", python]
        command += ["--constraints", str(constraints), "--format", "pylock.toml"]
        command += ["--cache-dir", str(Path(folder, "cache")), "--system-certs"]
        done = subprocess.run(command, input="\n".join(packages), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return tomllib.loads(done.stdout).get("packages", [])


def files(package: dict[str, Any], python: str) -> list[str]:
    """The hashes of a package's files that can be installed."""
    kinds = [package.get("sdist"), package.get("archive"), *package.get("wheels", [])]
    usable = [one for one in kinds if one is not None and fits(one.get("url", ""), python)]
    return sorted({one["hashes"]["sha256"] for one in usable})


def fits(url: str, python: str) -> bool:
    """Whether a file is a wheel for this Python on Debian, or no wheel at all."""
    own = "cp" + python.replace(".", "")
    name = url.rsplit("/", 1)[-1]
    if not name.endswith(".whl"):
        return True
    tag, abi, platform = name.removesuffix(".whl").split("-")[-3:]
    ours = abi in (own, "abi3") or (abi == "none" and (tag == own or "py3" in tag.split(".")))
    return ours and (platform == "any" or "manylinux" in platform or platform.startswith("linux"))


def requirement(package: dict[str, Any], python: str) -> str:
    """One entry of the requirements file."""
    hashes = files(package, python)
    if not hashes:
        sys.exit(f"{package['name']} has no file with a hash: name a released version")
    where = f" @ {package['archive']['url']}" if "archive" in package else f"=={package['version']}"
    marker = f" ; {package['marker']}" if "marker" in package else ""
    lines = [f"{package['name']}{where}{marker}", *(f"--hash=sha256:{one}" for one in hashes)]
    return " \\\n    ".join(lines)


def main() -> None:
    """Resolve and print."""
    wanted = json.load(sys.stdin)
    for package in resolve(**wanted):
        print(requirement(package, wanted["python"]))


if __name__ == "__main__":
    main()
