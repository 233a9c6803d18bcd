"""Several tables as one: everyone has one list, the newest."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.training.tables import RatingTable, combined, read_ratings

Row = tuple[str, int, int]
"""A name, an anime id and a score."""
names = st.sampled_from(["7", "Ann", "bo", "Zoë", "10"])
Own = tuple[int, dict[int, int]]
"""Day of the last update, 0 if unknown, and scores by anime id."""
lists = st.dictionaries(
    names, st.tuples(st.integers(0, 3), st.dictionaries(st.integers(1, 9), st.integers(0, 10), min_size=1)), min_size=1
)


def entries_of(table: RatingTable) -> list[Row]:
    names = table.user_names
    rows = zip(table.users.tolist(), table.anime_ids[table.items].tolist(), table.scores.tolist(), strict=True)
    return [(names[user], anime_id, score) for user, anime_id, score in rows]


@settings(max_examples=80)
@given(st.lists(lists, min_size=1, max_size=3))
def test_the_newest_list_of_each_person_counts_or_else_the_last(
    read: list[dict[str, Own]],
) -> None:
    tables, newest = [], dict[str, Own]()
    with TemporaryDirectory() as scratch:
        for nth, of_people in enumerate(read):
            path = Path(scratch, f"{nth}.csv")
            days = ("", "2026-01-01", "2026-01-02", "2026-01-03")
            path.write_text(
                "username,anime_id,my_score,my_status,updated_at\n"
                + "".join(
                    f"{name},{anime_id},{score},2,{days[day]}\n"
                    for name, (day, scores) in of_people.items()
                    for anime_id, score in scores.items()
                )
            )
            tables.append(read_ratings(path))
            for name, own in of_people.items():
                if name not in newest or own[0] >= newest[name][0]:
                    newest[name] = own
    table = combined(tables)
    expected = [(name, anime_id, score) for name, (_, scores) in newest.items() for anime_id, score in scores.items()]
    assert entries_of(table) == sorted(expected, key=lambda row: (row[0].encode(), row[1]))
    assert table.user_names == sorted(newest, key=str.encode)
    assert table.anime_ids.tolist() == sorted({anime_id for _, anime_id, _ in expected})
    assert [bool(day) for day in table.updated] == [bool(newest[name][0]) for name in table.user_names]
    assert table.rows == sum(one.rows for one in tables)
    assert table.rows - len(table) == table.dropped.total() == table.dropped["an older list of the same user"]
    again = combined([table])
    assert again is table


def test_ids_and_names_and_statuses_go_together_and_what_was_left_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,anime_id,rating\n3,1,8\n3,2,11\n20,2,-1\n")
    (tmp_path / "b.csv").write_text("username,anime_id,my_score,my_status\n1,5,0,6\n3,5,6,4\n")
    table = combined([read_ratings(tmp_path / name) for name in ("a.csv", "b.csv")])
    assert entries_of(table) == [("1", 5, 0), ("20", 2, 0), ("3", 5, 6)]
    assert table.statuses.tolist() == [6, 2, 4]
    assert table.dropped == {"impossible score": 1, "an older list of the same user": 1}
    assert table.examples["impossible score"] == ("a.csv, line 3",)
    assert table.newest is None
