"""Which titles people are discovered by, in which order."""

from datetime import date

import pytest

from hakken.catalogue import Anime
from hakken.collecting.sweep import NEW_SECONDS, OTHER_SECONDS, Sweep

NOW = 10_000_000_000
TODAY = date(2026, 11, 27)
ANIME = [
    Anime(anime_id=1, title="Old and known", year=1998, season="Spring 1998"),
    Anime(anime_id=2, title="Old and rare", year=2001),
    Anime(anime_id=3, title="Of this season", year=2026, season="Fall 2026"),
    Anime(anime_id=4, title="Of the last season", year=2026, season="Summer 2026"),
    Anime(anime_id=5, title="Of the season before", year=2026, season="Spring 2026"),
    Anime(anime_id=6, title="Announced", year=2027, season="Winter 2027"),
    Anime(anime_id=7, title="Of an unknown time"),
]
RATERS = {1: 5000, 2: 3, 3: 40, 4: 20, 5: 30, 6: 0, 7: 9}


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        ({}, [4, 3, 6, 2, 7, 5, 1]),
        (dict.fromkeys(RATERS, NOW - NEW_SECONDS), [4, 3]),
        (dict.fromkeys(RATERS, NOW - OTHER_SECONDS), [4, 3, 6, 2, 7, 5, 1]),
        (dict.fromkeys(RATERS, NOW - NEW_SECONDS + 1), []),
        ({4: NOW, 2: NOW}, [3, 6, 7, 5, 1]),
    ],
)
def test_new_titles_come_first_and_rare_ones_before_others(asked: dict[int, int], due: list[int]) -> None:
    assert Sweep(ANIME, RATERS.__getitem__, asked, TODAY).due(NOW) == due


def test_what_a_site_says_is_new_is_new_and_what_was_asked_for_waits() -> None:
    sweep = Sweep(ANIME, RATERS.__getitem__, {}, TODAY)
    sweep.add_new([1, 99])
    assert sweep.due(NOW)[:4] == [99, 4, 3, 1]
    sweep.done(99, NOW)
    assert sweep.due(NOW)[:3] == [4, 3, 1]
    assert sweep.due(NOW + NEW_SECONDS)[0] == 99
