"""Progress of a long computation, independent of how it is shown: a bar on a terminal, a log, a test."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of units that were completed."""


class Progress(Protocol):
    """Receives progress, stage by stage."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Begin a stage, which ends with the block.

        `total` and `unit`, in the plural, are those of the work, if known.
        """


class Silent:
    """Ignores progress."""

    def stage(self, *_: object) -> AbstractContextManager[Advance]:
        """Begin a stage."""
        return nullcontext(lambda _: None)


SILENT: Progress = Silent()
