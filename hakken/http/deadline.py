"""The moment by which something must be done."""

import time
from collections.abc import Callable
from typing import Self

import msgspec


class Deadline(msgspec.Struct, frozen=True):
    """The moment by which something must be done, however many requests it takes."""

    moment: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """Set a deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0.0, self.moment - self.clock())

    def share(self, among: int) -> "Deadline":
        """Set a nearer deadline for the first of several that have what is left to divide between them."""
        return Deadline.after(self.left / among, self.clock)
