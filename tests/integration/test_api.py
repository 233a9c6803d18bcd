"""The API: each operation, each failure, and what others may do with the answers."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken import errors
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Link, Related
from hakken.listing import as_json
from hakken.lists import encoded_list
from hakken.neighbours import also_liked, nearest, standing
from hakken.ratings import CHOICES, Preferences, Rating, Site, Status, UserList, Username
from hakken.recommend import list_notes
from hakken.taste import profile
from hakken.web.api.operations import OPERATIONS, Operation
from hakken.web.error_pages import RESPONSIBLE, failures, kind_of
from hakken.web.forms import preferences_to_fields
from tests.api_client import JSON, PROBLEM, ask, said
from tests.fake_services import MADE, FakeServices, words
from tests.fake_services import bundle as made_up_bundle

SENT = UserList.of([Rating(1, 9), Rating(199, 0, Status.WATCHING)])
LIST = {"ratings": [{"anime_id": 1, "score": 9}, {"anime_id": 199, "score": 0, "status": "watching"}]}


# Lists


def test_a_list_by_name_is_that_of_the_terminal_and_the_download(client: FlaskClient, fakes: FakeServices) -> None:
    answer = client.get("/api/v1/recommendations?username=Spike_S-1&source=anilist&n=25")

    assert answer.status_code == 200
    assert answer.content_type == JSON
    assert fakes.asked == [(Username("Spike_S-1", Site.ANILIST), Preferences(n=25))]
    assert answer.text == as_json(MADE, made_up_bundle())
    assert "Spike" not in answer.text
    assert list(said(answer)) == ["recommendations", "continue", "model", "notes"]
    assert said(answer)["model"] == {
        "version": "20261123T211635Z-abc",
        "created": "2026-11-23T21:16:35Z",
        "data_time": "2026-03",
    }


def test_a_list_that_is_sent(client: FlaskClient, fakes: FakeServices) -> None:
    answer = client.post("/api/v1/recommendations", json=LIST | {"n": 20, "genre": ["Action", "Action"], "adult": True})

    assert answer.text == as_json(MADE, made_up_bundle())
    [(who, preferences)] = fakes.asked
    assert msgspec.to_builtins(who) == msgspec.to_builtins(SENT)
    assert preferences == Preferences(n=20, genres=("Action",), adult=True)


@pytest.mark.parametrize("way", ["sample=1", "pick=1-9&pick=199", f"list={encoded_list.packed(SENT)}"])
def test_the_other_ways_of_the_page_to_name_a_list(client: FlaskClient, fakes: FakeServices, way: str) -> None:
    page = client.get(f"/recommendations?{way}", follow_redirects=True)
    answer = client.get(f"/api/v1/recommendations?{way}")

    assert answer.status_code == page.status_code == 200
    assert fakes.asked[0] == fakes.asked[1]


KNOWN: dict[str, list[Any]] = {
    "type": ["TV", "Movie", "OVA"],
    "genre": ["Action", "Comedy", "Drama"],
    "without_genre": ["Space", "Comedy"],
    "season": ["1998-spring", "2020-winter"],
    "studio": ["sunrise", "Madhouse"],
    "series": [1, 5, 30],
    "seen": ["30-0", "205-7", "431-10"],
}
"""Values that the catalogue knows, of choices that take no other."""


def values(field: str) -> st.SearchStrategy[Any]:
    """Any value of a field of `Preferences`."""
    choice = CHOICES[field]
    one: st.SearchStrategy[Any] = st.from_type(choice.kind)
    if choice.name in KNOWN:
        one = st.sampled_from(KNOWN[choice.name])
    elif choice.bounds:
        least, most = choice.bounds
        whole = choice.kind is int
        one = st.integers(least, most) if whole else st.integers(100 * least, 100 * most).map(lambda part: part / 100)
    if choice.most:
        return st.lists(one, max_size=3, unique=True).map(tuple)
    return one | st.just(choice.default)


def in_order(chosen: dict[str, Any]) -> bool:
    return chosen["year_from"] is None or chosen["year_to"] is None or chosen["year_from"] <= chosen["year_to"]


@settings(max_examples=40)
@given(chosen=st.fixed_dictionaries({field: values(field) for field in CHOICES}).filter(in_order))
def test_options_of_page_address_and_body_mean_the_same(embedded_client: FlaskClient, chosen: dict[str, Any]) -> None:
    query = urlencode(preferences_to_fields(Preferences(**chosen)), doseq=True)
    body = {CHOICES[field].name: value for field, value in chosen.items() if value is not None}

    page = embedded_client.get(f"/recommendations?format=json&pick=1-9&pick=5-8&{query}", follow_redirects=True)
    named = embedded_client.get(f"/api/v1/recommendations?pick=1-9&pick=5-8&{query}")
    sent = embedded_client.post(
        "/api/v1/recommendations",
        json=body | {"ratings": [{"anime_id": 1, "score": 9}, {"anime_id": 5, "score": 8}]},
    )

    assert page.status_code == 200
    assert said(named) == said(sent) == said(page)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Give exactly one of `username`, `sample`, `pick` and `list`, to say whose list is meant."),
        ("username=", "Give exactly one of"),
        ("username=spike&sample=1", "Give exactly one of"),
        ("list=x", "The list "),
        ("sample=1&genres=Action", "There is no option `genres`."),
        ("sample=1&gener=", "There is no option `gener`."),
        ("sample=1&n=5&n=6", "`n` can be given only once."),
        ("sample=1&n=ten", "`n`: expected `int`, got `str`."),
        ("sample=1&n=101", "`n`: expected `int` <= 100."),
        ("sample=1&popularity=nan", "`popularity`: expected `float` >= -1.0."),
        ("sample=1&adult=yes", "`adult`: invalid enum value 'yes'."),
        ("sample=1&year_from=null", "`year_from`: expected `int`, got `str`."),
        ("sample=1&year_from=2000&year_to=1990", "The first year must not be after the last."),
        ("sample=1&source=kitsu", "`source`: invalid enum value 'kitsu'."),
        ("sample=1&order=best", "`order`: invalid enum value 'best'."),
        ("sample=1&ignore=0", "`ignore[0]`: expected `int` >= 1."),
        (f"sample=1&genre={65 * 'x'}", "`genre[0]`: expected `str` of length <= 64."),
    ],
)
def test_what_an_address_may_not_say(client: FlaskClient, fakes: FakeServices, query: str, sentence: str) -> None:
    answer = client.get(f"/api/v1/recommendations?{query}")

    assert (answer.status_code, answer.content_type) == (400, PROBLEM)
    assert said(answer)["type"] == f"/api/v1/problems#bad-{'list' if query == 'list=x' else 'option'}"
    assert said(answer)["detail"].startswith(sentence)
    assert not fakes.asked


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_each_operation_refuses_an_unknown_parameter_and_says_that_there_is_no_model(
    client: FlaskClient, fakes: FakeServices, operation: Operation
) -> None:
    unknown = ask(client, operation, unknown="1")
    assert (unknown.status_code, said(unknown)["detail"]) == (400, "There is no option `unknown`.")
    assert not fakes.asked

    fakes.failure = fakes.model_failure = errors.ArtefactMissing("There is no model at /srv/secret.")
    answer = ask(client, operation)
    assert (answer.status_code, answer.content_type) == (503, PROBLEM)
    assert said(answer)["type"] == "/api/v1/problems#model-error"
    assert answer.headers["Retry-After"] == "60"
    assert "/srv" not in answer.text
    assert client.get("/api/v1/").status_code == client.get("/api/v1/openapi.json").status_code == 200


@pytest.mark.parametrize("switch", ["1", "true"])
def test_a_switch_is_on_by_the_pages_word_and_by_that_of_most_programs(
    client: FlaskClient, fakes: FakeServices, switch: str
) -> None:
    assert client.get(f"/api/v1/recommendations?sample=1&adult={switch}&year_from=&type=&n=").status_code == 200
    assert fakes.asked[0][1] == Preferences(adult=True)


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (b"", "bad-body", "The body can't be read: "),
        (b"{", "bad-body", "The body can't be read: "),
        (b"\xff", "bad-body", "The body can't be read: "),
        (b'{"ratings": [' + 100_000 * b"[", "bad-", ""),
        (b'{"ratings": [{"anime_id": NaN}]}', "bad-body", ""),
        (b"[]", "bad-option", "Expected `object`, got `array`."),
        (b"{}", "bad-option", "There is no value for `ratings`."),
        (b'{"ratings": 1}', "bad-option", "`ratings`: expected `array`, got `int`."),
        (b'{"ratings": [], "scores": []}', "bad-option", "There is no option `scores`."),
        (b'{"ratings": [{"anime_id": 1, "scor": 8}]}', "bad-option", "`ratings[0]`: there is no option `scor`."),
        (b'{"ratings": [{"score": 8}]}', "bad-option", "`ratings[0]`: there is no value for `anime_id`."),
        (b'{"ratings": [{"anime_id": 0}]}', "bad-option", "`ratings[0].anime_id`: expected `int` >= 1."),
        (b'{"ratings": [{"anime_id": "1"}]}', "bad-option", "`ratings[0].anime_id`: expected `int`, got `str`."),
        (
            b'{"ratings": [{"anime_id": 1, "score": [8]}]}',
            "bad-option",
            "`ratings[0].score`: expected `float |",
        ),
    ],
)
def test_bodies_that_cant_be_used(client: FlaskClient, body: bytes, kind: str, sentence: str) -> None:
    for path in ("/api/v1/recommendations", "/api/v1/taste"):
        answer = client.post(path, data=body, content_type="application/json; charset=utf-8")

        assert (answer.status_code, answer.content_type) == (400, PROBLEM)
        assert said(answer)["type"].startswith(f"/api/v1/problems#{kind}")
        assert said(answer)["detail"].startswith(sentence)


@pytest.mark.parametrize(
    ("content_type", "excess", "status", "problem"),
    [
        *((kind, -1, 415, "unsupported-media-type") for kind in (None, "text/plain", "multipart/form-data")),
        (JSON, 0, 200, ""),
        (JSON, 1, 413, "request-entity-too-large"),
    ],
)
def test_a_body_is_json_and_at_most_as_large_as_an_upload(
    embedded_client: FlaskClient, content_type: str | None, excess: int, status: int, problem: str
) -> None:
    body = json.dumps(LIST).encode()
    body += b" " * (embedded_client.application.config["MAX_CONTENT_LENGTH"] + excess - len(body))
    answer = embedded_client.post("/api/v1/taste", data=body, content_type=content_type)

    assert (answer.status_code, answer.content_type) == (status, PROBLEM if problem else JSON)
    assert said(answer).get("type", "").partition("#")[2] == problem


# Titles, the model, taste


def test_titles_are_found_by_any_name_with_typos(client: FlaskClient) -> None:
    [first] = said(client.get("/api/v1/anime?q=spirted+awya&limit=1"))["anime"]

    assert first == {
        "anime_id": 199,
        "title": "Sen to Chihiro no Kamikakushi",
        "title_english": "Spirited Away",
        "type": "Movie",
        "year": 2001,
        "episodes": 1,
        "url": "https://myanimelist.net/anime/199",
    }
    note = "“for adults” is not known here; our newest titles are from March 2026."
    assert said(client.get("/api/v1/anime?q=for+adults")) == {"anime": [], "notes": [note]}
    assert said(client.get("/api/v1/anime?q=for+adults&adult=1"))["anime"][0]["anime_id"] == 900
    assert said(client.get("/api/v1/anime?q=cowboy"))["notes"] == []
    assert said(client.get("/api/v1/anime?q=+"))["anime"] == []
    for query in ("", "q=", "q=x&limit=0", "q=x&limit=51", f"q={65 * 'x'}", "q=x&n=3"):
        assert client.get(f"/api/v1/anime?{query}").status_code == 400


def test_what_is_known_of_a_title_and_what_is_not(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.facts = {
        1: {
            "synopsis": "A crew.",
            "relations": (Related(5, "Side story"), Related(6, "Sequel", 0.5), Related(7, "Other", 0.35)),
            "made_from": "original",
            "tags": ("Space",),
            "streaming": (Link("x", "https://www.crunchyroll.com/bebop"), Link("y", "https://evil.example/")),
        },
        199: {"picture": "https://evil.example/cover.jpg"},
    }
    facts = said(client.get("/api/v1/anime/1"))

    assert (facts["title"], facts["title_english"], facts["synopsis"]) == ("Cowboy Bebop", None, "A crew.")
    assert facts["picture"].startswith("https://cdn.myanimelist.net/")
    assert facts["streaming"] == [{"name": "Crunchyroll", "url": "https://www.crunchyroll.com/bebop"}]
    assert facts["relations"] == [
        {"anime_id": 5, "relation": "Side story"},
        {"anime_id": 6, "relation": "Sequel", "confidence": 0.5},
    ]
    assert (facts["made_from"], facts["tags"]) == ("original", ["Space"])
    assert facts["recommendable"] is True
    assert set(facts) == {*Anime.__struct_encode_fields__, "url", "recommendable"}
    assert {"franchise", "saga", "story", "kind", "probable"} <= set(facts)  # two keep the names of before
    for anime_id in (199, 666):
        assert said(client.get(f"/api/v1/anime/{anime_id}"))["picture"] is None, "it is of a host that is not listed"
    assert not fakes.wanted, "who reads all titles would have us ask for all"


def test_no_such_title(client: FlaskClient) -> None:
    for path in ("12345", "12345/neighbours"):
        answer = client.get(f"/api/v1/anime/{path}")
        assert answer.status_code == 404
        assert said(answer) == {
            "type": "/api/v1/problems#unknown-title",
            "title": "We don't know that title",
            "status": 404,
            "detail": "Neither the catalogue nor the model has an anime with the number 12345.",
        }


def test_the_model(client: FlaskClient) -> None:
    model, manifest = said(client.get("/api/v1/model")), made_up_bundle().model.manifest

    told = {name: getattr(manifest, name) for name in ("created", "data_time", "hakken_version", "mu")}
    parts = {name: msgspec.to_builtins(getattr(manifest, name)) for name in ("sizes", "parameters")}
    assert model == {"version": "20261123T211635Z-abc"} | told | parts


def test_neighbours(embedded_client: FlaskClient, embedded: ModelBundle) -> None:
    answer = said(embedded_client.get("/api/v1/anime/1/neighbours?limit=4"))

    assert answer == {
        "nearest": [msgspec.to_builtins(one) for one in nearest(1, embedded, 4)],
        "also_liked": [msgspec.to_builtins(one) for one in also_liked(1, embedded, 4)],
        "standing": msgspec.to_builtins(standing(1, embedded)),
    }
    few, more = (said(embedded_client.get(f"/api/v1/anime/1/neighbours?limit=50&adult={one}")) for one in ("0", "1"))
    assert len(few["nearest"]) == len(more["nearest"]) == 50


def test_taste_by_name_and_of_a_list(client: FlaskClient, fakes: FakeServices) -> None:
    expected = json.loads(msgspec.json.encode(profile(SENT, made_up_bundle())))
    assert said(client.post("/api/v1/taste", json=LIST)) == expected

    fakes.list = UserList.of(SENT.ratings, skipped=2)
    [note] = list_notes(fakes.list)  # of what could not be read
    assert said(client.get("/api/v1/taste?username=spike")) == expected | {"notes": [*expected["notes"], note]}
    assert fakes.asked == [(Username("spike"), Preferences())]
    assert said(client.get("/api/v1/taste?username=spike&n=3"))["detail"] == "There is no option `n`."


# Failures


def kinds_of_error(kind: type[errors.HakkenError] = errors.HakkenError) -> Iterator[type[errors.HakkenError]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from kinds_of_error(child)


INHERITED = {
    errors.CircuitOpen: errors.SiteDown,
    # No visitor meets these: one stops the start, the others a command.
    errors.ClusterError: errors.HakkenError,
    errors.ConfigError: errors.HakkenError,
    errors.TableError: errors.HakkenError,
}
"""Of errors without an entry of their own, whose they have on purpose; those of the model have ModelError's."""


def failing(kind: type[errors.HakkenError]) -> errors.HakkenError:
    if kind is errors.AllSourcesFailed:
        return errors.AllSourcesFailed(
            "No source answered.", [("mal", errors.SiteBusy("Wait.", 90.0)), ("jikan", errors.SiteDown("It's down."))]
        )
    return kind("This is what's wrong.")


STATUSES = {
    400: {"BadUsername", "BadOption", "BadBody", "BadList", "NotAnExport"},
    403: {"PrivateList"},
    404: {"UnknownTitle", "UserNotFound"},
    413: {"ExportTooLarge"},
    422: {"MangaExport"},
    500: {"HakkenError"},
    501: {"NoListSource"},
    504: {"SiteTimeout"},
}
"""All others have 503."""


@pytest.mark.parametrize("kind", list(kinds_of_error()))
def test_every_failure_has_a_page_and_is_the_pages_own_as_a_problem(
    client: FlaskClient, fakes: FakeServices, kind: type[errors.HakkenError]
) -> None:
    fakes.failure = failing(kind)
    page, documentation = client.get("/recommendations?username=spike"), client.get("/api/v1/").text
    known = kind_of(fakes.failure)
    assert known is (errors.ModelError if issubclass(kind, errors.ModelError) else INHERITED.get(kind, kind))
    failure = failures()[known]
    assert page.status_code == next((status for status, those in STATUSES.items() if known.__name__ in those), 503)
    for sentence in (failure.heading, *failure.advice, RESPONSIBLE[failure.responsible]):
        assert " ".join(sentence.split()) in words(page)
    other_ways = "Or upload your MyAnimeList export, or pick a few titles by hand: neither needs another site."
    assert (other_ways in words(page)) == failure.other_ways
    assert ('id="username"' in page.text) == ('id="export"' in page.text) == failure.form
    assert 'content="noindex"' in page.text
    for path in ("recommendations", "taste"):
        answer = client.get(f"/api/v1/{path}?username=spike")

        assert answer.content_type == PROBLEM
        assert said(answer)["status"] == answer.status_code == page.status_code
        assert answer.headers.get("Retry-After") == page.headers.get("Retry-After")
        assert said(answer)["detail"] in words(page)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]
        assert "spike" not in answer.text
        if not issubclass(kind, errors.ExportError):  # which only an upload meets
            assert f'id="{said(answer)["type"].partition("#")[2]}"' in documentation


def test_what_was_tried_is_told(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.failure = failing(errors.AllSourcesFailed)

    page = words(client.get("/recommendations?username=spike"))
    assert "MyAnimeList's official API Wait." in page
    assert "Jikan, an unofficial API for MyAnimeList It's down." in page
    assert said(client.get("/api/v1/recommendations?username=spike")) == {
        "type": "/api/v1/problems#all-sources-failed",
        "title": "The list could not be fetched",
        "status": 503,
        "detail": "No source answered.",
        "tried": [
            {"source": "mal", "type": "/api/v1/problems#site-busy", "detail": "Wait."},
            {"source": "jikan", "type": "/api/v1/problems#site-down", "detail": "It's down."},
        ],
    }
    # Where all failed alike, it is that failure.
    fakes.failure = errors.AllSourcesFailed("No.", [("mal", errors.SiteTimeout("It took too long."))])
    problem = said(client.get("/api/v1/recommendations?username=spike"))
    assert (problem["type"], problem["status"]) == ("/api/v1/problems#site-timeout", 504)
    assert len(problem["tried"]) == 1


def test_what_is_not_there_is_a_problem_and_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    for path in ("/api/", "/api/v2", "/api/v1/nothing", "/api/v1/anime/0", "/api/v1/anime/bebop"):
        answer = client.get(path)
        assert (answer.status_code, answer.content_type) == (404, PROBLEM)
        assert said(answer)["type"] == "/api/v1/problems#not-found"
    get = {"GET", "HEAD", "OPTIONS"}
    for method, path, allowed in (("DELETE", "recommendations", {*get, "POST"}), ("POST", "anime", get)):
        answer, options = client.open(f"/api/v1/{path}", method=method), client.options(f"/api/v1/{path}")
        assert (answer.status_code, answer.content_type, options.status_code) == (405, PROBLEM, 200)
        for each in (answer, options):
            assert set(each.headers["Allow"].split(", ")) == allowed


# What others may do with the answers


@pytest.mark.parametrize("path", ["model", "recommendations?sample=1", "nothing", "anime", "openapi.json"])
def test_pages_of_any_origin_may_read_what_is_asked_for(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/api/v1/{path}", headers={"Origin": "https://else.example"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"Origin": "https://else.example"}).headers


def test_pages_of_other_origins_may_get_and_no_more(client: FlaskClient) -> None:
    asked = {"Origin": "https://else.example", "Access-Control-Request-Headers": "content-type"}
    asked["Access-Control-Request-Private-Network"] = "true"
    for method, offered in (("GET", True), ("POST", False), ("DELETE", False)):
        headers = asked | {"Access-Control-Request-Method": method}
        answer = client.options("/api/v1/recommendations", headers=headers)
        assert answer.status_code == 200
        assert ("GET" in answer.headers.get("Access-Control-Allow-Methods", "")) is offered
        assert "POST" not in answer.headers.get("Access-Control-Allow-Methods", "")
        assert answer.headers.get("Access-Control-Allow-Private-Network") != "true"


@pytest.mark.parametrize("path", ["model", "anime?q=cowboy", "anime/1", "anime/1/neighbours", "openapi.json"])
@pytest.mark.parametrize("packed", ["identity", "br"])
def test_what_is_nobodys_may_be_kept_and_asked_for_again(embedded_client: FlaskClient, path: str, packed: str) -> None:
    first = embedded_client.get(f"/api/v1/{path}", headers={"Accept-Encoding": packed})
    again = embedded_client.get(
        f"/api/v1/{path}", headers={"Accept-Encoding": packed, "If-None-Match": first.headers["ETag"]}
    )

    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "public, max-age=300"
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert embedded_client.head(f"/api/v1/{path}").headers["ETag"]


@pytest.mark.parametrize("path", ["recommendations", "taste"])
def test_what_is_someones_is_kept_nowhere(client: FlaskClient, path: str) -> None:
    for answer in (client.get(f"/api/v1/{path}?username=spike"), client.post(f"/api/v1/{path}", json=LIST)):
        assert set(answer.headers["Cache-Control"].split(", ")) == {"private", "no-store"}
        assert "ETag" not in answer.headers
