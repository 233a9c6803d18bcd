"""Rows of a table that can't be used: how many, why, and where."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hakken.errors import TableError
from hakken.model.arrays import Array
from hakken.training.tables.parts import NO_OTHERS, Part, parts_of
from hakken.training.tables.values import texts

N_EXAMPLES = 5
"""Locations kept for each reason; further rows are only counted."""
ROW_BITS = 32
MALFORMED = "wrong number of fields"


class RejectedRows:
    """Counts rejected rows by reason, and keeps the places of the first few.

    Attributes:
        dropped: reason → count.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._parts: list[Part] = []
        self._first: dict[str, list[int]] = {}
        self._harmless: set[str] = set()

    def begin(self, part: Part) -> int:
        """Begin the next part: the place of its first row. Those of the others follow by their numbers."""
        self._parts.append(part)
        return (len(self._parts) - 1) << ROW_BITS

    def add(self, reason: str, places: Array | Sequence[int], *, harmless: bool = False) -> None:
        """Count rows, given by their ascending places; harmless ones are valid and have no effect."""
        if len(places):
            self.dropped[reason] += len(places)
            first = [*self._first.get(reason, ()), *map(int, places[:N_EXAMPLES])]
            self._first[reason] = sorted(first)[:N_EXAMPLES]
            self._harmless |= {reason} if harmless else set()

    def examples(self) -> dict[str, tuple[str, ...]]:
        """Reason → locations of the first few rows, such as "ratings.csv, line 17"."""
        known: dict[int, str] = {}
        for number, part in enumerate(self._parts):
            begin = number << ROW_BITS
            rows = {place - begin for some in self._first.values() for place in some if place >> ROW_BITS == number}
            known |= {begin + row: location for row, location in part.locations(rows).items()}
        return {reason: tuple(known[place] for place in some) for reason, some in self._first.items()}

    def refuse(self) -> None:
        """Refuse a table that has to be without faults.

        Raises:
            TableError: a row was rejected; the error names the first.
        """
        faults = self._first.keys() - self._harmless
        if faults:
            reason = min(faults, key=self._first.__getitem__)
            raise TableError(f"{self.examples()[reason][0]}: {reason}.")


def records(
    path: Path,
    rejected: RejectedRows,
    required: Iterable[str],
    optional: Iterable[str] = (),
    known_as: Mapping[str, Sequence[str]] = NO_OTHERS,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read rows of a table one by one: place, and fields by column; what is not UTF-8 becomes U+FFFD.

    Columns are chosen as by `OpenPart.choose`. Rows with the wrong number of fields are rejected.

    Raises:
        TableError: the table can't be read to its end, or lacks a column.
    """
    for part in parts_of(path):
        begin = rejected.begin(part)
        with part.opened() as table:
            chosen = table.choose(required, optional, known_as)
            for batch in table.batches(list(chosen.values())):
                fields = zip(*map(texts, batch.columns), strict=True)
                for row, of_row in zip(batch.rows.tolist(), fields, strict=True):
                    decoded = (field.decode(errors="replace").strip() for field in of_row)
                    yield begin + row, dict(zip(chosen, decoded, strict=True))
            rejected.add(MALFORMED, [begin + row for row in table.malformed])
