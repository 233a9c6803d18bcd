"""Reading rating tables: every kind, in every format, says the same."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hakken.training.tables import RatingTable, parts, read_ratings
from hakken.training.tables.values import number_of
from tests.training.reading_tables import FORMATS, write_table
from tests.training.recorded_progress import RecordedProgress

STATUSES = (0, 1, 2, 3, 4, 6)
"""0: watched or planned, nobody knows; but whoever scored it has watched it."""


class Entry(NamedTuple):
    user: int
    anime_id: int
    score: int
    status: int


entries = st.lists(
    st.builds(
        Entry,
        st.integers(0, 30) | st.integers(0, 2**53),
        st.integers(1, 30) | st.integers(1, 2**31 - 1),
        st.integers(-1, 10),
        st.sampled_from(STATUSES),
    ),
    min_size=1,
    max_size=60,
)


def written(kind: str, given_entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """The columns and rows of a table of each kind, some in an unusual order and with a column nobody needs."""
    if kind == "names":
        rows = [
            [f"Ü {e.user}", str(e.anime_id), 'a "note",\nof two lines', str(e.score), str(e.status)]
            for e in given_entries
        ]
        return ["username", "anime_id", "my_tags", "my_score", "my_status"], rows
    if kind == "numbers with statuses":
        rows = [[str(e.status), str(e.score), str(e.user), str(e.anime_id)] for e in given_entries]
        return ["watching_status", "rating", "user_id", "anime_id"], rows
    return ["user_id", "anime_id", "rating"], [[str(e.user), str(e.anime_id), str(e.score)] for e in given_entries]


def expected(kind: str, given_entries: Sequence[Entry]) -> list[tuple[int, int, int, int]]:
    """The entries as a table should hold them: (user, anime id, score, status), sorted."""
    last = {(e.user, e.anime_id): e for e in given_entries}
    ids = {e.user for e in given_entries}
    order = sorted(ids, key=lambda user: f"Ü {user}") if kind == "names" else sorted(ids)
    number = {user: u for u, user in enumerate(order)}
    status = {key: 2 if kind == "numbers" or (e.status == 0 and e.score > 0) else e.status for key, e in last.items()}
    return sorted((number[u], i, max(e.score, 0), status[u, i]) for (u, i), e in last.items())


def found(table: RatingTable) -> list[tuple[int, int, int, int]]:
    ids = table.anime_ids[table.items]
    columns = (table.users.tolist(), ids.tolist(), table.scores.tolist(), table.statuses.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("kind", ["numbers", "numbers with statuses", "names"])
@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=15)
@given(given_entries=entries)
def test_a_table_reads_back_the_same_from_every_format(
    form: str, kind: str, given_entries: list[Entry], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_table(tmp_path_factory.mktemp("t"), form, *written(kind, given_entries))
    table = read_ratings(path)
    assert found(table) == expected(kind, given_entries)
    assert table.rows == len(given_entries) == len(table) + table.dropped.total()
    assert np.all(np.diff(table.anime_ids) > 0)
    assert [str(a.dtype) for a in (table.users, table.items, table.anime_ids)] == ["int32"] * 3
    assert [str(a.dtype) for a in (table.scores, table.statuses)] == ["int8"] * 2


@pytest.mark.parametrize("block_bytes", [256, 4096])
@settings(max_examples=20)
@given(given_entries=entries)
def test_where_blocks_are_cut_makes_no_difference(
    block_bytes: int, given_entries: list[Entry], tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns, rows = written("names", given_entries)
    rows.insert(len(rows) // 2, ["somebody", "0", "", "1", "1"])
    path = write_table(tmp_path_factory.mktemp("t"), "csv", columns, rows)
    whole = read_ratings(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "BLOCK_BYTES", block_bytes)
        cut = read_ratings(path)
    assert found(cut) == found(whole)
    assert (cut.dropped, cut.examples) == (whole.dropped, whole.examples)


def test_a_large_table_agrees_with_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    ranges = {"user_id": (-20, 3000), "anime_id": (-20, 2000), "rating": (-2, 11)}
    frame = pd.DataFrame({name: rng.integers(*ends, 100_000) for name, ends in ranges.items()})
    frame.loc[rng.integers(0, 100_000, 500), "rating"] = 11  # too few for a table of 100 points
    frame.to_csv(tmp_path / "r.csv", index=False)
    monkeypatch.setattr(parts, "BLOCK_BYTES", 1 << 16)
    table = read_ratings(tmp_path / "r.csv")

    usable = frame[(frame["user_id"] >= 0) & (frame["anime_id"] >= 1) & frame["rating"].between(-1, 10)]
    repeated = usable.duplicated(["user_id", "anime_id"], keep="last")
    kept = usable[~repeated].sort_values(["user_id", "anime_id"])
    assert table.users.tolist() == pd.factorize(kept["user_id"])[0].tolist()
    assert table.anime_ids[table.items].tolist() == kept["anime_id"].tolist()
    assert table.scores.tolist() == kept["rating"].clip(lower=0).tolist()
    bad_users = frame["user_id"] < 0
    bad_anime = ~bad_users & (frame["anime_id"] < 1)
    reasons = {
        "impossible user id": bad_users,
        "impossible anime id": bad_anime,
        "impossible score": ~bad_users & ~bad_anime & ~frame["rating"].between(-1, 10),
        "a later row for the same user and anime": repeated[repeated],
    }
    assert table.dropped == {reason: int(rows.sum()) for reason, rows in reasons.items()}
    for reason, rows in reasons.items():
        lines = (rows[rows].index[:5] + 2).tolist()
        assert table.examples[reason] == tuple(f"r.csv, line {line}" for line in lines)


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
    other = pa.array([1, 2, 3])
    for name in ("user_id", "anime_id", "rating"):
        columns = {"user_id": other, "anime_id": other, "rating": other} | {name: column}
        parquet.write_table(pa.table(columns), tmp_path / "r.parquet")
        table = read_ratings(tmp_path / "r.parquet")
        values = {
            "user_id": (table.users + 7 + table.users).tolist(),
            "anime_id": table.anime_ids[table.items].tolist(),
            "rating": table.scores.tolist(),
        }
        assert values[name] == [7, 7, 9]


def test_what_parquet_lacks_or_can_not_hold_exactly_is_impossible(tmp_path: Path) -> None:
    columns = {
        "user_id": pa.array([1, None, 3, 4, 2**64 - 1], pa.uint64()),
        "anime_id": pa.array([1.0, 2.0, 2.5, float("nan"), 5.0]),
        "rating": pa.array([None, 1, 1, 1, 1], pa.int8()),
    }
    last = {"user_id": pa.array([8], pa.uint64()), "anime_id": pa.array([6.0]), "rating": pa.array([10], pa.int8())}
    parquet.write_table(pa.concat_tables([pa.table(columns), pa.table(last)]), tmp_path / "r.parquet")
    table = read_ratings(tmp_path / "r.parquet")
    assert table.dropped == {"impossible user id": 1, "impossible anime id": 2}
    assert table.examples["impossible anime id"] == ("r.parquet, row 3", "r.parquet, row 4")
    assert (table.anime_ids.tolist(), table.scores.tolist()) == ([1, 5, 6], [0, 10, 1])


def test_parts_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    head = ["user_id", "anime_id", "rating"]
    write_table(tmp_path, "csv", head, [["1", "1", "9"], ["1", "2", "0"]], name="b")
    write_table(tmp_path, "parquet", head, [["1", "1", "7"], ["x", "3", "1"]], name="c")
    write_table(tmp_path, "csv.gz", head, [["1", "1", "8"]], name="a")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".b.csv.crc").touch()
    table = read_ratings(tmp_path)
    assert table.scores.tolist() == [7, 0]
    assert table.rows == 5
    assert table.examples == {
        "impossible user id": ("c.parquet, row 2",),
        "a later row for the same user and anime": ("a.csv.gz, line 2", "b.csv, line 2"),
    }


def test_a_part_may_be_empty_but_for_its_header(tmp_path: Path) -> None:
    head = ["user_id", "anime_id", "rating"]
    write_table(tmp_path, "csv", head, [], name="a")
    write_table(tmp_path, "csv", head, [["1", "1", "8"]], name="b")
    assert read_ratings(tmp_path).scores.tolist() == [8]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path, end: str, mark: str) -> None:
    lines = [
        "",
        'username,anime_id,my_score,my_status,"my,tags"',
        "a,1,5,2,",
        "",
        'b,1,6,2,"two',
        'lines"',
        "c,1,99,2,",
        'e,1,7,2,a "quoted" word',
        "d",
        '"f\n\ng",0,7,2,',
        "h,1,7,9,",
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
        path = write_table(tmp_path, form, ["user_id", "anime_id", "rating"], [["1", "1", "5"]])
        assert read_ratings(path.rename(tmp_path / "table")).scores.tolist() == [5]


def test_progress_hears_of_every_row(tmp_path: Path) -> None:
    rows = [[str(row), "1", "11" if row % 3 else "5"] for row in range(1000)]
    for form in FORMATS:
        recorded = RecordedProgress()
        read_ratings(write_table(tmp_path, form, ["user_id", "anime_id", "rating"], rows), progress=recorded)
        assert recorded.done == {"reading": 1000}
        assert list(recorded.totals) == ["reading", "ordering"]
        assert recorded.totals["reading"] == pytest.approx(1000, abs=2)  # each header counts for a row


def test_in_a_table_made_without_statuses_all_is_completed_and_no_time_known() -> None:
    ones = np.ones(3, dtype=np.int32)
    table = RatingTable(ones[:1], 2, ones, ones, ones.astype(np.int8), 3)
    assert table.statuses.tolist() == [2, 2, 2]
    assert table.updated.tolist() == [0, 0]
    assert table.newest is None
    assert [str(a.dtype) for a in (table.statuses, table.updated)] == ["int8", "int32"]
