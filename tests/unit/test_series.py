"""Series: who belongs together and how, on real pairs, on small made-up catalogues, and on anything at all."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.catalogue import FILE_NAME, Anime, Catalogue
from hakken.model.store import EMBEDDED_PATH
from hakken.series import Relation, with_series

PAIRS = Path(__file__).with_name("series_pairs.csv")
LEAST_RIGHT, LEAST_BY_TITLES = 0.97, 0.8
"""Shares of the pairs, with relations and by titles alone."""


class Pair(NamedTuple):
    """Two real anime, what a fan would say the other is to the one, and why: "top" is one of the best-known series."""

    one: int
    one_title: str
    other: int
    other_title: str
    relation: str
    note: str


RIGHT = {
    # Whether a film is needed to go on is a matter of taste.
    "next": {"next", "film"},
    "film": {"next", "film", "side"},
    "side": {"side"},
    "recap": {"recap", "side"},
    "retelling": {"another telling", "recap", "side"},
    "universe": {"universe", "another telling"},
    "unrelated": {"unrelated"},
}
KINDS = {"main": "next", "film": "film", "recap": "recap", "side story": "side", "special": "side", "extra": "side"}


def read() -> list[Pair]:
    rows = list(csv.reader(PAIRS.read_text().splitlines()))[1:]
    return [Pair(int(row[0]), row[1], int(row[2]), row[3], *row[4:]) for row in rows]


def told(catalogue: Catalogue, pair: Pair) -> str:
    """What a catalogue makes the other one of a pair."""
    one, other = catalogue[pair.one], catalogue[pair.other]
    if catalogue.series_of(pair.one) == catalogue.series_of(pair.other):
        kind = KINDS[other.kind or "main"]
        later = not one.part or not other.part or other.part > one.part
        return kind if later or kind not in RIGHT["next"] else "before"
    if catalogue.story_of(pair.one) == catalogue.story_of(pair.other):
        return "another telling"
    return "universe" if catalogue.universe_of(pair.one) == catalogue.universe_of(pair.other) else "unrelated"


def wrong(catalogue: Catalogue, pairs: list[Pair]) -> list[tuple[str, ...]]:
    found = [(pair.one_title, pair.other_title, pair.relation, told(catalogue, pair)) for pair in pairs]
    return [one for one in found if one[3] not in RIGHT[one[2]]]


@pytest.fixture(scope="module")
def real() -> Catalogue:
    """The embedded catalogue, as it was made."""
    return Catalogue.read(EMBEDDED_PATH / FILE_NAME)


# Real titles


def test_real_pairs_are_told_right_and_all_of_the_most_popular_series(real: Catalogue) -> None:
    pairs = read()
    assert len(pairs) > 500
    assert {real[anime_id].title for pair in pairs for anime_id in (pair.one, pair.other)} == {
        title for pair in pairs for title in (pair.one_title, pair.other_title)
    }
    assert {pair.relation for pair in pairs} == {*RIGHT}
    assert not wrong(real, [pair for pair in pairs if pair.note.startswith("top")])
    mistaken = wrong(real, pairs)
    assert len(mistaken) <= (1 - LEAST_RIGHT) * len(pairs), mistaken


def test_titles_alone_tell_most_of_it(real: Catalogue) -> None:
    pairs, by_titles = read(), with_series(real)
    mistaken = wrong(by_titles, pairs)
    assert len(mistaken) <= (1 - LEAST_BY_TITLES) * len(pairs), mistaken
    assert not wrong(by_titles, [pair for pair in pairs if pair.relation == "unrelated"])


ORDERS = """\
Sword Art Online | Sword Art Online II | Sword Art Online Movie: Ordinal Scale | Sword Art Online: Alicization
Gintama | Gintama' | Gintama': Enchousen | Gintama°
Fate/Zero | Fate/Zero 2nd Season
Natsume Yuujinchou | Zoku Natsume Yuujinchou | Natsume Yuujinchou San | Natsume Yuujinchou Shi
Noragami | Noragami Aragoto
Tokyo Ghoul | Tokyo Ghoul √A | Tokyo Ghoul:re | Tokyo Ghoul:re 2nd Season
Shingeki no Kyojin | * Season 2 | * Season 3 | * Season 3 Part 2 | *: The Final Season | *: The Final Season Part 2 \
| *: The Final Season - Kanketsu-hen
Kidou Senshi Gundam | Kidou Senshi Zeta Gundam | Kidou Senshi Gundam ZZ
Death Note"""
"""The first main entries of series, in viewing order; * is the first one's title."""


@pytest.mark.parametrize("line", ORDERS.splitlines())
def test_main_entries_follow_each_other_and_the_first_is_the_entry(real: Catalogue, line: str) -> None:
    titles = line.replace("*", line.split(" | ", maxsplit=1)[0]).split(" | ")
    first = next(one for one in real.values() if one.title == titles[0])
    assert real.series_of(first.anime_id) == first.anime_id
    main = [real[anime_id].title for anime_id in real.series[first.anime_id]]
    assert main[: len(titles)] == titles


# Made-up titles, one rule each


def anime(anime_id: int, title: str, year: int | None = 2010, episodes: int | None = 12, **facts: Any) -> Anime:
    known: dict[str, Any] = {"type": "TV", "genres": ("Action", "Drama"), "studios": ("One",), **facts}
    return Anime(anime_id=anime_id, title=title, year=year, episodes=episodes, **known)


KAZE = anime(1, "Kaze no Oto")
SEASONS = (
    "* Season 2|* 2nd Season|* II|*: The Final Season|* Part 2|* Cour 2|Zoku *|* Zoku|* Kai|*!|* (2012)"
    "|* Kanketsu-hen|*: Aki no Shou"
)
FILM: dict[str, Any] = {"year": 2012, "episodes": 1, "type": "Movie"}
TAGS = ("Alchemy", "War", "Brothers", "Travel", "Magic")
LATER = anime(2, "Kaze no Oto: Aki", 2030)
OVA, AKI, SEVENTH = anime(2, "Aki", type="OVA"), anime(3, "Aki", 2012), anime(2, "Kaze no Oto 7", 2012)
SECOND, GENRES = anime(2, "Kaze no Oto 2", 2012), ("Action", "Sports")
YUUUTSU, SHOUSHITSU = "Suzumiya Haruhi no Yuuutsu", "Suzumiya Haruhi no Shoushitsu"


def two(title: str, first: dict[str, Any] | None = None, **facts: Any) -> list[Anime]:
    """A show, some of whose facts are others, and an anime of two years later."""
    return [msgspec.structs.replace(KAZE, **(first or {})), anime(2, title, **({"year": 2012} | facts))]


def related(other: Anime, *kinds: str, sure: float | None = None) -> Iterator[tuple[list[Anime], list[Relation]]]:
    return (([KAZE, other], [Relation(1, kind, other.anime_id, sure)]) for kind in kinds)


BY_TITLES: list[tuple[str, list[Anime]]] = [
    *(("series", two(title)) for title in SEASONS.replace("*", "Kaze no Oto").split("|")),
    # Other titles tell as well.
    ("series", two("Aki no Iro", {"title_english": "Sound of Wind"}, title_english="Sound of Wind Season 2")),
    ("series", two("Aki no Iro", {"title_japanese": "風の音"}, title_japanese="風の音 第2期")),
    ("series", two("Aki no Iro", synonyms=("Kaze no Oto 2",))),
    # What begins with a title goes on with it if it is alike and soon.
    ("series", two("Kaze no Oto: Aki", year=2018)),
    ("universe", two("Kaze no Oto: Aki", year=2019)),
    ("universe", two("Kaze no Oto: Aki", year=2013, genres=GENRES)),
    ("series", two("Kaze no Oto: Aki", year=2013, genres=())),
    ("universe", two("Kaze no Oto: Aki", year=2014, genres=())),
    # What is told to be beside a show is another; so is a number that leaves many out.
    ("universe", two("Kaze no Oto Gaiden: Aki", year=2011)),
    ("universe", two("Kaze no Oto 7")),
    ("series", two("Kaze no Oto 3")),
    # The same title years later tells it anew, and so does a longer one where tags are the same.
    ("series", two("Kaze no Oto (TV)", year=2013)),
    ("story", two("Kaze no Oto (TV)", year=2014)),
    ("series", two("Kaze no Oto (TV)", {"episodes": 200}, year=2014)),  # it ran until then
    ("story", two("Kaze no Oto: Brotherhood", {"tags": TAGS}, year=2020, tags=TAGS)),
    ("universe", two("Kaze no Oto: Brotherhood", {"tags": TAGS}, year=2020, tags=TAGS[:1])),
    # What is for adults only is tied by title to nothing else.
    ("nothing", two("Kaze no Oto 2", adult=True)),
    # Where nothing is related, a studio tells what goes on.
    ("series", two("Kaze no Oto: Aki", **FILM | {"genres": ()})),
    ("series", two(SHOUSHITSU, {"title": YUUUTSU}, **FILM)),
    ("nothing", two(SHOUSHITSU, {"title": YUUUTSU}, **FILM | {"studios": ()})),
    # A film that names one show does not make it one with another.
    (
        "universe",
        [*two("Kaze no Oto: Aki", **FILM | {"genres": ()}), anime(3, "Kaze no Oto: Natsu", genres=("Sports",))],
    ),
    ("series", [KAZE, SECOND, anime(3, "Kaze no Oto: Aki", 2012)]),
]
BY_RELATIONS: list[tuple[str, Iterable[tuple[list[Anime], list[Relation]]]]] = [
    # Relations join a series that titles do not, and part what titles would join.
    ("series", related(OVA, "Sequel", "PREQUEL", "Side story", "SIDE_STORY", "Parent story", "Summary", "Full story")),
    ("story", related(SECOND, "Alternative version", "ALTERNATIVE")),
    ("universe", related(SECOND, "Spin-off", "SPIN_OFF", "Alternative setting", "Other")),
    ("nothing", related(OVA, "Character", "Adaptation", "Music", "none", "")),
    # A doubtful sequel counts where title and genres agree.
    ("series", related(LATER, "Sequel", sure=0.6)),
    ("universe", related(msgspec.structs.replace(LATER, genres=GENRES), "Sequel", sure=0.6)),
    ("nothing", related(AKI, "Sequel", sure=0.6)),
    ("universe", related(SEVENTH, "Sequel", sure=0.86)),  # inferred by the number alone
    ("series", related(SEVENTH, "Sequel")),
    # A side story that is a show of its own name is another show.
    ("universe", related(AKI, "Side story")),
    ("series", related(LATER, "Side story")),
    # Relations may lead through anime that the catalogue lacks.
    ("series", [([KAZE, OVA], [Relation(1, "Sequel", 999_999), Relation(999_999, "Sequel", 2)])]),
    # Where a sequel would be known, a title is not enough.
    ("universe", [([KAZE, SECOND, anime(3, "Kaze no Oto: Aki", 2012)], [Relation(1, "Sequel", 2)])]),
    ("universe", [([anime(1, YUUUTSU), AKI, anime(2, SHOUSHITSU, **FILM)], [Relation(2, "Sequel", 3)])]),
    # Two shows that share a special or an advert stay two.
    *(
        ("nothing", [([KAZE, anime(2, "X", 2012, 1, type=type_), AKI], [Relation(of, kind, 2, sure) for of in (1, 3)])])
        for type_, kind, sure in (("Special", "Side story", 0.5), ("CM", "Other", 0.9))
    ),
]


@pytest.mark.parametrize(
    ("circle", "of", "relations"),
    [
        *((circle, of, []) for circle, of in BY_TITLES),
        *((circle, of, relations) for circle, each in BY_RELATIONS for of, relations in each),
    ],
)
def test_titles_and_before_them_relations_tell_how_wide_a_circle_is(
    circle: str, of: list[Anime], relations: list[Relation]
) -> None:
    """The circle is the narrowest that holds the first and the last."""
    found = with_series(Catalogue(of), relations)
    circles = {"series": found.series_of, "story": found.story_of, "universe": found.universe_of}
    same = [name for name, group_of in circles.items() if group_of(of[0].anime_id) == group_of(of[-1].anime_id)]
    assert [*same, "nothing"][0] == circle


def test_what_titles_made_likely_is_only_probable() -> None:
    later = [anime(2, "Kaze no Oto II", 2011), anime(3, "Kaze no Oto: Aki", 2013)]
    found = with_series(Catalogue([KAZE, *later]))
    assert [found[anime_id].probable for anime_id in (1, 2, 3)] == [False, False, True]
    sure = with_series(Catalogue([KAZE, *later]), [Relation(1, "Sequel", 3)])
    assert not sure[3].probable


# Parts


ENTRIES = [
    (anime(1, "Kaze no Oto", members=1000), ("main", 1)),
    (anime(2, "Kaze no Oto 2", 2013), ("main", 2)),
    (anime(3, "Kaze no Oto Movie", 2014, 1, type="Movie", members=300), ("film", 3)),
    (anime(4, "Kaze no Oto Special", 2011, 1, type="Special"), ("special", None)),
    (anime(5, "Kaze no Oto OVA", 2011, 2, type="OVA"), ("side story", None)),
    (anime(6, "Kaze no Oto Recap", 2012, 1, type="TV Special"), ("recap", None)),
    (anime(7, "Kaze no Oto PV", 2009, 1, type="PV"), ("extra", None)),
    (anime(8, "Kaze no Oto Picture Drama", 2012, 3, type="Special"), ("extra", None)),
    # Few of those who saw the show went on with it.
    (anime(9, "Kaze no Oto Movie 2", 2014, 1, type="Movie", members=50), ("side story", None)),
    (anime(10, "Kaze no Oto Movie 3", 2012, 1, type="Movie", members=500), ("recap", None)),  # a relation says so
    (anime(11, "Kaze no Oto Mini Anime", 2012, 12, type="ONA"), ("special", None)),
]
SHOWS = [anime(1, "Kaze no Oto"), anime(2, "Kaze no Oto 2", 2013)]
FILMS = [anime(at, f"Kaze no Oto Movie {at}", 2012, 1, type="Movie") for at in (3, 4)]
LIKELY, SURELY = ([Relation(1, "Sequel", 3, sure), Relation(3, "Sequel", 4, sure)] for sure in (0.65, 0.9))
MOVIE = anime(2, "Kaze no Oto Movie", 2012, 1, type="Movie")
LAST = anime(2, "Kaze no Oto: Kanketsu-hen", 2012, 2, type="TV Special")
SURE = Relation(1, "Sequel", 2, 0.85)
OVAS = [anime(9 - n, f"Gall Force {n} OVA", 1980 + n, 1, type="OVA") for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("of", "relations", "expected"),
    [
        ([one for one, _ in ENTRIES], [Relation(1, "Summary", 10)], {one.anime_id: told for one, told in ENTRIES}),
        # A film between two shows is needed only if it is told to be; its sequel, if it certainly is one.
        ([*SHOWS, FILMS[0]], [], {1: ("main", 1), 2: ("main", 2), 3: ("side story", None)}),
        ([*SHOWS, *FILMS], LIKELY, {1: ("main", 1), 3: ("film", 2), 4: ("side story", None), 2: ("main", 3)}),
        ([*SHOWS, *FILMS], SURELY, {1: ("main", 1), 3: ("film", 2), 4: ("film", 3), 2: ("main", 4)}),
        # Films beside a long show are outings.
        ([anime(1, "Kaze no Oto", episodes=500), MOVIE], [], {1: ("main", 1), 2: ("side story", None)}),
        ([anime(1, "Kaze no Oto", episodes=24), MOVIE], [], {1: ("main", 1), 2: ("film", 2)}),
        # A short broadcast is main where it certainly follows.
        ([KAZE, LAST], [], {1: ("main", 1), 2: ("side story", None)}),
        ([KAZE, LAST], [SURE], {1: ("main", 1), 2: ("main", 2)}),
        # Where no year is known numbers tell the order, and days do within a year; what is only announced comes last.
        (
            [anime(1, "Kaze no Oto Fourth Stage", None), anime(2, "Kaze no Oto First Stage", None)],
            [],
            {1: ("main", 2), 2: ("main", 1)},
        ),
        (
            [anime(1, "Aki", 2012, start_date="2012-10-02"), anime(2, "Haru", 2012, start_date="2012-04-05")],
            [SURE],
            {1: ("main", 2), 2: ("main", 1)},
        ),
        ([KAZE, anime(6, "Kaze no Oto Season 2", None, None)], [], {1: ("main", 1), 6: ("main", 2)}),
        # OVA are parts where there is no show.
        (
            [*OVAS, anime(1, "Gall Force Special", 1979, 1, type="Special")],
            [],
            {8: ("main", 1), 7: ("main", 2), 6: ("main", 3), 1: ("special", None)},
        ),
    ],
)
def test_parts_of_a_series(
    of: list[Anime], relations: list[Relation], expected: dict[int, tuple[str | None, int | None]]
) -> None:
    found = with_series(Catalogue(of), relations)
    assert len({found.series_of(one.anime_id) for one in of}) == 1
    assert {one.anime_id: (one.kind, one.part) for one in found.values()} == expected


# Whatever is known


titles = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from([*"AB:!-2", "II", "OVA", "Movie", "no", "vs"]), min_size=1, max_size=5).map(" ".join),
)
made_up = st.lists(
    st.builds(
        Anime,
        anime_id=st.integers(1, 60),
        title=titles,
        type=st.sampled_from(["TV", "Movie", "OVA", "Special", "Music", None]),
        year=st.one_of(st.none(), st.integers(1990, 1999)),
        episodes=st.one_of(st.none(), st.integers(0, 120)),
        genres=st.sampled_from([(), ("Drama", "Sports"), ("Drama", "Magic")]),
        studios=st.sampled_from([(), ("one",), ("one", "two")]),
        tags=st.sampled_from([(), ("War",), ("War", "Travel")]),
        members=st.one_of(st.none(), st.integers(0, 9)),
        adult=st.booleans(),
    ),
    unique_by=lambda one: one.anime_id,
    max_size=12,
)


def relations_among(of: list[Anime]) -> st.SearchStrategy[list[Relation]]:
    ids = st.sampled_from([one.anime_id for one in of] or [1])
    kinds = st.sampled_from(
        ["Sequel", "Side story", "Summary", "Alternative version", "Spin-off", "Other", "Character"]
    )
    sure = st.sampled_from([None, 0.3, 0.35, 0.5, 0.6, 0.86, 0.95])
    return st.lists(st.builds(Relation, ids, kinds, ids, sure), max_size=8)


cases = made_up.flatmap(lambda of: st.tuples(st.just(of), relations_among(of), st.randoms()))


@given(cases)
def test_each_anime_is_in_one_series_whose_parts_have_no_gap(case: tuple[list[Anime], list[Relation], object]) -> None:
    of, relations, _ = case
    found = with_series(Catalogue(of), relations)
    assert sorted(found) == sorted(one.anime_id for one in of)
    series = defaultdict(list)
    for one in found.values():
        series[found.series_of(one.anime_id)].append(one)
    for entry, members in series.items():
        assert len({(found.story_of(one.anime_id), found.universe_of(one.anime_id)) for one in members}) == 1
        if len(members) == 1:
            assert (members[0].series, members[0].part) == (None, None)
            continue
        main = {one.part: one.anime_id for one in members if one.part is not None}
        assert main[1] == entry
        assert sorted(main) == list(range(1, len(main) + 1))
        assert found.series[entry] == tuple(main[part] for part in sorted(main))
    for one in found.values():
        assert found.series_of(found.story_of(one.anime_id)) == found.story_of(one.anime_id)
        assert found.universe_of(found.story_of(one.anime_id)) == found.universe_of(one.anime_id)


@given(cases)
def test_neither_order_nor_what_was_found_before_matters(case: tuple[list[Anime], list[Relation], Random]) -> None:
    of, relations, random = case
    found = with_series(Catalogue(of), relations)
    random.shuffle(of)
    random.shuffle(relations)
    assert list(with_series(Catalogue(of), relations).values()) == list(found.values())
    other = {"part": 7, "kind": "recap", "probable": True}
    spoilt = Catalogue(msgspec.structs.replace(one, series=5, story=6, universe=7, **other) for one in found.values())
    for before in (found, spoilt):
        assert list(with_series(before, relations).values()) == list(found.values())


@given(cases)
def test_what_a_site_states_goes_before_titles(case: tuple[list[Anime], list[Relation], object]) -> None:
    of, relations, _ = case
    found = with_series(Catalogue(of), relations)
    for one in relations:
        if one.kind == "Sequel" and one.confidence is None and {*one.pair} <= found.keys():
            assert found.series_of(one.anime_id) == found.series_of(one.related_id)
