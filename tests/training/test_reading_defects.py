"""What is wrong with a rating table is counted and named, or refused, in every format."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from hakken.errors import TableError
from hakken.training.tables import parts, read_ratings
from tests.training.reading_tables import FORMATS, TEXT_FORMATS, location, raw_bytes, write_table

NUMBERS = ["user_id", "anime_id", "rating"]
CODED = ["user_id", "anime_id", "rating", "watching_status"]
NAMES = ["username", "anime_id", "my_score", "my_status"]
GOOD = {3: ["7", "70", "7"], 4: ["7", "70", "7", "2"]}
DEFECTS = [
    *((NUMBERS, [user, "1", "5"], "impossible user id") for user in ("-1", "", "x", "1.5", "1e3", "9" * 19, "0x1")),
    *(
        (NUMBERS, ["1", anime, "5"], "impossible anime id")
        for anime in ("0", "-1", "", "x", "1.5", "2147483648", "\xff")
    ),
    *((NUMBERS, ["1", "1", score], "impossible score") for score in ("11", "-2", "101", "1e1", "7,", "--7", "seven")),
    *((CODED, ["1", "1", "5", status], "impossible status") for status in ("5", "7", "-1", "", "2.5", "watching")),
    *((NAMES, [name, "1", "5", "2"], "no username") for name in ("", "  ")),
    (NAMES, ["\xff", "1", "5", "2"], "a username that is not text in UTF-8"),
    (NAMES, ["a\0b", "1", "5", "2"], "a username that is not text in UTF-8"),
    (NAMES, ["b", "1", "5", "5"], "impossible status"),
    (NAMES, ["b", "1", "x", "9"], "impossible score"),  # one reason a row: the first
    (NUMBERS, ["7", "70", "7"], "a later row for the same user and anime"),
]


def is_plain(sentence: str) -> bool:
    jargon = ("arrow", "traceback", "invalid:", "oserror", "thrift", "zlib", "errno", "none")
    return sentence.endswith(".") and "\n" not in sentence and not any(word in sentence.lower() for word in jargon)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("columns", "row", "reason"), DEFECTS, ids=lambda value: "|".join(value) if isinstance(value, list) else None
)
def test_a_row_that_can_not_be_used_is_counted_and_named_or_refused(
    tmp_path: Path, form: str, columns: list[str], row: list[str], reason: str
) -> None:
    good = GOOD[len(columns)]
    repeated = row == good
    rows = [row, good] if repeated else [["6", *good[1:]], row, good]
    path = write_table(tmp_path, form, columns, rows)
    table = read_ratings(path)
    assert table.dropped == {reason: 1}
    assert table.examples == {reason: (location(form, 0 if repeated else 1),)}
    assert table.rows == len(rows) == len(table) + 1
    assert table.anime_ids.tolist() == [70]
    assert table.n_users == len(table) == len(rows) - 1
    with pytest.raises(TableError, match=f"{location(form, 0 if repeated else 1)}: {reason}") as refused:
        read_ratings(path, strict=True)
    assert is_plain(str(refused.value))


@pytest.mark.parametrize("form", TEXT_FORMATS)
@pytest.mark.parametrize("line", ["1,1", "1,1,5,", "1", "1;1;5", '"1,1,5"', "1,1,5,2", "\xff,1"])
def test_a_row_with_the_wrong_number_of_fields_is_counted_and_named_or_refused(
    tmp_path: Path, form: str, line: str
) -> None:
    path = tmp_path / f"ratings.{form}"
    path.write_bytes(raw_bytes(form, f"user_id,anime_id,rating\n6,70,7\n\n{line}\n7,70,7\n".encode("latin-1")))
    table = read_ratings(path)
    assert table.dropped == {"wrong number of fields": 1}
    assert table.examples == {"wrong number of fields": (f"ratings.{form}, line 4",)}
    assert (table.rows, len(table)) == (3, 2)
    with pytest.raises(TableError, match="line 4: wrong number of fields"):
        read_ratings(path, strict=True)


def test_strict_names_the_first_row_of_all_that_can_not_be_used(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user_id,anime_id,rating\n1,1,5\n1,1,6\n1,2,99\n1\nx,1,5\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"^r\.csv, line 4: impossible score\.$"):
        read_ratings(path, strict=True)


def refused(path: Path) -> str:
    with pytest.raises(TableError) as error:
        read_ratings(path)
    sentence = str(error.value)
    assert is_plain(sentence), sentence
    return sentence


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in {"csv", "folder"}])
@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: data[:12], lambda data: data[: len(data) // 2]])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, harm: Callable[[bytes], bytes]) -> None:
    rows = [[str(row), str(row + 1), "5"] for row in range(5000)]
    path = write_table(tmp_path, form, NUMBERS, rows)
    path.write_bytes(harm(path.read_bytes()))
    assert refused(path) == f"The table {path} can't be read: it is cut off or damaged."


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "folder"])
def test_a_file_of_nothing_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"r.{form}"
    blanks = ["", "\n\r\n\n", "\ufeff"] if form in TEXT_FORMATS else []
    for content in (b"", *(raw_bytes(form, blank.encode()) for blank in blanks)):
        path.write_bytes(content)
        assert "is empty" in refused(path)


@pytest.mark.parametrize("form", FORMATS)
def test_a_header_without_rows_is_refused(tmp_path: Path, form: str) -> None:
    assert "a header and no rows" in refused(write_table(tmp_path, form, NUMBERS, []))


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_without_a_usable_row_says_why(tmp_path: Path, form: str) -> None:
    sentence = refused(write_table(tmp_path, form, NUMBERS, [["1", "1", "101"], ["1", "1", "x"]]))
    assert sentence.endswith("holds no usable rating: impossible score: 2.")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "columns", [["user_id", "anime_id"], ["username", "anime_id", "my_score"], ["user_id:anime_id:rating"]]
)
def test_a_table_of_no_known_kind_is_refused_with_its_columns_and_ours(
    tmp_path: Path, form: str, columns: list[str]
) -> None:
    sentence = refused(write_table(tmp_path, form, columns, [["1"] * len(columns)]))
    assert f"has the columns {', '.join(columns)}." in sentence
    assert "user_id, anime_id, rating" in sentence
    assert "username, anime_id, my_score, my_status" in sentence


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path, "csv", [*NUMBERS, "rating"], [["1"] * 4])
    assert refused(path).endswith("has the column rating twice.")


@pytest.mark.parametrize(
    "data",
    ["user_id,anime_id,rating\n1,1,1\n".encode("utf-16"), b"PK\x03\x04\x00\x00", b"\xff\xd8,1\n", b"x" * 200_000],
)
def test_what_is_no_table_at_all_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(data)
    assert refused(tmp_path / "r.csv").endswith("is neither CSV in UTF-8 nor Parquet.")


@pytest.mark.parametrize("odd", [pa.array([[1]]), pa.array([True])], ids=lambda column: str(column.type))
def test_parquet_columns_must_hold_numbers_or_text(tmp_path: Path, odd: pa.Array) -> None:
    for kind in (NUMBERS, NAMES):
        parquet.write_table(pa.table(dict.fromkeys(kind, pa.array([1])) | {kind[0]: odd}), tmp_path / "r.parquet")
        assert "A table's columns must hold text or numbers, not " in refused(tmp_path / "r.parquet")


def test_a_folder_without_parts_or_with_something_else_is_refused(tmp_path: Path) -> None:
    assert "holds no part of a table" in refused(tmp_path)
    write_table(tmp_path, "csv", NUMBERS, [GOOD[3]])
    (tmp_path / "notes.txt").touch()
    (tmp_path / "more").mkdir()
    assert "no part of a table: more, notes.txt." in refused(tmp_path)


@pytest.mark.parametrize("others", [CODED, [*NUMBERS, "updated_at"], NAMES])
def test_parts_must_be_of_one_kind(tmp_path: Path, others: list[str]) -> None:
    write_table(tmp_path, "csv", NUMBERS, [GOOD[3]], name="a")
    write_table(tmp_path, "parquet", others, [GOOD[4]], name="b")
    assert refused(tmp_path) == "b.parquet is another kind of rating table than a.csv."


def test_a_quote_that_is_never_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = "".join(f"u{row},1,5,2\n" for row in range(100))
    (tmp_path / "r.csv").write_text(",".join(NAMES) + f'\na,1,5,2\n"b,1,5,2\n{rows}', encoding="utf-8")
    assert refused(tmp_path / "r.csv") == "r.csv, line 3: a quote is opened and never closed."


def test_a_row_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK_BYTES", 64)
    (tmp_path / "r.csv").write_text("user_id,anime_id,rating\n1,1,5\n" + "1" * 1000 + ",1,5\n", encoding="utf-8")
    assert refused(tmp_path / "r.csv") == "r.csv, line 3: no row of a table is that long."


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere" / "r.csv") == f"There is no table {tmp_path / 'nowhere' / 'r.csv'}."


PEAK = """
import re, sys
from pathlib import Path
from hakken.training.tables import parts, read_ratings
parts.BLOCK_BYTES = 1 << 17  # so that the shorter text, too, has many blocks
for path in sys.argv[1:]:
    table = read_ratings(Path(path))
    print(len(table), re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process its peak")
@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_memory_does_not_grow_with_the_text(tmp_path: Path, form: str) -> None:
    head = b"username,anime_id,my_score,my_status,my_tags\n" + b"".join(b"a,%d,5,2,\n" % i for i in range(1, 1000))
    paths = [tmp_path / f"{size}.{form}" for size in ("short", "long")]
    for path, n_rows in zip(paths, (200_000, 1_000_000), strict=True):
        # Each name is different: rows that are left out must not be remembered by their names.
        bad = b"".join(b"somebody%09d,77,x,2,some tags of no use\n" % row for row in range(n_rows))
        path.write_bytes(raw_bytes(form, head + bad))
    told = subprocess.run([sys.executable, "-c", PEAK, *map(str, paths)], capture_output=True, text=True, check=True)
    (kept, peak_kb), (kept_of_long, peak_of_long_kb) = (map(int, line.split()) for line in told.stdout.splitlines())
    assert kept == kept_of_long == 999
    assert peak_of_long_kb - peak_kb < 20_000  # where the text grew by 36 MB, and names would take 80 MB
