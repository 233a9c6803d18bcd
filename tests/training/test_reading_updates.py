"""When lists were last changed: read from every kind of table and column, against pandas and Python's own dates."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from hakken.errors import TableError
from hakken.training.tables import read_ratings
from hakken.training.tables.values import days
from tests.training.reading_tables import FORMATS, write_table

EPOCH = date(1970, 1, 1)
LEFT_UNKNOWN = "impossible update time, left unknown"
KINDS = {
    "numbers": ["user_id", "anime_id", "rating"],
    "numbers with statuses": ["user_id", "anime_id", "rating", "watching_status"],
    "names": ["username", "anime_id", "my_score", "my_status"],
}
POSSIBLE = ("", *(f"T12:34:56{end}" for end in ("", "Z", ".123456789Z", "+00:00")), " 23:59:60", " 12:34:56.5+00:00")
"""What may follow a date."""
IMPOSSIBLE_TIMES = (
    *(
        "1989-12-31",
        "1970-01-01",
        "0000-00-00",
        "2023-02-29",
        "2026-13-01",
        "2026-3-1",
        "20260301",
        "2026-03",
        "9999-12-31",
    ),
    *("2026-03-01T24:00:00Z", "2026-03-01T12:34:56+09:00", "2026-03-01T12:34:56.Z", "2026-03-01x"),
    *("1772323200", "yesterday", " ", "\xff"),
)


def day(text: str) -> int:
    return (date.fromisoformat(text[:10]) - EPOCH).days


def table_of(kind: str, entries: Sequence[tuple[int, int, str]]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table of entries `(user, anime id, update time)`."""
    rows = [[str(user), str(anime_id), "7", "2"][: len(KINDS[kind])] for user, anime_id, _ in entries]
    return ["updated_at", *KINDS[kind]], [[one[2], *row] for one, row in zip(entries, rows, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_of_each_user_the_newest_time_counts(tmp_path: Path, form: str, kind: str) -> None:
    entries = [(2, 1, "2025-01-01"), (1, 1, ""), (2, 3, "2026-03-01T23:59:59Z"), (3, 9, "2019-05-05"), (2, 4, "")]
    table = read_ratings(write_table(tmp_path, form, *table_of(kind, entries)), strict=True)
    assert table.updated.tolist() == [0, day("2026-03-01"), day("2019-05-05")]
    assert table.updated.dtype == np.int32
    assert table.newest == "2026-03-01"
    assert len(table) == 5


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("text", IMPOSSIBLE_TIMES)
def test_an_impossible_time_is_counted_and_the_row_stays(tmp_path: Path, form: str, text: str) -> None:
    path = write_table(tmp_path, form, *table_of("numbers", [(1, 1, "2020-02-02"), (1, 2, text), (2, 1, "")]))
    table = read_ratings(path)
    assert table.dropped == {LEFT_UNKNOWN: 1}
    assert len(table.examples[LEFT_UNKNOWN]) == 1
    assert len(table) == table.rows == 3
    assert table.updated.tolist() == [day("2020-02-02"), 0]
    with pytest.raises(TableError, match=re.escape(f"{table.examples[LEFT_UNKNOWN][0]}: {LEFT_UNKNOWN}")):
        read_ratings(path, strict=True)


def test_a_time_is_written_in_any_of_these_ways(tmp_path: Path) -> None:
    times = ["1990-01-01", "2024-02-29", *(f"2026-03-01{end}" for end in POSSIBLE)]
    entries = [(user, 1, time) for user, time in enumerate(times)]
    table = read_ratings(write_table(tmp_path, "csv", *table_of("numbers", entries)), strict=True)
    assert table.updated.tolist() == [day(time) for time in times]


def test_tomorrow_is_possible_and_the_day_after_is_not(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    for ahead, possible in ((1, True), (3, False)):  # two may be one by the time that it is read
        later = (today + timedelta(days=ahead)).isoformat()
        table = read_ratings(write_table(tmp_path, "csv", *table_of("numbers", [(1, 1, later)])))
        assert table.newest == (later if possible else None)
        assert bool(table.dropped) is not possible


def test_a_row_that_can_not_be_used_says_nothing_of_its_time(tmp_path: Path) -> None:
    columns, rows = table_of("numbers", [(1, 1, "2020-02-02"), (1, 0, "2026-01-01"), (1, 0, "never")])
    table = read_ratings(write_table(tmp_path, "csv", columns, rows))
    assert table.dropped == {"impossible anime id": 2}
    assert table.newest == "2020-02-02"


MOMENTS = [datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), None, datetime(1990, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([moment and moment.date() for moment in MOMENTS], pa.date32()),
        pa.array([moment and moment.date() for moment in MOMENTS], pa.date64()),
        *(pa.array(MOMENTS, pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in ("UTC", None)),
        pa.array(MOMENTS, pa.timestamp("us", "Asia/Tokyo")),
        pa.array([moment and moment.isoformat() for moment in MOMENTS], pa.large_string()),
        pa.array([moment and moment.isoformat() for moment in MOMENTS]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_parquet_may_store_times_as_it_likes(tmp_path: Path, column: pa.Array) -> None:
    plain = pa.array([1, 2, 3])
    columns = {"user_id": plain, "anime_id": plain, "rating": plain, "updated_at": column}
    parquet.write_table(pa.table(columns), tmp_path / "r.parquet")
    table = read_ratings(tmp_path / "r.parquet", strict=True)
    assert table.updated.tolist() == [day("2026-03-01"), 0, day("1990-01-01")]


def test_parquet_times_may_be_impossible_or_missing(tmp_path: Path) -> None:
    ids = pa.array([1, 2, 3])
    for column, n_impossible in ((pa.array([-1, 0, None], pa.timestamp("s")), 2), (pa.nulls(3), 0)):
        columns = {"user_id": ids, "anime_id": ids, "rating": ids, "updated_at": column}
        parquet.write_table(pa.table(columns), tmp_path / "r.parquet")
        table = read_ratings(tmp_path / "r.parquet")
        assert table.dropped.total() == table.dropped[LEFT_UNKNOWN] == n_impossible
        assert table.newest is None


@pytest.mark.parametrize("column", [[1_772_323_200], [2026.5], [True]])
def test_numbers_are_no_times(tmp_path: Path, column: list[object]) -> None:
    columns = {"user_id": [1], "anime_id": [1], "rating": [1], "updated_at": column}
    parquet.write_table(pa.table(columns), tmp_path / "r.parquet")
    with pytest.raises(TableError, match="update times must be dates, times or text, not"):
        read_ratings(tmp_path / "r.parquet")


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
    found = days(pa.array(texts, pa.string()))
    assert [found.values[code] for code in found.codes] == expected
