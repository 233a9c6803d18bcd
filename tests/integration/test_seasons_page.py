"""Pages by season, studio and series, with a list and without one."""

import html
import re
from datetime import date
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.errors import ModelPending
from hakken.lists.encoded_list import packed
from hakken.ratings import FranchiseRule, Preferences, UserList, Username
from hakken.web.forms import read_preferences
from tests.fake_services import CURLY, FakeServices, Fields, bundle, press, words

FALL = Preferences(season="2026-fall", franchise=FranchiseRule.ALL)


@pytest.fixture
def dated(fakes: FakeServices) -> ModelBundle:
    """The few titles of the fakes, of three seasons; one is for adults."""
    seasons = {1: "Spring 1998", 199: "Summer 2001", 900: "Fall 2020", 666: "Winter 2026"}
    made = bundle()
    anime = [msgspec.structs.replace(one, season=seasons.get(one.anime_id)) for one in made.catalogue.values()]
    fakes.served = ModelBundle(made.model, Catalogue(anime))
    return fakes.served


def links(page: TestResponse) -> dict[str, str]:
    """Where each link leads, by its words; of equal ones the last."""
    found = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', page.text, re.DOTALL)
    return {html.unescape(re.sub("<[^>]*>", "", label)).strip(): html.unescape(to) for to, label in found}


def asked_by(link: str) -> Preferences:
    return read_preferences(MultiDict(parse_qs(urlsplit(link).query)))


@pytest.mark.parametrize("query", ["", "type=TV&season=1998-spring", "username=spike&source=anilist&n=5", "pick=1-9"])
def test_this_season_is_the_calendars_for_whoever_asks(client: FlaskClient, fakes: FakeServices, query: str) -> None:
    for day, season in ((date(2026, 11, 27), "2026-fall"), (date(2027, 1, 1), "2027-winter")):
        fakes.today = day
        answer = client.get(f"/season?{query}")
        assert answer.status_code == 303
        page = client.get(answer.location)
        assert page.status_code == 200
        who, preferences = fakes.asked[-1]
        given = msgspec.structs.replace(read_preferences(MultiDict(parse_qs(query))), season=season)
        assert preferences == msgspec.structs.replace(given, franchise=FranchiseRule.ALL)
        assert isinstance(who, Username) == ("username" in query)


def test_without_a_list_there_is_what_many_like_and_a_form_to_give_one(
    client: FlaskClient, fakes: FakeServices, embedded_client: FlaskClient
) -> None:
    page = client.get("/recommendations?season=2026-fall&franchise=all&hide=7")

    assert fakes.asked == [(UserList(), msgspec.structs.replace(FALL, hidden=(7,)))]
    assert "Recommended for everyone: Fall 2026" in words(page)
    sent = Fields(page, "your-list").sent
    assert read_preferences(sent) == fakes.asked[0][1]
    assert not {"list", "sample", "pick"} & set(sent)
    assert "Your taste" not in words(page)
    assert press(client, page, "Not for me: Cowboy Bebop").status_code == 200
    assert fakes.asked[-1] == (UserList(), msgspec.structs.replace(FALL, hidden=(7, 1)))

    real = words(embedded_client.get("/recommendations?season=2024-spring&franchise=all"))
    assert "What many people watch and like, best first." in real
    assert "The list is empty" not in real, "nobody's list"
    assert "The list is empty" in words(embedded_client.get(f"/recommendations?list={packed(UserList())}"))


def test_a_season_leads_to_those_around_it_of_which_titles_are_known(client: FlaskClient, dated: ModelBundle) -> None:
    assert len(dated.catalogue) == 5
    for season, before, after in (
        ("2001-summer", "← Spring 1998", "Winter 2026 →"),
        ("1998-spring", None, "Summer 2001 →"),
        ("2150-fall", "← Winter 2026", None),
        ("2020-fall", "← Summer 2001", "Winter 2026 →"),
    ):
        page = client.get(f"/recommendations?sample=1&season={season}&franchise=all&type=TV")
        found = {label: to for label, to in links(page).items() if label.startswith("←") or label.endswith("→")}
        assert list(found) == [one for one in (before, after) if one]
        for label, to in found.items():
            name, year = label.strip("← →").lower().split()
            assert asked_by(to) == Preferences(season=f"{year}-{name}", franchise=FranchiseRule.ALL, types=("TV",))
            assert "sample=1" in to


def test_the_pages_about_a_list_lead_to_seasons_and_back(client: FlaskClient, fakes: FakeServices) -> None:
    plain = links(client.get("/recommendations?sample=1&type=TV"))["By season"]
    assert asked_by(plain) == msgspec.structs.replace(FALL, types=("TV",))
    back = links(client.get(plain))["Recommendations"]
    assert asked_by(back) == Preferences(types=("TV",))
    assert "sample=1" in back
    fakes.model_failure = ModelPending("Not yet.")
    assert links(client.get("/"))[f"What{CURLY}s on this season"] == "/season"


@pytest.mark.parametrize("who", ["", "&sample=1"])
def test_an_empty_season_says_so_and_leads_to_the_latest_that_is_known(embedded_client: FlaskClient, who: str) -> None:
    page = embedded_client.get(f"/recommendations?season=2150-fall&franchise=all{who}")

    assert page.status_code == 200
    assert "No title from Fall 2150 is known here." in words(page)
    assert "There is nothing left to recommend." in words(page)
    shown = embedded_client.get(links(page)["Show Fall 2027"])
    assert "There is nothing left" not in words(shown)
    assert "For Fall 2027, we know only what was known in March 2026" in words(shown)
    assert embedded_client.get(links(page)["Show the list without filters"]).status_code == 200


def test_what_a_link_to_a_subject_chooses_leaves_the_panel_closed(client: FlaskClient) -> None:
    for query, opened in (
        ("season=1998-spring&franchise=all", ""),
        ("studio=sunrise&series=1&franchise=all&n=5", ""),
        ("season=1998-spring&franchise=all&type=TV", " open"),
        ("franchise=all", " open"),
    ):
        assert f'<details class="choices"{opened}>' in client.get(f"/recommendations?sample=1&{query}").text, query


def test_studios_and_series_are_named_and_can_be_taken_back(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/recommendations?sample=1&studio=a-1+pictures&studio=x-y&series=1&genre=Action")

    assert "Recommended for the sample list: Action, A-1 Pictures, X-Y, the series of Cowboy Bebop" in words(page)
    for label, left in (
        ("Undo: Only by A-1 Pictures", {"studios": ("x-y",), "series": (1,)}),
        ("Undo: Only the series of Cowboy Bebop", {"studios": ("a-1 pictures", "x-y")}),
    ):
        assert press(client, page, label).status_code == 200
        assert fakes.asked[-1][1] == Preferences(genres=("Action",), **left)


def test_a_title_leads_to_its_season_studios_genres_and_series(embedded_client: FlaskClient) -> None:
    """For whoever's list the page is about; what is listed is then known there."""
    for who in ("", "?sample=1"):
        page = embedded_client.get(f"/anime/1{who}")
        found = links(page)
        series = (
            f"What you haven{CURLY}t seen of this series, best match first"
            if who
            else "The whole series, ordered by what people like most"
        )
        for label, chosen in (
            ("Sci-Fi", Preferences(genres=("Sci-Fi",))),
            ("Sunrise", Preferences(studios=("sunrise",), franchise=FranchiseRule.ALL)),
            ("Spring 1998", Preferences(season="1998-spring", franchise=FranchiseRule.ALL)),
            (series, Preferences(series=(1,), franchise=FranchiseRule.ALL)),
        ):
            assert asked_by(found[label]) == chosen
            assert ("sample=1" in found[label]) == bool(who)
            shown = embedded_client.get(found[label])
            assert shown.status_code == 200
            assert '<li class="entry">' in shown.text
    of_adults = embedded_client.get("/anime/188")
    assert asked_by(links(of_adults)["Hentai"]).adult
