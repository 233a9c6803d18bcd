"""Finding titles by what people call them, and saying that one is not known."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.search import Titles
from hakken.search.index import PackedStrings, WordIndex
from hakken.search.spelling import initials, plain, with_short_vowels

QUERIES = Path(__file__).parent / "search_queries.csv"
"""What people type, which title has to be among the first `within`, and which in a catalogue that ends in 2019.

The titles are of the embedded catalogue; `expected` and `before_2020` hold "unknown" where nothing may be found, and
several ids where any of them will do.
"""
TRAILERS = {38777, 36577}
"""Of Jujutsu Kaisen and Dungeon Meshi, years before them."""

SHELF = Catalogue(
    [
        Anime(anime_id=1, title="Cowboy Bebop", title_japanese="カウボーイビバップ", members=500, series=1),
        Anime(anime_id=5, title="Cowboy Bebop: Tengoku no Tobira", members=200, series=1),
        Anime(anime_id=2, title="Pokémon", synonyms=("Pocket Monsters",), members=400),
        Anime(anime_id=3, title="Monster", members=100, story=3, universe=2),
        Anime(anime_id=4, title="Monster Hunter", members=50, story=3, universe=2),
        Anime(anime_id=6, title="K", members=30),
        Anime(anime_id=7, title="Shingeki no Kyojin", title_english="Attack on Titan", members=900),
        Anime(anime_id=8, title="Monster for Adults", members=999, adult=True),
        Anime(anime_id=9, title="!!!", members=None),
    ]
)
TITLES = Titles(SHELF)
RED_COMETS = ["Red Comet: The Return", "Red Comet Rising", "Red Comet", "Red Comet"]


@pytest.fixture(scope="module")
def every(embedded: ModelBundle) -> Titles:
    return Titles(embedded.catalogue)


@pytest.fixture(scope="module")
def older(embedded: ModelBundle) -> Titles:
    known = (one for one in embedded.catalogue.values() if one.anime_id not in TRAILERS)
    return Titles(Catalogue(one for one in known if one.year is not None and one.year < 2020))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("monster", [3, 2, 4]),
        ("MONSTER!", [3, 2, 4]),
        ("pokemon", [2]),
        ("Ｐｏｋéｍｏｎ", [2]),
        ("attack on titan", [7]),
        ("titan", [7]),
        ("cowboy", [1, 5]),
        ("ビバップ", [1]),
        ("cowbow bepop", [1, 5]),
        ("k", [6, 7]),
        ("kyo", [7]),
        ("", []),
        ("  ", []),
        ("!!!", []),
        ("\0", []),
        ("nothing of the kind", []),
    ],
)
def test_a_title_is_found_by_what_it_is_called(text: str, expected: list[int]) -> None:
    assert [one.anime_id for one in TITLES.search(text, 10)] == expected


def test_a_search_reads_no_more_titles_than_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    everything, read = np.array([*SHELF], dtype=np.int32), list[int]()
    getitem = Catalogue.__getitem__

    def spying(catalogue: Catalogue, anime_id: int) -> Anime:
        read.append(anime_id)
        return getitem(catalogue, anime_id)

    monkeypatch.setattr(Catalogue, "__getitem__", spying)

    assert [one.anime_id for one in TITLES.search("monster", 2)] == read == [3, 2]
    read.clear()
    assert [one.anime_id for one in TITLES.well_known(2, known_to=everything, without=(5,))] == read == [7, 2]


def test_an_empty_catalogue_has_nothing() -> None:
    titles = Titles(Catalogue([]))
    assert (
        titles.search("monster", 10) == titles.well_known(10, known_to=np.array([1], dtype=np.int32), without=()) == ()
    )


@given(st.integers(0, 9), st.sets(st.integers(1, 12)), st.lists(st.integers(1, 12)))
def test_the_well_known_are_those_that_a_slow_search_finds(limit: int, known_to: set[int], without: list[int]) -> None:
    begun, expected = {SHELF[one].series or one for one in without if one in SHELF}, list[int]()
    for one in sorted(SHELF.values(), key=lambda one: -(one.members or 0)):
        series = one.series or one.anime_id
        if len(expected) < limit and not one.adult and series not in begun and one.anime_id in known_to:
            begun.add(series)
            expected.append(one.anime_id)

    known = np.array(sorted(known_to), dtype=np.int32)
    assert [one.anime_id for one in TITLES.well_known(limit, known_to=known, without=without)] == expected


@pytest.mark.parametrize(
    "query", list(csv.DictReader(QUERIES.read_text(encoding="utf-8").splitlines())), ids=lambda query: query["query"]
)
def test_what_people_type_finds_what_they_mean_or_nothing(every: Titles, older: Titles, query: dict[str, str]) -> None:
    for titles, expected in ((every, query["expected"]), (older, query["before_2020"])):
        found = [one.anime_id for one in titles.search(query["query"], 10)]
        if expected == "unknown":
            assert found == []
        else:
            assert set(found[: int(query["within"])]) & set(map(int, expected.split("/")))


def test_every_title_is_found_by_each_of_its_names(every: Titles, embedded: ModelBundle) -> None:
    rng = np.random.default_rng(5)
    anime = list(embedded.catalogue.values())
    for one in rng.choice(len(anime), 200, replace=False):
        for name in (anime[one].title, anime[one].title_english, anime[one].title_japanese, *anime[one].synonyms):
            if name and plain(name):
                assert anime[one] in every.search(name, len(anime), adult=True), name


@pytest.mark.parametrize(
    ("names", "members", "query", "expected"),
    [
        (["Pokemom", "Pokémon"], [9, 8], "pokemon", [2]),  # accents make no difference; what is only alike is left out
        (["Kuuchuu Oodoori no Shounen"], [9], "kuchu odori no shonen", [1]),  # nor do long vowels of romaji
        # The better known comes first where names match alike.
        (RED_COMETS, [200_000, 9000, 1000, 10], "red comet", [1, 3, 2, 4]),
        (RED_COMETS, [200_000, 9000, 1000, 10], "rc", [1, 3, 4]),
        # A typo more in ten letters is made up for by ten times the members.
        (["Bcdfghjklx", "Bcdfghjkzx"], [9_999, 79_999], "bcdfghjklm", [1, 2]),
        (["Bcdfghjklx", "Bcdfghjkzx"], [9_999, 119_999], "bcdfghjklm", [2, 1]),
    ],
)
def test_of_some_titles_those_meant_are_found(
    names: list[str], members: list[int], query: str, expected: list[int]
) -> None:
    shelf = [Anime(anime_id=at, title=name, members=members[at - 1]) for at, name in enumerate(names, start=1)]
    assert [one.anime_id for one in Titles(Catalogue(shelf)).search(query, 9)] == expected


@pytest.mark.parametrize(
    ("name", "shorts"),
    [
        ("Kimetsu no Yaiba", {"kny", "ky"}),
        ("Mob Psycho 100 II", {"mp100", "mp100i"}),
        ("Toilet-bound Hanako-kun", {"tbhk"}),
        ("Fate/stay night: Unlimited Blade Works", {"fsn", "ubw", "fsnubw"}),
        ("Shingeki no Kyojin Season 3 Part 2", {"snk", "sk", "snks3p2", "sks3p2"}),
        ("Naruto", set()),
        ("進撃 の 巨人", set()),
    ],
)
def test_names_are_shortened_to_initials(name: str, shorts: set[str]) -> None:
    assert set(initials(name)) == shorts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pokémon", "pokemon"),
        ("HUNTER×HUNTER", "Hunter x Hunter"),
        ("Howl\u2019s Moving Castle", "howls moving castle"),
        ("The iDOLM@STER", "the idolmaster"),
        ("Spice & Wolf", "spice and wolf"),
        ("ナルト", "なると"),
        ("ﾅﾙﾄ", "ナルト"),
        ("Haikyuu!! Second Season", "haikyuu 2nd season"),
        ("Ёлка", "елка"),
    ],
)
def test_spellings_that_are_one(one: str, other: str) -> None:
    assert plain(one) == plain(other)


WORDS = ["naruto", "boruto", "nauto", "anruto", "dark", "darc", "drak", "dar", "steins", "shippuuden", "ab", "進撃"]


@given(
    st.lists(st.text("abnrtuo進", min_size=1, max_size=9), max_size=20), st.text("abnrtuo進", min_size=1, max_size=9)
)
@example(["maruto", "reimcaznafed"], "naruto")
@example(["reimcaznafed", "reimcaznated", "reincarnatedd"], "reincarnated")
@example(["toukyou", "tokyo"], "tokyoo")
def test_words_that_are_alike_are_those_that_a_slow_search_finds(more: list[str], word: str) -> None:
    names = [*WORDS, *more]

    found: dict[str, float] = {}
    for likeness, places in WordIndex(PackedStrings(names), np.zeros(len(names), dtype=np.int64)).similar(word):
        found |= {names[place]: likeness for place in places}

    assert found == pytest.approx({name: like for name in names if (like := slowly_alike(word, name)) > 0})


def slowly_alike(word: str, name: str) -> float:
    if len(with_short_vowels(word)) < 4:
        return float(word == name)
    one, other = with_short_vowels(word), with_short_vowels(name)
    typos = OSA.distance(one, other)
    if typos > min(2, len(one) // 4) or (len(one) == len(other) == 4 and sorted(one) != sorted(other)):
        return 0
    if one[0] != other[0] and (one[1], one[0]) != (*other, "", "")[:2]:
        return 0
    return 1 - typos / max(len(one), len(other))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))))
@example([])
@example([""])
@example(["", "進撃", "", "\0 a\r\u2028b", "\U0010ffff"])
def test_texts_in_one_block_are_what_they_were(texts: list[str]) -> None:
    block = PackedStrings(iter(texts))

    assert (list(block), len(block)) == (texts, len(texts))
    assert [block[place] for place in range(len(texts))] == texts


@given(st.text(max_size=64))
@example("a \n\u3000\x1cb")
def test_whatever_is_typed_is_answered_and_made_plain(text: str) -> None:
    assert len(TITLES.search(text, 3)) <= 3
    assert plain(text) == " ".join(plain(text).split())
