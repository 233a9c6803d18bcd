"""Tables for tests, written in every format that is read."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

TEXT_FORMATS = ("csv", "csv.gz", "csv.zst")
FORMATS = (*TEXT_FORMATS, "parquet", "folder")
PACKING = {"csv.gz": "gzip", "csv.zst": "zstd"}
NUMBERS = ["user_id", "anime_id", "rating"]
CODED = [*NUMBERS, "watching_status"]
NAMES = ["username", "anime_id", "my_score", "my_status"]


def raw_bytes(form: str, text: bytes) -> bytes:
    """The text as a file of that format holds it."""
    return bytes(pa.compress(text, PACKING[form], asbytes=True)) if form in PACKING else text


def write_table(
    directory: Path, form: str, columns: Sequence[str], rows: Sequence[Sequence[str]], name: str = "ratings"
) -> Path:
    """Write a table; characters up to U+00FF that are no ASCII stand for themselves, but U+00FF for a lone byte.

    A folder holds the rows in two parts, the second with the last row.
    """
    if form == "folder":
        folder = directory / "parts"
        folder.mkdir(exist_ok=True)
        write_table(folder, "csv", columns, rows[:-1], "part-0")
        write_table(folder, "csv", columns, rows[-1:], "part-1")
        return folder
    path = directory / f"{name}.{form}"
    if form == "parquet":
        texts = [pa.array([_encoded(row[c]) for row in rows], pa.binary()) for c in range(len(columns))]
        return write_parquet(path, dict(zip(columns, texts, strict=True)))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *rows])
    path.write_bytes(raw_bytes(form, _encoded(text.getvalue())))
    return path


def write_parquet(path: Path, columns: dict[str, pa.Array]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def location(form: str, row: int) -> str:
    """Where the row with index `row`, of two or more, is."""
    if form == "folder":
        return f"part-0.csv, line {row + 2}"
    return f"ratings.{form}, row {row + 1}" if form == "parquet" else f"ratings.{form}, line {row + 2}"


def _encoded(text: str) -> bytes:
    return text.encode().replace("\xff".encode(), b"\xff")
