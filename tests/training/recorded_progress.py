"""A progress that records what it receives."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from hakken.training.progress import Advance


class RecordedProgress:
    """Records the total of each stage, and how much of it was done."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.done: Counter[str] = Counter()

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:  # noqa: ARG002  # interface
        self.totals[name] = total
        yield partial(self._advance, name)

    def _advance(self, name: str, units: int) -> None:
        self.done[name] += units
