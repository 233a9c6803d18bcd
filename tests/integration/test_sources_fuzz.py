"""Whatever a site sends becomes a list, an anime or a SourceError, in little time and memory."""

import json
import tracemalloc
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hakken.catalogue import Anime
from hakken.errors import SiteError, SiteTimeout, SourceError
from hakken.ratings import MAX_ANIME_ID, MAX_SCORE, UserList
from hakken.sites.anilist import AniList
from hakken.sites.facts import FactsSite
from hakken.sites.http import Answer, Deadline
from hakken.sites.jikan import Jikan
from hakken.sites.list_sources import ListSource
from hakken.sites.load_json import LoadJson
from hakken.sites.mal import Mal
from tests.standin import anime, sites  # noqa: F401  # anime adds the pages about anime to the sites
from tests.standin.sites import CLIENT_ID

if TYPE_CHECKING:
    from hakken.sites.client import HttpClient

URL = "http://site.example"
SOURCES: dict[str, ListSource] = {
    "jikan": Jikan(URL),
    "mal": Mal(URL, "id"),
    "load_json": LoadJson(URL),
    "anilist": AniList(URL),
}
GOOD: dict[str, Any] = {
    "jikan": {"data": [{"watching_status": 2, "score": 8, "anime": {"mal_id": 1}}]},
    "mal": {"data": [{"node": {"id": 1}, "list_status": {"status": "completed", "score": 8}}], "paging": {"next": "x"}},
    "load_json": [{"anime_id": 1, "score": 8, "status": 2}],
    "anilist": {
        "data": {
            "MediaListCollection": {"lists": [{"entries": [{"score": 8, "status": "CURRENT", "media": {"idMal": 1}}]}]}
        },
        "errors": [{"message": "Private User", "status": 404}],
    },
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=9),
    st.sampled_from([10**400, -1, 0, 1, 2**31, 1e308, "1", "completed", "\ud800", "next", [], {}, [[]], [{}]]),
)
ANYTHING = st.recursive(
    ODD, lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=9), below, max_size=4)
)
STATUSES = st.sampled_from([200, 200, 200, 400, 401, 403, 404, 418])


STANDIN = Flask(__name__)
for _site in sites.ALL:
    STANDIN.register_blueprint(_site)


class Site:
    """Sends one answer whatever it is asked, and has had enough after some."""

    def __init__(self, status: int, body: bytes) -> None:
        self._answer = Answer("site.example", status, body)
        self._left = 30

    def get(self, *_: object, **__: object) -> Answer:
        self._left -= 1
        if not self._left:
            raise SiteTimeout("site.example did not answer in time.")
        return self._answer

    post = get


@st.composite
def twisted(draw: st.DrawFn, value: object) -> object:
    """What a site should send, with something put in the place of any of its parts, or left out."""
    if draw(st.integers(0, 5)) == 0:
        return draw(ANYTHING)
    if isinstance(value, dict):
        return {key: draw(twisted(part)) for key, part in value.items() if draw(st.integers(0, 8))}
    if isinstance(value, list):
        return [draw(twisted(part)) for part in value for _ in range(draw(st.integers(0, 3)))]
    return value


def read(name: str, status: int, body: bytes) -> UserList | None:
    """Let a source read it; None for an error of ours."""
    http = cast("HttpClient", Site(status, body))
    try:
        found = SOURCES[name].fetch_list(http, "somebody", Deadline.after(10))
    except SourceError:
        return None
    for rating in found.ratings:
        assert 1 <= rating.anime_id <= MAX_ANIME_ID
        assert -1 <= rating.score <= MAX_SCORE
    return found


@pytest.mark.parametrize("name", SOURCES)
@given(status=STATUSES, body=st.binary(max_size=99))
@example(200, b"")
@example(200, b"\xff\xfe[\x00]\x00")
@example(200, b"[" * 10_000)
@example(200, b'{"data":' * 10_000)
def test_any_bytes(name: str, status: int, body: bytes) -> None:
    read(name, status, body)


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_almost_what_it_should_be(name: str, data: st.DataObject) -> None:
    read(name, data.draw(STATUSES), json.dumps(data.draw(twisted(GOOD[name]))).encode())


@pytest.mark.parametrize("site", [Jikan("/jikan/v4"), Mal("/mal/v2", CLIENT_ID)], ids=lambda site: site.name)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_facts_are_an_anime_that_can_be_kept_or_an_error_of_ours(site: FactsSite, data: st.DataObject) -> None:
    url, params, headers = site.about(1)
    good = STANDIN.test_client().get(url, query_string=params, headers=headers).json
    body = json.dumps(data.draw(twisted(good))).encode()
    try:
        found = site.read(Answer("site.example", data.draw(STATUSES), body), 1)
    except SiteError:
        return
    if found is not None:
        # It can be written, and read again as the same, as a catalogue or a progress file needs.
        assert msgspec.json.decode(msgspec.json.encode(found), type=Anime) == found
        assert abs(found.members or 0) < 2**31


@pytest.mark.parametrize("name", SOURCES)
def test_a_large_page_of_nonsense_takes_little_memory(name: str) -> None:
    nonsense = b"[" + b"[[[]]]," * 100_000 + b"0]"
    for body in (nonsense, b'{"data": ' + nonsense + b', "paging": {}}', _in_lists(nonsense)):
        tracemalloc.start()
        read(name, 200, body)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40 * len(body)


def _in_lists(entries: bytes) -> bytes:
    return b'{"data": {"MediaListCollection": {"lists": [{"entries": ' + entries + b"}]}}}"
