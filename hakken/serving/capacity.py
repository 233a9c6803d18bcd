"""How many workers this machine, or the part of it that a container may use, has room for.

Quotas are those of Linux's control groups: https://docs.kernel.org/admin-guide/cgroup-v2.html and, for version 1,
https://docs.kernel.org/scheduler/sched-bwc.html.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

WORKER_BYTES = 128 * 2**20
"""Memory of a worker with the embedded model, and to spare; one's pages of the model are shared with the others."""
MIN_WORKERS = 2
"""So that one serves while the other is replaced."""


def default_workers(root: Path = Path("/")) -> int:
    """One worker for each core that may be used, since the work is computing, and no more than memory has room for.

    Args:
        root: where the file systems of the kernel are mounted; another one in tests.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [float(min(cores, os.cpu_count() or cores))]
    for directory in _groups(root):
        limits += _ratio(directory, "cpu.max"), _ratio(directory, "cpu.cfs_quota_us", "cpu.cfs_period_us")
        limits += (_number(directory / name) / WORKER_BYTES for name in ("memory.max", "memory.limit_in_bytes"))
    with suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / WORKER_BYTES)
    return max(MIN_WORKERS, math.ceil(min(limits)))


def _groups(root: Path) -> Iterator[Path]:
    """Directories of the control groups of this process and of those above them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        mounted = root / "sys/fs/cgroup" / controllers.removeprefix("name=")
        inner = mounted / path.lstrip("/")
        while inner != mounted.parent:
            yield inner
            inner = inner.parent


def _ratio(directory: Path, quota: str, period: str | None = None) -> float:
    """Processors that a group may use; infinite where it has no quota. Version 2 has quota and period in one file."""
    words = " ".join(_text(directory / name) for name in (quota, period) if name).split()
    try:
        used, of = map(float, words)
    except ValueError:  # "max", or no such file
        return math.inf
    return used / of if used > 0 and of > 0 else math.inf


def _number(path: Path) -> float:
    try:
        return float(_text(path))
    except ValueError:
        return math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
