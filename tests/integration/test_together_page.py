"""The page with one list for two people."""

import random
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hakken import errors
from hakken.bundle import ModelBundle
from hakken.lists.encoded_list import packed
from hakken.ratings import Preferences, Rating, Site, UserList, Username
from hakken.recommend.together import recommend_together
from hakken.web.forms import preferences_to_fields, read_preferences
from tests.fake_services import EVIL, FakeServices, Fields, words

ONE, OTHER = UserList.of([Rating(1, 9), Rating(5, 7)]), UserList.of([Rating(16498, 10), Rating(1535, 9)])
drawn = random.Random(1)
LONG = packed(UserList.of(Rating(one, drawn.randint(0, 10)) for one in drawn.sample(range(1, 60_000), 3_000)))
FORM = "for-two"


def entries(page: TestResponse) -> list[str]:
    """What stands in each title's entry."""
    return page.text.split('<li class="entry">')[1:]


def test_each_title_has_what_it_is_to_both(embedded_client: FlaskClient, embedded: ModelBundle) -> None:
    page = embedded_client.get(f"/together?list={packed(ONE)}&with_list={packed(OTHER)}&n=5&type=TV")

    expected = recommend_together((ONE, OTHER), embedded, Preferences(n=5, types=("TV",))).titles
    assert len(entries(page)) == len(expected) == 5
    for found, title in zip(entries(page), expected, strict=True):
        assert f'href="/anime/{title.each[0].anime_id}?list=' in found
        shown = re.findall(r"<strong>(\d+)</strong> <span>match.*?<b>([\d.]+)</b> <span>predicted", found, re.DOTALL)
        assert shown == [
            (str(round(100 * part)), f"{one.predicted_rating:.2f}")
            for one, part in zip(title.each, title.relative, strict=True)
        ]
        assert re.findall(r"<bdi>(\w+ list)</bdi>", found) == ["First list", "Second list"]
    said = words(page)
    assert "ordered by the match of whoever would like them less; one title from each series" in said
    assert "This is based on 2 scored titles" in said
    assert page.headers["Cache-Control"] == "private"
    assert 'content="noindex"' in page.text


def test_usernames_of_either_site_are_fetched_and_named(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.list = UserList.of([Rating(1, 9)])
    page = client.get("/together?username=spike&with_username=faye&with_source=anilist", follow_redirects=True)

    assert [who for who, _ in fakes.asked] == [Username("spike"), Username("faye", Site.ANILIST)]
    assert "For spike and faye" in words(page)
    assert "&lt;script&gt;alert" in page.text
    assert EVIL.title not in page.text
    assert all(
        re.findall(r"<bdi>(\w+)</bdi></p><p class=.rating", entry) == ["spike", "faye"]
        for entry in map(flat, entries(page))
    )
    assert "Cowboy Bebop" not in "".join(entries(page)), "both have seen it"
    # Only of titles that are shown are facts wanted.
    assert sorted(fakes.wanted[-1]) == [7, 199, 666]
    same = client.get("/together?username=spike&source=mal&with_username=spike&with_source=anilist")
    assert "For spike (MyAnimeList) and spike (AniList)" in words(same)


def flat(markup: str) -> str:
    return re.sub(r">\s+<", "><", markup)


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        ("", {}),
        ("username=spike&source=anilist", {"username": "spike", "source": "anilist"}),
        ("with_username=faye", {"with_username": "faye"}),
        ("sample=1&n=7&genre=Action", {"sample": "1", "n": "7", "genre": "Action"}),
        (f"with_list={packed(ONE)}", {"with_list": packed(ONE)}),
        ("pick=1-9", {"pick": "1-9"}),
    ],
)
def test_as_long_as_one_is_missing_there_is_a_form_that_keeps_the_other(
    client: FlaskClient, fakes: FakeServices, query: str, filled: dict[str, str]
) -> None:
    page = client.get(f"/together?{query}")

    assert page.status_code == 200
    assert not fakes.asked
    sent = Fields(page, FORM).sent
    assert {name: sent[name] for name in filled} == filled
    for prefix in ("", "with_"):
        carried = any(prefix + name in filled for name in ("sample", "list", "pick"))
        assert (prefix + "username" in sent) is not carried
    assert not {"order", "variety", "planned"} & set(sent), "what only one can choose"


def test_the_form_gives_an_address_that_says_no_more_than_it_need(client: FlaskClient, fakes: FakeServices) -> None:
    chosen = Preferences(n=25, types=("TV",), season="2001-summer", hidden=(7,), studios=("sunrise",), adult=True)
    page = client.get("/together", query_string={"sample": "1", **preferences_to_fields(chosen)})
    sent = Fields(page, FORM).sent
    assert read_preferences(sent) == chosen
    sent["with_username"], sent["with_source"] = "faye", "mal"
    fakes.served = None
    answer = client.get("/together", query_string=sent)
    assert answer.status_code == 303
    parameters = parse_qs(urlsplit(answer.location).query)
    assert parameters == {"sample": ["1"], "with_username": ["faye"], "with_source": ["mal"]} | {
        name: list(texts) for name, texts in preferences_to_fields(chosen).items()
    }
    posted = client.post("/together", data=sent)
    assert (posted.status_code, posted.location) == (303, answer.location)


@pytest.mark.parametrize(
    ("link", "named"),
    [
        (f"https://hakken.example/recommendations?list={packed(ONE)}&n=7#list", {"list": packed(ONE)}),
        ("http://[/taste?sample=1 ", {"sample": "1"}),
        ("recommendations?username=faye&source=anilist&genre=Action", {"username": "faye", "source": "anilist"}),
    ],
)
def test_in_place_of_a_username_a_link_names_a_list(client: FlaskClient, link: str, named: dict[str, str]) -> None:
    sent = {"username": "spike", "source": "mal", "with_username": link, "with_source": "mal"}
    answer = client.get("/together", query_string=sent)
    assert answer.status_code == 303
    found = {name: text for name, [text] in parse_qs(urlsplit(answer.location).query).items()}
    assert found == {"username": "spike", "source": "mal"} | {f"with_{name}": text for name, text in named.items()}

    filled = Fields(client.get("/together", query_string={"username": link}), FORM).sent
    assert {name: filled[name] for name in named} == named


def test_a_link_to_no_list_is_a_bad_username(client: FlaskClient) -> None:
    page = client.get("/together", query_string={"username": "spike", "with_username": "https://hakken.example/?n=3"})
    assert page.status_code == 400
    assert "This is about the second list." in words(page)


def test_a_list_that_no_address_holds_travels_in_the_form(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.post("/together", data={"list": LONG})
    assert 'method="post"' in page.text.partition(f'aria-labelledby="{FORM}"')[0].rpartition("<form")[2]
    sent = Fields(page, FORM).sent
    sent["with_username"] = "faye"
    shown = client.post("/together", data=sent)
    assert shown.status_code == 200
    assert [who for who, _ in fakes.asked] == [Username("faye")]
    assert "too long for an address" in words(shown)
    assert Fields(shown, FORM).sent["list"] == LONG


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("username=spike&with_username=ghost", 404, "This is about the second list, of ghost."),
        ("username=ghost&with_username=spike", 404, "This is about the first list, of ghost."),
        ("username=a&with_username=spike", 400, "This is about the first list."),
        ("username=spike&with_username=", 400, "This is about the second list."),
        ("sample=1&with_list=x", 400, "This is about the second list."),
        ("sample=1&with_username=spike&with_source=kitsu", 400, "This is about the second list."),
        ("sample=1&with_pick=x", 400, "This is about the second list."),
        ("sample=1&with_sample=1&order=predicted_rating", 400, "A list for two people doesn't accept `order`."),
        ("sample=1&with_sample=1&n=0", 400, "The number of recommendations must be"),
    ],
)
def test_an_error_says_whose_list_it_is_about_and_offers_the_form_again(
    client: FlaskClient, fakes: FakeServices, query: str, status: int, said: str
) -> None:
    fakes.failures["ghost"] = errors.UserNotFound("The site has no such user.")
    page = client.get(f"/together?{query}")

    assert page.status_code == status
    assert said in words(page)
    assert ("This is about" in words(page)) == said.startswith("This is about")
    sent = Fields(page, FORM).sent
    for name, values in parse_qs(query).items():
        if name.endswith(("username", "sample")):
            assert sent.getlist(name) == values
    assert page.text.count("<form ") == 1


def test_without_a_model_no_site_is_asked(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.model_failure = errors.ModelPending("Not yet.")
    assert client.get("/together").status_code == 200
    assert client.get("/together?username=spike&source=mal&with_username=faye&with_source=mal").status_code == 503
    assert not fakes.asked


def test_nothing_left_says_so(client: FlaskClient) -> None:
    everything = packed(UserList.of(Rating(one) for one in (1, 7, 199, 666)))
    page = client.get(f"/together?list={everything}&with_sample=1")
    assert page.status_code == 200
    assert "There is nothing left that neither has seen." in words(page)
    assert "No title is left to recommend." in words(page)
