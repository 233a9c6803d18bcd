"""Batches of a table's columns, and columns of whatever type as text or as whole numbers."""

from collections.abc import Sequence
from textwrap import shorten
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hakken.errors import TableError
from hakken.model.arrays import Array, Int64s
from hakken.training.tables.kernels import IMPOSSIBLE, whole_numbers

MAX_EXACT = 2.0**53
"""Beyond it, a floating-point number no longer says which whole number was meant."""

MAX_LISTED = 300


class Batch(NamedTuple):
    """Some consecutive rows.

    Attributes:
        columns: those asked for, `n` long; from CSV they are binary.
        lines: `(n,)` int64, the line on which each row begins or, in Parquet, its number from 1.
        misshapen: lines of further rows that have another number of fields than the header.
    """

    columns: list[pa.Array]
    lines: Int64s
    misshapen: Int64s


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
