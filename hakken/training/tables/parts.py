"""Files of a table: one, or a folder of parts; CSV, compressed CSV or Parquet."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import parquet

from hakken.errors import TableError

ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".parquet")
GZIP_MAGIC, ZSTD_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
SAMPLE_BYTES = 1 << 20


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

    def location(self, number: int) -> str:
        """Describe the location of a row by its line or, in Parquet, by its number from 1."""
        return f"{self.path.name}, {'row' if self.is_parquet else 'line'} {number}"


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
    with readable(path), path.open("rb") as file:
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
def readable(path: Path) -> Iterator[None]:
    """Convert libraries' errors about a file that can't be read to one sentence.

    Raises:
        TableError: the block failed on the file.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise TableError(f"There is no table {path}.") from error
    except (pa.ArrowException, OSError) as error:
        # Only errors of the system have a readable text; all others mean invalid content.
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is cut off or damaged"
        raise TableError(f"The table {path} can't be read: {why}.") from error


def unpacked(part: Part, raw: pa.NativeFile) -> pa.NativeFile:
    """Stream of an open part's text."""
    return pa.CompressedInputStream(raw, part.packing) if part.packing else raw


def expected_rows(part: Part) -> int:
    """Number of rows of a part: exact for Parquet, else estimated from the first megabyte.

    Raises:
        TableError: the part can't be read.
    """
    with readable(part.path):
        if part.is_parquet:
            return int(parquet.read_metadata(part.path).num_rows)
        with pa.OSFile(str(part.path)) as raw:
            text = unpacked(part, raw)  # closes the file when it is freed
            sample = text.read(SAMPLE_BYTES)
            return int(sample.count(b"\n") * raw.size() / max(raw.tell(), 1))
