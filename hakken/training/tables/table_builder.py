"""Collect the usable rows of a table while it is read, and sort them at the end."""

from typing import NamedTuple

import numpy as np

from hakken.errors import TableError
from hakken.model.arrays import Array, Int8s, Int32s, Int64s
from hakken.training.tables.kernels import keys_by_user, sort_and_split
from hakken.training.tables.parts import Part
from hakken.training.tables.rating_table import RatingTable
from hakken.training.tables.rejected_rows import N_EXAMPLES, RejectedRows
from hakken.training.tables.row_checks import UsableRows

REPEATED = "a later row for the same user and anime"
MAX_ENTRIES = 2**32


class ValueNumbers:
    """Numbers distinct values in the order of their first occurrence, then by value."""

    def __init__(self) -> None:
        self._numbers: dict[int | bytes, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, values: list[int | bytes]) -> Int32s:
        """Number of each value, `(n_values,)` int32."""
        known = self._numbers
        return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int32)

    def sorted(self) -> list[int | bytes]:
        """Sorted values; the order of UTF-8 bytes is that of the characters."""
        return sorted(self._numbers)  # a column has numbers or names, never both

    def ranks(self) -> Int32s:
        """`(n_values,)` int32: rank of each value among the sorted ones, by number."""
        ranks = np.empty(len(self), dtype=np.int32)
        ranks[[self._numbers[value] for value in self.sorted()]] = np.arange(len(self), dtype=np.int32)
        return ranks


class RowLocations:
    """Lines of all entries, as runs of consecutive lines: one run per batch if no row was rejected."""

    def __init__(self) -> None:
        self._n_entries = 0
        self._parts: list[Part] = []
        self._starts: list[Int64s] = []
        self._lines: list[Int64s] = []

    def add(self, part: Part, lines: Int64s) -> None:
        """Add the lines of the next `len(lines)` entries."""
        runs = np.flatnonzero(np.diff(lines, prepend=-1) != 1)
        self._parts.append(part)
        self._starts.append(runs + self._n_entries)
        self._lines.append(lines[runs])
        self._n_entries += len(lines)

    def find(self, entry: int) -> str:
        """Describe the location of an entry."""
        batch = next(
            b for b in reversed(range(len(self._parts))) if self._starts[b].size and self._starts[b][0] <= entry
        )
        run = int(np.searchsorted(self._starts[batch], entry, side="right")) - 1
        line = self._lines[batch][run] + entry - self._starts[batch][run]
        return self._parts[batch].location(int(line))


class SortedEntries(NamedTuple):
    """Entries sorted by user and item.

    Attributes:
        users: `(n,)` int32.
        items: `(n,)` int32.
        positions: `(n,)` uint32, index of each entry in the order of reading.
        repeated: positions of entries that a later one replaced, ascending; they are not among the `n`.
    """

    users: Int32s
    items: Int32s
    positions: Array
    repeated: Array


class TableBuilder:
    """The entries read so far: 9 bytes each, or 10 if the table has statuses."""

    def __init__(self) -> None:
        self.rows = 0
        self._users, self._items = ValueNumbers(), ValueNumbers()
        self._locations = RowLocations()
        self._codes: tuple[list[Int32s], list[Int32s]] = ([], [])
        self._scores: list[Int8s] = []
        self._statuses: list[Int8s] = []
        self._updated = np.zeros(0, dtype=np.int32)

    def add(self, part: Part, kept: UsableRows) -> None:
        """Add the usable rows of the next batch."""
        self.rows += kept.rows
        self._locations.add(part, kept.lines)
        users = self._users.number(kept.users.values)
        self._codes[0].append(users[kept.users.codes])
        self._codes[1].append(self._items.number(kept.items.values)[kept.items.codes])
        self._scores.append(kept.scores)
        if kept.statuses is not None:
            self._statuses.append(kept.statuses)
        if kept.updated is not None:
            self._updated = np.pad(self._updated, (0, len(self._users) - len(self._updated)))
            self._updated[users] = np.maximum(self._updated[users], kept.updated)

    def __len__(self) -> int:
        return sum(map(len, self._scores))

    def table(self, rejected: RejectedRows) -> RatingTable:
        """Sort the entries; this frees them, and can be done once.

        Raises:
            TableError: there are too many entries, or a pair is repeated and `rejected` is strict.
        """
        if len(self) > MAX_ENTRIES:
            raise TableError(f"The table holds more than {MAX_ENTRIES:,} entries, which is more than we can number.")
        users, items = self._codes
        rank = self._users.ranks()
        # Neither array has another reference, so each is freed as soon as it was used.
        order = in_order(rank[_joined(users)], self._items.ranks()[_joined(items)], len(self._users))
        first = (self._locations.find(int(position)) for position in order.repeated[:N_EXAMPLES])
        rejected.add(REPEATED, len(order.repeated), first)
        return RatingTable(
            anime_ids=np.array(self._items.sorted(), dtype=np.int32),
            n_users=len(self._users),
            users=order.users,
            items=order.items,
            scores=_joined(self._scores)[order.positions],
            rows=self.rows,
            dropped=rejected.dropped,
            examples=rejected.examples,
            statuses=_joined(self._statuses)[order.positions] if self._statuses else np.zeros(0, np.int8),
            updated=self._updated[np.argsort(rank)] if len(self._updated) else self._updated,
            user_ids=self._users.sorted(),
        )


def in_order(users: Int32s, items: Int32s, n_users: int) -> SortedEntries:
    """Sort entries by user, then item; of repeated pairs the last one is kept.

    Args:
        users: `(n,)` int32, from 0; each user has an entry.
        items: `(n,)` int32.
        n_users: number of users.
    """
    counts = np.bincount(users, minlength=n_users)
    begins = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    keys = keys_by_user(users, items, begins)
    del users, items
    items, positions = np.empty(len(keys), dtype=np.int32), np.empty(len(keys), dtype=np.uint32)
    sort_and_split(keys, begins, items, positions)
    del keys
    users = np.repeat(np.arange(n_users, dtype=np.int32), counts)
    last = np.append(items[1:] != items[:-1], True)
    last[begins[1:] - 1] = True  # each user's last entry
    if last.all():
        return SortedEntries(users, items, positions, np.zeros(0, dtype=np.uint32))
    return SortedEntries(users[last], items[last], positions[last], np.sort(positions[~last]))


def _joined(chunks: list[Array]) -> Array:
    """Concatenate arrays, and free them."""
    whole = np.concatenate(chunks)
    chunks.clear()
    return whole
