"""What can be wrong with the machine: full disks or memory, a wrong clock, nobody at a port."""

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

FULL_BELOW_BYTES = 16 * 1024 * 1024
CGROUPS = Path("/sys/fs/cgroup")
RECENT_SECONDS = 5.0
"""How long after the kernel has ended a process for want of memory that explains an end."""
MEMORY_FOLDERS = (Path("/tmp"), Path("/run"), Path("/dev/shm"))
"""Folders whose files may be kept in memory."""
NO_LIMIT_FROM = 2**60
"""What stands for no limit in the first version of control groups."""
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


class MemoryKills:
    """Notices when the kernel ends processes of this container for want of memory."""

    def __init__(self) -> None:
        self.count = _memory_kills()
        self.changed_at = float("-inf")

    def look(self) -> None:
        """Compare the kernel's count with the last one."""
        count = _memory_kills()
        if count != self.count:
            self.count, self.changed_at = count, time.monotonic()

    def recent(self) -> bool:
        """Whether it has just ended one."""
        self.look()
        return time.monotonic() - self.changed_at < RECENT_SECONDS


def out_of_memory() -> str:
    """Words for the end of a process for which there was no memory."""
    limit = _memory_limit()
    if limit is None:
        return "out of memory"
    files = [f"{_mib(size)} in {folder}" for folder, size in _in_memory(MEMORY_FOLDERS).items()]
    held = f", of which files take {' and '.join(files)}" if files else ""
    return f"out of memory (the container may use {_mib(limit)}{held})"


def _mib(size: int) -> str:
    return f"{size // 2**20} MiB"


def _memory_kills() -> int:
    for file in (CGROUPS / "memory.events", CGROUPS / "memory" / "memory.oom_control"):
        with suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def _memory_limit() -> int | None:
    for file in (CGROUPS / "memory.max", CGROUPS / "memory" / "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" is no number: no limit
            limit = int(file.read_text())
            return limit if limit < NO_LIMIT_FROM else None
    return None


def _in_memory(folders: Iterable[Path]) -> dict[str, int]:
    types = {
        mount: kind
        for _, mount, kind, *_ in map(str.split, Path("/proc/mounts").read_text().splitlines())
    }
    taken = {}
    for folder in folders:
        if types.get(str(folder)) == "tmpfs":
            stat = os.statvfs(folder)
            size = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
            if size >= 2**20:
                taken[str(folder)] = size
    return taken


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
