"""Seconds and peak resident memory of each stage."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from hakken.training.progress import SILENT, Advance, Progress

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
"""Writing "5" to it resets the peak to what is resident now (Linux, proc(5))."""


class Stage(NamedTuple):
    """Cost of one stage.

    `peak` is the peak resident memory while it ran, bytes; None if the system reports only the peak of the whole run.
    """

    name: str
    seconds: float
    peak: int | None


class StageTimer:
    """Forwards stages, and records the cost of each that ended in `stages`."""

    def __init__(self, shown: Progress = SILENT) -> None:
        self.stages: list[Stage] = []
        self._shown = shown
        self._began = time.perf_counter()
        self._highest = 0

    @property
    def seconds(self) -> float:
        """Seconds since measuring began."""
        return time.perf_counter() - self._began

    @property
    def peak(self) -> int:
        """Peak resident memory so far, between stages too, bytes."""
        return max(self._highest, peak_memory())

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Begin a stage; stages must not be nested."""
        self._highest = self.peak
        by_stage = False  # unless the system can reset the peak
        with suppress(OSError):
            CLEAR.write_text("5")
            by_stage = True
        began = time.perf_counter()
        with self._shown.stage(name, total, unit) as advance:
            yield advance
        peak = peak_memory()
        self._highest = max(self._highest, peak)  # the system's figure is approximate: read later, it may be lower
        self.stages.append(Stage(name, time.perf_counter() - began, peak if by_stage else None))


def peak_memory() -> int:
    """Peak resident memory of this process so far, or since it was reset, bytes."""
    try:
        text = STATUS.read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024
