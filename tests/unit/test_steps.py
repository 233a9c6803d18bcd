"""Figures that decide seldom, each held where it does: just below, and just beyond."""

import time

import pytest
import time_machine
from flask import Flask

from hakken.catalogue import Anime, Catalogue
from hakken.config import Settings
from hakken.search import Titles
from hakken.web.guard import limit_requests
from hakken.web.observability import Metrics


@pytest.mark.parametrize(("times_as_popular", "first"), [(2, 1), (8, 1), (12, 2), (25, 2)])
def test_a_typo_in_ten_letters_is_made_up_for_by_ten_times_the_members(times_as_popular: int, first: int) -> None:
    """Typed is a word of ten letters, with one typo for the first title and two for the other."""
    catalogue = Catalogue(
        [
            Anime(anime_id=1, title="Bcdfghjklx", members=9_999),
            Anime(anime_id=2, title="Bcdfghjkzx", members=10_000 * times_as_popular - 1),
        ]
    )
    found = Titles(catalogue).search("bcdfghjklm", 2)
    assert [one.anime_id for one in found] == [first, 3 - first]


@pytest.mark.parametrize(("seconds", "again"), [(1, 429), (-4, 429), (6, 200), (-6, 200)])
def test_counting_begins_anew_when_a_clock_was_set_and_not_when_it_was_corrected(seconds: int, again: int) -> None:
    """Or whoever is refused would be let in whenever a clock is put right by a second."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "")
    limit_requests(app, Settings(rate_limit="1/hour"), Metrics())
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    with time_machine.travel(time.time() + seconds, tick=True):
        assert client.get("/").status_code == again
