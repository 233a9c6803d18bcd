"""Progress interface, independent of how progress is shown."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of units that were completed."""


class Progress(Protocol):
    """Receives the progress of a long computation: a bar on a terminal, a log, a test."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Begin a stage, which ends with the block.

        `total` and `unit`, in the plural, are those of the work, if known.
        """


class Silent:
    """Ignores progress."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:  # noqa: ARG002  # no bar
        """Begin a stage."""
        return nullcontext(lambda _: None)


SILENT = Silent()
