"""By which names pages show titles: what decides, what keeps a choice, and what does not depend on it."""

import html
import json
import re
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click.testing
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.cli.main import main
from hakken.cli.recommend_once import command
from hakken.lists.encoded_list import packed, unpacked
from hakken.ratings import TitleNames, UserList
from hakken.web.list_request import MAX_ADDRESS
from make_recommendations import make_recommendations
from tests.fake_services import SAMPLE, Fields, upload, words
from tests.integration.test_list_request import LONG, SHORT, export

LIST = "/recommendations?sample=1&n=20"
EN, JA = {"Accept-Language": "en-US,en;q=0.9"}, {"Accept-Language": "ja"}
LISTS = (
    LIST,
    f"{LIST}&view=grid",
    f"{LIST}&view=table",
    "/recommendations?season=2025-fall",
    "/together?sample=1&with_sample=1",
)
PATHS = ("/", *LISTS, "/together", "/taste?sample=1", "/anime/1?sample=1", "/picks?q=bebop&pick=5-9", "/anime/199")
PERSONAL = re.compile(r"/(recommendations|season|together|taste|picks|anime/\d+)?(\?|$)")


@pytest.fixture
def client(embedded_client: FlaskClient) -> FlaskClient:
    return embedded_client


def shown(page: TestResponse) -> dict[int, str]:
    """The titles that a page links to their own pages, by id; what continues a series has the series' title."""
    found = re.findall(r'<a (?:class="title" )?href="/anime/(\d+)[^"]*"><bdi[^>]*>(.*?)</bdi>', page.text)
    return {int(anime_id): html.unescape(title) for anime_id, title in found}


def are_named(titles: dict[int, str], catalogue: Catalogue) -> bool:
    """Whether all that `shown` gave are the catalogue's."""
    return all(title in map(catalogue.title, (one, catalogue.series_of(one))) for one, title in titles.items())


def chosen(page: TestResponse) -> list[str]:
    """The choices that the page says are the ones shown."""
    return re.findall(r'data-names="(\w+)" aria-(?:current|pressed)="true"', page.text)


@pytest.mark.parametrize(
    ("headers", "field", "names"),
    [
        ({}, "", "romaji"),
        (EN, "", "english"),
        (JA, "", "japanese"),
        (JA, "&names=english", "english"),
        (EN, "&names=romaji", "romaji"),
        ({}, "&names=japanese", "japanese"),
    ],
)
def test_the_address_decides_or_else_the_browser_s_languages(
    client: FlaskClient, embedded: ModelBundle, headers: dict[str, str], field: str, names: str
) -> None:
    catalogue = embedded.named(TitleNames(names)).catalogue
    for path in (*LISTS, "/taste?sample=1", "/anime/1?sample=1"):
        page = client.get(path + field, headers=headers)
        assert page.status_code == 200
        assert "Accept-Language" in page.vary
        assert chosen(page) == [names]
        titles = shown(page)
        assert titles
        assert are_named(titles, catalogue)
        assert are_named(titles, embedded.catalogue) == (names == "romaji")
    page = client.get(LIST + field, headers=headers)
    reasons = re.findall(r'class="reason"><bdi[^>]*>(.*?)</bdi>', page.text)
    sample = {rating.anime_id for rating in unpacked(packed_sample(client)).ratings}
    assert reasons
    assert set(map(html.unescape, reasons)) <= {catalogue.title(one) for one in sample}


def packed_sample(client: FlaskClient) -> str:
    return upload(client, SAMPLE.read_bytes()).request.args["list"]


def test_the_names_that_are_not_the_title_stand_below_it(client: FlaskClient, embedded: ModelBundle) -> None:
    sen = embedded.catalogue[199]
    names = {"romaji": sen.title, "english": sen.title_english, "japanese": sen.title_japanese}
    below = {"romaji": ["english", "japanese"], "english": ["romaji", "japanese"], "japanese": ["english", "romaji"]}
    languages = {"romaji": "", "english": ' lang="en"', "japanese": ' lang="ja"'}
    for first, others in below.items():
        own = client.get(f"/anime/199?names={first}").text
        written = ' lang="ja"' if first == "japanese" else ""
        assert f"<h1><bdi{written}>{names[first]}</bdi></h1>" in own
        assert re.findall(r'<p class="(?:english|japanese)"( lang="..")?><bdi>(.*?)</bdi>', own) == [
            (languages[one], names[one]) for one in others
        ]
        picks = client.get(f"/picks?q=spirited+away&names={first}").text.partition('<ul class="titles">')[2]
        heading, _, rest = picks.partition("</h3>")
        assert f">{names[first]}</bdi>" in heading
        assert rest.partition("<bdi>")[2].startswith(f"{names[others[0]]}<")
        assert f'<p class="english"{languages[others[0]]}><bdi>' in rest


@pytest.mark.parametrize("query", ["千と千尋", "spirited away", "sen to chihiro"])
@pytest.mark.parametrize("names", TitleNames)
def test_any_name_is_found_whichever_is_shown(client: FlaskClient, query: str, names: str) -> None:
    page = client.get("/picks", query_string={"q": query, "names": names})
    assert 'value="199"' in page.text.partition('<ul class="titles">')[2].partition("</li>")[0]


@pytest.mark.parametrize("path", PATHS)
def test_all_links_and_forms_of_a_page_keep_the_choice(client: FlaskClient, path: str) -> None:
    address = f"{path}{'&' if '?' in path else '?'}names=japanese"
    page = client.get(address)
    assert page.status_code == 200, "and not redirected"
    own = page.text.partition('class="titles-in"')
    rest = own[0] + own[2].partition("</nav>")[2]
    links = [html.unescape(one) for one in re.findall(r'<a [^>]*href="(/[^"]*)"', rest)]
    personal = [one for one in links if PERSONAL.match(one)]
    assert len(personal) > 1
    assert [one for one in personal if parse_qs(urlsplit(one).query).get("names") != ["japanese"]] == []
    assert [one for one in links if one not in personal and "names" in one] == []
    for form in re.split("<form (?!method=.dialog)", page.text)[1:]:
        held = 'name="names" value="japanese"' in form.partition("</form>")[0]
        assert held or ("names=japanese" in form.partition(">")[0] and 'method="post"' in form.partition(">")[0])
    # Without a choice nothing speaks of it but the choice itself.
    plain = client.get(path, headers=JA)
    before, _, after = plain.text.partition('class="titles-in"')
    assert "names=" not in before + after.partition("</nav>")[2]
    assert 'name="names"' not in plain.text


def test_the_choice_repeats_the_address_and_changes_nothing_else(client: FlaskClient) -> None:
    page = client.get("/recommendations?sample=1&genre=Action&genre=Sci-Fi&names=english", headers=EN)
    choices = page.text.partition('class="titles-in"')[2].partition("</nav>")[0]
    links = [html.unescape(one) for one in re.findall(r'href="([^"]*)"', choices)]
    assert links == [
        f"?sample=1&genre=Action&genre=Sci-Fi&names={names}" for names in ("english", "romaji", "japanese")
    ]
    for link in links:
        again = client.get(f"/recommendations{link}")
        assert again.status_code == 200
        assert chosen(again) == [link.rpartition("=")[2]]


def test_redirects_keep_the_choice(client: FlaskClient) -> None:
    assert upload(client, export(SHORT), names="japanese").request.args["names"] == "japanese"
    paths = (
        "/taste?pick=1-9",
        "/picks?add=1",
        "/picks?pick=1-9&recommend=1",
        "/season?",
        "/together?sample=1&with_pick=1",
    )
    for path in (f"{LIST}&hide=", *paths):
        answer = client.get(f"{path}&names=japanese", headers=EN)
        assert answer.status_code == 303
        assert parse_qs(urlsplit(answer.location).query)["names"] == ["japanese"]
        assert "names" not in client.get(path, headers=JA).location


def test_the_choice_counts_in_the_length_of_an_address(client: FlaskClient) -> None:
    room = len("&names=japanese")
    sizes = (len(f"http://localhost/taste?list={packed(UserList(LONG.ratings[:n]))}") for n in range(1_500, 3_500))
    n = next(n for n, size in enumerate(sizes, start=1_500) if MAX_ADDRESS - room < size <= MAX_ADDRESS)
    fields = {"list": packed(UserList(LONG.ratings[:n]))}
    assert client.post("/taste", data=fields).status_code == 303
    assert client.post("/taste", data=fields | {"names": "japanese"}).status_code == 200


def test_a_list_too_long_for_an_address_has_buttons_and_keeps_the_choice(
    client: FlaskClient, embedded: ModelBundle
) -> None:
    page = client.post("/recommendations", data={"list": packed(LONG), "n": "5"}, headers=JA)
    assert page.status_code == 200
    assert re.findall(r'<button form="state" name="names" value="(\w+)"', page.text) == [*TitleNames]
    assert chosen(page) == ["japanese"]
    for names in ("english", "romaji"):
        # The button stands above the form, so that its value comes first.
        fields = Fields(page, 'id="state"').sent.to_dict(flat=False)
        fields["names"] = [names, *fields.get("names", [])]
        [action] = re.findall(r'id="state".*?action="([^"#]*)#list"', page.text, re.DOTALL)
        page = client.post(html.unescape(action), data=fields)
        assert chosen(page) == [names]
        assert are_named(shown(page), embedded.named(TitleNames(names)).catalogue)


@pytest.mark.parametrize("value", ["klingon", "ENGLISH", "english,romaji", "\0", "<script>"])
def test_what_is_no_such_choice_is_refused(client: FlaskClient, value: str) -> None:
    pages = (client.get(path.partition("?")[0], query_string={"names": value}) for path in PATHS)
    for page in chain(pages, [client.post("/recommendations", data={"sample": "1", "names": value})]):
        assert page.status_code == 400
        assert "The names of titles must be one of english, romaji, japanese." in words(page)
        assert "<script>" not in page.text
    assert client.get("/?names=").status_code == 200, "nothing is no choice"


def test_files_the_api_and_covers_have_main_titles_whatever_is_asked(
    client: FlaskClient, embedded: ModelBundle
) -> None:
    for path in (f"{LIST}&format=csv", f"{LIST}&format=json", "/api/v1/recommendations?sample=1", "/anime/7/cover"):
        usual = client.get(path)
        for answer in (client.get(path, headers=EN), client.get(path, headers=JA)):
            assert answer.data == usual.data
            assert "Accept-Language" not in answer.vary
    named = client.get(f"{LIST}&format=json&names=japanese")
    assert named.data == client.get(f"{LIST}&format=json").data
    for one in named.get_json()["recommendations"]:
        assert one["title"] == embedded.catalogue.title(one["anime_id"])
    assert client.get("/api/v1/recommendations?sample=1&names=english").status_code == 400
    assert client.get("/api/v1/", headers=JA).text == client.get("/api/v1/").text


def test_caches_keep_the_languages_apart(client: FlaskClient) -> None:
    first, second = (client.get("/anime/199", headers=headers) for headers in (EN, JA))
    assert first.cache_control.public
    assert first.headers["ETag"] != second.headers["ETag"]
    unchanged = client.get("/anime/199", headers=EN | {"If-None-Match": first.headers["ETag"]})
    assert unchanged.status_code == 304
    assert "Accept-Language" in unchanged.vary
    assert client.get("/anime/199", headers=JA | {"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_commands_print_the_names_that_are_asked_for(embedded: ModelBundle, tmp_path: Path) -> None:
    (tmp_path / "in").write_text('{"user": 1, "ratings": [{"anime_id": 1, "score": 9}]}\n')
    asked = ["--file", str(SAMPLE), "-n", "5"]
    batch = ["recommend", "--model", "embedded", "--input", str(tmp_path / "in"), "--output", "-"]
    runner, one = click.testing.CliRunner(), command(make_recommendations)
    english, japanese = (embedded.named(names).catalogue for names in (TitleNames.ENGLISH, TitleNames.JAPANESE))

    found = json.loads(runner.invoke(one, [*asked, "--format", "json", "--names", "english"]).stdout)["recommendations"]
    assert [row["title"] for row in found] == [english.title(row["anime_id"]) for row in found]
    table = runner.invoke(one, [*asked, "--names", "japanese"]).stdout
    assert [row["anime_id"] for row in found if japanese.title(row["anime_id"]) not in table] == []
    answer = json.loads(runner.invoke(main, [*batch, "--names", "japanese"]).stdout)["recommendations"]
    assert [row["title"] for row in answer] == [japanese.title(row["anime_id"]) for row in answer]
    assert runner.invoke(one, [*asked, "--names", "klingon"]).exit_code == 2
