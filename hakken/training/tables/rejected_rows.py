"""Rows of a table that can't be used: how many, why, and where."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from hakken.errors import TableError

N_EXAMPLES = 5
"""Locations kept for each reason; further rows are only counted."""


class RejectedRows:
    """Counts rejected rows by reason, with the locations of the first few; if strict, raises an error for the first.

    Attributes:
        dropped: reason → count.
    """

    def __init__(self, *, strict: bool) -> None:
        self.dropped: Counter[str] = Counter()
        self._strict = strict
        self._locations: dict[str, list[str]] = {}

    def add(self, reason: str, count: int, locations: Iterable[str]) -> None:
        """Count rows that can't be used; `locations` are those of the first, in their order.

        Raises:
            TableError: there is such a row, and the table is read strictly.
        """
        self.note(reason, count, locations)
        if count and self._strict:
            raise TableError(f"{self._locations[reason][0]}: {reason}.")

    def note(self, reason: str, count: int, locations: Iterable[str]) -> None:
        """Count rows that are valid but have no effect."""
        if count:
            self.dropped[reason] += count
            known = self._locations.setdefault(reason, [])
            known.extend(islice(locations, N_EXAMPLES - len(known)))

    @property
    def examples(self) -> dict[str, tuple[str, ...]]:
        """Reason → locations of the first few rows, such as "ratings.csv, line 17"."""
        return {reason: tuple(some) for reason, some in self._locations.items()}
