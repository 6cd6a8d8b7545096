"""What can be wrong with the machine: a full disk, a wrong clock, nobody at a port."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FULL_BELOW_BYTES = 16 * 1024 * 1024
CGROUPS = Path("/sys/fs/cgroup")
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


def container() -> str | None:
    """The id of this container: Docker mounts files of a folder with that name, such as hosts."""
    found = re.search(r"/containers/([0-9a-f]{64})/", Path("/proc/self/mountinfo").read_text())
    return found and found[1]


def cores() -> int:
    """How many cores this container may use: its affinity, or less by its CPU quota."""
    allowed = len(os.sched_getaffinity(0))
    for quota, period in (_quota_v2(), _quota_v1()):
        if quota > 0 and period > 0:
            allowed = min(allowed, max(quota // period, 1))
    return allowed


def _quota_v2() -> tuple[int, int]:
    try:
        quota, period = (CGROUPS / "cpu.max").read_text().split()
        return int(quota), int(period)
    except (OSError, ValueError):  # "max" is no number: no limit
        return 0, 0


def _quota_v1() -> tuple[int, int]:
    try:
        quota = (CGROUPS / "cpu" / "cpu.cfs_quota_us").read_text()
        return int(quota), int((CGROUPS / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return 0, 0


def listens(port: int) -> bool:
    """Whether something in this container listens on a TCP port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "0A" and int(local.rsplit(":", 1)[1], 16) == port:
                return True
    return False


def clock(skew: float) -> dict[str, Any]:
    """By how much the controller's clock is ahead of ours, and whether that is too much."""
    return {"ahead_seconds": round(skew, 1), "off": abs(skew) > CLOCK_TOLERANCE_SECONDS}
