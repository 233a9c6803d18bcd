"""Files of a table: one, or a folder of parts; CSV, compressed CSV or Parquet."""

import csv
import hashlib
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from textwrap import shorten
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from hakken.errors import TableError
from hakken.model.arrays import Int64s
from hakken.model.manifest import TablePart

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


class Part:
    """One file of a table, whose rows can be read once.

    Attributes:
        path: path of the file.
        names: names of all its columns, as they are written.
        columns: the same in lower case, with underscores for spaces.
        malformed: numbers of the rows read so far whose number of fields differs from the header.

    Raises:
        TableError: it can't be read, or is not a table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.malformed: list[int] = []
        name = path.name.lower()
        with _readable(path):
            with path.open("rb") as file:
                head = file.read(4)
            if not head:
                raise TableError(f"The table {path} is empty.")
            self._packing = None
            if head.startswith(GZIP_MAGIC) or name.endswith(".gz"):
                self._packing = "gzip"
            elif head == ZSTD_MAGIC or name.endswith(".zst"):
                self._packing = "zstd"
            self._is_parquet = head == PARQUET_MAGIC or name.endswith(".parquet")
            if self._is_parquet:
                self.names: list[str] = parquet.read_schema(path).names
            else:
                self.names, self._separator, self._n_lines = self._header()
        self.columns = ["_".join(name.lower().split()) for name in self.names]

    def listed(self) -> str:
        """Names of the columns, as many as fit a message."""
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
            raise TableError(f"The table {self.path} lacks the columns {', '.join(missing)}; it has {self.listed()}.")
        return chosen

    def expected_rows(self) -> int:
        """Number of rows: exact for Parquet, else estimated from the beginning; raises as `Part`."""
        with _readable(self.path):
            if self._is_parquet:
                return int(parquet.read_metadata(self.path).num_rows)
            with pa.OSFile(str(self.path)) as raw:
                text = pa.CompressedInputStream(raw, self._packing) if self._packing else raw
                n_lines = len(LINE_END.findall(text.read(SAMPLE_BYTES)))
                return int(n_lines * raw.size() / max(raw.tell(), 1))

    def batches(self, wanted: Sequence[int]) -> Iterator[tuple[Int64s, list[pa.Array]]]:
        """Read consecutive rows of the columns with these indices.

        Yields:
            `(n,)` int64, number of each row, from 0, empty lines not being rows; and the columns, of length `n`,
            dictionary-encoded binary if read from CSV.

        Raises:
            TableError: the part can't be read to its end.
        """
        n_read = 0
        with _readable(self.path):
            for columns in self._parquet(wanted) if self._is_parquet else self._csv(wanted):
                rows = np.arange(n_read, n_read + len(columns[0]))
                n_read += len(rows)
                # As many malformed rows are before row `rows[p]` as are before the good row that takes its place.
                before = np.array(self.malformed, dtype=np.int64) - np.arange(len(self.malformed))
                yield rows + np.searchsorted(before, rows, side="right"), columns

    def locations(self, rows: AbstractSet[int]) -> dict[int, str]:
        """Describe the locations of rows by their lines or, where those are not known, by their numbers from 1."""
        lines: dict[int, int] = {}
        if rows and not self._is_parquet:
            lines = {row: line for row, line in enumerate(islice(self._lines(), max(rows) + 1)) if row in rows}
        return {
            row: f"{self.path.name}, " + (f"line {lines[row]}" if row in lines else f"row {row + 1}") for row in rows
        }

    def _text(self) -> pa.NativeFile:
        return pa.input_stream(str(self.path), compression=self._packing)

    def _header(self) -> tuple[list[str], str, int]:
        """Names of the columns; the separator: the one that gives the most; and number of lines up to the header."""
        with self._text() as text:
            lines = text.read(SAMPLE_BYTES).removeprefix(BYTE_ORDER_MARK).splitlines()
        filled = ((number, line) for number, line in enumerate(lines, 1) if line)
        n_lines, first = next(filled, (0, b""))
        separators = SEPARATORS
        if stated := SEPARATOR_LINE.fullmatch(first):
            separators = stated[1].decode()
            n_lines, first = next(filled, (0, b""))
        if not first:
            raise TableError(f"The table {self.path} is empty.")
        rows: list[tuple[list[str], str]] = []
        with suppress(UnicodeDecodeError, csv.Error):
            rows = [(next(csv.reader([first.decode()], delimiter=separator)), separator) for separator in separators]
        if not rows or b"\0" in first:
            raise TableError(f"The table {self.path} is neither CSV in UTF-8 nor Parquet.")
        names, separator = max(rows, key=lambda row: len(row[0]))
        return [name.strip() for name in names], separator, n_lines

    def _parquet(self, wanted: Sequence[int]) -> Iterator[list[pa.Array]]:
        names = [self.names[position] for position in wanted]
        with parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=names):
                yield [batch.column(name) for name in names]

    def _csv(self, wanted: Sequence[int]) -> Iterator[list[pa.Array]]:
        columns = [str(position) for position in wanted]
        end = f"\n{self._separator.join([END] * len(self.names))}\n".encode()
        is_whole = False
        with self._text() as text:
            reader = arrow_csv.open_csv(
                pa.PythonFile(_WithEnd(text, end), mode="r"),
                # Only one thread numbers the rows.
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    column_names=[str(position) for position in range(len(self.names))],
                    skip_rows=self._n_lines,
                    encoding=ANY_BYTES,  # or pyarrow fails on a malformed row that is not UTF-8
                ),
                arrow_csv.ParseOptions(
                    delimiter=self._separator, newlines_in_values=True, invalid_row_handler=self._skip
                ),
                arrow_csv.ConvertOptions(
                    check_utf8=False, include_columns=columns, column_types=dict.fromkeys(columns, DISTINCT)
                ),
            )
            try:
                for batch in reader:
                    is_whole = len(batch) > 0 and batch.column(0)[-1].as_py() == END.encode()
                    yield [_as_written(column) for column in batch.slice(0, len(batch) - is_whole).columns]
            except pa.ArrowInvalid as error:
                raise self._endless("no row of a table is that long") from error
        if not is_whole:
            raise self._endless("a quote is opened and never closed")

    def _skip(self, row: arrow_csv.InvalidRow) -> str:
        self.malformed.append(row.number - 1 - self._n_lines)
        return "skip"

    def _lines(self) -> Iterator[int]:
        """Line at which each row begins; the last is one that is too long to read, if there is such a row."""
        with self._text() as text:
            reader = csv.reader(io.TextIOWrapper(text, ANY_BYTES, newline=""), delimiter=self._separator)
            line = 1
            try:
                for fields in reader:
                    if fields and line > self._n_lines:
                        yield line
                    line = reader.line_num + 1
            except csv.Error:
                yield line

    def _endless(self, why: str) -> TableError:
        """Error of a row that is too long to read, or has no end."""
        return TableError(f"{self.path.name}, line {deque(self._lines(), maxlen=1).pop()}: {why}.")


def parts_of(path: Path) -> list[Part]:
    """Open the files of a table, in the order of `files_of`; raises TableError as that, or if one is no table."""
    return [Part(file) for file in files_of(path)]


def described(ratings: Sequence[Path], others: Mapping[str, Path | None]) -> tuple[TablePart, ...]:
    """Describe the files of all tables, those other than ratings by the options that name them.

    Raises:
        TableError: one can't be read.
    """
    options = [*(("ratings", one) for one in ratings), *((option, one) for option, one in others.items() if one)]
    return tuple(described_file(option, file) for option, path in options for file in files_of(path))


def described_file(option: str, file: Path) -> TablePart:
    """Describe a file of the table that an option names; raises as `described`."""
    with _readable(file), file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return TablePart(content.tell(), digest, option=option, name=file.name)


def files_of(path: Path) -> list[Path]:
    """List the files of a table, in the order of their names.

    In a folder, files whose names begin with a dot or an underscore are ignored: other programs write them.

    Raises:
        TableError: a folder has no parts, or other files.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if not file.name.startswith((".", "_")))
    strange = [file.name for file in found if file.is_dir() or not file.name.lower().endswith(ENDINGS)]
    if strange:
        raise TableError(
            f"The folder {path} holds something that is not part of a table: {', '.join(strange)}. "
            f"Parts end in {', '.join(ENDINGS)}."
        )
    if not found:
        raise TableError(f"The folder {path} holds no part of a table: no file ends in {', '.join(ENDINGS)}.")
    return found


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


def _as_written(column: pa.DictionaryArray) -> pa.DictionaryArray:
    if bytes(column.dictionary.buffers()[2] or b"").isascii():
        return column
    texts = [text.decode().encode(ANY_BYTES) for text in column.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(column.indices, pa.array(texts, pa.binary()))
