"""The page about a taste, through Flask's test client."""

import re

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hakken import errors
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.lists import encoded_list
from hakken.ratings import Rating, Site, Status, UserList, Username
from tests.fake_services import FakeServices, words
from tests.models import N_ITEMS

HOSTILE = "<script>alert('genre')</script> & \"quotes\""
HEBREW, EMOJI = "\u05e9\u05dc\u05d5\u05dd", "\N{SPARKLES} Kira \N{SPARKLES}"
TITLES = {1: HOSTILE, 2: HEBREW, 3: EMOJI}


@pytest.fixture
def client(client: FlaskClient, fakes: FakeServices, bundle: ModelBundle) -> FlaskClient:
    """The pages on the small model, some of whose titles have names that a page must not take at their word."""

    def anime(anime_id: int) -> Anime:
        genres = tuple(genre for genre, every in ((HOSTILE, 2), ("Drama", 3)) if anime_id % every == 0)
        title = TITLES.get(anime_id, f"Anime {anime_id}")
        return Anime(anime_id=anime_id, title=title, genres=genres, year=1970 + anime_id % 50)

    fakes.served = ModelBundle(bundle.model, Catalogue(anime(one) for one in range(1, N_ITEMS - 3)))
    return client


@pytest.fixture
def rated(fakes: FakeServices) -> UserList:
    """A list that the site gives, with opinions about the titles that have odd names."""
    odd = [Rating(1, 1), Rating(2, 10), Rating(3, 1), Rating(4, 0, Status.PLAN_TO_WATCH)]
    fakes.list = UserList.of([*odd, *(Rating(one, 7 if one % 2 else 6 + one % 3) for one in range(10, 120))])
    return fakes.list


def rows(page: TestResponse, caption: str) -> list[list[str]]:
    """The cells of the table behind a chart."""
    table = page.text.partition(f'<caption class="unseen">{caption}</caption>')[2].partition("</table>")[0]
    body = table.partition("<tbody>")[2]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("<tr>")[1:]]


def test_a_username_gets_its_taste(client: FlaskClient, fakes: FakeServices, rated: UserList) -> None:
    page = client.get("/taste?username=spike&source=anilist")

    assert page.status_code == 200
    assert [who for who, _ in fakes.asked] == [Username("spike", Site.ANILIST)]
    assert "The taste of spike" in words(page)
    for heading in ("How you score", "Genres", "Years", "Unusual opinions"):
        assert heading in words(page)
    assert f"on the list {len(rated)}" in words(page)
    assert "planned 1" in words(page)
    assert '<a href="/recommendations?username=spike&amp;source=anilist" data-waits>Recommendations</a>' in page.text
    assert '<meta name="robots" content="noindex">' in page.text
    assert page.cache_control.private


def test_each_chart_says_what_it_shows_and_has_its_numbers_beside_it(client: FlaskClient, rated: UserList) -> None:
    page = client.get("/taste?username=spike")
    found, scores = rows(page, "How often each score is given"), [one.score for one in rated.scored]
    assert [row[:2] for row in found] == [[str(score), str(scores.count(score))] for score in range(10, 0, -1)]
    share = f"{100 * scores.count(7) / len(scores):.0f}%"
    assert [row[2] for row in found if row[0] == "7"] == [share]
    charts = re.findall(r'<svg class="chart"[^>]* role="img" aria-labelledby="(\S+) (\S+)"', page.text)
    assert len(charts) == 3
    for named in charts:
        assert all(f'id="{one}"' in page.text for one in named)
    assert page.text.count('<details class="numbers">') == 3
    assert f"The most frequent score is 7, with {share} of the scores on the list" in words(page)


def test_opinions_name_both_scores(client: FlaskClient, rated: UserList) -> None:
    page = client.get("/taste?username=spike")

    better, worse = (
        words(page).find(text) for text in ("You like these more than most people do", "less than most people do")
    )
    assert 0 < better < words(page).find(HEBREW) < worse < words(page).find(EMOJI)
    [(expected, difference)] = re.findall(
        re.escape(HEBREW) + r" You gave 10 ; ([\d.]+) was expected \+([\d.]+)", words(page)
    )
    assert float(expected) + float(difference) == pytest.approx(10, abs=0.11)


@pytest.mark.parametrize(
    ("user_list", "note", "absent"),
    [
        (UserList(), "The list is empty", ("How you score", "Genres", "Years", "Unusual opinions")),
        (UserList(skipped=2), "Nothing on the list could be read", ("How you score", "Years")),
        (UserList.of([Rating(1), Rating(5)]), "No title on the list has a score", ("How you score", "Genres")),
        (UserList.of(Rating(one, 7) for one in range(1, 40)), "are the same", ("Genres", "Unusual opinions")),
        (UserList.of([Rating(99_999, 7)]), "No title that we know has a score", ("Genres", "Years")),
        (UserList.of([Rating(1, 7)], skipped=3), "3 entries left out: the anime could not be read", ("Genres",)),
        (UserList.of([Rating(10, 9), Rating(12, 5)]), "This is based on 2 scored titles", ("Genres",)),
    ],
)
def test_where_there_is_too_little_a_note_says_so(
    client: FlaskClient, fakes: FakeServices, user_list: UserList, note: str, absent: tuple[str, ...]
) -> None:
    fakes.list = user_list

    page = client.get("/taste?username=spike")

    assert page.status_code == 200
    assert note in words(page)
    for heading in absent:
        assert heading not in words(page)


def test_the_sample_and_a_list_that_the_address_carries(client: FlaskClient) -> None:
    sample = client.get("/taste?sample=1")
    assert sample.status_code == 200
    assert "The taste of the sample list" in words(sample)
    assert "on the list 47" in words(sample)

    text = encoded_list.packed(UserList.of([Rating(10, 9), Rating(12, 5)]))
    page = client.get("/taste", query_string={"list": text})
    assert "Your taste" in words(page)
    assert "with a score 2" in words(page)


def test_what_an_address_can_hold_is_led_to_it_and_a_longer_list_comes_in_a_form(client: FlaskClient) -> None:
    packed = encoded_list.packed(UserList.of([Rating(10, 9)]))
    for answer in (client.get("/taste?pick=10-9"), client.post("/taste", data={"list": packed})):
        assert (answer.status_code, answer.location) == (303, f"/taste?list={packed}")

    rng = np.random.default_rng(0)  # what has no order packs badly
    ids, scores = rng.choice(500_000, 4000, replace=False).tolist(), rng.integers(1, 11, 4000).tolist()
    long = encoded_list.packed(UserList.of(Rating(1 + one, score) for one, score in zip(ids, scores, strict=True)))
    page = client.post("/taste", data={"list": long})
    assert page.status_code == 200
    assert "on the list 4,000" in words(page)
    assert f'<input type="hidden" name="list" value="{long}">' in page.text
    assert '<form class="inline" action="/recommendations" method="post">' in page.text
    assert page.cache_control.private


def test_without_a_model_no_site_is_asked(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.model_failure = errors.ArtefactMissing("There is no model.")

    assert client.get("/taste?username=spike").status_code == 503
    assert fakes.asked == []
