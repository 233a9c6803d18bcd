"""What a request asks, and that a page holds all of it: in its address or, where that grows too long, in its forms."""

import html
import json
import re
from random import Random

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hakken.lists.encoded_list import packed, unpacked
from hakken.ratings import Preferences, Rating, Reason, Recommendation, Recommendations, Status, UserList
from hakken.web.list_request import MAX_ADDRESS
from tests.fake_services import FakeServices, Fields, press, upload, words

SHORT = UserList.of([Rating(1, 9), Rating(7, 0, Status.PLAN_TO_WATCH)])
# Gaps and scores without any pattern, so that they pack badly.
DRAWN = Random(6)
LONG = UserList.of(Rating(one, DRAWN.randint(0, 10)) for one in sorted(DRAWN.sample(range(1, 60_000), 4_000)))
REASONS = (Reason(199, "Sen", 9, 4.5),)
ONE = Recommendations((Recommendation(1, "Cowboy Bebop", 9.0, 9.0, 2345, 20, REASONS),), ("A note.",))


def export(user_list: UserList) -> bytes:
    """An export as MyAnimeList makes it, with this list."""
    named = {Status.ON_HOLD: "On-Hold", Status.PLAN_TO_WATCH: "Plan to Watch"}
    anime = "".join(
        f"<anime><series_animedb_id>{one.anime_id}</series_animedb_id><my_score>{one.score}</my_score>"
        f"<my_status>{named.get(one.status, one.status.capitalize())}</my_status></anime>"
        for one in user_list.ratings
    )
    return f"<myanimelist><myinfo><user_export_type>1</user_export_type></myinfo>{anime}</myanimelist>".encode()


def entries(user_list: object) -> dict[int, tuple[int, Status]]:
    assert isinstance(user_list, UserList)
    return {one.anime_id: (one.score, one.status) for one in user_list.ratings}


def state(page: TestResponse) -> str:
    """The form that all buttons about single titles belong to."""
    return page.text.partition('id="state"')[2].partition("</form>")[0]


def test_an_upload_leads_to_an_address_that_holds_it(client: FlaskClient, fakes: FakeServices) -> None:
    page = upload(client, export(SHORT), n="5", genre="Action")

    assert page.request.method == "GET"
    assert entries(unpacked(page.request.args["list"])) == entries(SHORT)
    assert entries(fakes.asked[0][0]) == entries(SHORT)
    assert fakes.asked[0][1] == Preferences(n=5, genres=("Action",))
    # Whoever opens it without having uploaded anything sees the same.
    again = client.get(page.request.full_path)
    assert again.text == page.text
    assert len(fakes.uploads) == 1


def test_an_upload_that_no_address_holds_travels_in_the_page(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.answer = ONE
    page = upload(client, export(LONG), n="5")

    assert page.request.method == "POST"
    assert page.status_code == 200
    assert "This list is too long for an address, so this page can't be shared as a link." in words(page)
    assert 'method="post"' in state(page)
    for label in ("Not for me: Cowboy Bebop", "leave out: Sen", "More like this: Cowboy Bebop"):
        page = press(client, page, label)
        assert page.status_code == 200
    assert fakes.asked[-1][1] == Preferences(n=5, ignored=(199,), hidden=(1,), like=(1,))
    page = press(client, page, "Undo: Hidden Cowboy Bebop")
    assert fakes.asked[-1][1] == Preferences(n=5, ignored=(199,), like=(1,))
    assert {frozenset(entries(who).items()) for who, _ in fakes.asked} == {frozenset(entries(LONG).items())}
    assert len(fakes.uploads) == 1, "and nothing but the page has kept it"
    # The form of choices carries it too.
    fields = Fields(page, 'class="again"').sent
    assert client.post("/recommendations", data=fields).status_code == 200
    assert fakes.asked[-1] == fakes.asked[-2]


def test_the_length_that_an_address_may_have(client: FlaskClient) -> None:
    """Whole addresses, with scheme and host, and just under the limit as just over it."""
    page = client.get("/recommendations?sample=1")
    for n_entries in range(1_500, 3_500, 50):
        some = UserList(LONG.ratings[:n_entries])
        page = client.post("/recommendations", data={"list": packed(some)})
        address = f"http://localhost/recommendations?list={packed(some)}"
        assert (page.status_code == 303) == (len(address) <= MAX_ADDRESS)
    assert page.status_code == 200


@pytest.mark.parametrize("text", ["", "1", "2abc", "1!!", packed(SHORT)[:-3], "<script>"])
@pytest.mark.parametrize("path", ["/recommendations", "/taste"])
def test_a_list_that_can_not_be_read(client: FlaskClient, fakes: FakeServices, text: str, path: str) -> None:
    for page in (client.get(path, query_string={"list": text}), client.post(path, data={"list": text})):
        assert page.status_code == 400
        assert "The list in this address can't be read" in words(page)
        assert "You can fix this." in words(page)
        assert "<script>" not in page.text
    assert not fakes.asked


def test_only_picks_can_be_changed_title_by_title(client: FlaskClient) -> None:
    """The page on which they are changed knows scores and no status."""
    picked, planned = UserList.of([Rating(1, 9)]), SHORT
    many = UserList.of(Rating(one, 5) for one in range(1, 300))

    for user_list, offered in ((picked, True), (planned, False), (many, False)):
        page = client.get("/recommendations", query_string={"list": packed(user_list)})
        assert ("Change the titles on this list" in words(page)) == offered


# Cards, table and files


def test_the_same_as_a_table(client: FlaskClient) -> None:
    cards, table = client.get("/recommendations?sample=1"), client.get("/recommendations?sample=1&view=table")

    assert '<li class="entry">' in cards.text
    assert '<li class="entry">' not in table.text
    assert "<caption" in table.text
    row = words(table).partition("Sen to Chihiro no Kamikakushi")[2]
    assert row.startswith(" Spirited Away 93 8.50 ")
    assert "&lt;script&gt;" in table.text
    assert "<script>" not in table.text
    assert 'name="view" value="table"' in state(table)
    assert Fields(table, 'class="again"').sent["view"] == "table"


def test_downloads(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.answer = ONE
    csv = client.get("/recommendations?sample=1&format=csv")
    made = client.post("/recommendations", data={"list": packed(SHORT), "format": "json"})

    assert csv.headers["Content-Type"].startswith("text/csv")
    assert csv.headers["Content-Disposition"] == 'attachment; filename="hakken.csv"'
    assert csv.text.splitlines()[1].startswith("recommendations,1,1,Cowboy Bebop,")
    assert made.headers["Content-Disposition"] == 'attachment; filename="hakken.json"'
    found = json.loads(made.data)
    assert [one["anime_id"] for one in found["recommendations"]] == [1]
    assert found["notes"] == ["A note."]
    for answer in (csv, made):
        assert answer.status_code == 200
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert "private" in answer.headers["Cache-Control"]


# Addresses


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (
            f"sample=1&n=10&order=match&popularity=0&variety={Preferences().variety}&franchise=new&adult=0&view=cards",
            "sample=1",
        ),
        ("sample=1&n=11&utm_source=elsewhere", "sample=1&n=11"),
        ("sample=1&hide=1&hide=7&undo=hide-1", "sample=1&hide=7"),
        (
            "username=spike&source=&year_from=&year_to=1999&type=&genre=Action&n=+",
            "username=spike&source=mal&genre=Action&year_to=1999",
        ),
    ],
)
def test_an_address_says_no_more_than_it_need(client: FlaskClient, query: str, target: str) -> None:
    page = client.get(f"/recommendations?{query}")
    assert (page.status_code, page.headers["Location"]) == (303, f"/recommendations?{target}")
    assert client.get(f"/recommendations?{target}").status_code == 200


def test_the_two_pages_about_a_list_lead_to_each_other(client: FlaskClient) -> None:
    for query in ("username=spike&source=anilist", f"list={packed(SHORT)}", "sample=1"):
        page = client.get(f"/recommendations?{query}&n=3")
        [taste] = re.findall(r'href="(/taste[^"]*)"', page.text)
        # What was chosen is taken along, there and back.
        assert html.unescape(taste) == f"/taste?{query}&n=3"
        back = client.get(html.unescape(taste))
        assert f'href="/recommendations?{html.escape(query)}&amp;n=3"' in back.text
    long = client.post("/recommendations", data={"list": packed(LONG)})
    form = long.text.partition('action="/taste"')[2].partition("</form>")[0]
    assert f'value="{packed(LONG)}"' in form
