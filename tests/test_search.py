"""Finding titles by what people call them."""

import time
from collections.abc import Callable

import pytest

from hakken.catalogue import Anime, Catalogue
from hakken.knowledge import Knowledge
from hakken.search import Titles

SHELF = Catalogue(
    [
        Anime(anime_id=1, title="Cowboy Bebop", title_japanese="カウボーイビバップ", members=500, saga=1),
        Anime(anime_id=5, title="Cowboy Bebop: Tengoku no Tobira", members=200, saga=1),
        Anime(anime_id=2, title="Pokémon", synonyms=("Pocket Monsters",), members=400),
        Anime(anime_id=3, title="Monster", members=100),
        Anime(anime_id=4, title="Monster Hunter", members=50),
        Anime(anime_id=6, title="K", members=30),
        Anime(anime_id=7, title="Shingeki no Kyojin", title_english="Attack on Titan", members=900),
        Anime(anime_id=8, title="Monster for Adults", members=999, adult=True),
        Anime(anime_id=9, title="!!!", members=None),
    ]
)


@pytest.fixture(scope="module")
def search(embedded: Knowledge) -> Callable[[str], list[str]]:
    titles = Titles(embedded.catalogue)
    return lambda text: [one.title for one in titles.search(text, 12)]


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
        ("k", [6, 7, 2, 5]),
        ("kyo", [7]),
        ("", []),
        ("  ", []),
        ("!!!", []),
        ("\0", []),
        ("nothing of the kind", []),
    ],
)
def test_a_title_is_found_by_what_it_is_called(text: str, expected: list[int]) -> None:
    assert [one.anime_id for one in Titles(SHELF).search(text, 10)] == expected


def test_accents_make_no_difference() -> None:
    titles = Titles(Catalogue([Anime(anime_id=1, title="Pokemom", members=9), Anime(anime_id=2, title="Pokémon")]))

    assert [one.anime_id for one in titles.search("pokemon", 2)] == [2, 1]


def test_titles_for_adults_come_only_where_they_are_asked_for() -> None:
    titles = Titles(SHELF)

    assert 8 not in [one.anime_id for one in titles.search("monster", 10)]
    assert 8 in [one.anime_id for one in titles.search("monster", 10, adult=True)]


def test_no_more_are_found_than_are_asked_for() -> None:
    assert [one.anime_id for one in Titles(SHELF).search("monster", 2)] == [3, 2]


def test_an_empty_catalogue_has_nothing() -> None:
    titles = Titles(Catalogue([]))

    assert titles.search("monster", 10) == ()
    assert titles.well_known(10, known_to=(), without=()) == ()


def test_the_well_known_are_one_of_each_saga_and_none_for_adults() -> None:
    titles = Titles(SHELF)
    everything = set(SHELF)

    assert [one.anime_id for one in titles.well_known(3, known_to=everything, without=())] == [7, 1, 2]
    assert [one.anime_id for one in titles.well_known(3, known_to=everything, without=(5, 7))] == [2, 3, 4]
    assert [one.anime_id for one in titles.well_known(3, known_to={5, 6}, without=())] == [5, 6]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("fulmetal alchemst", "Fullmetal Alchemist"),
        ("spirited away", "Sen to Chihiro no Kamikakushi"),
        ("naruto shipuden", "Naruto: Shippuuden"),
        ("death note", "Death Note"),
        ("deth note", "Death Note"),
        ("千と千尋", "Sen to Chihiro no Kamikakushi"),
        ("evangelion", "Neon Genesis Evangelion"),
        ("steins gate", "Steins;Gate"),
        ("dragonbal", "Dragon Ball Z"),
        ("aot", "Shingeki no Kyojin"),
    ],
)
def test_what_people_type_finds_what_they_mean(search: Callable[[str], list[str]], text: str, first: str) -> None:
    assert search(text)[0] == first


@pytest.mark.parametrize(
    "text", ["k", "cowbow bepop", "x" * 64, "shingeki no kyojin attack on titan final", "ワンピース"]
)
def test_a_search_is_fast(search: Callable[[str], list[str]], text: str) -> None:
    search(text)
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        search(text)
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.05
