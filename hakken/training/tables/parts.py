"""Files of a table: one, or a folder of parts; CSV, compressed CSV or Parquet."""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from textwrap import shorten
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from hakken.errors import TableError
from hakken.model.arrays import Int64s

ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".parquet")
GZIP_MAGIC, ZSTD_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
PARQUET_BATCH_ROWS = 1 << 19
SAMPLE_BYTES, BLOCK_BYTES = 1 << 20, 1 << 23
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SEPARATORS = ",;\t"
ANY_BYTES = "latin-1"
"""Decodes any bytes, and encodes them again."""
SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t])"?', re.IGNORECASE)
"""The first line of a table that Excel shall read."""
LINE_END = re.compile(rb"\r\n|\r|\n")
END = "\0end"
"""Each field of a row that is added to CSV; a quote that is never closed swallows it."""
DISTINCT = pa.dictionary(pa.int32(), pa.binary())
MAX_LISTED = 300
NO_OTHERS: Mapping[str, Sequence[str]] = MappingProxyType({})


class Batch(NamedTuple):
    """Some consecutive rows.

    Attributes:
        columns: the requested columns, of length `n`; dictionary-encoded binary if read from CSV.
        rows: `(n,)` int64, number of each row in its part, from 0; empty lines are not rows.
    """

    columns: list[pa.Array]
    rows: Int64s


class OpenPart(NamedTuple):
    """A part whose rows can be read once.

    Attributes:
        path: path of the file.
        names: names of all its columns, as they are written.
        batches: reads the columns with these indices.
        malformed: numbers of the rows read so far whose number of fields differs from the header.
    """

    path: Path
    names: list[str]
    batches: Callable[[list[int]], Iterator[Batch]]
    malformed: list[int]

    @property
    def columns(self) -> list[str]:
        """Names of the columns in lower case, with underscores for spaces."""
        return ["_".join(name.lower().split()) for name in self.names]

    def __str__(self) -> str:
        return shorten(", ".join(self.names), MAX_LISTED, placeholder=" …")

    def choose(
        self, required: Iterable[str], optional: Iterable[str] = (), known_as: Mapping[str, Sequence[str]] = NO_OTHERS
    ) -> dict[str, int]:
        """Find columns: their indices by name.

        Args:
            required: columns that have to be there.
            optional: further columns.
            known_as: names of a column that may have others; the first that is not another column is taken.

        Raises:
            TableError: the part lacks a required column, or has a column twice.
        """
        chosen: dict[str, int] = {}
        for column in (*required, *optional):
            for name in known_as.get(column, (column,)):
                if self.columns.count(name) > 1:
                    raise TableError(f"The table {self.path} has the column {name} twice.")
                if name in self.columns and self.columns.index(name) not in chosen.values():
                    chosen[column] = self.columns.index(name)
                    break
        if missing := [column for column in required if column not in chosen]:
            raise TableError(f"The table {self.path} lacks the columns {', '.join(missing)}; it has {self}.")
        return chosen


class Part(NamedTuple):
    """One file of a table.

    Attributes:
        path: path of the file.
        packing: "gzip" or "zstd", or None for plain text.
        is_parquet: whether it is Parquet; otherwise it is CSV.
    """

    path: Path
    packing: str | None
    is_parquet: bool

    @contextmanager
    def opened(self) -> Iterator[OpenPart]:
        """Open the part until the block ends, in which all its rows are read.

        Raises:
            TableError: it can't be read, or is not a table.
        """
        with _readable(self.path):
            if self.is_parquet:
                with parquet.ParquetFile(self.path) as file:
                    yield _open_parquet(self.path, file)
            else:
                header = _header(self)
                with self.text() as text:
                    yield _open_csv(self, header, text)

    def text(self) -> pa.NativeFile:
        """Open the unpacked text of a CSV part."""
        return pa.input_stream(str(self.path), compression=self.packing)

    def expected_rows(self) -> int:
        """Number of rows: exact for Parquet, else estimated from the beginning.

        Raises:
            TableError: the part can't be read.
        """
        with _readable(self.path):
            if self.is_parquet:
                return int(parquet.read_metadata(self.path).num_rows)
            with pa.OSFile(str(self.path)) as raw:
                text = pa.CompressedInputStream(raw, self.packing) if self.packing else raw
                n_lines = len(LINE_END.findall(text.read(SAMPLE_BYTES)))
                return int(n_lines * raw.size() / max(raw.tell(), 1))

    def locations(self, rows: AbstractSet[int]) -> dict[int, str]:
        """Describe the locations of rows by their lines or, where those are not known, by their numbers from 1."""
        lines: dict[int, int] = {}
        if rows and not self.is_parquet:
            lines = {row: line for row, line in enumerate(islice(_lines(self), max(rows) + 1)) if row in rows}
        return {
            row: f"{self.path.name}, " + (f"line {lines[row]}" if row in lines else f"row {row + 1}") for row in rows
        }


def parts_of(path: Path) -> list[Part]:
    """List the files of a table, in the order of their names.

    In a folder, files whose names begin with a dot or an underscore are ignored: other programs write them.

    Raises:
        TableError: there is no such file, it is empty, or a folder has no parts or other files.
    """
    if not path.is_dir():
        return [_part(path)]
    found = sorted(file for file in path.iterdir() if not file.name.startswith((".", "_")))
    strange = [file.name for file in found if file.is_dir() or not file.name.lower().endswith(ENDINGS)]
    if strange:
        raise TableError(
            f"The folder {path} holds something that is no part of a table: {', '.join(strange)}. "
            f"Parts end in {', '.join(ENDINGS)}."
        )
    if not found:
        raise TableError(f"The folder {path} holds no part of a table: no file ends in {', '.join(ENDINGS)}.")
    return [_part(file) for file in found]


def _part(path: Path) -> Part:
    with _readable(path), path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise TableError(f"The table {path} is empty.")
    name = path.name.lower()
    packing = None
    if head.startswith(GZIP_MAGIC) or name.endswith(".gz"):
        packing = "gzip"
    elif head == ZSTD_MAGIC or name.endswith(".zst"):
        packing = "zstd"
    return Part(path, packing, is_parquet=head == PARQUET_MAGIC or name.endswith(".parquet"))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Convert libraries' errors about a file that can't be read to one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise TableError(f"There is no table {path}.") from error
    except (pa.ArrowException, OSError) as error:
        # Only errors of the system have a readable text; all others mean invalid content.
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is cut off or damaged"
        raise TableError(f"The table {path} can't be read: {why}.") from error


def _open_parquet(path: Path, file: parquet.ParquetFile) -> OpenPart:
    names: list[str] = file.schema_arrow.names

    def batches(wanted: list[int]) -> Iterator[Batch]:
        n_read = 0
        for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=[names[one] for one in wanted]):
            yield Batch([batch.column(names[one]) for one in wanted], np.arange(n_read, n_read + len(batch)))
            n_read += len(batch)

    return OpenPart(path, names, batches, [])


class Header(NamedTuple):
    """The beginning of a CSV part: names of its columns, separator, and number of lines."""

    names: list[str]
    separator: str
    n_lines: int


def _header(part: Part) -> Header:
    """Find the columns, and the separator: the one that gives the most.

    Raises:
        TableError: there is no text, or it is not CSV.
    """
    with part.text() as text:
        lines = text.read(SAMPLE_BYTES).removeprefix(BYTE_ORDER_MARK).splitlines()
    filled = ((number, line) for number, line in enumerate(lines, 1) if line)
    n_lines, first = next(filled, (0, b""))
    separators = SEPARATORS
    if stated := SEPARATOR_LINE.fullmatch(first):
        separators = stated[1].decode()
        n_lines, first = next(filled, (0, b""))
    if not first:
        raise TableError(f"The table {part.path} is empty.")
    rows: list[tuple[list[str], str]] = []
    with suppress(UnicodeDecodeError, csv.Error):
        rows = [(next(csv.reader([first.decode()], delimiter=separator)), separator) for separator in separators]
    if not rows or b"\0" in first:
        raise TableError(f"The table {part.path} is neither CSV in UTF-8 nor Parquet.")
    names, separator = max(rows, key=lambda row: len(row[0]))
    return Header([name.strip() for name in names], separator, n_lines)


class _WithEnd:
    """A text to read, with another one at its end."""

    closed = False

    def __init__(self, text: pa.NativeFile, end: bytes) -> None:
        self._text, self._end = text, end

    def read(self, n_bytes: int) -> bytes:
        wanted = n_bytes - len(self._end)
        data: bytes = self._text.read(wanted)
        if len(data) < wanted:
            data, self._end = data + self._end, b""
        return data


def _open_csv(part: Part, header: Header, text: pa.NativeFile) -> OpenPart:
    names = [str(position) for position in range(len(header.names))]
    malformed: list[int] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        malformed.append(row.number - 1 - header.n_lines)
        return "skip"

    def batches(wanted: list[int]) -> Iterator[Batch]:
        columns = [names[position] for position in wanted]
        end = f"\n{header.separator.join([END] * len(names))}\n".encode()
        reader = arrow_csv.open_csv(
            pa.PythonFile(_WithEnd(text, end), mode="r"),
            # Only one thread numbers the rows.
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=names,
                skip_rows=header.n_lines,
                encoding=ANY_BYTES,  # or pyarrow fails on a malformed row that is not UTF-8
            ),
            arrow_csv.ParseOptions(delimiter=header.separator, newlines_in_values=True, invalid_row_handler=skip),
            arrow_csv.ConvertOptions(
                check_utf8=False, include_columns=columns, column_types=dict.fromkeys(columns, DISTINCT)
            ),
        )
        n_read, is_whole = 0, False
        try:
            for batch in reader:
                is_whole = len(batch) > 0 and batch.column(0)[-1].as_py() == END.encode()
                good = batch.slice(0, len(batch) - is_whole)
                rows = np.arange(n_read, n_read + len(good))
                n_read += len(good)
                # As many malformed rows are before row `rows[p]` as are before the good row that takes its place.
                before = np.array(malformed, dtype=np.int64) - np.arange(len(malformed))
                yield Batch(
                    [_as_written(column) for column in good.columns], rows + np.searchsorted(before, rows, side="right")
                )
        except pa.ArrowInvalid as error:
            raise _endless(part, "no row of a table is that long") from error
        if not is_whole:
            raise _endless(part, "a quote is opened and never closed")

    return OpenPart(part.path, header.names, batches, malformed)


def _as_written(column: pa.DictionaryArray) -> pa.DictionaryArray:
    if bytes(column.dictionary.buffers()[2] or b"").isascii():
        return column
    texts = [text.decode().encode(ANY_BYTES) for text in column.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(column.indices, pa.array(texts, pa.binary()))


def _lines(part: Part) -> Iterator[int]:
    """Line at which each row begins; the last is one that is too long to read, if there is such a row."""
    header = _header(part)
    with part.text() as text:
        reader = csv.reader(io.TextIOWrapper(text, ANY_BYTES, newline=""), delimiter=header.separator)
        line = 1
        try:
            for fields in reader:
                if fields and line > header.n_lines:
                    yield line
                line = reader.line_num + 1
        except csv.Error:
            yield line


def _endless(part: Part, why: str) -> TableError:
    """Error of a row that is too long to read, or has no end."""
    return TableError(f"{part.path.name}, line {deque(_lines(part), maxlen=1).pop()}: {why}.")
