"""CSV in blocks of whole records, which all cores can parse, with the line number of each record.

A record is the text between two line ends outside quotes; empty lines are not records. A quote opens a quoted field
only as the first character of the field, and a doubled quote is a literal one, as usual.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from hakken.errors import TableError
from hakken.model.arrays import Array, Int64s
from hakken.training.tables.column_values import Batch, Load
from hakken.training.tables.kernels import LINE_FEED, last_record_end, record_lines
from hakken.training.tables.parts import Part, readable, unpacked

BLOCK_BYTES = 1 << 23
MAX_RECORD_BYTES = 2 * BLOCK_BYTES
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HEADER = re.compile(rb"[\r\n]*([^\r\n]*)(\r\n|\r|\n|$)")


class Block(NamedTuple):
    """Some whole records.

    Attributes:
        data: text of the records.
        first_line: line number of the first.
        n_lines: number of lines.
    """

    data: bytes
    first_line: int
    n_lines: int


class CsvPart:
    """An open CSV part, whose rows can be read once.

    Attributes:
        columns: names of all its columns.

    Raises:
        TableError: the header is not text, or the part cannot be decompressed.
    """

    def __init__(self, part: Part, raw: pa.NativeFile) -> None:
        self._part = part
        self._stream = unpacked(part, raw)
        first = self._read().removeprefix(BYTE_ORDER_MARK)
        header = HEADER.match(first)
        assert header is not None  # noqa: S101 - the expression matches anything
        if not header[1]:
            raise TableError(f"The table {part.path} is empty.")
        self.columns = _names(header[1], part)
        self._line = 1 + count_lines(header[0])
        self._rest = first[header.end() :]

    def batches(self, wanted: Sequence[str]) -> Iterator[Load]:
        """Read some of the columns.

        Raises:
            TableError: the part cannot be decompressed, a quote is not closed, or a record is too long.
        """
        indices = [self.columns.index(name) for name in wanted]
        for block in self._blocks():
            yield partial(parse, block, len(self.columns), indices)

    def _blocks(self) -> Iterator[Block]:
        at_end = False
        while not at_end:
            more = self._read()
            data, at_end = self._rest + more, not more
            end, quoted = _cut(data)
            self._refuse_unfinished(data, end, open_quote=at_end and quoted)
            end = len(data) if at_end else end
            if end:
                block = data[:end]
                n_lines = count_lines(block) + (not block.endswith((b"\n", b"\r")))
                yield Block(block, self._line, n_lines)
                self._line += n_lines
            self._rest = data[end:]

    def _refuse_unfinished(self, data: bytes, end: int, *, open_quote: bool) -> None:
        too_long = len(data) - end > MAX_RECORD_BYTES
        if open_quote or too_long:
            location = self._part.location(self._line + count_lines(data[:end]))
            what = "a quote is opened and never closed" if open_quote else "no row of a table is that long"
            raise TableError(f"{location}: {what}.")

    def _read(self) -> bytes:
        with readable(self._part.path):
            text: bytes = self._stream.read(BLOCK_BYTES)
            return text


def _names(header: bytes, part: Part) -> list[str]:
    try:
        text = header.decode()
        if "\0" not in text:
            return [name.strip() for name in next(csv.reader([text]))]
    except (UnicodeDecodeError, csv.Error):
        pass  # one message for all causes
    raise TableError(f"The table {part.path} is neither CSV in UTF-8 nor Parquet.")


def _cut(data: bytes) -> tuple[int, bool]:
    """End of the last whole record, and whether the text after it is inside quotes."""
    if b'"' not in data and (end := data.rfind(b"\n") + 1):
        return end, False
    return last_record_end(np.frombuffer(data, dtype=np.uint8))


def count_lines(data: bytes) -> int:
    """Count line ends: CR LF, LF or CR."""
    line_feeds = int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == LINE_FEED))
    return line_feeds + (data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0)


def parse(block: Block, n_fields: int, wanted: list[int]) -> Batch:
    """Split a block's records into fields.

    Args:
        block: the records.
        n_fields: expected number of fields.
        wanted: indices of the columns to return.
    """
    skipped: list[int] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        skipped.append(row.number - 1)  # records are counted from 1, empty lines are not
        return "skip"

    names = [str(position) for position in wanted]
    table = arrow_csv.read_csv(
        pa.BufferReader(block.data),
        # One thread and one chunk per block: only then are rows numbered, and blocks are parsed in parallel.
        read_options=arrow_csv.ReadOptions(
            use_threads=False, block_size=len(block.data) + 1, column_names=[str(i) for i in range(n_fields)]
        ),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=arrow_csv.ConvertOptions(
            check_utf8=False, include_columns=names, column_types=dict.fromkeys(names, pa.binary())
        ),
    )
    good, malformed = _lines(block, len(table), np.array(skipped, dtype=np.int64))
    return Batch([table.column(name).combine_chunks() for name in names], good, malformed)


def _lines(block: Block, n_good: int, skipped: Int64s) -> tuple[Int64s, Int64s]:
    n_records = n_good + len(skipped)
    lines: Array = np.arange(n_records)
    if block.n_lines != n_records:  # empty lines, or records of several lines
        lines = record_lines(np.frombuffer(block.data, dtype=np.uint8))
    lines += block.first_line
    return np.delete(lines, skipped), lines[skipped]
