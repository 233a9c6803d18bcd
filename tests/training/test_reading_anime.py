"""Reading the anime table: what can't be used is counted and named, or refused, in every format."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from hakken.catalogue import MAX_NAME
from hakken.errors import TableError
from hakken.training.tables import read_anime_table
from hakken.training.tables.anime_table import ANIME_COLUMNS, TITLE_COLUMNS
from tests.training.reading_tables import FORMATS, location, write_table

ANIME = [*ANIME_COLUMNS]
TITLES = ["anime_id", *TITLE_COLUMNS]
GOOD = ["1", "Good", "Action", "TV", "12", "7.5", "100"]
ROW_DEFECTS = [
    *(
        ([text, "Bad", "", "TV", "1", "7", "1"], "impossible anime id")
        for text in ("", "x", "0", "-1", "1.5", "2147483648")
    ),
    (["2", "", "", "TV", "1", "7", "1"], "no title"),
    (["2", "\xff", "", "TV", "1", "7", "1"], "text that is not in UTF-8"),
]
DATES = ("1998-13", "1998-00-01", "1998-04-32", "98", "1998-4-3", "03.04.1998", "1998-04-03T00:00:00")
FACT_DEFECTS = [
    ("rating", "impossible mean score, left unknown", ("0", "0.99", "10.01", "-7", "nan", "x")),
    ("members", "impossible number of members, left unknown", ("-1", "1.5", "x")),
    ("episodes", "impossible number of episodes, left unknown", ("-1", "1.5", "x")),
    ("year", "impossible year, left unknown", ("-1998", "1998.5", "x")),
    ("start_date", "impossible start date, left unknown", DATES),
    ("image_url", "picture on another site, left unknown", ("http://elsewhere.example/x.jpg",)),
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


def one_field(directory: Path, form: str, column: str, text: str) -> tuple[Path, Path | None]:
    """An anime table in which one field has a certain text, or one in order and such a table of titles."""
    if column in ANIME:
        fields = dict(zip(ANIME, GOOD, strict=True)) | {column: text}
        # The second row keeps the first in the first part of a folder.
        return write_table(directory, form, ANIME, [list(fields.values()), ["2", *GOOD[1:]]]), None
    anime = write_table(directory, "csv", ANIME, [GOOD, ["2", *GOOD[1:]]], name="anime")
    fields = dict.fromkeys(TITLES, "") | {"anime_id": "1", column: text}
    return anime, write_table(directory, form, TITLES, [list(fields.values()), ["2", *[""] * 12]])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("row", "reason"), ROW_DEFECTS)
def test_a_row_that_can_not_be_used_is_left_out_counted_and_named_or_refused(
    tmp_path: Path, form: str, row: list[str], reason: str
) -> None:
    path = write_table(tmp_path, form, ANIME, [row, GOOD])
    table = read_anime_table(path)
    assert list(table.catalogue) == [1]
    assert table.dropped == {reason: 1}
    assert table.examples == {reason: (location(form, 0),)}
    with pytest.raises(TableError, match=f"{location(form, 0)}: {reason}"):
        read_anime_table(path, strict=True)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("column", "reason", "text"), [(column, reason, one) for column, reason, texts in FACT_DEFECTS for one in texts]
)
def test_an_impossible_fact_is_left_unknown_counted_and_named_or_refused(
    tmp_path: Path, form: str, column: str, text: str, reason: str
) -> None:
    anime, titles = one_field(tmp_path, form, column, text)
    table = read_anime_table(anime, titles)
    assert getattr(table.catalogue[1], FIELD.get(column, column)) is None
    assert table.catalogue[1].title == "Good"
    assert table.dropped == {reason: 1}
    assert table.examples == {reason: (location(form, 0),)}
    with pytest.raises(TableError, match=f"{location(form, 0)}: {reason}"):
        read_anime_table(anime, titles, strict=True)


@pytest.mark.parametrize("column", [*ANIME[2:], *TITLES[1:]])
@pytest.mark.parametrize("text", ["", "Unknown", "UNKNOWN"])
def test_what_is_unknown_stays_unknown_and_is_no_fault(tmp_path: Path, column: str, text: str) -> None:
    table = read_anime_table(*one_field(tmp_path, "csv", column, text), strict=True)
    assert not table.dropped
    anime = table.catalogue[1]
    assert not getattr(anime, FIELD.get(column, column))


@pytest.mark.parametrize(
    ("column", "text", "fact", "value"),
    [
        ("source", "Light novel", "made_from", "light novel"),
        ("source", "4-koma manga", "made_from", "4-koma manga"),
        ("source", "Other", "made_from", None),
        ("tags", "Space|Found Family| |Space", "tags", ("Space", "Found Family")),
        ("start_date", "1998-04-03", "start_date", "1998-04-03"),
        ("start_date", "1998-04", "start_date", "1998-04"),
        ("start_date", "1998", "start_date", "1998"),
        ("season", "Spring 1998", "season", "Spring 1998"),
        ("season", "spring", "season", "spring"),
    ],
)
def test_a_fact_of_the_titles(tmp_path: Path, column: str, text: str, fact: str, value: object) -> None:
    table = read_anime_table(*one_field(tmp_path, "csv", column, text), strict=True)
    assert getattr(table.catalogue[1], fact) == value


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
        + "\n"
        + '1,Gintama&#039;,"Action, Comedy",TV,Unknown,9.1,100\n'
        + "2,Secret,Hentai,OVA,2,,50\n"
        + "3,Bare,,,,,7\n",
    )
    titles.write_text(
        ",".join(TITLES[:10])
        + "\n"
        + '1,Gin &amp; Tama,銀魂,"GT, Silver Soul",2006.0,Spring 2006,sunrise|bandai,PG-13,'
        + "https://myanimelist.net/images/anime/1.jpg,Gin Tama | Gintama&#039;\n"
        + "3,,,,,,,Rx - Hentai,http://evil.example/x.jpg,\n",
    )
    catalogue = read_anime_table(anime, titles).catalogue
    gintama, secret, bare = catalogue[1], catalogue[2], catalogue[3]
    assert gintama.title == "Gintama'"
    assert gintama.title_english == "Gin & Tama"
    assert gintama.title_japanese == "銀魂"
    assert gintama.synonyms == ("GT", "Silver Soul", "Gin Tama")
    assert (gintama.episodes, gintama.year, gintama.season) == (None, 2006, "Spring 2006")
    assert gintama.genres == ("Action", "Comedy")
    assert gintama.studios == ("sunrise", "bandai")
    assert gintama.picture == "https://cdn.myanimelist.net/images/anime/1.jpg"
    assert not gintama.adult
    assert secret.adult
    assert secret.mean is None
    assert (bare.type, bare.genres, bare.episodes, bare.year, bare.picture) == (None, (), None, None, None)
    assert bare.adult
    assert catalogue.adult_ids == (2, 3)


def test_names_are_cut(tmp_path: Path) -> None:
    long = "x" * 8000
    table = write_table(tmp_path, "csv", ANIME, [["1", long, *GOOD[2:]]], "anime")
    facts = dict.fromkeys(TITLES, "") | {"anime_id": "1", "title_english": f"e{long}", "title_japanese": f"j{long}"}
    facts |= {"title_synonyms": f"s{long}", "other_titles": f"o{long}|s{long}"}
    titles = write_table(tmp_path, "csv", TITLES, [list(facts.values())], "titles")
    anime = read_anime_table(table, titles).catalogue[1]
    names = [anime.title, anime.title_english, anime.title_japanese, *anime.synonyms]
    assert [len(name or "") for name in names] == [MAX_NAME] * 5
    path = write_table(tmp_path, "csv", ANIME, [["1", "Unknown", *GOOD[2:]]])
    assert read_anime_table(path).catalogue[1].title == "Unknown", "which may be its title"


@pytest.mark.parametrize("form", FORMATS)
def test_of_several_rows_for_one_anime_the_last_counts(tmp_path: Path, form: str) -> None:
    path = write_table(tmp_path, form, ANIME, [GOOD, ["1.0", "Better", *GOOD[2:]]])
    table = read_anime_table(path)
    assert table.catalogue[1].title == "Better"
    assert table.examples == {"a later row for the same anime": (location(form, 0),)}
    with pytest.raises(TableError, match="a later row for the same anime"):
        read_anime_table(path, strict=True)


def test_a_row_with_the_wrong_number_of_fields_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([",".join(ANIME), "3,Two,lines,TV,1,7", ",".join(GOOD), "", "4,A,B,TV,1,7,1,1"]))
    table = read_anime_table(path)
    assert list(table.catalogue) == [1]
    assert table.examples == {"wrong number of fields": ("a.csv, line 2", "a.csv, line 5")}
    with pytest.raises(TableError, match="line 2: wrong number of fields"):
        read_anime_table(path, strict=True)


def test_facts_about_other_anime_are_counted_and_no_reason_to_refuse(tmp_path: Path) -> None:
    anime = write_table(tmp_path, "csv", ANIME, [GOOD])
    titles = write_table(tmp_path, "csv", TITLES, [["1", *[""] * 12], ["5", *[""] * 12]], name="titles")
    table = read_anime_table(anime, titles, strict=True)
    assert table.examples == {"facts about an anime that the anime table lacks": ("titles.csv, line 3",)}


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
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = read_anime_table(tmp_path / "a.parquet", strict=True)
    good, bare = table.catalogue[1], table.catalogue[2]
    assert (good.episodes, good.mean, good.members, good.type) == (12, 7.5, 100, "TV")
    assert (bare.title, bare.episodes, bare.mean, bare.members, bare.type, bare.adult) == (
        "Bare & Co",
        *[None] * 4,
        True,
    )


@pytest.mark.parametrize(
    ("columns", "rows", "refusal"),
    [
        (ANIME, [], r"holds no usable row\.$"),
        (ANIME, [["1", "", *GOOD[2:]]], r"holds no usable row: no title\.$"),
        ([*ANIME[:4], "rating"], [GOOD[:5]], "lacks the columns episodes, members; it has anime_id, name"),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_a_table_without_anime_or_a_column_is_refused(
    tmp_path: Path, form: str, columns: list[str], rows: list[list[str]], refusal: str
) -> None:
    with pytest.raises(TableError, match=refusal):
        read_anime_table(write_table(tmp_path, form, columns, rows))
