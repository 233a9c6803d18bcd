"""Reading the table of how anime are related: what can't be used is counted and named, or refused, in every format."""

import csv
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from hakken.catalogue import FILE_NAME, Anime, Catalogue, Related
from hakken.errors import TableError
from hakken.model.store import EMBEDDED_PATH
from hakken.series import Relation, relations_of, with_series
from hakken.series.relations import DEPENDABLE, IN_ORDER, OTHERWISE_RELATED, RETELLINGS, SUMMARIES
from hakken.training.tables import AnimeTable, in_series
from hakken.training.tables.rejected_rows import N_EXAMPLES
from hakken.training.tables.relation_table import STATED, with_stated
from tests.training.commands import run
from tests.training.reading_tables import FORMATS, location, write_table

COLUMNS = ["anime_id", "relation", "related_id"]
GOOD = ["1", "Sequel", "2"]
DEFECTS = [
    *(([text, "Sequel", "2"], "impossible anime id") for text in ("", "x", "0", "-1", "1.5", "2147483648")),
    *(
        (["1", "Sequel", text], "impossible id of a related anime")
        for text in ("", "x", "0", "-1", "1.5", "2147483648")
    ),
    (["1", "", "2"], "no relation"),
]
ANIME = AnimeTable(
    Catalogue([Anime(anime_id=1, title="Dawn"), Anime(anime_id=2, title="Dusk"), Anime(anime_id=3, title="Dusk 2")]),
    Counter({"no title": 2}),
    {"no title": ("a.csv, line 3", "a.csv, line 4")},
)


@pytest.mark.parametrize("form", FORMATS)
def test_relations_tell_series_in_every_format(tmp_path: Path, form: str) -> None:
    rows = [["1.0", "Sequel", "2"], ["3", "Spin-off", "1"]]
    table = in_series(ANIME, write_table(tmp_path, form, COLUMNS, rows), strict=True)
    assert table.catalogue.series == {1: (1, 2)}
    assert table.catalogue.series_of(3) == table.catalogue.story_of(3) == 3, "for all that its title says"
    assert table.catalogue.universe_of(3) == 1
    assert table.dropped == ANIME.dropped
    assert table.examples == ANIME.examples


@pytest.mark.parametrize("form", ["csv", "parquet", "numbers in parquet"])
def test_relations_go_into_the_catalogue_with_how_sure_they_are(tmp_path: Path, form: str) -> None:
    rows = [
        ["1", "SIDE_STORY", "2", ""],
        ["1", "Sequel", "3", "0.92"],
        ["1", "Sequel", "3", "0.92"],
        ["1", "Other", "9", "0.5"],
        ["2", "Parent story", "1", "0.49"],
        ["77", "Sequel", "1", "1"],
    ]
    if form == "numbers in parquet":
        frame = pd.DataFrame(rows, columns=[*COLUMNS, "confidence"])
        frame["confidence"] = pd.to_numeric(frame["confidence"])
        frame.astype({"anime_id": int, "related_id": float}).to_parquet(path := tmp_path / "r.parquet")
    else:
        path = write_table(tmp_path, form, [*COLUMNS, "confidence"], rows)
    table = in_series(ANIME, path, strict=True)
    assert table.catalogue[1].relations == (
        Related(2, "Side story"),
        Related(3, "Sequel", 0.92),
        Related(9, "Other", 0.5),
    )
    assert table.catalogue[2].relations == (Related(1, "Parent story", 0.49),)
    assert table.catalogue[3].relations is None
    assert list(table.catalogue) == [1, 2, 3]


def test_series_go_by_all_relations_however_unsure_and_so_they_do_when_found_anew(tmp_path: Path) -> None:
    unsure = [["1", "Side story", "2", "0.1"], ["3", "Spin-off", "1", "0"]]
    table = in_series(ANIME, write_table(tmp_path, "csv", [*COLUMNS, "confidence"], unsure), strict=True)
    assert [table.catalogue.series_of(one) for one in (1, 2, 3)] == [1, 1, 3]
    assert (table.catalogue[2].kind, table.catalogue.universe_of(3)) == ("side story", 1)
    assert not any(related.likely for one in table.catalogue.values() for related in one.relations or ())
    assert list(with_series(table.catalogue, relations_of(table.catalogue)).items()) == list(table.catalogue.items())


@pytest.mark.parametrize("text", ["x", "-0.1", "1.01", "2", "nan", "1e-1"])
def test_an_impossible_confidence_is_no_certainty(tmp_path: Path, text: str) -> None:
    path = write_table(
        tmp_path, "csv", [*COLUMNS, "confidence"], [["1", "Sequel", "2", text], ["2", "Sequel", "3", "1"]]
    )
    table = in_series(ANIME, path)
    assert table.dropped == {"no title": 2, "impossible confidence": 1}
    assert table.catalogue[1].relations is None


def test_without_relations_titles_tell() -> None:
    assert in_series(ANIME).catalogue.series == {2: (2, 3)}
    assert in_series(ANIME).dropped == ANIME.dropped


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("row", "reason"), DEFECTS)
def test_a_row_that_can_not_be_used_is_left_out_counted_and_named_or_refused(
    tmp_path: Path, form: str, row: list[str], reason: str
) -> None:
    path = write_table(tmp_path, form, COLUMNS, [row, GOOD])
    table = in_series(ANIME, path)
    assert table.catalogue.series[1] == (1, 2, 3)
    assert table.dropped == {"no title": 2, reason: 1}
    assert table.examples == ANIME.examples | {reason: (location(form, 0),)}
    with pytest.raises(TableError, match=f"{location(form, 0)}: {reason}"):
        in_series(ANIME, path, strict=True)


def test_faults_of_both_tables_are_counted_together(tmp_path: Path) -> None:
    places = tuple(f"a.csv, line {line}" for line in range(2, 2 + N_EXAMPLES - 1))
    anime = AnimeTable(ANIME.catalogue, Counter({"impossible anime id": 7}), {"impossible anime id": places})
    path = write_table(tmp_path, "csv", COLUMNS, [["x", "Sequel", "2"], ["y", "Sequel", "2"], GOOD])
    table = in_series(anime, path)
    assert table.dropped == {"impossible anime id": 9}
    assert table.examples == {"impossible anime id": (*places, "ratings.csv, line 2")}


def test_a_table_without_a_usable_row_or_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"holds no usable row\.$"):
        in_series(ANIME, write_table(tmp_path, "csv", COLUMNS, []))
    with pytest.raises(TableError, match=r"holds no usable row: no relation\.$"):
        in_series(ANIME, write_table(tmp_path, "csv", COLUMNS, [["1", "", "2"]]))
    with pytest.raises(TableError, match=r"lacks the columns related_id; it has anime_id, relation"):
        in_series(ANIME, write_table(tmp_path, "csv", COLUMNS[:2], [GOOD[:2]]))


def test_train_writes_series_into_the_catalogue_and_strict_refuses_faulty_relations(
    ratings_csv: Path, tmp_path: Path
) -> None:
    anime = tmp_path / "anime.csv"
    rows = ["1,Dawn,Drama,TV,12,7.5,100", "2,Dusk,Drama,TV,12,7.5,100", "3,Dusk 2,Drama,TV,12,7.5,100"]
    anime.write_text("\n".join(["anime_id,name,genre,type,episodes,rating,members", *rows, ""]))
    relations = write_table(tmp_path, "csv", COLUMNS, [["3", "Prequel", "1"], ["x", "Sequel", "1"]], name="relations")

    def train(*options: str | Path, status: int = 0) -> str:
        tables = ("--ratings", ratings_csv, "--anime", anime, "--out", tmp_path / "model")
        return run("train", *tables, *options, status=status).output

    train()
    assert Catalogue.read(tmp_path / "model" / FILE_NAME).series == {2: (2, 3)}
    assert "impossible anime id (relations.csv, line 3)" in train("--relations", relations)
    assert Catalogue.read(tmp_path / "model" / FILE_NAME).series == {1: (1, 2, 3)}
    assert "relations.csv, line 3" in train("--relations", relations, "--strict", status=1)


# What sites state of well-known series


TRIGUN, STAMPEDE = (
    Anime(anime_id=6, title="Trigun", year=1998),
    Anime(anime_id=52093, title="Trigun Stampede", year=2023),
)
"""The first row of the table says that the one is another version of the other."""
STATES = Relation(6, "Alternative version", 52093, 1.0)


def stated() -> list[dict[str, str]]:
    with STATED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_stated_relation_is_used_and_of_two_titles_that_are_known_by_these_names() -> None:
    known = Catalogue.read(EMBEDDED_PATH / FILE_NAME)
    rows = stated()
    assert [tuple(map(str, one)) for one in with_stated([])] == [
        (row["anime_id"], row["relation"], row["related_id"], "1.0") for row in rows
    ]
    pairs = [(int(row["anime_id"]), int(row["related_id"])) for row in rows]
    assert [(known.title(one), known.title(other)) for one, other in pairs] == [
        (row["anime"], row["related"]) for row in rows
    ]
    assert all(one != other and {one, other} <= {*known} for one, other in pairs)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    words = {one.word for one in with_stated([])}
    assert words <= IN_ORDER | SUMMARIES | RETELLINGS | OTHERWISE_RELATED, "or nobody goes by it"
    assert all(one.certainty >= DEPENDABLE and not one.is_of_one_name for one in with_stated([]))


def test_series_go_by_what_is_stated_whatever_was_inferred() -> None:
    found = Catalogue.read(EMBEDDED_PATH / FILE_NAME)  # whose series another test finds anew
    for one in with_stated([]):
        was_told = Related(one.related_id, one.kind, one.confidence) in (found[one.anime_id].relations or ())
        assert was_told, "the embedded model is older than the table"
        same = found.series_of(one.anime_id) == found.series_of(one.related_id)
        assert same == (one.word in IN_ORDER | SUMMARIES), one
        assert found.universe_of(one.anime_id) == found.universe_of(one.related_id), one
        if one.word in RETELLINGS:
            assert found.story_of(one.anime_id) == found.story_of(one.related_id), one


@pytest.mark.parametrize(
    ("known", "stays"),
    [
        (Relation(6, "Sequel", 52093, 0.99), False),
        (Relation(52093, "Prequel", 6, 1.0), False),
        (Relation(52093, "Other", 6, 0.0), False),
        (Relation(6, "Sequel", 52093), True),
        (Relation(52093, "Prequel", 6), True),
        (Relation(6, "Sequel", 52094, 0.9), True),
        (Relation(6, "Other", 6, 0.9), True),
    ],
)
def test_what_is_stated_goes_before_what_was_inferred_of_the_same_two_only(known: Relation, stays: bool) -> None:
    alone = with_stated([])
    assert STATES in alone
    assert with_stated([known]) == [known] * stays + alone


def test_stated_relations_go_with_a_table_of_relations_and_never_alone(tmp_path: Path) -> None:
    of_titles = AnimeTable(Catalogue([TRIGUN, STAMPEDE]), Counter(), {})
    table = in_series(of_titles)
    assert all(one.relations is None for one in table.catalogue.values())
    inferred = write_table(tmp_path, "csv", [*COLUMNS, "confidence"], [["6", "Sequel", "52093", "0.9"]])
    table = in_series(of_titles, inferred, strict=True)
    assert table.catalogue[6].relations == (Related(52093, "Alternative version", 1.0),)
    assert (table.catalogue.series_of(52093), table.catalogue.story_of(52093)) == (52093, 6)
    assert list(table.catalogue) == [6, 52093], "and no other title comes with them"
    by_a_site = write_table(tmp_path, "csv", COLUMNS, [["6", "Sequel", "52093"]], name="told")
    table = in_series(of_titles, by_a_site, strict=True)
    assert Related(52093, "Sequel") in (table.catalogue[6].relations or ())
    assert table.catalogue.series == {6: (6, 52093)}
