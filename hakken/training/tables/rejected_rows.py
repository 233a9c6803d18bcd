"""What can't be used of a table: how much, why, and where."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from hakken.errors import TableError

N_EXAMPLES = 5
"""RowLocations named for each reason; the rest is only counted."""


class RejectedRows:
    """Counts what is left out, by reason, and keeps the first few places of each; or refuses the first.

    Attributes:
        dropped: reason → how many.
    """

    def __init__(self, *, strict: bool) -> None:
        self.dropped: Counter[str] = Counter()
        self._strict = strict
        self._places: dict[str, list[str]] = {}

    def add(self, reason: str, count: int, places: Iterable[str]) -> None:
        """Note that `count` rows can't be used; `places` are where the first of them are, in their order.

        Raises:
            TableError: such rows are refused, and there is one.
        """
        self.note(reason, count, places)
        if count and self._strict:
            raise TableError(f"{self._places[reason][0]}: {reason}.")

    def note(self, reason: str, count: int, places: Iterable[str]) -> None:
        """Note the same of rows with which nothing is wrong."""
        if count:
            self.dropped[reason] += count
            known = self._places.setdefault(reason, [])
            known.extend(islice(places, N_EXAMPLES - len(known)))

    @property
    def examples(self) -> dict[str, tuple[str, ...]]:
        """Reason → the first few places, such as "ratings.csv, line 17"."""
        return {reason: tuple(places) for reason, places in self._places.items()}
