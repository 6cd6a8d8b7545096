"""What can be wrong with the machine: a full disk, a wrong clock."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FULL_BELOW_BYTES = 16 * 1024 * 1024
CLOCK_TOLERANCE_SECONDS = 60.0


def disks(folders: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Free bytes of each folder's file system, and whether that counts as full."""
    found = {}
    for folder in folders:
        stat = os.statvfs(folder)
        free = stat.f_bavail * stat.f_frsize
        small = stat.f_blocks * stat.f_frsize // 10
        found[str(folder)] = {"free": free, "full": free < min(FULL_BELOW_BYTES, small)}
    return found


def clock(skew: float) -> dict[str, Any]:
    """By how much the controller's clock is ahead of ours, and whether that is too much."""
    return {"ahead_seconds": round(skew, 1), "off": abs(skew) > CLOCK_TOLERANCE_SECONDS}
