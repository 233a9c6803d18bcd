"""What every source of lists must do, and what each does in its own way."""

import logging
import re
import time
import traceback
from collections.abc import Callable, Sequence

import pytest
from flask import Response

from hakken.config import PUBLIC_JIKAN_URL, Settings
from hakken.errors import (
    AllSourcesFailed,
    BadUsername,
    ClientIdRefused,
    ConfigError,
    HakkenError,
    InvalidResponse,
    NoListSource,
    PrivateList,
    SiteBlocked,
    SiteBusy,
    SiteDown,
    SiteError,
    SiteTimeout,
    UserNotFound,
)
from hakken.ratings import Rating, Site, Status, Username
from hakken.sites.anilist import AniList
from hakken.sites.client import HttpClient
from hakken.sites.jikan import Jikan
from hakken.sites.list_sources import ListSource, ListSources
from hakken.sites.load_json import LoadJson
from hakken.sites.mal import Mal
from tests.standin.faults import Faults, reply
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID
from tests.standin.users import UNCLEAR, UNREADABLE, USERS, ratings_of

PATIENT = 20.0
"""A deadline that no answer passes, but for those that have no end."""
DEADLINE = 0.8

BUILDERS: dict[str, Callable[[Standin], ListSource]] = {
    "jikan": lambda standin: Jikan(standin.jikan_url),
    "mal": lambda standin: Mal(standin.mal_url, CLIENT_ID),
    "load_json": lambda standin: LoadJson(standin.load_json_url),
    "anilist": lambda standin: AniList(standin.anilist_url),
}
PAGED = ("jikan", "mal", "load_json")


@pytest.fixture
def http() -> HttpClient:
    return HttpClient(PATIENT)


@pytest.fixture(params=BUILDERS)
def source(request: pytest.FixtureRequest, standin: Standin) -> ListSource:
    return BUILDERS[request.param](standin)


@pytest.fixture(params=PAGED)
def paged(request: pytest.FixtureRequest, standin: Standin) -> ListSource:
    return BUILDERS[request.param](standin)


# What every source does


@pytest.mark.parametrize("user", ["everything", "empty", "long-list", "even-list"])
def test_a_list_comes_whole(source: ListSource, http: HttpClient, user: str) -> None:
    fetched = source.fetch_list(http, user, http.new_deadline())

    assert len(fetched) == len(USERS[user])
    assert set(fetched.ratings) == ratings_of(user)
    assert (fetched.skipped, fetched.repeats) == (0, 0)


def test_of_repeated_entries_the_last_counts(source: ListSource, http: HttpClient) -> None:
    fetched = source.fetch_list(http, "repeats", http.new_deadline())

    assert (len(fetched), fetched.repeats) == (1100, 2)
    assert Rating(1, 9, Status.COMPLETED) in fetched.ratings


def test_only_entries_without_an_anime_are_left_out(source: ListSource, http: HttpClient) -> None:
    fetched = source.fetch_list(http, "unreadable", http.new_deadline())

    unclear = {Rating(71), Rating(72), Rating(73), Rating(74, 8)}
    assert set(fetched.ratings) == {Rating(70, 8), *unclear, Rating(75), Rating(80, 4)}
    assert (fetched.skipped, fetched.unclear) == (len(UNREADABLE), len(UNCLEAR))


@pytest.mark.parametrize(
    "name", ["", "a", "a" * 21, "a b", "a/b", "a?b", "..", "<b>", "ünï", "a\nb", "٣٣", "a%2Fb", "x\x00"]
)
def test_a_name_that_no_site_gives_out_is_no_username(name: str) -> None:
    with pytest.raises(BadUsername) as caught:
        Username(name)

    assert len(name) < 2 or name not in str(caught.value)
    assert Username(" everything\n").name == "everything", "white space around a name does not matter"


@pytest.mark.parametrize("fault", [Faults.TRUNCATED_JSON, Faults.WRONG_TYPES, Faults.FORBIDDEN_HTML, Faults.CUT_SHORT])
def test_a_later_page_that_fails_fails_the_fetch(
    paged: ListSource, http: HttpClient, standin: Standin, fault: Faults
) -> None:
    standin.fail(paged.name, fault, after=1)

    assert type(_failure(paged, http, "long-list")) is fault.error
    assert len({tuple(seen.args.items()) for seen in standin.requests}) == 2


@pytest.mark.parametrize("name", PAGED)
def test_all_pages_have_one_deadline(standin: Standin, name: str) -> None:
    standin.fail(name, lambda: time.sleep(DEADLINE / 2))

    assert type(_failure(BUILDERS[name](standin), HttpClient(DEADLINE), "even-list")) is SiteTimeout
    assert len(standin.requests) in {2, 3}


def _failure(source: ListSource, http: HttpClient, user: str = "everything") -> HakkenError:
    """Fetch what can't be fetched; no error may give away the name, the address or the client id."""
    with pytest.raises(HakkenError) as caught:
        source.fetch_list(http, user, http.new_deadline())
    told = str(caught.value)
    assert told.endswith(".")
    logged = "".join(line for line in traceback.format_exception(caught.value) if not line.startswith("  File"))
    assert not re.search(rf"{user}|animelist|load\.json|http:|{CLIENT_ID}|page=|offset=", logged)
    return caught.value


# What each does in its own way


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("jikan", [{"page": str(page)} for page in range(1, 6)]),
        ("mal", [{"fields": "list_status", "nsfw": "true", "limit": "1000", "offset": at} for at in ("0", "1000")]),
        ("load_json", [{"status": "7", "offset": str(offset)} for offset in (0, 300, 600, 900, 1200, 1250)]),
    ],
)
def test_a_source_asks_for_its_pages_as_the_site_numbers_them(
    standin: Standin, http: HttpClient, name: str, asked: list[dict[str, str]]
) -> None:
    BUILDERS[name](standin).fetch_list(http, "long-list", http.new_deadline())

    assert [seen.args for seen in standin.requests] == asked
    assert {seen.headers.get("X-Mal-Client-Id") for seen in standin.requests} == {CLIENT_ID if name == "mal" else None}


def test_an_address_may_end_in_a_slash(standin: Standin, http: HttpClient) -> None:
    Jikan(standin.jikan_url + "/").fetch_list(http, "empty", http.new_deadline())

    assert {seen.path for seen in standin.requests} == {"/jikan/v4/users/empty/animelist"}


def _errors(error: str) -> str:
    return f'{{"errors": [{error}], "data": null}}'


SAID: list[tuple[str, Sequence[int], str, type[HakkenError]]] = [
    ("jikan", [404], '{"status": 404, "message": "Resource does not exist", "error": null}', UserNotFound),
    ("jikan", [404], '{"status": 404, "message": null, "error": "Resource does not exist."}', UserNotFound),
    ("jikan", [404], '{"type": "HttpException", "message": "Not Found", "error": "404"}', SiteBlocked),
    ("jikan", [404], '"Resource does not exist"', SiteBlocked),
    ("jikan", [404], "Resource does not exist", SiteBlocked),
    ("jikan", [400], '{"status": 400, "message": "Resource does not exist"}', SiteBlocked),
    *(
        ("mal", [400, 403, 404], body, SiteBlocked)
        for body in ("[]", '{"error": null}', '{"message": "no"}', "error", "")
    ),
    ("mal", [200], '{"data": [], "paging": {"next": "x"}}', InvalidResponse),  # more is promised, and nothing given
    ("anilist", [200, 404], _errors('{"message": "Private User", "status": 404}'), PrivateList),
    ("anilist", [200, 404], _errors('{"message": "User not found", "status": 404}'), UserNotFound),
    ("anilist", [200, 404], _errors('{"message": "Not Found."}'), UserNotFound),
    ("anilist", [200, 404], _errors('{"message": "Too Many Requests.", "status": 429}'), SiteBusy),
    ("anilist", [200, 404], _errors('{"message": "Internal Server Error", "status": 500}'), SiteDown),
    ("anilist", [200, 403], _errors('{"message": "The API has been disabled", "status": 403}'), SiteDown),
    ("anilist", [200], '{"data": {"MediaListCollection": {"lists": null}}}', InvalidResponse),
    ("anilist", [200], '{"data": {"MediaListCollection": {"lists": [], "hasNextChunk": true}}}', InvalidResponse),
    ("mal", [400], '{"error": "bad_request", "message": "Invalid client id"}', ClientIdRefused),
    ("mal", [401], '{"error": "invalid_token", "message": ""}', ClientIdRefused),
]


@pytest.mark.parametrize(("name", "statuses", "body", "error"), SAID)
def test_a_site_is_believed_only_in_its_own_words(
    standin: Standin, http: HttpClient, name: str, statuses: Sequence[int], body: str, error: type[HakkenError]
) -> None:
    for asked, status in enumerate(statuses, 1):
        standin.fail(name, reply(status, body))

        assert type(_failure(BUILDERS[name](standin), http)) is error
        assert len(standin.requests) == asked


def test_mal_giving_shorter_pages_than_asked_for_loses_no_entry(standin: Standin, http: HttpClient) -> None:
    entry = '{{"node": {{"id": {}}}, "list_status": {{"status": "completed", "score": 5}}}}'
    bodies = iter(
        f'{{"data": [{entry.format(page)}], "paging": {{{following}}}}}'
        for page, following in ((1, '"next": "x"'), (2, '"next": "y"'), (3, '"previous": "z"'))
    )
    standin.fail("mal", lambda: Response(next(bodies)))

    assert len(Mal(standin.mal_url, CLIENT_ID).fetch_list(http, "everything", http.new_deadline())) == 3
    assert [seen.args["offset"] for seen in standin.requests] == ["0", "1", "2"]


# Several in turn


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)


def sources_of(settings: Settings) -> ListSources:
    return ListSources.from_settings(settings, HttpClient.from_settings(settings))


ALL_MAL = "mal, jikan,load_json"


@pytest.mark.parametrize(
    ("faults", "asked"),
    [
        ([], ["mal"]),
        # What may pass is tried again; what can't be read is not.
        ([("mal", Faults.OUT_OF_ORDER), ("jikan", Faults.TRUNCATED_JSON)], [*["mal"] * 3, "jikan", *["load_json"] * 2]),
    ],
)
def test_a_source_that_fails_passes_on_to_the_next_and_the_first_that_answers_is_the_last_one_asked(
    standin: Standin, faults: list[tuple[str, Faults]], asked: list[str]
) -> None:
    for name, fault in faults:
        standin.fail(name, fault)

    fetched = sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username("everything"))

    assert set(fetched.ratings) == ratings_of("everything")
    assert standin.asked() == asked


def test_a_list_half_fetched_is_not_mended_with_another_sources(standin: Standin) -> None:
    standin.fail("mal", Faults.OUT_OF_ORDER, after=1)

    fetched = sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username("long-list"))

    assert (len(fetched), fetched.repeats) == (1250, 0)


def test_a_source_that_hangs_leaves_time_to_the_next(standin: Standin) -> None:
    standin.fail("mal", Faults.SLOW_HEADERS)
    sources = sources_of(standin.settings(list_sources="mal,jikan", deadline=2 * DEADLINE))

    assert set(sources.fetch(Username("everything")).ratings) == ratings_of("everything")


@pytest.mark.parametrize(("user", "error"), [("nobody", UserNotFound), ("recluse", PrivateList), ("?", BadUsername)])
def test_what_is_final_asks_no_other(standin: Standin, user: str, error: type[HakkenError]) -> None:
    with pytest.raises(error):
        sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username(user))

    assert len(standin.requests) <= 1


REFUSED, LATER = "{}: not found, private, or blocked", "{} could not answer; please try again later"


@pytest.mark.parametrize(
    ("site", "faults", "errors", "words"),
    [
        (Site.MAL, [Faults.FORBIDDEN_HTML, Faults.NOT_FOUND_HTML, Faults.UNAUTHORIZED], [SiteBlocked] * 3, REFUSED),
        (Site.MAL, [Faults.FORBIDDEN_HTML, Faults.HTML, Faults.HTML], [SiteBlocked, *[InvalidResponse] * 2], LATER),
        (Site.MAL, [Faults.DRIPPED_BODY] * 3, [SiteTimeout] * 3, LATER),
        (Site.ANILIST, [Faults.FORBIDDEN_EMPTY], [SiteBlocked], REFUSED),
    ],
)
def test_when_all_fail_within_one_deadline_each_is_told_of(
    standin: Standin, site: Site, faults: list[Faults], errors: list[type[SiteError]], words: str
) -> None:
    names = _names() if site is Site.MAL else ["anilist"]
    for name, fault in zip(names, faults, strict=True):
        standin.fail(name, fault)
    sources = sources_of(standin.settings(list_sources=ALL_MAL, deadline=DEADLINE))
    begun = time.monotonic()

    with pytest.raises(
        AllSourcesFailed, match=words.format("MyAnimeList" if site is Site.MAL else "AniList")
    ) as caught:
        sources.fetch(Username("everything", site))

    assert time.monotonic() - begun < DEADLINE + 5  # each of those that drip would have half a minute
    assert [(name, type(error)) for name, error in caught.value.tried] == list(zip(names, errors, strict=True))


def _names() -> list[str]:
    return [name.strip() for name in ALL_MAL.split(",")]


@pytest.mark.parametrize(
    ("listed", "client_id", "asked"),
    [
        ("", CLIENT_ID, ["mal", "jikan", "load_json"]),
        ("", "", ["jikan", "load_json"]),  # where Jikan is not the public one
        ("load_json", "", ["load_json"]),
        ("jikan,mal", CLIENT_ID, ["jikan", "mal"]),
        ("jikan, jikan", "", ["jikan"]),
    ],
)
def test_an_operator_chooses_the_sources_and_their_order(
    standin: Standin, listed: str, client_id: str, asked: list[str]
) -> None:
    for name in PAGED:
        standin.fail(name, Faults.FORBIDDEN_HTML)
    sources = sources_of(standin.settings(list_sources=listed, mal_client_id=client_id))

    with pytest.raises(AllSourcesFailed):
        sources.fetch(Username("everything"))

    assert list(dict.fromkeys(standin.asked())) == asked


@pytest.mark.parametrize("listed", ["mal", "mal,load_json"])
def test_a_refused_client_id_is_told_to_the_operator_and_the_next_source_asked(
    standin: Standin, caplog: pytest.LogCaptureFixture, listed: str
) -> None:
    sources = sources_of(standin.settings(list_sources=listed, mal_client_id="of-yesterday"))
    if listed != "mal":
        assert len(sources.fetch(Username("everything"))) > 0
        standin.fail("load_json", Faults.FORBIDDEN_HTML)
    with pytest.raises(AllSourcesFailed, match="rejects this server's client id") as caught:
        sources.fetch(Username("everyone"))
    assert type(caught.value.tried[0][1]) is ClientIdRefused
    errors = {record.getMessage() for record in caplog.records if record.levelno == logging.ERROR}
    assert len(errors) == 1
    assert "does not accept this server's MAL_CLIENT_ID" in errors.pop()


@pytest.mark.parametrize("listed", ["kitsu", "mal,,jikan", "MAL", "mal jikan", "anilist", ",", "mal"])
def test_an_unknown_source_and_mal_without_a_client_id_are_refused_at_start(listed: str) -> None:
    with pytest.raises(ConfigError, match="MAL_CLIENT_ID" if listed == "mal" else "HAKKEN_LIST_SOURCES"):
        sources_of(Settings(list_sources=listed, mal_client_id="" if listed == "mal" else CLIENT_ID))


def test_without_a_source_of_a_sites_lists_nobody_is_asked(standin: Standin) -> None:
    sources = sources_of(standin.settings(list_sources="off"))

    with pytest.raises(NoListSource, match="HAKKEN_LIST_SOURCES is off"):
        sources.fetch(Username("everything"))
    with pytest.raises(BadUsername):
        sources.fetch(Username("no such name"))
    assert not standin.asked()

    assert len(sources.fetch(Username("everything", Site.ANILIST)))
    named = standin.settings(list_sources="jikan", jikan_url=PUBLIC_JIKAN_URL, deadline=DEADLINE)
    with pytest.raises(AllSourcesFailed):  # it is asked where the operator names it
        sources_of(named).fetch(Username("everything"))
