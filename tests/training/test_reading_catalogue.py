"""Reading anime tables, tables of titles and of relations: the facts that they give, and those that can't be used."""

import csv
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from hakken.catalogue import FILE_NAME, MAX_NAME, Anime, Catalogue, Related
from hakken.errors import TableError
from hakken.model.store import EMBEDDED_PATH
from hakken.series import Relation, relations_of, with_series
from hakken.series.relations import DEPENDABLE, IN_ORDER, OTHERWISE_RELATED, RETELLINGS, SUMMARIES
from hakken.training.tables import AnimeTable, in_series, read_anime_table
from hakken.training.tables.anime_table import ANIME_COLUMNS, STATED, TITLE_COLUMNS, with_stated
from hakken.training.tables.rejected_rows import N_EXAMPLES
from tests.training.commands import run
from tests.training.reading_tables import FORMATS, location, write_parquet, write_table

TABLES = Path(__file__).parent / "tables"
ANIME = [*ANIME_COLUMNS]
TITLES = ["anime_id", *TITLE_COLUMNS]
GOOD = ["1", "Good", "Action", "TV", "12", "7.5", "100"]
DATES = ("1998-13", "1998-00-01", "1998-04-32", "98", "1998-4-3", "03.04.1998", "1998-04-03T00:00:00")
IMPOSSIBLE = [
    ("rating", "impossible mean score", ("0", "0.99", "10.01", "-7", "nan", "x")),
    ("members", "impossible number of members", ("-1", "1.5", "x")),
    ("episodes", "impossible number of episodes", ("-1", "1.5", "x")),
    ("year", "impossible year", ("-1998", "1998.5", "x")),
    ("start_date", "impossible start date", DATES),
    ("image_url", "picture on another site", ("http://elsewhere.example/x.jpg",)),
]
IMPOSSIBLE_FACTS = [
    (form, column, text, None, f"{reason}, left unknown")
    for form in FORMATS
    for column, reason, texts in IMPOSSIBLE
    for text in texts
]
UNKNOWN_FACTS = [
    ("csv", column, text, None, None) for column in (*ANIME[2:], *TITLES[1:]) for text in ("", "Unknown", "UNKNOWN")
]
HELD_FACTS = [
    ("csv", "source", "Light novel", "light novel", None),
    ("csv", "source", "4-koma manga", "4-koma manga", None),
    ("csv", "source", "Other", None, None),
    ("csv", "tags", "Space|Found Family| |Space", ("Space", "Found Family"), None),
    *(("csv", "start_date", text, text, None) for text in ("1998-04-03", "1998-04", "1998")),
    ("csv", "season", "Spring 1998", "Spring 1998", None),
    ("csv", "season", "spring", "spring", None),
]
FIELD = {
    "rating": "mean",
    "genre": "genres",
    "image_url": "picture",
    "title_synonyms": "synonyms",
    "other_titles": "synonyms",
    "age_rating": "adult",
    "source": "made_from",
}
"""What the catalogue calls a column, where it has another name for it."""


@pytest.mark.parametrize(
    ("form", "column", "text", "value", "reason"), [*IMPOSSIBLE_FACTS, *UNKNOWN_FACTS, *HELD_FACTS]
)
def test_a_fact_is_read_or_left_unknown_and_an_impossible_one_is_counted_and_named_or_refused(
    tmp_path: Path, form: str, column: str, text: str, value: object, reason: str | None
) -> None:
    rows, titles = [GOOD, ["2", *GOOD[1:]]], None  # the second keeps the first in the first part of a folder
    if column in ANIME:
        rows[0] = [*(dict(zip(ANIME, GOOD, strict=True)) | {column: text}).values()]
        anime = write_table(tmp_path, form, ANIME, rows)
    else:
        anime = write_table(tmp_path, "csv", ANIME, rows, name="anime")
        fields = dict.fromkeys(TITLES, "") | {"anime_id": "1", column: text}
        titles = write_table(tmp_path, form, TITLES, [[*fields.values()], ["2", *[""] * len(TITLE_COLUMNS)]])
    table = read_anime_table(anime, titles)
    assert table.catalogue[1].title == "Good"
    assert (getattr(table.catalogue[1], FIELD.get(column, column)) or None) == value
    assert table.examples == ({reason: (location(form, 0),)} if reason else {})
    assert table.dropped == ({reason: 1} if reason else {})
    if reason:
        with pytest.raises(TableError, match=f"{location(form, 0)}: {reason}"):
            read_anime_table(anime, titles, strict=True)


def test_titles_may_lack_any_column_but_the_id(tmp_path: Path) -> None:
    anime = write_table(tmp_path, "csv", ANIME, [GOOD], name="anime")
    for column in TITLES[1:]:
        titles = write_table(tmp_path, "csv", [name for name in TITLES if name != column], [["1", *[""] * 11]])
        assert read_anime_table(anime, titles, strict=True).catalogue[1].title == "Good"
    titles = write_table(tmp_path, "csv", ["season", "anime_id", "year"], [["fall", "1", "2025"]])
    assert read_anime_table(anime, titles, strict=True).catalogue[1].season == "Fall 2025"
    with pytest.raises(TableError, match="lacks the columns anime_id"):
        read_anime_table(anime, write_table(tmp_path, "csv", TITLES[1:], [[""] * 12]))


def test_the_catalogue_decodes_entities_and_keeps_missing_fields_missing(tmp_path: Path) -> None:
    anime, titles = tmp_path / "a.csv", tmp_path / "t.csv"
    anime.write_text(
        ",".join(ANIME)
        + '\n1,Gintama&#039;,"Action, Comedy",TV,Unknown,9.1,100\n2,Secret,Hentai,OVA,2,,50\n3,Bare,,,,,7\n'
    )
    titles.write_text(
        ",".join(TITLES[:10])
        + '\n1,Gin &amp; Tama,銀魂,"GT, Silver Soul",2006.0,Spring 2006,sunrise|bandai,PG-13,'
        + "https://myanimelist.net/images/anime/1.jpg,Gin Tama | Gintama&#039;\n"
        + "3,,,,,,,Rx - Hentai,http://evil.example/x.jpg,\n5,,,,,,,,,\n"
    )
    table = read_anime_table(anime, titles)
    lacking = "facts about an anime that the anime table lacks"
    assert table.examples == {lacking: ("t.csv, line 4",), "picture on another site, left unknown": ("t.csv, line 3",)}
    assert [*table.catalogue.values()] == [
        Anime(
            anime_id=1,
            title="Gintama'",
            title_english="Gin & Tama",
            title_japanese="銀魂",
            synonyms=("GT", "Silver Soul", "Gin Tama"),
            type="TV",
            genres=("Action", "Comedy"),
            year=2006,
            season="Spring 2006",
            studios=("sunrise", "bandai"),
            mean=9.1,
            members=100,
            picture="https://cdn.myanimelist.net/images/anime/1.jpg",
        ),
        Anime(anime_id=2, title="Secret", type="OVA", episodes=2, genres=("Hentai",), members=50, adult=True),
        Anime(anime_id=3, title="Bare", members=7, adult=True),
    ]
    titles.write_text(",".join(TITLES[:1]) + "\n1\n5\n")
    assert read_anime_table(anime, titles, strict=True).dropped == {lacking: 1}, "which is no reason to refuse it"


def test_names_are_cut(tmp_path: Path) -> None:
    long = "x" * 8000
    table = write_table(tmp_path, "csv", ANIME, [["1", long, *GOOD[2:]], ["2", "Unknown", *GOOD[2:]]], "anime")
    facts = dict.fromkeys(TITLES, "") | {"anime_id": "1", "title_english": f"e{long}", "title_japanese": f"j{long}"}
    facts |= {"title_synonyms": f"s{long}", "other_titles": f"o{long}|s{long}"}
    catalogue = read_anime_table(table, write_table(tmp_path, "csv", TITLES, [[*facts.values()]])).catalogue
    anime = catalogue[1]
    names = [anime.title, anime.title_english, anime.title_japanese, *anime.synonyms]
    assert [len(name or "") for name in names] == [MAX_NAME] * 5
    assert catalogue[2].title == "Unknown", "which may be its title"


def test_parquet_may_hold_numbers(tmp_path: Path) -> None:
    columns = {
        "anime_id": pa.array([1, 2]),
        "name": ["Good", "Bare &amp; Co"],
        "genre": [None, "Hentai"],
        "type": pa.array(["TV", None]).dictionary_encode(),
        "episodes": pa.array([12.0, None]),
        "rating": pa.array([7.5, None]),
        "members": pa.array([100, None], pa.int32()),
    }
    table = read_anime_table(write_parquet(tmp_path / "a.parquet", columns), strict=True)
    assert [*table.catalogue.values()] == [
        Anime(anime_id=1, title="Good", type="TV", episodes=12, mean=7.5, members=100),
        Anime(anime_id=2, title="Bare & Co", genres=("Hentai",), adult=True),
    ]


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


# Relations, and the series that follow from them


COLUMNS = ["anime_id", "relation", "related_id"]
SURE = [*COLUMNS, "confidence"]
THREE = AnimeTable(
    Catalogue([Anime(anime_id=1, title="Dawn"), Anime(anime_id=2, title="Dusk"), Anime(anime_id=3, title="Dusk 2")]),
    Counter({"impossible anime id": 7}),
    {"impossible anime id": tuple(f"a.csv, line {line}" for line in range(2, 2 + N_EXAMPLES - 1))},
)


def test_relations_go_before_titles_and_series_by_all_however_unsure_as_they_do_when_found_anew(tmp_path: Path) -> None:
    assert in_series(THREE).catalogue.series == {2: (2, 3)}
    rows = [["1.0", "Sequel", "2"], ["3", "Spin-off", "1"], ["x", "Sequel", "2"], ["y", "Sequel", "2"]]
    table = in_series(THREE, write_table(tmp_path, "csv", COLUMNS, rows))
    assert table.catalogue.series == {1: (1, 2)}
    assert table.catalogue.series_of(3) == table.catalogue.story_of(3) == 3, "for all that its title says"
    assert table.catalogue.universe_of(3) == 1
    [(reason, places)] = THREE.examples.items()
    assert table.dropped == {reason: 9}
    assert table.examples == {reason: (*places, "ratings.csv, line 4")}

    unsure = [["1", "Side story", "2", "0.1"], ["3", "Spin-off", "1", "0"]]
    table = in_series(THREE, write_table(tmp_path, "csv", SURE, unsure), strict=True)
    assert (table.dropped, table.examples) == (THREE.dropped, THREE.examples)
    assert [table.catalogue.series_of(one) for one in (1, 2, 3)] == [1, 1, 3]
    assert (table.catalogue[2].kind, table.catalogue.universe_of(3)) == ("side story", 1)
    assert not any(related.likely for one in table.catalogue.values() for related in one.relations or ())
    assert list(with_series(table.catalogue, relations_of(table.catalogue)).items()) == list(table.catalogue.items())


@pytest.mark.parametrize("form", [*FORMATS, "numbers in parquet"])
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
        frame = pd.DataFrame(rows, columns=SURE)
        frame["confidence"] = pd.to_numeric(frame["confidence"])
        frame.astype({"anime_id": int, "related_id": float}).to_parquet(path := tmp_path / "r.parquet")
    else:
        path = write_table(tmp_path, form, SURE, rows)
    catalogue = in_series(THREE, path, strict=True).catalogue
    assert {one.anime_id: one.relations for one in catalogue.values()} == {
        1: (Related(2, "Side story"), Related(3, "Sequel", 0.92), Related(9, "Other", 0.5)),
        2: (Related(1, "Parent story", 0.49),),
        3: None,
    }


def test_train_writes_series_into_the_catalogue_and_strict_refuses_faulty_relations(
    ratings_csv: Path, tmp_path: Path
) -> None:
    rows = [[str(one.anime_id), one.title, *GOOD[2:]] for one in THREE.catalogue.values()]
    anime = write_table(tmp_path, "csv", ANIME, rows, name="anime")
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


def test_each_stated_relation_is_used_and_series_go_by_it_whatever_was_inferred() -> None:
    known, stated = Catalogue.read(EMBEDDED_PATH / FILE_NAME), with_stated([])
    with STATED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(str(one.anime_id), one.kind, str(one.related_id), one.confidence) for one in stated] == [
        (row["anime_id"], row["relation"], row["related_id"], 1.0) for row in rows
    ]
    assert [(known.title(one.anime_id), known.title(one.related_id)) for one in stated] == [
        (row["anime"], row["related"]) for row in rows
    ]
    pairs = {frozenset((one.anime_id, one.related_id)) for one in stated}
    assert all(len(pair) == 2 and pair <= {*known} for pair in pairs)
    assert len(pairs) == len(stated)
    for one in stated:
        assert one.word in IN_ORDER | SUMMARIES | RETELLINGS | OTHERWISE_RELATED, "or nobody goes by it"
        assert one.certainty >= DEPENDABLE
        assert not one.is_of_one_name
        was_told = Related(one.related_id, one.kind, one.confidence) in (known[one.anime_id].relations or ())
        assert was_told, "the embedded model is older than the table"
        same = known.series_of(one.anime_id) == known.series_of(one.related_id)
        assert same == (one.word in IN_ORDER | SUMMARIES), one
        assert known.universe_of(one.anime_id) == known.universe_of(one.related_id), one
        if one.word in RETELLINGS:
            assert known.story_of(one.anime_id) == known.story_of(one.related_id), one


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
    """The first row of the table says that 6, Trigun, is another version of 52093, Trigun Stampede."""
    alone = with_stated([])
    assert alone[0] == Relation(6, "Alternative version", 52093, 1.0)
    assert with_stated([known]) == [known] * stays + alone


def test_stated_relations_go_with_a_table_of_relations_and_never_alone(tmp_path: Path) -> None:
    trigun = [Anime(anime_id=6, title="Trigun", year=1998), Anime(anime_id=52093, title="Trigun Stampede", year=2023)]
    of_titles = AnimeTable(Catalogue(trigun), Counter(), {})
    assert all(one.relations is None for one in in_series(of_titles).catalogue.values())
    inferred = write_table(tmp_path, "csv", SURE, [["6", "Sequel", "52093", "0.9"]])
    catalogue = in_series(of_titles, inferred, strict=True).catalogue
    assert catalogue[6].relations == (Related(52093, "Alternative version", 1.0),)
    assert (catalogue.series_of(52093), catalogue.story_of(52093)) == (52093, 6)
    assert list(catalogue) == [6, 52093], "and no other title comes with them"
    by_a_site = write_table(tmp_path, "csv", COLUMNS, [["6", "Sequel", "52093"]], name="told")
    catalogue = in_series(of_titles, by_a_site, strict=True).catalogue
    assert Related(52093, "Sequel") in (catalogue[6].relations or ())
    assert catalogue.series == {6: (6, 52093)}
