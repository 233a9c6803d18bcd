"""Tables as they are published, and as other programs write them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from hakken.errors import TableError
from hakken.training.tables import read_anime_table, read_ratings
from tests.training.commands import run

TABLES = Path(__file__).parent / "tables"
SCORES = (0, 6, 8, 10, 3, 7)
"""Of the entries of one user."""


HEAD = "user_id,anime_id,rating"


def written(scores: Sequence[object], separator: str = ",", head: str = HEAD, end: str = "\n") -> str:
    rows = [head.replace(",", separator), *(f"7{separator}{i}{separator}{one}" for i, one in enumerate(scores, 1))]
    return end.join([*rows, ""])


def scores_of(directory: Path, text: str | bytes) -> list[int]:
    path = directory / "ratings.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = read_ratings(path, strict=True)
    assert table.anime_ids[table.items].tolist() == [*range(1, len(table) + 1)]
    return [int(score) for score in table.scores]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anime-2016", {"mean": 8.1, "members": 12345, "genres": ("Action", "Comedy")}),
        (
            "anime-2020",
            {"mean": 8.78, "members": 1251960, "season": "Spring 1998", "year": 1998, "studios": ("sunrise", "bones")},
        ),
        ("anime-dataset-2023", {"mean": 8.75, "episodes": 26, "season": "Spring 1998", "title_japanese": "T"}),
        ("anime-45M", {"mean": 7.63, "title_english": "Title E 1", "synonyms": ("A", "B"), "studios": ("david",)}),
    ],
)
def test_the_anime_tables_of_public_sets_are_read(name: str, expected: dict[str, object]) -> None:
    table = read_anime_table(TABLES / f"{name}.csv", strict=True)
    assert [(one.anime_id, one.title, one.type) for one in table.catalogue.values()] == [
        (anime_id, f"Title {anime_id}", "TV") for anime_id in (1, 5, 6)
    ]
    assert {fact: getattr(table.catalogue[1], fact) for fact in expected} == expected
    assert not table.catalogue[1].adult


def test_facts_of_the_table_of_titles_go_before_those_of_the_anime_table(tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("anime_id,title_english,studios\n1,First,Bones|Sunrise\n")
    catalogue = read_anime_table(TABLES / "anime-45M.csv", tmp_path / "titles.csv", strict=True).catalogue
    assert (catalogue[1].title_english, catalogue[1].studios) == ("First", ("bones", "sunrise"))
    assert (catalogue[5].title_english, catalogue[5].studios) == ("Title E 5", ("david",))
    assert catalogue[1].picture is None
    assert catalogue[5].picture == "https://cdn.myanimelist.net/images/anime/10/78745.jpg"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '\ufeff"SEP={}"\n', "\ufeff\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_is_stated_or_found(tmp_path: Path, separator: str, first: str, end: str) -> None:
    assert scores_of(tmp_path, first.format(separator) + written(SCORES, separator, end=end)) == [*SCORES]


@pytest.mark.parametrize(
    "head", ["USER_ID,Anime_Id,Rating", " user id , anime  id ,rating", '"user_id","anime_id","rating"']
)
def test_columns_are_known_by_their_names_however_they_are_written(tmp_path: Path, head: str) -> None:
    assert scores_of(tmp_path, written(SCORES, head=head)) == [*SCORES]


def test_a_column_that_is_there_twice_under_two_spellings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has the column rating twice"):
        scores_of(tmp_path, "user_id,anime_id,rating,Rating\n1,1,5,5\n")


def test_an_entry_may_have_no_score(tmp_path: Path) -> None:
    ways = ["", " ", "NaN", "nan", "None", "NULL", "null", "-", "N/A", "<NA>", "-1", "-1.0", "0", "0.0"]
    assert scores_of(tmp_path, written([5, *ways, "6.0"])) == [5, *[0] * len(ways), 6]
    for column in (pa.array([5, None], pa.int64()), pa.array([5.0, float("nan")]), pa.array(["5", None])):
        parquet.write_table(pa.table({"user_id": [1, 1], "anime_id": [1, 2], "rating": column}), tmp_path / "r.parquet")
        assert read_ratings(tmp_path / "r.parquet", strict=True).scores.tolist() == [5, 0]


def test_half_points_are_rounded_up(tmp_path: Path) -> None:
    assert scores_of(tmp_path, written(["7.5", "7.49", "9.5", "0.5", "0.1", "10", "10.0"])) == [8, 7, 10, 1, 1, 10, 10]
    assert scores_of(tmp_path, written(["7,5", "8,25", "6"], ";")) == [8, 8, 6]


def test_scores_of_100_points_are_divided_by_ten(tmp_path: Path) -> None:
    scores = [95, 100, 88, 73, "74.9", 55, 54, 10, 5, 4, 0, "-1", ""]
    assert scores_of(tmp_path, written(scores)) == [10, 10, 9, 7, 7, 6, 5, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(("n_scored", "n_above", "divided"), [(2, 1, False), (200, 2, False), (199, 2, True)])
def test_a_few_scores_above_ten_are_typing_errors(tmp_path: Path, n_scored: int, n_above: int, divided: bool) -> None:
    """The last score, of an anime and a user of its own, is one of them; entries without a score do not count."""
    scores = [*[0] * 500, *[9] * (n_scored - n_above), *[75] * n_above]
    text = written(scores[:-1]) + "8,9999,75\n"
    path = tmp_path / "r.csv"
    path.write_text(text)
    table = read_ratings(path)
    assert table.hundred_points is divided
    if divided:
        assert table.scores.tolist()[500:] == [1] * (n_scored - n_above) + [8] * n_above
        assert not table.dropped
    else:
        assert table.dropped == {"impossible score": n_above}
        assert table.examples["impossible score"][-1] == f"r.csv, line {len(scores) + 1}"
        assert (len(table), table.n_users, table.rows) == (len(scores) - n_above, 1, len(scores))
        with pytest.raises(TableError, match=f"line {len(scores) + 2 - n_above}: impossible score"):
            read_ratings(path, strict=True)


def test_train_says_once_that_scores_were_divided(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    for factor, said in ((1, 0), (10, 1)):
        rows = [f"{user},{anime},{(3 + (user * anime) % 8) * factor}" for user in range(30) for anime in range(1, 20)]
        path.write_text("\n".join(["user_id,anime_id,rating", *rows, ""]))
        options = ("--anime", TABLES / "anime-2020.csv", "--out", tmp_path / str(factor), "--strict")
        assert run("train", "--ratings", path, *options).output.count("100 points") == said
    first, second = ((tmp_path / name / "b_i.npy").read_bytes() for name in ("1", "10"))
    assert first == second
