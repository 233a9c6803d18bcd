"""What a figure was measured on; each benchmark prints it first."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def describe(*packages: str) -> str:
    """The date, the processor, the cores this process may use, Python, and the versions of some packages."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    libraries = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{datetime.now(UTC):%Y-%m-%d}, {model}, {cores} cores, Python {platform.python_version()}, {libraries}"


def memory_mb(field: str) -> float:
    """One of this process's memory figures, such as `Pss` or `Private_Dirty`, in MB (Linux)."""
    for line in _lines(Path("/proc/self/smaps_rollup")):
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) / 1024
    return float("nan")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
