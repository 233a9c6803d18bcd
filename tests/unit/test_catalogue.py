"""The catalogue: what is written is what is read, its columns are its facts, and what is no anime is refused."""

import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.bundle import NO_PART, Facts, ModelBundle
from hakken.catalogue import SECONDARY_KINDS, Anime, Catalogue, Link, Related, made_from
from hakken.errors import ArtefactCorrupt
from hakken.model import Model
from hakken.web.filter_choices import filter_choices
from tests.models import N_ITEMS

ids = st.integers(1, N_ITEMS + 40)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
some_words = st.lists(words, max_size=3, unique=True).map(tuple)
anime = st.builds(
    Anime,
    anime_id=ids,
    title=words,
    synonyms=some_words,
    type=st.sampled_from([None, "TV", "Movie", "movie", "tv"]),
    genres=st.sampled_from([(), ("Drama",), ("drama", "Space"), ("Space",)]),
    year=st.none() | st.integers(1917, 2030),
    season=st.sampled_from([None, "Spring 1998", "Winter 2001", "spring"]),
    studios=st.sampled_from([(), ("sunrise",), ("sunrise", "Madhouse"), ("madhouse",)]),
    start_date=st.sampled_from([None, "1998", "1998-04-03"]),
    mean=st.none() | st.floats(1, 10),
    members=st.none() | st.integers(0, 10**7),
    relations=st.none() | st.lists(st.builds(Related, ids, words, st.none() | st.floats(0, 1)), max_size=2).map(tuple),
    streaming=st.lists(st.builds(Link, words, words), max_size=1).map(tuple),
    made_from=st.none() | words,
    tags=some_words,
    adult=st.booleans(),
    series=st.none() | ids,
    part=st.none() | st.integers(1, 9),
    kind=st.sampled_from([None, "main", "film", "side story", "special", "recap", "extra"]),
    probable=st.booleans(),
    story=st.none() | ids,
    universe=st.none() | ids,
)
known = st.lists(anime, max_size=12)


@given(given_anime=known)
def test_what_is_written_is_read_as_the_same(
    given_anime: list[Anime], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("c") / "catalogue"
    expected = dict(sorted({one.anime_id: one for one in given_anime}.items()))
    Catalogue(given_anime).write(path)
    for catalogue in (Catalogue(given_anime), Catalogue.read(path)):
        assert list(catalogue.items()) == list(expected.items())
        assert len(catalogue) == len(expected)
        assert catalogue.encoded() == path.read_bytes()
    assert msgspec.json.Decoder(Anime).decode_lines(gzip.decompress(path.read_bytes())) == list(expected.values())


@settings(max_examples=200)
@given(given_anime=known)
def test_columns_and_groups_are_the_facts_of_each(given_anime: list[Anime]) -> None:
    catalogue = Catalogue(given_anime)
    columns, each = catalogue.columns, list(catalogue.values())
    assert columns.ids.tolist() == [one.anime_id for one in each]
    for name in ("part", "probable"):
        assert getattr(columns, name).tolist() == [getattr(one, name) or 0 for one in each], name
    assert columns.probable.dtype == np.bool_
    entries: dict[int, list[tuple[int, int]]] = {}
    for place, one in enumerate(each):
        series, story, universe = circles_of(one)
        assert columns.series[place] == catalogue.series_of(one.anime_id) == series
        assert columns.story[place] == catalogue.story_of(one.anime_id) == story
        assert columns.universe[place] == catalogue.universe_of(one.anime_id) == universe
        if one.part:
            entries.setdefault(series, []).append((one.part, one.anime_id))
    assert catalogue.series == {group: tuple(one for _, one in sorted(some)) for group, some in entries.items()}
    assert catalogue.adult_ids == tuple(one.anime_id for one in each if one.adult)
    assert {of(99_999) for of in (catalogue.series_of, catalogue.story_of, catalogue.universe_of)} == {99_999}


def circles_of(one: Anime) -> tuple[int, int, int]:
    """Series, story and universe, each that of what is within it where it is in none."""
    series = one.series or one.anime_id
    story = one.story or series
    return series, story, one.universe or story


def test_on_disk_series_and_universe_have_the_names_that_older_models_have(tmp_path: Path) -> None:
    line = b'{"anime_id":7,"title":"Zeta","franchise":5,"part":2,"saga":3}\n'
    (tmp_path / "old").write_bytes(gzip.compress(line))
    old = Catalogue.read(tmp_path / "old")
    assert old[7] == Anime(anime_id=7, title="Zeta", series=5, part=2, universe=3)
    assert (old.series_of(7), old.story_of(7), old.universe_of(7)) == (5, 5, 3)
    assert gzip.decompress(Catalogue(old.values()).encoded()) == line


@given(given_anime=known)
def test_facts_by_the_models_rows_are_those_of_each(given_anime: list[Anime], bundle: ModelBundle) -> None:
    model, catalogue = bundle.model, Catalogue(given_anime)
    facts = Facts(model, catalogue)
    each = [catalogue.get(anime_id) for anime_id in model.arrays.anime_ids.tolist()]
    for name in ("year", "members", "adult"):
        assert getattr(facts, name).tolist() == [(getattr(one, name) or 0) if one else 0 for one in each], name
    assert facts.beside.tolist() == [one is not None and one.kind in SECONDARY_KINDS for one in each]
    alone = [one is not None and one.series in {None, one.anime_id} and not one.part for one in each]
    films = [one is not None and (one.type or "").lower() == "movie" for one in each]
    assert facts.lone_films.tolist() == [both == (True, True) for both in zip(alone, films, strict=True)]
    for masks, values in (
        (facts.types, [({one.type.lower()} if one.type else set()) if one else set() for one in each]),
        (facts.genres, [{genre.lower() for genre in one.genres} if one else set() for one in each]),
    ):
        names = set().union(*values)
        assert {name: mask.tolist() for name, mask in masks.items()} == {
            name: [name in held for held in values] for name in names
        }
    assert facts.genre_names.keys() == facts.genres.keys()
    numbers = {"Spring 1998": 4 * 1998 + 1, "Winter 2001": 4 * 2001}
    assert facts.season.tolist() == [numbers.get((one and one.season) or "", 0) for one in each]
    studios: dict[str, list[int]] = {}
    for row, one in enumerate(each):
        for name in one.studios if one else ():
            studios.setdefault(name.lower(), []).append(row)
    assert {name: rows.tolist() for name, rows in facts.studios.items()} == studios
    _check_groups(model, catalogue, facts)


def _check_groups(model: Model, catalogue: Catalogue, facts: Facts) -> None:
    places = facts.anime_index
    assert places.ids.tolist() == sorted({*catalogue, *model.arrays.anime_ids.tolist()})
    for part, one in zip(places.part.tolist(), map(catalogue.get, places.ids.tolist()), strict=True):
        begins = one is None or one.series in {None, one.anime_id}
        assert part == ((one and one.part) or (1 if begins else NO_PART))
    parts = dict(zip(places.ids.tolist(), places.part.tolist(), strict=True))
    ids_of_rows = model.arrays.anime_ids.tolist()
    each = [circles_of(catalogue.get(one) or Anime(anime_id=one, title="")) for one in ids_of_rows]
    for circle, groups in enumerate((facts.series, facts.stories, facts.universes)):
        expected = np.array([of[circle] for of in each])
        same = groups.of_row[:, None] == groups.of_row
        assert np.array_equal(same, expected[:, None] == expected)
        assert groups.part_of_row.tolist() == [parts[one] for one in ids_of_rows]


GOOD = b'{"anime_id":7,"title":"Good"}\n'
PACKED = Catalogue([Anime(anime_id=1, title="One")] * 9).encoded()
NO_LINES = (b"[]\n", b"{}\n", b'{"anime_id":"x","title":"x"}\n', b'{"anime_id":1,"title":\n', b"\n", b"\xff\n")


@pytest.mark.parametrize(
    "data", [PACKED[:-1], PACKED[:20], b"mine", *(gzip.compress(GOOD + one, mtime=0) for one in NO_LINES)]
)
def test_a_damaged_file_or_a_line_that_is_about_no_anime_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(ArtefactCorrupt, match="can't be read"):
        Catalogue.read(tmp_path / "c")


@pytest.mark.parametrize("facts", [b'"year":1998', b'"title":5', b'"title":"x","genres":"Drama"'])
def test_an_odd_fact_is_refused_before_the_catalogue_is_served(
    tmp_path: Path, facts: bytes, bundle: ModelBundle
) -> None:
    (tmp_path / "c").write_bytes(gzip.compress(b'{"anime_id":7,' + facts + b"}\n"))
    odd = Catalogue.read(tmp_path / "c")
    for use in (lambda: odd.anime(7), ModelBundle(bundle.model, odd).warm):
        with pytest.raises(ArtefactCorrupt, match="anime 7 can't be read"):
            use()


def test_a_file_may_be_of_several_parts_in_any_order(tmp_path: Path) -> None:
    parts = [Catalogue([Anime(anime_id=n, title="")]).encoded() for n in (3, 1, 2)]
    (tmp_path / "c").write_bytes(b"".join(parts))
    assert list(Catalogue.read(tmp_path / "c")) == [1, 2, 3]


def test_what_it_was_made_from_has_one_name() -> None:
    names = [made_from(one) for one in ("Light novel", "4_koma_manga", "4-koma manga", "Other", "unknown", "")]
    assert names == ["light novel", "4-koma manga", "4-koma manga", None, None, None]


def test_an_offer_has_what_the_models_titles_have(bundle: ModelBundle) -> None:
    facts = [
        Anime(anime_id=1, title="1", type="OVA", genres=("drama", "Ecchi"), adult=True),
        Anime(anime_id=2, title="2", type="TV", genres=("Drama",)),
        Anime(anime_id=4, title="4", type="TV"),
        Anime(anime_id=99_999, title="Not in the model", type="Music", genres=("Space",)),
    ]
    offer = filter_choices(ModelBundle(bundle.model, Catalogue(facts)))
    assert offer.types == ("TV", "OVA")
    assert offer.genres == (("Drama", False), ("Ecchi", True))
