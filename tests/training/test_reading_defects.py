"""What is wrong with a table is counted and named, or refused, in every format."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError
from hakken.training.tables import AnimeTable, RatingTable, in_series, parts, read_anime_table, read_ratings
from hakken.training.tables.anime_table import ANIME_COLUMNS
from tests.training.reading_tables import (
    CODED,
    FORMATS,
    NAMES,
    NUMBERS,
    TEXT_FORMATS,
    location,
    raw_bytes,
    write_parquet,
    write_table,
)

ANIME = [*ANIME_COLUMNS]
RELATIONS = ["anime_id", "relation", "related_id"]
GOOD = {
    tuple(NUMBERS): ["7", "70", "7"],
    tuple(CODED): ["7", "70", "7", "2"],
    tuple(NAMES): ["7", "70", "7", "2"],
    tuple(ANIME): ["70", "Good", "Action", "TV", "12", "7.5", "100"],
    tuple(RELATIONS): ["70", "Sequel", "71"],
}
"""A row of each table that can be used."""
TWO = AnimeTable(Catalogue([Anime(anime_id=70, title="Dawn"), Anime(anime_id=71, title="Dusk")]), Counter(), {})
IDS = ("", "x", "0", "-1", "1.5", "2147483648")
DEFECTS = [
    *((NUMBERS, [user, "1", "5"], "impossible user id") for user in ("-1", "", "x", "1.5", "1e3", "9" * 19, "0x1")),
    *((NUMBERS, ["1", anime, "5"], "impossible anime id") for anime in (*IDS, "\xff")),
    *((NUMBERS, ["1", "1", score], "impossible score") for score in ("11", "-2", "101", "1e1", "7,", "--7", "seven")),
    *((CODED, ["1", "1", "5", status], "impossible status") for status in ("5", "7", "-1", "", "2.5", "watching")),
    *((NAMES, [name, "1", "5", "2"], "no username") for name in ("", "  ")),
    *((NAMES, [name, "1", "5", "2"], "a username that is not text in UTF-8") for name in ("\xff", "a\0b")),
    (NAMES, ["b", "1", "5", "5"], "impossible status"),
    (NAMES, ["b", "1", "x", "9"], "impossible score"),  # one reason a row: the first
    (NUMBERS, ["7", "70", "7"], "a later row for the same user and anime"),
    *((ANIME, [text, "Bad", "", "TV", "1", "7", "1"], "impossible anime id") for text in IDS),
    (ANIME, ["2", "", "", "TV", "1", "7", "1"], "no title"),
    (ANIME, ["2", "\xff", "", "TV", "1", "7", "1"], "text that is not in UTF-8"),
    (ANIME, ["70.0", "Worse", "", "TV", "1", "7", "1"], "a later row for the same anime"),
    *((RELATIONS, [text, "Sequel", "71"], "impossible anime id") for text in IDS),
    *((RELATIONS, ["70", "Sequel", text], "impossible id of a related anime") for text in IDS),
    (RELATIONS, ["70", "", "71"], "no relation"),
    *(
        ([*RELATIONS, "confidence"], ["70", "Prequel", "71", text], "impossible confidence")
        for text in ("x", "-0.1", "1.01", "2", "nan", "1e-1")
    ),
]


def read(path: Path, columns: list[str], *, strict: bool = False) -> RatingTable | AnimeTable:
    """Read a table with such columns."""
    if columns == ANIME:
        return read_anime_table(path, strict=strict)
    return in_series(TWO, path, strict=strict) if columns[:3] == RELATIONS else read_ratings(path, strict=strict)


def refused(path: Path, columns: list[str] = NUMBERS, *, strict: bool = False) -> str:
    """The sentence by which a table is refused, which is one for people."""
    with pytest.raises(TableError) as error:
        read(path, columns, strict=strict)
    sentence = str(error.value)
    jargon = ("arrow", "traceback", "invalid:", "oserror", "thrift", "zlib", "errno", "none")
    assert sentence.endswith("."), sentence
    assert not any(word in sentence.lower() for word in ("\n", *jargon)), sentence
    return sentence


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("columns", "row", "reason"), DEFECTS, ids=lambda value: "|".join(value) if isinstance(value, list) else None
)
def test_a_row_that_can_not_be_used_is_counted_and_named_or_refused(
    tmp_path: Path, form: str, columns: list[str], row: list[str], reason: str
) -> None:
    good = GOOD.get(tuple(columns), [*GOOD[tuple(RELATIONS)], "1"])
    path = write_table(tmp_path, form, columns, [row, good])
    table = read(path, columns)
    assert table.dropped == {reason: 1}
    assert table.examples == {reason: (location(form, 0),)}
    if isinstance(table, RatingTable):
        assert (table.rows, len(table), table.n_users, table.anime_ids.tolist()) == (2, 1, 1, [70])
    elif columns == ANIME:
        assert [(one.anime_id, one.title) for one in table.catalogue.values()] == [(70, "Good")]
    else:
        assert [one.relation for one in table.catalogue[70].relations or ()] == ["Sequel"]
    assert refused(path, columns, strict=True) == f"{location(form, 0)}: {reason}."


@pytest.mark.parametrize("columns", [NUMBERS, ANIME])
@pytest.mark.parametrize("form", TEXT_FORMATS)
@pytest.mark.parametrize("line", ["1,1", "1,1,5,,,,,", "1", "1;1;5", '"1,1,5"', "1,1,5,2,5,2,5,2", "\xff,1"])
def test_a_row_with_the_wrong_number_of_fields_is_counted_and_named_or_refused(
    tmp_path: Path, form: str, line: str, columns: list[str]
) -> None:
    path = tmp_path / f"ratings.{form}"
    good = ",".join(GOOD[tuple(columns)])
    text = "\n".join([",".join(columns), f"6{good[1:]}", "", line, good, ""])
    path.write_bytes(raw_bytes(form, text.encode("latin-1")))
    table = read(path, columns)
    assert table.dropped == {"wrong number of fields": 1}
    assert table.examples == {"wrong number of fields": (f"ratings.{form}, line 4",)}
    assert table.rows == 3 if isinstance(table, RatingTable) else len(table.catalogue) == 2
    assert refused(path, columns, strict=True) == f"ratings.{form}, line 4: wrong number of fields."


def test_strict_names_the_first_row_of_all_that_can_not_be_used(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user_id,anime_id,rating\n1,1,5\n1,1,6\n1,2,99\n1\nx,1,5\n", encoding="utf-8")
    assert refused(path, strict=True) == "r.csv, line 4: impossible score."


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
@pytest.mark.parametrize(
    ("columns", "rows", "refusal"),
    [
        (NUMBERS, [], "has a header and no rows."),
        (NUMBERS, [["1", "1", "101"], ["1", "1", "x"]], "holds no usable rating: impossible score: 2."),
        (ANIME, [], "holds no usable row."),
        (ANIME, [["1", "", "", "", "", "", ""]], "holds no usable row: no title."),
        (RELATIONS, [], "holds no usable row."),
        (RELATIONS, [["1", "", "2"]], "holds no usable row: no relation."),
    ],
)
def test_a_table_without_a_usable_row_says_why(
    tmp_path: Path, form: str, columns: list[str], rows: list[list[str]], refusal: str
) -> None:
    assert refused(write_table(tmp_path, form, columns, rows), columns).endswith(refusal)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("kind", "columns", "refusal"),
    [
        *(
            (NUMBERS, columns, f"has the columns {', '.join(columns)}. A rating table has {', '.join(NUMBERS)}; or ")
            for columns in (["user_id", "anime_id"], NAMES[:3], ["user_id:anime_id:rating"])
        ),
        (ANIME, [*ANIME[:4], "rating"], "lacks the columns episodes, members; it has anime_id, name"),
        (RELATIONS, RELATIONS[:2], "lacks the columns related_id; it has anime_id, relation"),
    ],
)
def test_a_table_that_lacks_a_column_is_refused_with_its_columns_and_ours(
    tmp_path: Path, form: str, kind: list[str], columns: list[str], refusal: str
) -> None:
    assert refusal in refused(write_table(tmp_path, form, columns, [["1"] * len(columns)]), kind)


@pytest.mark.parametrize(
    "data",
    ["user_id,anime_id,rating\n1,1,1\n".encode("utf-16"), b"PK\x03\x04\x00\x00", b"\xff\xd8,1\n", b"x" * 200_000],
)
def test_what_is_no_table_at_all_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(data)
    assert refused(tmp_path / "r.csv").endswith("is neither CSV in UTF-8 nor Parquet.")


@pytest.mark.parametrize("kind", [NUMBERS, NAMES])
@pytest.mark.parametrize(
    ("name", "odd", "refusal"),
    [
        *(
            (None, odd, "A table's columns must hold text or numbers, not ")
            for odd in (pa.array([[1]]), pa.array([True]))
        ),
        *(
            ("updated_at", odd, "A table's update times must be dates, times or text, not ")
            for odd in (pa.array([1_772_323_200]), pa.array([2026.5]), pa.array([True]))
        ),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_parquet_columns_must_hold_what_they_say(
    tmp_path: Path, kind: list[str], name: str | None, odd: pa.Array, refusal: str
) -> None:
    columns = dict.fromkeys(kind, pa.array([1])) | {name or kind[0]: odd}
    assert refusal in refused(write_parquet(tmp_path / "r.parquet", columns))


def test_a_folder_without_parts_or_with_something_else_is_refused(tmp_path: Path) -> None:
    assert "holds no part of a table" in refused(tmp_path)
    write_table(tmp_path, "csv", NUMBERS, [["7", "70", "7"]])
    (tmp_path / "notes.txt").touch()
    (tmp_path / "more").mkdir()
    assert "that is not part of a table: more, notes.txt." in refused(tmp_path)
    place = tmp_path / "nowhere" / "r.csv"
    assert refused(place) == f"There is no table {place}."


@pytest.mark.parametrize("others", [CODED, [*NUMBERS, "updated_at"], NAMES])
def test_parts_must_be_of_one_kind(tmp_path: Path, others: list[str]) -> None:
    write_table(tmp_path, "csv", NUMBERS, [["7", "70", "7"]], name="a")
    write_table(tmp_path, "parquet", others, [["7", "70", "7", "2"]], name="b")
    assert refused(tmp_path) == "b.parquet is another kind of rating table than a.csv."


@pytest.mark.parametrize(
    ("row", "block_bytes", "why"),
    [
        ('"b,1,5\n' + "7,1,5\n" * 100, 1 << 23, "a quote is opened and never closed"),
        ("1" * 1000 + ",1,5\n", 64, "no row of a table is that long"),
    ],
)
def test_a_row_without_end_is_refused_with_its_line_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, block_bytes: int, why: str
) -> None:
    monkeypatch.setattr(parts, "BLOCK_BYTES", block_bytes)
    (tmp_path / "r.csv").write_text("user_id,anime_id,rating\n1,1,5\n" + row, encoding="utf-8")
    assert refused(tmp_path / "r.csv") == f"r.csv, line 3: {why}."


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
