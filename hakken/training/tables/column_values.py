"""Batches of a table's columns, and conversion of columns to text, integers or days."""

from collections.abc import Callable, Sequence
from datetime import date
from textwrap import shorten
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hakken.errors import TableError
from hakken.model.arrays import Array, Int64s
from hakken.training.tables.kernels import IMPOSSIBLE, whole_numbers
from hakken.training.tables.rating_table import EPOCH

MAX_EXACT = 2.0**53
"""Larger floating-point numbers do not identify an integer."""
NO_DAY = np.iinfo(np.int64).max
"""Represents a missing date."""
A_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
A_TIME = r"([T ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|\+00:00)?)?$"
A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}

MAX_LISTED = 300


class Batch(NamedTuple):
    """Some consecutive rows.

    Attributes:
        columns: the requested columns, of length `n`; binary if read from CSV.
        lines: `(n,)` int64, the first line of each row or, in Parquet, its number from 1.
        malformed: lines of other rows, whose number of fields differs from the header.
    """

    columns: list[pa.Array]
    lines: Int64s
    malformed: Int64s


Load = Callable[[], Batch]
"""Parses what was read into a batch; may be called on any thread."""


def listed(columns: Sequence[str]) -> str:
    """Format column names for an error message, shortened if there are many."""
    return shorten(", ".join(columns), MAX_LISTED, placeholder=" …")


def texts(column: pa.Array) -> pa.Array:
    """Convert a column to a binary array; missing values are empty.

    Raises:
        TableError: the column holds neither text nor numbers.
    """
    column = _plain(column)
    if not _is_text(column.type):
        if not (_is_number(column.type) or pa.types.is_null(column.type)):
            raise TableError(f"A table's columns must hold text or numbers, not {column.type}.")
        column = column.cast(pa.string())
    return pc.fill_null(column.cast(pa.binary()), b"")


def numbers(column: pa.Array) -> Int64s:
    """Convert a column to integers, `(n,)` int64; `IMPOSSIBLE` for other and missing values.

    Raises:
        TableError: the column holds neither numbers nor text.
    """
    column = _plain(column)
    if _is_text(column.type):
        return whole_numbers(*_buffers(texts(column)))
    if pa.types.is_uint64(column.type):  # larger values must not become negative
        column = pc.min_element_wise(column, pa.scalar(np.iinfo(np.int64).max, pa.uint64()), skip_nulls=False)
    if pa.types.is_integer(column.type):
        whole: Int64s = pc.fill_null(column.cast(pa.int64()), IMPOSSIBLE).to_numpy()
        return whole
    if _is_number(column.type):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        exact = (np.abs(values) < MAX_EXACT) & (np.floor(values) == values)
        return np.where(exact, values, IMPOSSIBLE).astype(np.int64)
    if pa.types.is_null(column.type):
        return np.full(len(column), IMPOSSIBLE)
    raise TableError(f"A table's ids, scores and statuses must be numbers, not {column.type}.")


def days(column: pa.Array) -> Int64s:
    """Convert dates or UTC times to days since `EPOCH`, `(n,)` int64.

    Text may be a date ("2026-03-01") or a time of such a day ("2026-03-01T12:34:56Z", with or without a fraction).

    Returns:
        `NO_DAY` for missing values, `IMPOSSIBLE` for other text.

    Raises:
        TableError: the column holds neither dates, times nor text.
    """
    column = _plain(column)
    if pa.types.is_null(column.type):
        return np.full(len(column), NO_DAY)
    if _is_text(column.type):
        return _days_of(texts(column))
    if pa.types.is_date32(column.type):
        units = 1
        column = column.cast(pa.int32())
    elif pa.types.is_date64(column.type) or pa.types.is_timestamp(column.type):
        units = A_DAY["ms" if pa.types.is_date64(column.type) else column.type.unit]
    else:
        raise TableError(f"A table's update times must be dates, times or text, not {column.type}.")
    moments = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return np.where(pc.is_null(column).to_numpy(zero_copy_only=False), NO_DAY, moments // units)


def _days_of(texts: pa.Array) -> Int64s:
    """The same for a binary array; each distinct day is parsed once."""
    well_formed = pc.match_substring_regex(texts, A_DATE + A_TIME).to_numpy(zero_copy_only=False)
    written = pc.binary_slice(texts, 0, len("2026-03-01")).dictionary_encode()
    values = written.dictionary.to_pylist()
    found = np.array([_day(value) for value in values], dtype=np.int64)[written.indices.to_numpy()]
    return np.where(well_formed | (found == NO_DAY), found, IMPOSSIBLE)


def _day(text: bytes) -> int:
    if not text:
        return NO_DAY
    try:
        return (date.fromisoformat(text.decode()) - EPOCH).days
    except ValueError:
        return IMPOSSIBLE


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return column


def _is_number(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string, pa.types.is_large_string)
    return any(test(kind) for test in (*tests, pa.types.is_string_view, pa.types.is_binary_view))


def _buffers(texts: pa.Array) -> tuple[Array, Array]:
    """A binary array's bytes and its `(n + 1,)` int32 offsets into them, not copied."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets or bytes(4), dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(data or b"", dtype=np.uint8)
    # Read-only, so that compiled code is not also compiled for writable arrays.
    text.setflags(write=False)
    ends.setflags(write=False)
    return text, ends
