"""Batches of a table's columns, and columns of whatever type as text, whole numbers or days."""

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
"""Beyond it, a floating-point number no longer says which whole number was meant."""
NO_DAY = np.iinfo(np.int64).max
"""Stands for a date that is missing."""
A_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
A_TIME = r"([T ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|\+00:00)?)?$"
A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}

MAX_LISTED = 300


class Batch(NamedTuple):
    """Some consecutive rows.

    Attributes:
        columns: those asked for, `n` long; from CSV they are binary.
        lines: `(n,)` int64, the line on which each row begins or, in Parquet, its number from 1.
        malformed: lines of further rows that have another number of fields than the header.
    """

    columns: list[pa.Array]
    lines: Int64s
    malformed: Int64s


Load = Callable[[], Batch]
"""Parses what was read into a batch; may be called on any thread."""


def listed(columns: Sequence[str]) -> str:
    """Name columns for a person who should recognise their table, however odd it is."""
    return shorten(", ".join(columns), MAX_LISTED, placeholder=" …")


def texts(column: pa.Array) -> pa.Array:
    """A column as a binary array; what is missing is empty.

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
    """Whole numbers, `(n,)` int64; `IMPOSSIBLE` for what is none or is missing.

    Raises:
        TableError: the column holds neither numbers nor text.
    """
    column = _plain(column)
    if _is_text(column.type):
        return whole_numbers(*_buffers(texts(column)))
    if pa.types.is_uint64(column.type):  # what does not fit must not come out negative
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
    """Days of dates or UTC times, counted from `EPOCH`, `(n,)` int64.

    Text may be a date ("2026-03-01") or a time of such a day ("2026-03-01T12:34:56Z", with or without a fraction).

    Returns:
        `NO_DAY` for what is missing, `IMPOSSIBLE` for text that is none of these.

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
    """The same of a binary array. There are far fewer days than rows, so that each is read once."""
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
    """A binary array's bytes and its `(n + 1,)` int32 offsets into them, uncopied."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets or bytes(4), dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(data or b"", dtype=np.uint8)
    # Compiled code tells writable arrays from others: one sort, one compilation.
    text.setflags(write=False)
    ends.setflags(write=False)
    return text, ends
