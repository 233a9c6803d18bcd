"""The pages, through Flask's test client, with hand-made fakes for what stands behind them."""

import dataclasses
import re
from collections.abc import Callable
from io import BytesIO

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from hakken import errors
from hakken.bundle import Facts, ModelBundle
from hakken.catalogue import Anime, Catalogue, Link
from hakken.config import Settings
from hakken.ratings import (
    Effect,
    Preferences,
    Reason,
    Recommendation,
    Recommendations,
    Site,
    UserList,
    Username,
)
from hakken.web.template_filters import judged_by, studio
from tests.fake_services import BARE, BEBOP, CDN, MADE, SAMPLE, SPIRITED, FakeServices, item, upload, words, words_of

# The start page


def test_home_says_what_it_does_and_offers_four_ways(client: FlaskClient) -> None:
    page = client.get("/")

    assert page.status_code == 200
    assert "predicts how you would rate" in words(page)
    assert 'name="username"' in page.text
    assert 'type="file"' in page.text
    assert 'href="/recommendations?sample=1"' in page.text
    assert 'href="/picks"' in page.text
    assert "https://myanimelist.net/panel.php?go=export" in page.text
    assert "read in memory and never stored" in words(page)
    assert "caches it for five minutes under a hashed name, and doesn't log usernames" in words(page)
    assert "They are kept in the page's address and nowhere else." in words(page)
    assert "can't be looked up" not in words(page)
    assert page.text.index('id="username"') < page.text.index('id="export"')
    assert '<option value="mal" selected>' in page.text


def test_home_without_mal_usernames_says_so_before_anything_is_typed(app_with: Callable[[Settings], Flask]) -> None:
    page = app_with(Settings(list_sources="off")).test_client().get("/")

    assert "MyAnimeList usernames can't be looked up on this server." in words(page)
    notice = page.text.index("<strong>MyAnimeList usernames can")
    assert notice < page.text.index('id="export"') < page.text.index('id="username"')
    assert '<option value="mal" disabled>MyAnimeList (not on this server)' in page.text
    assert '<option value="anilist" selected>' in page.text


def test_home_says_what_its_lists_are_and_pretends_nothing(client: FlaskClient, fakes: FakeServices) -> None:
    said = words(client.get("/"))
    assert "494,301 ratings that 5,877 people gave to 7,561 titles, as of March 2026." in said
    for never in ("2026-11", "November", "It recommends from"):
        assert never not in said
    fakes.data_time = None
    said = words(client.get("/"))
    assert "to 7,561 titles; the date of their lists is unknown." in said
    assert "as of" not in said
    behind = fakes.bundle()
    sizes = msgspec.structs.replace(behind.model.manifest.sizes, items=4)
    manifest = msgspec.structs.replace(behind.model.manifest, sizes=sizes)
    fakes.served = ModelBundle(dataclasses.replace(behind.model, manifest=manifest), behind.catalogue)
    assert "is unknown. It recommends from 5 titles, and judges new ones by" in words(client.get("/"))


# A list


def test_a_username_is_handed_to_the_use_case(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/recommendations?username=+Spike_S-1+&source=anilist&n=25")

    assert page.status_code == 200
    assert fakes.asked == [(Username("Spike_S-1", Site.ANILIST), Preferences(n=25))]
    client.get("/recommendations?username=spike&source=", follow_redirects=True)
    assert fakes.asked[-1][0] == Username("spike", Site.MAL), "unless another is chosen"
    assert "Recommended for Spike_S-1" in words(page)
    # Another length is asked for with the same name.
    assert '<input type="hidden" name="username" value="Spike_S-1">' in page.text
    assert '<input type="hidden" name="source" value="anilist">' in page.text
    assert re.search(r'id="n-again"[^>]*value="25"', page.text)


def test_a_list_says_what_to_know(client: FlaskClient) -> None:
    page = client.get("/recommendations?username=spike")

    assert "2 watched titles are new to the model (<b>, BARE)." in words(page)
    assert "<b>, BARE" not in page.text
    assert "It's only a <note>." in words(page)
    assert "<note>" not in page.text
    assert page.text.count('<li class="entry">') == 5


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            Recommendations((Recommendation(1, "Cowboy Bebop", 8.0, 2345.0, 2345),), personal=False),
            "What many people watch and like, best first.",
        ),
        (Recommendations((), ("Only 0 titles are left to recommend.",)), "There is nothing left to recommend."),
    ],
)
def test_a_list_does_not_claim_another_order(
    client: FlaskClient, fakes: FakeServices, answer: Recommendations, sentence: str
) -> None:
    fakes.answer = answer

    page = client.get("/recommendations?username=spike")

    assert page.status_code == 200
    assert sentence in words(page)
    assert "best match first" not in words(page)


@pytest.mark.parametrize(("site", "links"), [("anilist", 1), ("mal", 0)])
def test_titles_of_a_list_from_anilist_lead_there_too(client: FlaskClient, site: str, links: int) -> None:
    link = '<a href="https://anilist.co/search/anime?search=Cowboy%20Bebop" aria-label="AniList: Cowboy Bebop">'
    for path in ("recommendations", "anime/1"):
        assert client.get(f"/{path}?username=spike&source={site}").text.count(link) == links
    table = client.get(f"/recommendations?username=spike&source={site}&view=table", follow_redirects=True)
    assert table.text.count(link) == links


ABSENT = ("facts", "genres", "studios", "english", "synopsis", "watch")


@pytest.mark.parametrize(
    ("rank", "shown", "absent"),
    [
        (
            1,
            [
                '<a href="/anime/1?username=spike&amp;source=mal"><bdi>Cowboy Bebop</bdi></a>',
                '<a href="https://myanimelist.net/anime/1" aria-label="MyAnimeList: Cowboy Bebop">',
                "TV · 1998 · 26 episodes",
                "Action, Space",
                "Rated by 2,345 people",
                "<strong>100</strong>",
                "<strong>100</strong> <span>match</span>",
                "<b>9.13</b> <span>predicted, a guess</span>",
                '<img src="/anime/1/cover" width="200" height="300" alt="" loading="lazy"',
                "By J.C.Staff, Brain&#39;s Base",
                ">Mean score 8.82 · Facts from",
            ],
            ['class="english"'],
        ),
        (
            2,
            [
                "<bdi>Sen to Chihiro no Kamikakushi</bdi></a>",
                "<bdi>Spirited Away</bdi></p>",
                "Rated by 1 person<",
                "Movie · 2001<",
                '<img src="/anime/199/cover"',
            ],
            [],
        ),
        # What a catalogue holds is text, not markup; the picture is of a host that the policy forbids.
        (
            3,
            ["&lt;script&gt;alert(&#39;title&#39;)&lt;/script&gt;"],
            ["<script", "onerror=alert(1)>", "elsewhere.example"],
        ),
        *(
            (rank, [title, "Facts from"], [*(f'class="{name}"' for name in ABSENT), "Mean score", "None", "episode"])
            for rank, title in ((4, "×××Bare"), (5, "https://myanimelist.net/anime/12345"))
        ),
    ],
)
def test_a_title_with_the_facts_that_are_known(
    client: FlaskClient, rank: int, shown: list[str], absent: list[str]
) -> None:
    one = item(client.get("/recommendations?username=spike"), rank)

    assert [text for text in shown if text not in one] == []
    assert [text for text in absent if text in one] == []


def test_a_title_that_hardly_anyone_has_scored_has_no_predicted_rating(
    client: FlaskClient, fakes: FakeServices
) -> None:
    unrated = Recommendation(1, "Cowboy Bebop", None, 0.5, 0, by_attributes=True)
    hardly = Recommendation(199, "Sen to Chihiro no Kamikakushi", None, 0.4, 2, 3, by_attributes=True)
    fakes.answer = Recommendations((unrated, hardly, MADE.recommendations[2]), continues=(unrated,))
    page = client.get("/recommendations?sample=1")

    first, second, third = (words_of(item(page, rank)) for rank in (1, 2, 3))
    for one in (first, second):
        assert "too few ratings to predict" in one
        assert "More like this" not in one, "it says nothing of others"
    assert "New to Hakken: judged by its kind" in first
    assert "Not yet rated by anyone we learnt from" in first
    assert "Hardly rated yet: judged mostly by its kind" in second
    assert "Rated by 2 people" in second
    assert "compared with" not in second
    assert "judged" not in third
    assert "More like this" in third
    for never in ("None", "0 people", "a guess"):
        assert never not in first + second
    assert "New to Hakken" in words(page).partition("Continue what you have started")[2]
    assert (page.text.count("<strong>"), page.text.count("<span>predicted, ")) == (4, 1)
    page = client.get("/recommendations?sample=1&order=predicted_rating")
    assert (page.text.count("<strong>"), page.text.count("<span>predicted, ")) == (1, 1)

    table = words(client.get("/recommendations?sample=1&view=table"))
    assert "New to Hakken: judged by its kind 6 \N{EN DASH} Too few people have scored it TV 1998 26" in table
    assert "None" not in table


@pytest.mark.parametrize(
    ("matches", "shown"),
    [
        ((0.5, 0.8, 0.003), [62, 100, 0]),  # after variety, the best need not be the first
        ((1e-7, 1e-9, -0.2, 0.0), [100, 1, 0, 0]),
        ((-0.1, -0.2), [0, 0]),
        ((), []),
    ],
)
def test_a_match_is_shown_beside_the_best_of_its_list(
    client: FlaskClient, fakes: FakeServices, matches: tuple[float, ...], shown: list[int]
) -> None:
    made = tuple(Recommendation(one, f"No. {one}", 9.0, match, 50) for one, match in enumerate(matches, start=1))
    following = (Recommendation(77, "Next", 8.0, 0.2, 50),)
    for personal in (True, False):
        fakes.answer = Recommendations(made, personal=personal, continues=following)
        cards, table = (
            client.get("/recommendations", query_string={"sample": 1, "view": view}, follow_redirects=True)
            for view in ("cards", "table")
        )
        assert re.findall(r"<strong>(.+)</strong> <span>match", cards.text) == [*map(str, shown), "100"]
        assert re.findall(r"<b>(\d+)</b></td>", table.text) == [*map(str, shown), "100"]
        assert cards.text.count("The best title on a list has a match of 100.") == bool(matches)


def test_the_order_by_predicted_rating_shows_no_match(client: FlaskClient) -> None:
    for view in ("cards", "table"):
        page = client.get(f"/recommendations?sample=1&order=predicted_rating&view={view}", follow_redirects=True)
        assert "Match" not in words(page)
        assert "a match" not in words(page)
        assert re.findall(r"<(?:strong|b)>(\d.*?)</", page.text)[:2] == ["9.13", "8.50"]


def test_a_list_by_match_alone_is_not_said_to_be_varied(client: FlaskClient) -> None:
    said = "A title that is much like one above it is placed lower than its match alone would put it."
    assert said in words(client.get("/recommendations?sample=1"))
    assert said not in words(client.get("/recommendations?sample=1&variety=0"))


def test_what_else_moved_a_match_is_told_in_words_on_cards(client: FlaskClient, fakes: FakeServices) -> None:
    effects = (
        Effect("time", 1.4, "newer than <most> of your list"),
        Effect("popularity", 0.7, "less widely watched & older"),
        Effect("series", 1.2, "a series that is new to you"),
    )
    why = (Reason(199, "Sen", 9, 0.2), Reason(7, "Bare", 3, -0.1))
    moved = Recommendation(1, "Cowboy Bebop", 9.0, 0.9, 50, 20, why, effects)
    fakes.answer = Recommendations((moved, MADE.recommendations[1]), continues=(moved,))
    page = client.get("/recommendations?sample=1")

    first = words_of(item(page, 1))
    for_it = first.index("Also in its favour: newer than <most> of your list, a series that is new to you Against it")
    assert for_it < first.index("Also against it: less widely watched & older Rated by")
    assert "&lt;most&gt; of your list" in page.text
    assert "<most>" not in page.text
    assert "Also in its favour" not in words_of(item(page, 2))
    assert page.text.count("Also in its favour: ") == 2
    assert "Also in its favour" not in words(client.get("/recommendations?sample=1&view=table"))


def test_what_a_title_is_judged_by_is_said_where_it_counts(bundle: ModelBundle) -> None:
    anime = Anime(
        anime_id=1, title="A", genres=("Drama", "Rare"), studios=("mappa",), tags=("Space",), made_from="manga"
    )
    every = {("genres", "Drama"), ("studios", "mappa"), ("tags", "Space"), ("made_from", "manga")}
    facts = Facts(bundle.model, bundle.catalogue)

    def said(counting: set[tuple[str, str]], *, of_series: bool = False) -> str:
        vars(facts)["attributes"] = frozenset(counting)
        return judged_by(anime, facts, of_series=of_series)

    assert said(every) == "its genres, studio and tags"
    assert said(every, of_series=True) == "its series, genres and studio"
    assert said(every - {("studios", "mappa")} | {("studios", "bones")}) == "its genres, tags and source"
    assert said({("genres", "Drama")}) == "its genres"
    assert said({("tags", "Rare")}) == "its kind"
    assert said(set(), of_series=True) == "its series"


def test_series_is_named_where_the_visitor_has_seen_something_of_it(client: FlaskClient, fakes: FakeServices) -> None:
    series = [msgspec.structs.replace(one, series=1) for one in (BEBOP, SPIRITED)]
    fakes.served = ModelBundle(fakes.bundle().model, Catalogue([*series, BARE]))
    for reason, share, said in ((199, 0.1, "series"), (199, -0.1, "kind"), (7, 0.1, "kind")):
        why = Reason(reason, "Seen", 9, share)
        fakes.answer = Recommendations(
            (Recommendation(1, "Cowboy Bebop", None, 0.5, 0, 0, (why,), by_attributes=True),)
        )
        assert f"New to Hakken: judged by its {said} " in words(client.get("/recommendations?sample=1"))


def test_what_to_know_of_a_series_stands_by_its_title(client: FlaskClient, fakes: FakeServices) -> None:
    new, part, following = "Same universe as <b>0079</b>.", "Season 2 of 3", "Announced for October 2026."
    fakes.answer = Recommendations(
        (Recommendation(1, "Cowboy Bebop", 9.1, 9.1, 9, series_note=new), Recommendation(7, "Bare", 9.0, 9.0, 9)),
        continues=(
            Recommendation(199, "Sen to Chihiro no Kamikakushi", 8.5, 8.5, 1, part=part, series_note=following),
        ),
    )
    for view in ("cards", "table"):
        page = client.get("/recommendations", query_string={"sample": 1, "view": view}, follow_redirects=True)
        first, last = page.text.split("Continue what you have started")
        assert first.count('class="series-note"') == last.count('class="series-note"') == 1
        assert "<bdi>Same universe as &lt;b&gt;0079&lt;/b&gt;.</bdi>" in first
        assert f"<bdi>{following if view == 'cards' else f'{part}. {following}'}</bdi>" in last
        assert ("Next: <bdi>season 2 of 3</bdi> (2001, 1 episode)" in last) == (view == "cards")
        assert page.text.count('href="/anime/7?sample=1"') == 1


def test_facts_that_were_fetched_fill_up_those_of_the_catalogue(client: FlaskClient, fakes: FakeServices) -> None:
    links = (
        Link("<b>", "https://www.crunchyroll.com/series/x?a=1&b=2"),
        Link("Netflix", "https://netflix.com.evil.example/"),
        Link("Hulu", "javascript:alert(1)"),
    )
    fakes.facts[199] = {"synopsis": "A <girl>.\r\n\r\nA bath house.", "streaming": links, "studios": ("ghibli",)}

    second = item(client.get("/recommendations?username=spike"), 2)

    assert '<p dir="auto">A &lt;girl&gt;.</p>' in second
    assert '<p dir="auto">A bath house.</p>' in second
    assert "By Ghibli" in second
    watch = 'href="https://www.crunchyroll.com/series/x?a=1&amp;b=2" rel="noopener noreferrer nofollow">Crunchyroll</a>'
    assert watch in second
    assert "evil.example" not in second
    assert "javascript" not in second


def test_facts_are_wanted_only_for_what_is_shown_and_lacks_some(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.facts[1] = {"synopsis": "Known."}
    fakes.facts[199] = {"picture": CDN}
    fakes.facts[7] = {"synopsis": "Known."}
    fakes.answer = Recommendations(MADE.recommendations[:2], continues=(MADE.recommendations[3],))

    client.get("/recommendations?username=spike")
    assert fakes.wanted == [[199, 7]]
    fakes.facts[7] = fakes.facts[199] = {"synopsis": "Known.", "picture": CDN}
    client.get("/recommendations?username=spike")
    assert fakes.wanted == [[199, 7]]


def test_a_studio_has_its_capitals() -> None:
    capitals = ("J.C.Staff", "A-1 Pictures", "Brain's Base", "8bit", "スタジオ", "")
    assert tuple(studio(name.lower()) for name in capitals) == capitals
    assert studio("MAPPA") == "MAPPA"


# The sample


def test_the_sample_is_parsed_like_any_export(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/recommendations?sample=1&n=3")

    who, preferences = fakes.asked[0]
    assert isinstance(who, UserList)
    assert len(who) == 47
    assert preferences.n == 3
    assert "Recommended for the sample list" in words(page)
    assert '<input type="hidden" name="sample" value="1">' in page.text
    with client.get("/static/sample-export.xml") as export:
        assert b"<series_title><![CDATA[Cowboy Bebop]]></series_title>" in export.get_data()


# Uploads


def test_an_upload_stays_in_memory_however_large(client: FlaskClient, fakes: FakeServices) -> None:
    upload(client, SAMPLE.read_bytes() + b"\n" * 2**21)

    assert isinstance(fakes.uploads[0], BytesIO)


@pytest.mark.parametrize(
    "data",
    [{}, {"n": "5"}, {"export": (BytesIO(b""), "")}, {"export": "a field, not a file"}],
    ids=["nothing", "n only", "no file chosen", "not a file"],
)
def test_no_file(client: FlaskClient, fakes: FakeServices, data: dict[str, object]) -> None:
    page = client.post("/recommendations", data=data)

    assert page.status_code == 400
    assert "No file was chosen." in words(page)
    assert not fakes.asked


def test_a_file_larger_than_the_limit(app_with: Callable[[Settings], Flask], fakes: FakeServices) -> None:
    client = app_with(Settings(max_upload_mb=1)).test_client()

    page = upload(client, b" " * 1_200_000)

    assert page.status_code == 413
    assert "The limit is 1 MB" in words(page)
    assert not fakes.uploads


# What a visitor can get wrong


BAD_NAMES = ["", " ", "a b", "../etc", "a/b", "spïke", "スパイク", "x" * 500, "a\0b", "<script>alert(1)</script>", "🙂"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_can_not_be_a_username(client: FlaskClient, fakes: FakeServices, name: str) -> None:
    page = client.get("/recommendations", query_string={"username": name, "source": "anilist", "n": "5"})

    assert page.status_code == 400
    assert "That can't be a username" in words(page)
    assert "<script>" not in page.text
    assert not fakes.asked
    # Both ways are offered again, filled in as they were.
    assert 'id="export"' in page.text
    assert '<option value="anilist" selected>' in page.text
    assert re.search(r'id="n-username"[^>]*value="5"', page.text)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        *((query, "No username was given.") for query in ("username=", "sample=0", "sample=yes")),
        ("username=spike&source=kitsu", "The site must be MyAnimeList or AniList."),
    ],
)
def test_asking_for_nobody(client: FlaskClient, fakes: FakeServices, query: str, sentence: str) -> None:
    page = client.get(f"/recommendations?{query}")

    assert page.status_code == 400
    assert sentence in words(page)
    assert not fakes.asked


# What can go wrong elsewhere


@pytest.mark.parametrize(
    ("failure", "after"),
    [
        (errors.SiteBusy("Wait.", 41.2), "42"),
        (errors.SiteBusy("Wait.", 0.0), "1"),
        (errors.SiteBusy("Wait.", float("inf")), "60"),
        (errors.SiteBusy("Wait.", float("nan")), "60"),
        (errors.SiteBusy("Wait."), "60"),
        (errors.TooManyFetches("It's full."), "60"),
        (errors.ArtefactMissing("No model."), "60"),
        (errors.AllSourcesFailed("", [("mal", errors.SiteBusy("", 90)), ("jikan", errors.SiteDown("", 30))]), "30"),
        (errors.AllSourcesFailed("", [("mal", errors.SiteBusy("", 90)), ("jikan", errors.SiteDown(""))]), "90"),
        (errors.AllSourcesFailed("", [("mal", errors.SiteTimeout(""))]), None),
    ],
)
def test_when_to_ask_again(
    client: FlaskClient, fakes: FakeServices, failure: errors.HakkenError, after: str | None
) -> None:
    fakes.failure = failure

    assert client.get("/recommendations?username=spike").headers.get("Retry-After") == after


def test_a_mistake_of_ours_tells_nothing_of_itself(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.failure = ValueError("secret detail")

    page, answer = client.get("/recommendations?username=spike"), client.get("/api/v1/recommendations?username=spike")

    assert page.status_code == answer.status_code == 500
    assert "Something went wrong here" in words(page)
    assert answer.get_json()["type"] == "/api/v1/problems#internal-server-error"
    for each in (page, answer):
        assert "secret detail" not in each.text
        assert "Traceback" not in each.text


def test_there_is_no_such_page_or_it_does_not_take_the_method(client: FlaskClient) -> None:
    absent, posted = client.get("/nowhere"), client.post("/")

    assert (absent.status_code, posted.status_code) == (404, 405)
    assert "There is no such page" in words(absent)
    assert "GET" in posted.headers["Allow"]
    assert "That can't be done here" in words(posted)


# Health


def test_ready_says_which_sites_are_asked(app_with: Callable[[Settings], Flask]) -> None:
    page = app_with(Settings(list_sources="load_json", facts_source="off")).test_client().get("/readyz").get_json()

    assert (page["usernames"]["mal"], page["facts"]) == (["load_json"], None)


# What holds for every page


def test_what_is_someones_own_is_kept_out_of_caches_and_search_engines(client: FlaskClient) -> None:
    for page in (client.get("/recommendations?username=spike"), upload(client, SAMPLE.read_bytes())):
        assert "private" in page.headers["Cache-Control"]
        assert '<meta name="robots" content="noindex">' in page.text


# What others read of a page


def test_what_a_link_to_a_page_shows_elsewhere(client: FlaskClient) -> None:
    page = client.get("/", headers={"Host": "hakken.example"})

    told = dict(re.findall(r'<meta (?:name|property)="([^"]+)"(?: media="[^"]+")? content="([^"]*)"', page.text))
    assert told["og:title"] == "Hakken: what to watch next"
    assert told["og:type"] == "website"
    assert told["description"] == told["og:description"] != ""
    assert told["og:image"] == "http://hakken.example/static/card.png"
    assert re.findall(r'theme-color" media="\(prefers-color-scheme: (\w+)\)"', page.text) == ["light", "dark"]
    for address in (told["og:image"], *re.findall(r'<link rel="icon"[^>]*href="([^"]+)"', page.text)):
        with client.get(address.removeprefix("http://hakken.example")) as picture:
            assert picture.mimetype in {"image/png", "image/svg+xml"}
