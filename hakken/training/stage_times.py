"""What each stage took: seconds, and the peak of the process's resident memory."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hakken.training.progress import SILENT, Advance, Progress

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to `clear_refs`, lets the peak begin anew from what is resident now (Linux, proc(5))."""


class Stage(NamedTuple):
    """What one stage took.

    Attributes:
        name: as it was announced.
        seconds: from its beginning to its end.
        peak: most memory resident at once while it ran, bytes; None where the system tells it of the whole run only.
    """

    name: str
    seconds: float
    peak: int | None


class StageTimer:
    """Passes stages on to someone who shows them, and notes what each took.

    Attributes:
        stages: those that have ended, in that order.
    """

    def __init__(self, shown: Progress = SILENT) -> None:
        self.stages: list[Stage] = []
        self._shown = shown
        self._began = time.perf_counter()
        self._highest = 0
        self._open: list[int] = []

    @property
    def seconds(self) -> float:
        """Since measuring began."""
        return time.perf_counter() - self._began

    @property
    def peak(self) -> int:
        """Most memory resident at once so far, between stages too, bytes."""
        self._look()
        return self._highest

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Begin a stage; one within another counts for both."""
        self._look()
        by_stage = _reset_peak()
        self._open.append(0)
        began = time.perf_counter()
        try:
            with self._shown.stage(name, total, unit) as advance:
                yield advance
        finally:
            self._look()
            peak = self._open.pop()
        self.stages.append(Stage(name, time.perf_counter() - began, peak if by_stage else None))

    def _look(self) -> None:
        now = _peak()
        self._highest = max(self._highest, now)
        self._open = [max(one, now) for one in self._open]


def _peak() -> int:
    try:
        text = STATUS.read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


def _reset_peak() -> bool:
    """Let the peak begin anew, if the system can."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return False
    return True
