"""Reading the rows of a table's parts, and what of them can't be used: how many rows, why, and where."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from hakken.errors import TableError
from hakken.model.arrays import Array, Int64s
from hakken.training.tables.parts import NO_OTHERS, Part, parts_of
from hakken.training.tables.values import texts

N_EXAMPLES = 5
"""Locations kept for each reason; further rows are only counted."""
ROW_BITS = 32
MALFORMED = "wrong number of fields"

T = TypeVar("T")


class RejectedRows:
    """Counts rejected rows by reason, and keeps the places of the first few.

    Attributes:
        n_read: number of rows that were read.
        dropped: reason → count.
        parts: the parts that were read, by their number in the table.
        first: reason → places of the first few.
        harmless: reasons for rows that are valid and have no effect.
    """

    def __init__(self, n_before: int = 0) -> None:
        self.n_read = 0
        self.dropped: Counter[str] = Counter()
        self._n_before = n_before  # parts of the table that others read
        self.parts: dict[int, Part] = {}
        self.first: dict[str, list[int]] = {}
        self.harmless: set[str] = set()

    def read(self, part: Part, wanted: Sequence[int]) -> Iterator[tuple[Int64s, list[pa.Array]]]:
        """Read a part as `Part.batches` does, each batch while the one before is used, and count malformed rows.

        Instead of the numbers of rows it yields their places, which differ in all parts and ascend.
        """
        number = self._n_before + len(self.parts)
        begin = number << ROW_BITS
        self.parts[number] = part
        batches = part.batches(wanted)
        with ThreadPoolExecutor(1) as thread:
            reading = thread.submit(next, batches, None)
            while batch := reading.result():
                reading = thread.submit(next, batches, None)
                rows, columns = batch
                self.n_read += len(rows)
                yield begin + rows, columns
        self.n_read += len(part.malformed)
        self.add(MALFORMED, [begin + row for row in part.malformed])

    def add(self, reason: str, places: Array | Sequence[int], *, harmless: bool = False) -> None:
        """Count rows, given by their ascending places; harmless ones are valid and have no effect."""
        if len(places):
            self.dropped[reason] += len(places)
            first = [*self.first.get(reason, ()), *map(int, places[:N_EXAMPLES])]
            self.first[reason] = sorted(first)[:N_EXAMPLES]
            self.harmless |= {reason} if harmless else set()

    def merge(self, other: "RejectedRows") -> None:
        """Add what was counted of other parts of the same table, or later of the same rows."""
        self.n_read += other.n_read
        self.dropped += other.dropped
        self.parts |= other.parts
        self.harmless |= other.harmless
        for reason, places in other.first.items():
            self.first[reason] = sorted([*self.first.get(reason, ()), *places])[:N_EXAMPLES]

    def examples(self) -> dict[str, tuple[str, ...]]:
        """Reason → locations of the first few rows, such as "ratings.csv, line 17"."""
        known: dict[int, str] = {}
        for number, part in self.parts.items():
            begin = number << ROW_BITS
            rows = {place - begin for some in self.first.values() for place in some if place >> ROW_BITS == number}
            known |= {begin + row: location for row, location in part.locations(rows).items()}
        return {reason: tuple(known[one] for one in some if one in known) for reason, some in self.first.items()}

    def refuse(self, but: str | None = None) -> None:
        """Refuse a table that has to be without faults, or without others than one.

        Raises:
            TableError: a row was rejected; the error names the first.
        """
        faults = self.first.keys() - self.harmless - {but}
        if faults:
            reason = min(faults, key=self.first.__getitem__)
            raise TableError(f"{self.examples()[reason][0]}: {reason}.")

    def none_usable(self, path: Path) -> TableError:
        """Error of a table of which no row can be used."""
        why = "".join(f": {reason}" for reason in self.dropped)
        return TableError(f"The table {path} holds no usable row{why}.")


def records(
    path: Path,
    rejected: RejectedRows,
    parse: Callable[[dict[str, str]], T | str],
    required: Iterable[str],
    *,
    optional: Iterable[str] = (),
    known_as: Mapping[str, Sequence[str]] = NO_OTHERS,
) -> Iterator[tuple[int, T]]:
    """Read rows of a table one by one: their places, and what they are parsed to.

    `parse` receives the fields by column, "" if missing; what is not UTF-8 became U+FFFD. It returns a text, the
    reason, for a row that can't be used. Columns are chosen as by `Part.choose`.

    Raises:
        TableError: the table can't be read to its end, or lacks a column.
    """
    for part in parts_of(path):
        chosen = part.choose(required, optional, known_as)
        for places, columns in rejected.read(part, [*chosen.values()]):
            for place, *fields in zip(places.tolist(), *map(texts, columns), strict=True):
                decoded = (field.decode(errors="replace").strip() for field in fields)
                found = parse(dict(zip(chosen, decoded, strict=True)))
                if isinstance(found, str):
                    rejected.add(found, [place])
                else:
                    yield place, found
