"""A part of a table, opened: its columns, and its rows batch by batch, whatever its format."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from hakken.errors import TableError
from hakken.training.tables import csv_blocks
from hakken.training.tables.column_values import Batch, listed
from hakken.training.tables.parts import Part, readable

PARQUET_BATCH_ROWS = 1 << 17
Load = Callable[[], Batch]
"""Makes a batch of what was read; may be called on any thread."""


class OpenPart(Protocol):
    """A part whose rows can be read once.

    Attributes:
        columns: names of all its columns.
    """

    columns: list[str]

    def batches(self, wanted: Sequence[str]) -> Iterator[Load]:
        """Read some of the columns.

        Raises:
            TableError: the part can't be read to its end.
        """


@contextmanager
def opened(part: Part) -> Iterator[OpenPart]:
    """Open a part until the block ends.

    Raises:
        TableError: it can't be read, or the block failed to read it.
    """
    with readable(part.path), pa.OSFile(str(part.path)) as raw:
        yield _Parquet(raw) if part.is_parquet else _Csv(csv_blocks.CsvText(part, raw))


def check_columns(part: Part, table: OpenPart, wanted: Sequence[str]) -> None:
    """Make sure that an opened part has each of the wanted columns once.

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


class _Csv:
    def __init__(self, text: csv_blocks.CsvText) -> None:
        self._text = text
        self.columns = text.columns

    def batches(self, wanted: Sequence[str]) -> Iterator[Load]:
        places = [self.columns.index(name) for name in wanted]
        for block in self._text.blocks():
            yield partial(csv_blocks.parse, block, len(self.columns), places)


class _Parquet:
    def __init__(self, raw: pa.NativeFile) -> None:
        self._file = parquet.ParquetFile(raw)
        self.columns: list[str] = self._file.schema_arrow.names

    def batches(self, wanted: Sequence[str]) -> Iterator[Load]:
        row = 1
        for batch in self._file.iter_batches(PARQUET_BATCH_ROWS, columns=list(wanted)):
            rows = np.arange(row, row + len(batch))
            row += len(batch)
            yield partial(Batch, [batch.column(name) for name in wanted], rows, rows[:0])
