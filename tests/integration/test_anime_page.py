"""The page about one anime, through Flask's test client."""

import dataclasses
import random
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue, Link, Related
from hakken.config import Settings
from hakken.lists.encoded_list import packed
from hakken.neighbours import also_liked, nearest, standing
from hakken.ratings import Rating, Status, UserList
from hakken.web.list_request import MAX_LINKED
from tests.fake_services import FakeServices, silenced, words, words_of
from tests.models import N_ITEMS

NEWER, ONLY_MODEL, NOWHERE = 90_000, N_ITEMS, 99_999
FULL = Anime(
    anime_id=1,
    title="Kauboi Bibappu",
    title_english="Cowboy Bebop",
    title_japanese="\u30ab\u30a6\u30dc\u30fc\u30a4\u30d3\u30d0\u30c3\u30d7",
    synonyms=("Bebop", "<b>Bold</b>"),
    type="TV",
    episodes=26,
    genres=("Action", "Space"),
    year=1998,
    season="Spring 1998",
    made_from="light novel",
    tags=("Space", "<i>Crime</i>", *(f"Tag {number}" for number in range(20))),
    relations=(
        Related(2, "Sequel"),
        Related(5, "Side story"),
        Related(6, "Summary"),
        Related(12, "Sequel", 0.8),
        Related(13, "Prequel", 0.79),
        Related(14, "Side story", 0.99),
        Related(15, "Sequel", 0.49),
        Related(NOWHERE, "Sequel"),
        Related(5, "Other"),
    ),
    studios=("j.c.staff",),
    mean=8.82,
    members=486_824,
    synopsis="A <girl>.\n\nA bath house.",
    streaming=(Link("Crunchyroll", "https://www.crunchyroll.com/x"), Link("Hulu", "javascript:alert(1)")),
    series=1,
    part=1,
)
HOSTILE = "<script>alert('title')</script>\"><img src=x onerror=alert(1)>"
HEBREW, EMOJI = "\u05e9\u05dc\u05d5\u05dd", "\N{SPARKLES} Kira \N{SPARKLES}"
NAMES = {2: HOSTILE, 4: HEBREW, 5: EMOJI}
BESIDE = 10
"""A title that is nearest to one for adults."""


@pytest.fixture(scope="module")
def told(bundle: ModelBundle) -> ModelBundle:
    """The small model with names that a page must not take at their word; 2, 4 and 6 belong to 1, 6 is for adults."""
    adults = {6, nearest(BESIDE, bundle)[0].anime_id}
    assert not adults & {1, 5, BESIDE, *NAMES}
    names = {one: NAMES.get(one, f"Anime {one}") for one in range(2, N_ITEMS - 3)}
    rest = {one: Anime(anime_id=one, title=title, adult=one in adults) for one, title in names.items()}
    for part, one in enumerate((2, 4, 6), start=2):
        rest[one] = msgspec.structs.replace(rest[one], series=1, part=part)
    return ModelBundle(bundle.model, Catalogue([FULL, *rest.values(), Anime(anime_id=NEWER, title="Brand new")]))


@pytest.fixture
def client(client: FlaskClient, fakes: FakeServices, told: ModelBundle) -> FlaskClient:
    fakes.served = told
    return client


def test_all_that_is_known_is_shown(client: FlaskClient) -> None:
    page = client.get("/anime/1")

    assert page.status_code == 200
    assert "<title>Kauboi Bibappu " in page.text
    assert f'lang="ja"><bdi>{FULL.title_japanese}</bdi>' in page.text
    assert 'lang="en"><bdi>Cowboy Bebop</bdi>' in page.text
    for fact in ("TV · 1998 · 26 episodes", "Action , Space", "By J.C.Staff", "Spring 1998", "Mean score 8.82"):
        assert fact in words(page)
    assert '<p dir="auto">A &lt;girl&gt;.</p>' in page.text
    assert '<p dir="auto">A bath house.</p>' in page.text
    assert 'href="https://www.crunchyroll.com/x"' in page.text
    assert "javascript:" not in page.text
    assert 'href="https://myanimelist.net/anime/1"' in page.text
    assert 'src="/anime/1/cover"' in page.text
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page.text
    assert "Source: light novel" in words(page)
    assert f"Tags: Space, <i>Crime</i>, {', '.join(f'Tag {number}' for number in range(8))} " in words(page)
    assert "Tag 8" not in words(page)
    assert 'href="/recommendations?pick=1-10"' in page.text


def test_the_nearest_and_where_it_stands(client: FlaskClient, told: ModelBundle) -> None:
    page = client.get("/anime/1")

    found = re.findall(
        r'<meter min="0" max="1" value="([\d.]+)".*?([\d,]+) (?:person|people) rated both', page.text, re.DOTALL
    )
    expected = nearest(1, told)
    assert len(expected) == 10
    assert found == [(f"{one.sim:.3f}", f"{one.support:,}") for one in expected]
    for anime_id in [one.anime_id for one in expected] + [one.anime_id for one in also_liked(1, told)]:
        assert f'href="/anime/{anime_id}"' in page.text
    place, said = standing(1, told), words(page)
    assert place
    assert f"No. {place.rating_rank} of {place.rating_of} titles" in said
    assert f"No. {place.watchers_rank} of {place.titles} titles" in said
    assert f"{place.watchers} have it on a list and {place.raters} rated it" in said


def hardly(told: ModelBundle) -> ModelBundle:
    """Where nobody watched 20, and too few watched 21 for anything to be similar; of that one no genre is known."""
    rows, _ = told.model.rows_of([20, 21])
    arrays = silenced(told.model.arrays, rows)
    watchers, raters, share = arrays.watchers.copy(), arrays.raters.copy(), arrays.attr_share.copy()
    watchers[rows], raters[rows], share[rows] = (0, 2), (0, 1), 0.1
    few = dataclasses.replace(arrays, watchers=watchers, raters=raters, attr_share=share)
    facts = {one.anime_id: msgspec.structs.replace(one, genres=("Drama",)) for one in told.catalogue.values()}
    facts[21] = told.catalogue[21]
    return ModelBundle(dataclasses.replace(told.model, arrays=few), Catalogue(facts.values()))


@pytest.mark.parametrize(
    ("anime_id", "why", "kinds"),
    [
        (20, "None of the lists that Hakken has learnt from has this title, so it can't say", "genres"),
        (21, "Too few of the lists that Hakken has learnt from have this title for it to say", "kind"),
    ],
)
def test_of_what_hardly_anyone_watched_nothing_is_near_and_it_says_so(
    client: FlaskClient, fakes: FakeServices, told: ModelBundle, anime_id: int, why: str, kinds: str
) -> None:
    fakes.served = hardly(told)
    said = words(client.get(f"/anime/{anime_id}"))

    assert f"{why} what is similar. It can still be recommended, by its {kinds}." in said
    for heading in ("Similarly scored", "People who liked this also liked", "What to watch if you love this"):
        assert heading not in said
    assert ("How it ranks" in said) == (anime_id == 21)
    near = client.get(f"/api/v1/anime/{anime_id}/neighbours").get_json()
    assert (near["nearest"], near["also_liked"]) == ([], [])
    assert (near["standing"] is None) == (anime_id == 20)
    assert client.get(f"/api/v1/anime/{anime_id}").get_json()["recommendable"] is True


def test_the_series_stands_in_watching_order_without_what_is_for_adults(client: FlaskClient) -> None:
    def order(path: str) -> list[tuple[str, str]]:
        block = client.get(path).text.partition('<ol class="order">')[2].partition("</ol>")[0]
        return re.findall(r'<li( aria-current="page")?>\s*<\w+ class="title"(?: href="([^"]*)")?', block)

    assert order("/anime/1") == [(' aria-current="page"', ""), ("", "/anime/2"), ("", "/anime/4")]
    assert order("/anime/1?adult=1")[-1] == ("", "/anime/6")
    assert order("/anime/6")[-1] == (' aria-current="page"', "")
    assert order("/anime/5") == []


AROUND: dict[int, dict[str, Any]] = {
    30: {"title": "Show", "part": 1, "kind": "main", "members": 900},
    31: {"title": "Show 2", "part": 2, "kind": "main"},
    32: {"title": "Show: The Film", "part": 3, "kind": "film", "type": "Movie", "probable": True},
    33: {"title": "Show Special", "kind": "special", "year": 2001},
    34: {"title": "Show in Short", "kind": "recap"},
    35: {"title": "Show Aside", "kind": "side story", "year": 2005},
    36: {"title": "Show for Adults", "kind": "special", "adult": True},
    40: {"title": "Retold", "part": 1, "kind": "main", "members": 5, "series": 40},
    41: {"title": "Retold 2", "part": 2, "kind": "main", "members": 99, "series": 40},
    42: {"title": "Retold Again", "kind": "main", "members": 50, "series": None},
    **{
        50 + at: {"title": f"World {at}", "kind": "main", "members": at, "series": None, "story": None}
        for at in range(12)
    },
    70: {"title": "Song of it", "kind": "extra", "members": 999, "series": None, "story": None},
    71: {"title": "Adult World", "kind": "main", "members": 999, "series": None, "story": None, "adult": True},
}


@pytest.fixture
def around(client: FlaskClient, fakes: FakeServices, bundle: ModelBundle) -> FlaskClient:
    """Where 30 to 36 are a series, 40 to 42 two other tellings of it, and the rest of its universe."""
    usual: dict[str, Any] = {"anime_id": 0, "series": 30, "story": 30, "universe": 30}
    anime = {one: Anime(anime_id=one, title=f"Anime {one}", kind="main") for one in range(1, 100)}
    anime |= {one: Anime(**usual | {"anime_id": one} | facts) for one, facts in AROUND.items()}
    fakes.served = ModelBundle(bundle.model, Catalogue(anime.values()))
    return client


def section(page: TestResponse, kind: str) -> str:
    """The text of a section; empty where there is none."""
    return words_of(page.text.partition(f'<section class="{kind}"')[2].partition(">")[2].partition("</section>")[0])


def test_what_goes_beside_is_named_by_its_kind_after_the_main_entries(around: FlaskClient) -> None:
    expected = (
        "In viewing order Show Show 2 Show: The Film probably of this series · Movie "
        "Specials, side stories, recaps Show Aside side story · 2005 Show Special special · 2001 Show in Short recap "
        "The whole series, ordered by what people like most"
    )
    for path in ("/anime/30", "/anime/33", "/anime/34"):
        assert section(around.get(path), "series") == expected
    assert "Show for Adults special" in section(around.get("/anime/30?adult=1"), "series")
    current = re.findall(r'<li aria-current="page">\s*<b class="title"><bdi>([^<]*)', around.get("/anime/33").text)
    assert current == ["Show Special"]


def test_other_tellings_and_the_universe_are_told_apart_by_one_entry_of_each_series(around: FlaskClient) -> None:
    worlds = " ".join(f"World {at}" for at in range(11, 3, -1))
    assert section(around.get("/anime/30"), "around") == (
        f"Another telling Retold Again Retold Same universe {worlds} and 4 more"
    )
    assert section(around.get("/anime/41"), "around").startswith("Another telling Show Retold Again Same universe")
    assert section(around.get("/anime/42"), "around").startswith("Another telling Show Retold Same universe")
    # The best known first; what stands alone has no viewing order.
    world = around.get("/anime/55")
    assert section(world, "around").startswith("Same universe Show Retold Again World 11 ")
    assert section(world, "series") == section(around.get("/anime/20"), "around") == ""
    assert "Adult World" in section(around.get("/anime/30?adult=1"), "around")


def test_whoever_comes_from_their_list_sees_what_it_has_of_the_series(around: FlaskClient) -> None:
    entries = [
        Rating(30, 9),
        Rating(31, 0, Status.WATCHING),
        Rating(33, 3, Status.DROPPED),
        Rating(34, 0, Status.PLAN_TO_WATCH),
        Rating(35),
        Rating(40, 7, Status.ON_HOLD),
    ]
    text = packed(UserList.of(entries))
    page = around.get("/anime/30", query_string={"list": text})

    shown = section(page, "series")
    for said in ("Show seen, 9 Show 2 watching Show: The Film", "Aside side story · 2005 seen Show", "dropped, 3"):
        assert said in shown
    assert "recap planned" in shown
    assert "Retold on hold, 7" in section(page, "around")
    # It is theirs: nobody else may keep it, nobody is to find it, and links go on with it.
    assert not page.cache_control.public
    assert page.cache_control.private
    assert '<meta name="robots" content="noindex">' in page.text
    assert f'href="/anime/31?list={text}"' in page.text
    assert "seen" not in section(around.get("/anime/30"), "series")
    assert "?list" not in around.get("/anime/30").text


def test_no_site_is_asked_for_the_list_of_whom_the_address_names(around: FlaskClient, fakes: FakeServices) -> None:
    lost = around.get("/anime/30?username=spike")
    assert "your list was read too long ago. Read it again" in section(lost, "series")
    assert 'href="/recommendations?username=spike&amp;source=mal"' in lost.text
    assert "seen," not in section(lost, "series")
    marked = [f"{10**8 + one}-0" for one in range(100)]
    assert sum(map(len, marked)) > MAX_LINKED
    again = around.get("/anime/30", query_string={"username": "spike", "seen": marked}).text
    whole = "&amp;".join(f"seen={one}" for one in marked)
    assert f'href="/recommendations?username=spike&amp;source=mal&amp;{whole}"' in again

    fakes.kept = UserList.of([Rating(30, 9)])
    kept = around.get("/anime/30?username=spike")
    assert "Show seen, 9" in section(kept, "series")
    assert "too long ago" not in section(kept, "series")
    assert 'href="/anime/31?username=spike&amp;source=mal"' in kept.text
    assert fakes.asked == []
    sample = around.get("/anime/30?sample=1")
    assert sample.status_code == 200
    assert 'href="/anime/31?sample=1"' in sample.text


@pytest.mark.parametrize("whose", ["", f"&list={packed(UserList.of([Rating(31, 4), Rating(33, 6)]))}"])
def test_what_was_marked_as_seen_is_shown_and_taken_along(around: FlaskClient, whose: str) -> None:
    page = around.get(f"/anime/30?seen=30-9&seen=31-0{whose}")
    shown = section(page, "series")
    assert "Show seen, 9 Show 2" in shown
    assert "seen, 4" not in shown, "what was marked replaces the list's own"
    assert ("seen, 6" in shown) is bool(whose)
    marked = "seen=30-9&amp;seen=31-0"
    [onwards, *_] = [link for link in page.text.split('"') if link.startswith("/anime/33?")]
    assert marked in onwards
    [series] = [link for link in page.text.split('"') if link.startswith("/recommendations?") and "series=30" in link]
    assert marked in series
    assert not page.cache_control.public
    assert around.get(f"/anime/30?seen=x{whose}").status_code == 400


def test_a_card_takes_what_was_marked_along(client: FlaskClient) -> None:
    for page in ("recommendations", "taste"):
        shown = client.get(f"/{page}?sample=1&seen=5-0", follow_redirects=True)
        titles = re.findall(r'href="/anime/[0-9]+([^"]*)"', shown.text)
        assert titles
        assert set(titles) == {"?sample=1&amp;seen=5-0"}


def test_a_long_list_is_not_taken_along_by_every_link_and_one_that_can_not_be_read_is_refused(
    around: FlaskClient,
) -> None:
    for query in ("list=x", "username=", "username=%00"):
        assert around.get(f"/anime/30?{query}").status_code == 400
    drawn = random.Random(1)
    entries = (Rating(one, drawn.randint(0, 10)) for one in drawn.sample(range(1, 60_000), 900))
    text = packed(UserList.of(entries))
    assert len(text) > MAX_LINKED
    page = around.get("/anime/30", query_string={"list": text})
    assert page.status_code == 200
    assert 'href="/anime/31"' in page.text


def test_what_is_related_is_told_in_a_word_only_where_that_is_certain(client: FlaskClient) -> None:
    """What stands in the watching order, is for adults or unknown is not told again; the first word counts."""
    section = words(client.get("/anime/1")).partition("Related titles ")[2]
    told = ["Side story", "probably sequel", "", ""]
    names = [EMOJI, "Anime 12", "Anime 13", "Anime 14"]
    expected = " ".join(f"{name} {word}".strip() for name, word in zip(names, told, strict=True))
    assert section.startswith(f"{expected} Similarly scored ")
    assert "Related titles" not in words(client.get("/anime/20"))
    assert "Anime 6" in words(client.get("/anime/1?adult=1"))


def test_titles_for_adults_are_near_only_if_asked_for(client: FlaskClient, told: ModelBundle) -> None:
    link = f'href="/anime/{nearest(BESIDE, told, adult=True)[0].anime_id}"'
    assert link not in client.get(f"/anime/{BESIDE}").text
    assert link in client.get(f"/anime/{BESIDE}?adult=1").text
    assert '<meta name="robots" content="noindex">' in client.get("/anime/6").text
    assert "noindex" not in client.get("/anime/1").text


@pytest.mark.parametrize(("anime_id", "name"), [(NEWER, "Brand new"), (ONLY_MODEL, f"MyAnimeList #{ONLY_MODEL}")])
def test_what_only_catalogue_or_model_know_has_a_page(client: FlaskClient, anime_id: int, name: str) -> None:
    page = client.get(f"/anime/{anime_id}")

    assert page.status_code == 200
    assert f"<h1><bdi>{name}</bdi></h1>" in page.text
    assert ("None of the lists that Hakken has learnt from has this title" in words(page)) == (anime_id == NEWER)
    for absent in ("Source:", "Tags:", *(["/recommendations?pick"] if anime_id == NEWER else [])):
        assert absent not in page.text


def test_an_unknown_title_is_not_found_and_nothing_is_asked_about_it(client: FlaskClient, fakes: FakeServices) -> None:
    for path in ("0", str(2**31), "x", "1/nothing"):
        assert client.get(f"/anime/{path}").status_code == 404
    for anime_id in (NOWHERE, 2**31 - 1):
        page = client.get(f"/anime/{anime_id}")
        assert page.status_code == 404
        assert "We don't know that title" in words(page)
        assert f"an anime with the number {anime_id}" in words(page)
        assert not page.cache_control.public
    assert fakes.wanted == []


def test_any_cache_may_keep_it_and_ask_whether_it_changed(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.facts[1] = {"picture": "https://cdn.myanimelist.net/images/anime/4/19644.jpg"}
    page = client.get("/anime/1")
    tag = page.headers["ETag"]
    assert page.cache_control.public
    assert not page.cache_control.private
    assert page.cache_control.max_age == 300

    again = client.get("/anime/1", headers={"If-None-Match": tag})
    assert again.status_code == HTTPStatus.NOT_MODIFIED
    assert not again.data

    fakes.facts[1] |= {"synopsis": "Another."}
    assert client.get("/anime/1", headers={"If-None-Match": tag}).status_code == 200


def test_facts_that_it_lacks_are_asked_for_and_it_is_not_kept_for_long(
    app_with: Callable[[Settings], Flask], client: FlaskClient, fakes: FakeServices
) -> None:
    page = client.get("/anime/5")

    assert fakes.wanted == [[5]]
    assert page.cache_control.max_age == 60
    assert "It is being fetched: come back in a minute." in words(page)
    off = app_with(Settings(facts_source="off")).test_client().get("/anime/5")
    assert "being fetched" not in words(off)
    assert "MyAnimeList's page may have one" in words(off)
