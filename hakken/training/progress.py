"""How training says where it is, without knowing who listens."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]
"""Told how many more units of a stage's work are done."""


class Progress(Protocol):
    """Someone who wants to know where training is: a bar at a terminal, a log, a test."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Begin a stage, which ends with the block.

        Args:
            name: what is done, such as "similarities".
            total: units of work in all, where known.
            unit: what they are, in the plural, such as "anime".
        """


class Silent:
    """Nobody listens."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:  # noqa: ARG002  # no bar
        """Begin a stage, unheard."""
        return nullcontext(lambda _: None)


SILENT = Silent()
