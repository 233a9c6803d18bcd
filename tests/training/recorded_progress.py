"""Someone who hears of progress, and remembers how much is done of how much."""

from collections.abc import Iterator
from contextlib import contextmanager

from hakken.training.progress import Advance


class RecordedProgress:
    """Hears of stages, one after the other; what is remembered is of the last, and what was done of all."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.done = 0

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:  # noqa: ARG002  # as the real one has it
        """Begin a stage."""
        self.total = total
        yield self._advance

    def _advance(self, units: int) -> None:
        self.done += units
