"""Reading rating tables: every kind, in every format, as it is published and as other programs write it."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hakken.errors import TableError
from hakken.training.tables import RatingTable, parts, read_ratings
from hakken.training.tables.rejected_rows import N_EXAMPLES
from hakken.training.tables.values import days, number_of
from tests.training.commands import run
from tests.training.reading_tables import CODED, FORMATS, NAMES, NUMBERS, write_parquet, write_table
from tests.training.recorded_progress import RecordedProgress

STATUSES = (0, 1, 2, 3, 4, 6)
"""0: watched or planned, nobody knows; but whoever scored it has watched it."""
TIMES = ("", "2025-01-01", "2026-03-01T23:59:59Z", "1990-01-01")
KINDS = {"numbers": NUMBERS, "numbers with statuses": CODED[::-1], "names": [*NAMES, "my_tags"]}
LEFT_UNKNOWN = "impossible update time, left unknown"


class Entry(NamedTuple):
    user: int
    anime_id: int
    score: int
    status: int
    updated: str


entries = st.lists(
    st.builds(
        Entry,
        st.integers(0, 30) | st.integers(0, 2**53),
        st.integers(1, 30) | st.integers(1, 2**31 - 1),
        st.integers(-1, 10),
        st.sampled_from(STATUSES),
        st.sampled_from(TIMES),
    ),
    min_size=1,
    max_size=60,
)


def written(kind: str, given_entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """The columns and rows of a table of each kind, some in an unusual order and with a column nobody needs."""
    rows = []
    for one in given_entries:
        fields = {name: str(value) for name, value in zip(CODED, one, strict=False)}
        fields |= dict(zip(NAMES, (f"Ü {one.user}", *map(str, one[1:])), strict=False))
        fields["my_tags"] = 'a "note",\nof two lines'
        rows.append([one.updated, *(fields[name] for name in KINDS[kind])])
    return ["updated_at", *KINDS[kind]], rows


def day(text: str) -> int:
    return (date.fromisoformat(text[:10]) - date(1970, 1, 1)).days if text else 0


def found(table: RatingTable) -> list[tuple[int, int, int, int]]:
    ids = table.anime_ids[table.items]
    columns = (table.users.tolist(), ids.tolist(), table.scores.tolist(), table.statuses.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=15)
@given(given_entries=entries)
def test_a_table_reads_back_the_same_from_every_format(
    form: str, kind: str, given_entries: list[Entry], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = read_ratings(write_table(tmp_path_factory.mktemp("t"), form, *written(kind, given_entries)))
    last = {(one.user, one.anime_id): one for one in given_entries}
    users = sorted({one.user for one in given_entries}, key=str if kind == "names" else None)
    assert found(table) == sorted(
        (
            users.index(one.user),
            one.anime_id,
            max(one.score, 0),
            2 if kind == "numbers" or (one.status == 0 and one.score > 0) else one.status,
        )
        for one in last.values()
    )
    updated = [max(day(one.updated) for one in given_entries if one.user == user) for user in users]
    assert table.updated.tolist() == updated
    assert table.newest == (str(date(1970, 1, 1) + timedelta(days=max(updated))) if any(updated) else None)
    assert table.rows == len(given_entries) == len(table) + table.dropped.total()
    assert np.all(np.diff(table.anime_ids) > 0)
    assert [str(a.dtype) for a in (table.users, table.items, table.anime_ids, table.updated)] == ["int32"] * 4
    assert [str(a.dtype) for a in (table.scores, table.statuses)] == ["int8"] * 2


@pytest.mark.parametrize("block_bytes", [256, 4096])
@settings(max_examples=20)
@given(given_entries=entries)
def test_where_blocks_are_cut_makes_no_difference(
    block_bytes: int, given_entries: list[Entry], tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns, rows = written("names", given_entries)
    bad = [["", "somebody", "0", "", "1", "1"]] * (N_EXAMPLES + 2)
    path = write_table(tmp_path_factory.mktemp("t"), "csv", columns, [*bad[2:], *rows, *bad[:2]])
    whole = read_ratings(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "BLOCK_BYTES", block_bytes)
        cut = read_ratings(path)
    assert found(cut) == found(whole)
    assert cut.dropped == whole.dropped
    assert cut.dropped["impossible anime id"] == len(bad)
    assert cut.examples == whole.examples
    assert cut.examples["impossible anime id"] == tuple(f"ratings.csv, line {line}" for line in range(2, 7))


@given(st.text(alphabet="0123456789+-., x", max_size=6) | st.integers(-(10**20), 10**20).map(str))
def test_numbers_are_read_as_python_reads_them(word: str) -> None:
    text = word.strip(" ")
    whole, _, rest = text.lstrip("+-").replace(",", ".").partition(".")
    possible = (
        len(text) - len(text.lstrip("+-")) <= 1
        and set(whole + rest) <= set("0123456789")
        and (whole or (rest and "," not in text))
        and len(whole) <= 18
        and ("," not in text or 1 <= len(rest) <= 2)
    )
    assert number_of(word.encode()) == (Decimal(text.replace(",", ".")) if possible else None)


# Columns as Parquet and other programs have them


@pytest.mark.parametrize(
    "column",
    [
        pa.array([7, 7, 9], pa.uint8()),
        pa.array([7, 7, 9], pa.uint64()),
        pa.array([7.0, 7.0, 9.0], pa.float32()),
        pa.array(["7", "7", "9"], pa.large_string()),
        pa.array(["7.0", " 7", "+9"]),
        pa.array(["7", "7", "9"]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_parquet_may_store_numbers_as_it_likes(tmp_path: Path, column: pa.Array) -> None:
    others = dict.fromkeys(NUMBERS, pa.array([1, 2, 3]))
    for name in NUMBERS:
        table = read_ratings(write_parquet(tmp_path / "r.parquet", others | {name: column}))
        users = [int(table.user_ids[user]) for user in table.users]
        read = dict(zip(NUMBERS, (users, table.anime_ids[table.items].tolist(), table.scores.tolist()), strict=True))
        assert read[name] == [7, 7, 9]


def test_what_parquet_lacks_or_can_not_hold_exactly_is_impossible(tmp_path: Path) -> None:
    columns = {
        "user_id": pa.array([1, None, 3, 4, 2**64 - 1, 8], pa.uint64()),
        "anime_id": pa.array([1.0, 2.0, 2.5, float("nan"), 5.0, 6.0]),
        "rating": pa.array([None, 1, 1, 1, 1, 10], pa.int8()),
    }
    table = read_ratings(write_parquet(tmp_path / "r.parquet", columns))
    assert table.dropped == {"impossible user id": 1, "impossible anime id": 2}
    assert table.examples["impossible anime id"] == ("r.parquet, row 3", "r.parquet, row 4")
    assert (table.anime_ids.tolist(), table.scores.tolist()) == ([1, 5, 6], [0, 10, 1])


def test_parts_are_read_in_the_order_of_their_names_and_may_be_empty(tmp_path: Path) -> None:
    write_table(tmp_path, "csv", NUMBERS, [["1", "1", "9"], ["1", "2", "0"]], name="b")
    write_table(tmp_path, "parquet", NUMBERS, [["1", "1", "7"], ["x", "3", "1"]], name="c")
    write_table(tmp_path, "csv.gz", NUMBERS, [["1", "1", "8"]], name="a")
    write_table(tmp_path, "csv", NUMBERS, [], name="0")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".b.csv.crc").touch()
    table = read_ratings(tmp_path)
    assert table.scores.tolist() == [7, 0]
    assert table.rows == 5
    assert table.examples == {
        "impossible user id": ("c.parquet, row 2",),
        "a later row for the same user and anime": ("a.csv.gz, line 2", "b.csv, line 2"),
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path, end: str, mark: str) -> None:
    lines = [
        *("", 'username,anime_id,my_score,my_status,"my,tags"', "a,1,5,2,", "", 'b,1,6,2,"two', 'lines"', "c,1,99,2,"),
        *('e,1,7,2,a "quoted" word', "d", '"f\n\ng",0,7,2,', "h,1,7,9,"),
    ]
    path = tmp_path / "r.csv"
    path.write_bytes((mark + end.join(lines)).encode())
    table = read_ratings(path)
    assert table.scores.tolist() == [5, 6, 7]
    assert table.examples == {
        "impossible score": ("r.csv, line 7",),
        "wrong number of fields": ("r.csv, line 9",),
        "impossible anime id": ("r.csv, line 10",),
        "impossible status": ("r.csv, line 13",),
    }


def test_the_format_is_told_by_the_content_where_the_name_says_nothing(tmp_path: Path) -> None:
    for form in ("csv.gz", "csv.zst", "parquet"):
        path = write_table(tmp_path, form, NUMBERS, [["1", "1", "5"]])
        assert read_ratings(path.rename(tmp_path / "table")).scores.tolist() == [5]


def test_progress_hears_of_every_row(tmp_path: Path) -> None:
    rows = [[str(row), "1", "11" if row % 3 else "5"] for row in range(1000)]
    for form in FORMATS:
        recorded = RecordedProgress()
        path = write_table(tmp_path, form, NUMBERS, rows)
        if form == "csv":
            path.write_text(path.read_text() + "1,1\n")  # which is a row too
        read_ratings(path, progress=recorded)
        assert recorded.done == {"reading": 1000 + (form == "csv")}
        assert list(recorded.totals) == ["reading", "ordering"]
        assert recorded.totals["reading"] == pytest.approx(1000, abs=2)  # each header counts for a row


def test_in_a_table_made_without_statuses_all_is_completed_and_no_time_known() -> None:
    ones = np.ones(3, dtype=np.int32)
    table = RatingTable(ones[:1], 2, ones, ones, ones.astype(np.int8), 3)
    assert (table.statuses.tolist(), table.updated.tolist(), table.newest) == ([2, 2, 2], [0, 0], None)
    assert [str(a.dtype) for a in (table.statuses, table.updated)] == ["int8", "int32"]


# Separators, names of columns and ways to write a score


def scores_of(directory: Path, head: str, scores: Sequence[object], separator: str = ",", end: str = "\n") -> list[int]:
    """The scores that are read of one user's, of which each is written."""
    path = directory / "ratings.csv"
    rows = (separator.join(("7", str(anime), str(one))) for anime, one in enumerate(scores, 1))
    path.write_bytes(end.join([head.replace(",", separator), *rows, ""]).encode())
    table = read_ratings(path, strict=True)
    assert table.anime_ids[table.items].tolist() == [*range(1, len(table) + 1)]
    return [int(score) for score in table.scores]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '\ufeff"SEP={}"\n', "\ufeff\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_is_stated_or_found(tmp_path: Path, separator: str, first: str, end: str) -> None:
    head = first.format(separator) + ",".join(NUMBERS)
    assert scores_of(tmp_path, head, [0, 6, 8, 10], separator, end) == [0, 6, 8, 10]


@pytest.mark.parametrize(
    "head", ["USER_ID,Anime_Id,Rating", " user id , anime  id ,rating", '"user_id","anime_id","rating"']
)
def test_columns_are_known_by_their_names_however_they_are_written(tmp_path: Path, head: str) -> None:
    assert scores_of(tmp_path, head, [0, 6, 8]) == [0, 6, 8]
    with pytest.raises(TableError, match="has the column rating twice"):
        scores_of(tmp_path, f"{head},Rating", ["5,5"])


NO_SCORE = ("", " ", "NaN", "nan", "None", "NULL", "null", "-", "N/A", "<NA>", "-1", "-1.0", "0", "0.0")


@pytest.mark.parametrize(
    ("separator", "scores", "read"),
    [
        (",", [5, *NO_SCORE, "6.0"], [5, *[0] * len(NO_SCORE), 6]),
        (",", ["7.5", "7.49", "9.5", "0.5", "0.1", "10", "10.0"], [8, 7, 10, 1, 1, 10, 10]),  # half points
        (";", ["7,5", "8,25", "6"], [8, 8, 6]),
        # 100 points
        (",", [95, 100, 88, 73, "74.9", 55, 54, 10, 5, 4, 0, "-1", ""], [10, 10, 9, 7, 7, 6, 5, 1, 1, 1, 0, 0, 0]),
    ],
)
def test_scores_are_written_in_any_of_these_ways(
    tmp_path: Path, separator: str, scores: list[object], read: list[int]
) -> None:
    assert scores_of(tmp_path, ",".join(NUMBERS), scores, separator) == read


@pytest.mark.parametrize(
    "column", [pa.array([5, None], pa.int64()), pa.array([5.0, float("nan")]), pa.array(["5", None])]
)
def test_parquet_may_lack_a_score(tmp_path: Path, column: pa.Array) -> None:
    path = write_parquet(tmp_path / "r.parquet", {"user_id": [1, 1], "anime_id": [1, 2], "rating": column})
    assert read_ratings(path, strict=True).scores.tolist() == [5, 0]


@pytest.mark.parametrize(("n_scored", "n_above", "divided"), [(2, 1, False), (200, 2, False), (199, 2, True)])
def test_a_few_scores_above_ten_are_typing_errors(tmp_path: Path, n_scored: int, n_above: int, divided: bool) -> None:
    """The last score, of an anime and a user of its own, is one of them; entries without a score do not count."""
    scores = [*[0] * 500, *[9] * (n_scored - n_above), *[75] * n_above]
    rows = [["7", str(anime), str(one)] for anime, one in enumerate(scores[:-1], 1)]
    path = write_table(tmp_path, "csv", NUMBERS, [*rows, ["8", "9999", "75"]])
    table = read_ratings(path)
    assert table.hundred_points is divided
    if divided:
        assert table.scores.tolist()[500:] == [1] * (n_scored - n_above) + [8] * n_above
        assert not table.dropped
    else:
        assert table.dropped == {"impossible score": n_above}
        assert table.examples["impossible score"][-1] == f"ratings.csv, line {len(scores) + 1}"
        assert (len(table), table.n_users, table.rows) == (len(scores) - n_above, 1, len(scores))
        with pytest.raises(TableError, match=f"line {len(scores) + 2 - n_above}: impossible score"):
            read_ratings(path, strict=True)


def test_train_says_once_that_scores_were_divided(tmp_path: Path, anime_csv: Path) -> None:
    for factor, said in ((1, 0), (10, 1)):
        rows = [[str(u), str(i), str((3 + (u * i) % 8) * factor)] for u in range(30) for i in range(1, 20)]
        path = write_table(tmp_path, "csv", NUMBERS, rows)
        options = ("--anime", anime_csv, "--out", tmp_path / str(factor), "--strict")
        assert run("train", "--ratings", path, *options).output.count("100-point scale") == said
    first, second = ((tmp_path / name / "b_i.npy").read_bytes() for name in ("1", "10"))
    assert first == second


# When lists were last changed


IMPOSSIBLE_TIMES = (
    *("1989-12-31", "1970-01-01", "0000-00-00", "2023-02-29", "2026-13-01", "2026-3-1", "20260301", "2026-03"),
    *("9999-12-31", "2026-03-01T24:00:00Z", "2026-03-01T12:34:56+09:00", "2026-03-01T12:34:56.Z", "2026-03-01x"),
    *("1772323200", "yesterday", " ", "\xff"),
)
POSSIBLE_TIMES = (
    *("1990-01-01", "2024-02-29", "2026-03-01", *(f"2026-03-01T12:34:56{end}" for end in ("", "Z", "+00:00"))),
    *("2026-03-01T12:34:56.123456789Z", "2026-03-01 23:59:60", "2026-03-01 12:34:56.5+00:00"),
)


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("text", [*POSSIBLE_TIMES, *IMPOSSIBLE_TIMES, "tomorrow", "in three days"])
def test_an_impossible_time_is_counted_and_the_row_stays(tmp_path: Path, form: str, text: str) -> None:
    ahead = {"tomorrow": 1, "in three days": 3}.get(text)  # two days may be one by the time that they are read
    time = text if ahead is None else str(datetime.now(UTC).date() + timedelta(days=ahead))
    path = write_table(tmp_path, form, ["updated_at", *NUMBERS], [[time, "1", "1", "7"], ["", "2", "1", "7"]])
    table = read_ratings(path)
    assert len(table) == table.rows == 2
    if text in {*POSSIBLE_TIMES, "tomorrow"}:
        assert not table.dropped
        assert table.updated.tolist() == [day(time), 0]
    else:
        assert table.dropped == {LEFT_UNKNOWN: 1}
        assert table.updated.tolist() == [0, 0]
        [place] = table.examples[LEFT_UNKNOWN]
        with pytest.raises(TableError, match=f"{place}: {LEFT_UNKNOWN}"):
            read_ratings(path, strict=True)


def test_a_row_that_can_not_be_used_says_nothing_of_its_time(tmp_path: Path) -> None:
    rows = [[time, "1", anime, "7"] for time, anime in (("2020-02-02", "1"), ("2026-01-01", "0"), ("never", "0"))]
    table = read_ratings(write_table(tmp_path, "csv", ["updated_at", *NUMBERS], rows))
    assert table.dropped == {"impossible anime id": 2}
    assert table.newest == "2020-02-02"


@pytest.mark.parametrize("strict", [False, True])
def test_of_a_user_with_several_lists_the_newest_counts_whatever_the_order_of_the_parts(
    tmp_path: Path, strict: bool
) -> None:
    moments = [pa.scalar(moment, pa.timestamp("s", "UTC")) for moment in (200_000, 100_000, 300_000)]
    lists = {"a": ([1, 1, 2], [5, 6, 5]), "b": ([1, 2, 2], [5, 6, 7]), "c": ([1, 3], [6, 9])}
    for (name, (users, anime)), moment in zip(lists.items(), moments, strict=True):
        columns = {"user_id": users, "anime_id": anime, "rating": anime, "listed_at": pa.repeat(moment, len(users))}
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    table = read_ratings(tmp_path, strict=strict)
    users = [table.user_ids[user] for user in table.users]
    assert list(zip(users, table.anime_ids[table.items].tolist(), strict=True)) == [(1, 6), (2, 5), (3, 9)]
    assert table.dropped == {"an older list of the same user": 5}
    assert table.newest == "1970-01-04"


MOMENTS = [datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), None, datetime(1990, 1, 1, tzinfo=UTC)]
READ = [day("2026-03-01"), 0, day("1990-01-01")]


@pytest.mark.parametrize(
    ("column", "n_impossible", "read"),
    [
        *((pa.array([one and one.date() for one in MOMENTS], kind), 0, READ) for kind in (pa.date32(), pa.date64())),
        *((pa.array(MOMENTS, pa.timestamp(unit, "UTC")), 0, READ) for unit in ("s", "ms", "us", "ns")),
        *((pa.array(MOMENTS, pa.timestamp("us", zone)), 0, READ) for zone in (None, "Asia/Tokyo")),
        (pa.array([one and one.isoformat() for one in MOMENTS], pa.large_string()), 0, READ),
        (pa.array([one and one.isoformat() for one in MOMENTS]).dictionary_encode(), 0, READ),
        (pa.array([-1, 0, None], pa.timestamp("s")), 2, [0, 0, 0]),
        (pa.nulls(3), 0, [0, 0, 0]),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_parquet_may_store_times_as_it_likes(
    tmp_path: Path, column: pa.Array, n_impossible: int, read: list[int]
) -> None:
    columns: dict[str, Any] = dict.fromkeys(NUMBERS, pa.array([1, 2, 3])) | {"updated_at": column}
    table = read_ratings(write_parquet(tmp_path / "r.parquet", columns))
    assert table.updated.tolist() == read
    assert table.dropped.total() == table.dropped[LEFT_UNKNOWN] == n_impossible


@given(st.lists(st.dates().map(str) | st.datetimes().map(lambda one: f"{one.isoformat()}Z") | st.text("0123-T: Z")))
def test_days_are_read_as_python_reads_them(texts: list[str]) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    expected: list[int | str] = []
    for text in texts:
        try:
            moment = datetime.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d(T.*Z)?", text) else None
        except ValueError:
            moment = None
        possible = moment is not None and date(1990, 1, 1) <= moment.date() <= tomorrow
        expected.append(day(text) if possible else LEFT_UNKNOWN if text else 0)
    read = days(pa.array(texts, pa.string()))
    assert [read.values[code] for code in read.codes] == expected
