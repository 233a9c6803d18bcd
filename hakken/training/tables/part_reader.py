"""Read one part of a table, CSV or Parquet: its columns, and its rows by batch or one by one."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from hakken.errors import TableError
from hakken.ratings import MAX_ANIME_ID
from hakken.training.tables.column_values import Batch, Load, listed, texts
from hakken.training.tables.csv_blocks import CsvPart
from hakken.training.tables.parts import Part, readable

PARQUET_BATCH_ROWS = 1 << 17
ANIME_ID = re.compile(r"[0-9]{1,10}")


class ParquetPart:
    """An open Parquet part, whose rows can be read once.

    Attributes:
        columns: names of all its columns.
    """

    def __init__(self, raw: pa.NativeFile) -> None:
        self._file = parquet.ParquetFile(raw)
        self.columns: list[str] = self._file.schema_arrow.names

    def batches(self, wanted: Sequence[str]) -> Iterator[Load]:
        """Read some of the columns."""
        row = 1
        for batch in self._file.iter_batches(PARQUET_BATCH_ROWS, columns=list(wanted)):
            rows = np.arange(row, row + len(batch))
            row += len(batch)
            yield partial(Batch, [batch.column(name) for name in wanted], rows, rows[:0])


@contextmanager
def opened(part: Part) -> Iterator[CsvPart | ParquetPart]:
    """Open a part until the block ends.

    Raises:
        TableError: the part can't be read.
    """
    with readable(part.path), pa.OSFile(str(part.path)) as raw:
        yield ParquetPart(raw) if part.is_parquet else CsvPart(part, raw)


def check_columns(part: Part, table: CsvPart | ParquetPart, wanted: Sequence[str]) -> None:
    """Check that an open part has each of the wanted columns once.

    Raises:
        TableError: it lacks one, or has one twice.
    """
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise TableError(
            f"The table {part.path} lacks the columns {', '.join(missing)}; it has {listed(table.columns)}."
        )
    twice = [name for name in wanted if table.columns.count(name) > 1]
    if twice:
        raise TableError(f"The table {part.path} has the column {twice[0]} twice.")


def records(
    part: Part, columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Read rows one by one: line, and fields by column; no fields for a row with the wrong number of them.

    Args:
        part: a part of a table.
        columns: required columns.
        optional: optional columns.

    Raises:
        TableError: the part can't be read to its end, or lacks a column.
    """
    with opened(part) as table:
        wanted = [*columns, *(name for name in optional if name in table.columns)]
        check_columns(part, table, wanted)
        for load in table.batches(wanted):
            batch = load()
            fields = zip(*(texts(column).to_pylist() for column in batch.columns), strict=True)
            rows = (dict(zip(wanted, row, strict=True)) for row in fields)
            records = [
                *zip(batch.lines.tolist(), rows, strict=True),
                *((line, {}) for line in batch.malformed.tolist()),
            ]
            yield from sorted(records, key=itemgetter(0))


def anime_id_of(text: str) -> int | None:
    """Parse a MyAnimeList id, which some programs write as "1.0"; None if it is not a possible id."""
    digits = text.removesuffix(".0")
    if not ANIME_ID.fullmatch(digits) or not 1 <= int(digits) <= MAX_ANIME_ID:
        return None
    return int(digits)
