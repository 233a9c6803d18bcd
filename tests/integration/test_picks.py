"""Picking titles by hand: reading picks, the page they are picked on, and the list they get."""

import html
import re

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from hakken import errors
from hakken.lists import picks
from hakken.lists.encoded_list import packed
from hakken.ratings import MAX_ANIME_ID, Preferences, Rating, UserList
from hakken.web.forms import read_form_values
from tests.fake_services import FakeServices, words

NINE = packed(UserList.of([Rating(1, 9)]))
MANY = [f"pick={one}-5" for one in range(1000, 1000 + picks.MAX_PICKS)]

# Reading them


@pytest.mark.parametrize(
    ("texts", "ratings"),
    [
        ([], []),
        (["1-9"], [Rating(1, 9)]),
        (["1-10", "5-1"], [Rating(1, 10), Rating(5, 1)]),
        (["1", "5-", "6-0"], [Rating(1), Rating(5), Rating(6)]),
        (["1-9", "5-8", "1-3"], [Rating(1, 3), Rating(5, 8)]),
        ([" 1-9 "], [Rating(1, 9)]),
        ([f"{MAX_ANIME_ID}-7"], [Rating(MAX_ANIME_ID, 7)]),
    ],
)
def test_picks_are_read(texts: list[str], ratings: list[Rating]) -> None:
    assert list(picks.parse(texts).ratings) == ratings


BAD = ["", "-", "0-5", "a-5", "1 5", "2147483648", "+1-5", "1_0-5", "9" * 5000]


@pytest.mark.parametrize("text", [*BAD, "x" * 10, "\N{ARABIC-INDIC DIGIT FIVE}-5"])
def test_what_is_no_pick_is_refused(text: str) -> None:
    assert not picks.readable(text)
    with pytest.raises(errors.BadOption, match="A pick must be the id of a title and a score from 0 to 10"):
        picks.parse(["1-9", text])


@pytest.mark.parametrize(
    ("score", "expected", "unclear"),
    [
        ("8.5", 9, 0),
        ("-1", 0, 0),
        ("", 0, 0),
        ("a", 0, 1),
        ("5-5", 0, 1),
        ("9\n0", 0, 1),
        ("\N{SUPERSCRIPT TWO}", 0, 1),
    ],
)
def test_a_picked_title_counts_whatever_its_score(score: str, expected: int, unclear: int) -> None:
    assert picks.parse([f"5-{score}"]) == UserList((Rating(5, expected),), unclear=unclear)


@given(st.lists(st.tuples(st.integers(1, MAX_ANIME_ID), st.integers(0, 10)), max_size=picks.MAX_PICKS))
def test_what_is_written_is_read_again(given_picks: list[tuple[int, int]]) -> None:
    user_list = picks.parse(f"{anime_id}-{score}" for anime_id, score in given_picks)
    assert {rating.anime_id: rating.score for rating in user_list.ratings} == dict(given_picks)
    assert picks.parse(picks.written(user_list)).ratings == user_list.ratings


# The page


def offered(page: TestResponse) -> list[str]:
    return re.findall(r"<h3><bdi>(.*?)</bdi></h3>", page.text)


def picked(page: TestResponse) -> dict[str, str]:
    """What a browser would send of the titles already picked."""
    shown = page.text.partition('<ol class="picks" data-instant>')[2].partition("</ol>")[0]
    return dict(one.split("-") for one in re.findall(r'value="([0-9-]+)" selected', shown))


def test_the_page_offers_well_known_titles_and_a_search(client: FlaskClient) -> None:
    page = client.get("/picks")

    assert page.status_code == 200
    assert 'name="q"' in page.text
    assert len(offered(page)) == 4, "all but the one for adults"
    assert "For adults" not in words(page)
    assert "None yet." in words(page)
    assert "are kept in this page's address and nowhere else" in words(page)
    assert offered(client.get("/picks?q=cowbow+bepop")) == ["Cowboy Bebop"]
    assert offered(client.get("/picks?q=spirited+away")) == ["Sen to Chihiro no Kamikakushi"]
    assert offered(client.get("/picks?q=script")) == ["&lt;script&gt;alert(&#39;title&#39;)&lt;/script&gt;"]
    assert offered(client.get("/picks?q=for+adults")) == []
    assert offered(client.get("/picks?q=for+adults&adult=1")) == ["For adults"]


def test_a_search_that_finds_nothing_says_so(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/picks?q=chainsaw+man")
    assert "“chainsaw man” is not known here; our newest titles are from March 2026. Try another name for it." in words(
        page
    )
    fakes.data_time = None

    page = client.get("/picks", query_string={"q": "<b>nothing of the kind"})

    assert page.status_code == 200
    assert "“<b>nothing of the kind” is not known here. Try another name for it." in words(page)
    assert "<b>nothing" not in page.text
    assert offered(page) == []


def test_what_is_picked_is_shown_and_offered_no_more(client: FlaskClient) -> None:
    page = client.get("/picks?pick=1-9&pick=199&pick=54321-3")
    assert picked(page) == {"1": "9", "199": "0", "54321": "3"}
    assert "MyAnimeList #54321" in words(page)
    assert "Cowboy Bebop" not in offered(page)
    found = client.get("/picks?pick=1-9&q=cowboy")
    assert offered(found) == []
    assert "Everything found for “cowboy” is already among your picks." in words(found)
    assert "not known here" not in words(found)
    full = client.get(f"/picks?{'&'.join(MANY)}")
    assert "You have picked 200 titles" in words(full)
    assert 'name="add"' not in full.text


@pytest.mark.parametrize(
    ("query", "target"),
    [
        # As browsers send it: each title that was not rated leaves an empty pick.
        ("q=&pick=1-9&pick=&pick=&add=199", "/picks?pick=1-9&pick=199-0#titles"),
        ("q=sen&pick=1-9&pick=199-8&pick=&add=199", "/picks?pick=1-9&pick=199-8&q=sen#titles"),
        ("q=&pick=1-9&pick=199-8&pick=&remove=1", "/picks?pick=199-8"),
        ("q=&pick=1-9&remove=1", "/picks"),
        ("q=bebop&pick=1-3&pick=", "/picks?pick=1-3&q=bebop"),
        (f"list={NINE}&q=", "/picks?pick=1-9"),
        (f"list={NINE}&pick=5", "/picks?pick=1-9&pick=5-0"),
        ("q=&pick=1-9&pick=&recommend=1", f"/recommendations?list={NINE}"),
        (
            "q=x&pick=1-9&n=5&genre=Action&adult=1&recommend=1",
            f"/recommendations?list={NINE}&n=5&genre=Action&adult=1",
        ),
    ],
)
def test_each_button_leads_to_a_plain_address(client: FlaskClient, query: str, target: str) -> None:
    page = client.get(f"/picks?{query}")

    assert (page.status_code, page.headers["Location"]) == (303, target)
    assert client.get(target).status_code == 200, "and no further"


@pytest.mark.parametrize(
    "query", ["pick=x", "pick=0-11", "add=x", "add=0", "remove=" + "9" * 5000, "&".join(MANY) + "&add=1"]
)
def test_what_can_not_be_is_told(client: FlaskClient, query: str) -> None:
    page = client.get(f"/picks?{query}")

    assert page.status_code == 400
    assert "Something in the form is missing or out of range" in words(page)
    assert 'href="/picks' in page.text
    nothing = client.get("/picks?q=&pick=&pick=&recommend=1")
    assert nothing.status_code == 200
    assert "Pick a title first" in words(nothing)


# The list


def test_picks_are_recommended_from_like_any_list(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/recommendations?pick=1-9&pick=&pick=199&n=3", follow_redirects=True)

    assert fakes.asked == [(UserList.of([Rating(1, 9), Rating(199)]), Preferences(n=3))]
    assert "Recommended from your list" in words(page)
    [change] = re.findall(r'href="([^"]*)">Change the titles on this list', page.text)
    assert picked(client.get(html.unescape(change), follow_redirects=True)) == {"1": "9", "199": "0"}


def test_no_picks_are_told_from_no_username(client: FlaskClient, fakes: FakeServices) -> None:
    for query in ("pick=", "pick=&pick=+", "pick=1-9&pick=x", "&".join([*MANY, "pick=1"])):
        page = client.get(f"/recommendations?{query}")
        assert page.status_code == 400
        assert ("No title was picked." in words(page)) == (query in {"pick=", "pick=&pick=+"})
        assert ("At most 200 titles can be picked" in words(page)) == (len(query) > 1000)
    for query in ("pick=&pick=1-9", "&".join([*MANY, "pick=1000-6"])):
        assert client.get(f"/recommendations?{query}", follow_redirects=True).status_code == 200
    assert len(fakes.asked) == 2


def test_a_choice_that_can_not_be_is_mended_with_the_picks_kept(client: FlaskClient) -> None:
    page = client.get("/recommendations?pick=1-9&pick=x&pick=199-8&n=0")

    assert page.status_code == 400
    form = page.text.partition('class="again"')[2].partition("</form>")[0]
    assert re.findall(r'name="pick" value="([^"]*)"', form) == ["1-9", "199-8"]
    assert 'href="/picks?pick=1-9&amp;pick=199-8">Change your picks' in page.text


def test_what_was_typed_is_taken_down_only_as_far_as_it_can_be_read() -> None:
    values = MultiDict([("pick", "1-9"), ("pick", "x" * 10_000), ("pick", ""), *(("pick", "2") for _ in range(500))])
    assert len(read_form_values(values).picks) == picks.MAX_PICKS
    assert set(read_form_values(values).picks) == {"1-9", "2"}
    assert (read_form_values(values).form, read_form_values(MultiDict([("pick", "x")])).form) == ("picks", "upload")
