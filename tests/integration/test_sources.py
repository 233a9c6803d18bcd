"""What every source of lists must do, and what each does in its own way."""

import re
import time
import traceback
from collections.abc import Callable

import pytest
from flask import Response

from hakken.config import PUBLIC_JIKAN_URL, Settings
from hakken.errors import (
    AllSourcesFailed,
    BadUsername,
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
from hakken.sites.base import ListSource
from hakken.sites.client import HttpClient
from hakken.sites.jikan import Jikan
from hakken.sites.list_sources import ListSources
from hakken.sites.load_json import LoadJson
from hakken.sites.mal import Mal
from tests.standin.faults import Faults, reply
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID
from tests.standin.users import UNREADABLE, USERS, ratings_of

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

OUTCOMES: dict[Faults, type[SiteError]] = {
    Faults.NOT_FOUND_HTML: SiteBlocked,
    Faults.UNAUTHORIZED: SiteBlocked,
    Faults.FORBIDDEN_HTML: SiteBlocked,
    Faults.FORBIDDEN_EMPTY: SiteBlocked,
    Faults.BUSY: SiteBusy,
    Faults.BUSY_FOR_AN_HOUR: SiteBusy,
    Faults.OUT_OF_ORDER: SiteDown,
    Faults.GATEWAY_TIMEOUT: SiteDown,
    Faults.REDIRECT: InvalidResponse,
    Faults.REDIRECT_AT_LENGTH: InvalidResponse,
    Faults.SLOW_HEADERS: SiteTimeout,
    Faults.DRIPPED_HEADERS: SiteTimeout,
    Faults.DRIPPED_BODY: SiteTimeout,
    Faults.CUT_SHORT: SiteDown,
    Faults.RESET: SiteDown,
    Faults.NOT_HTTP: SiteDown,
    Faults.NOTHING: InvalidResponse,
    Faults.NO_CONTENT: InvalidResponse,
    Faults.HTML: InvalidResponse,
    Faults.TRUNCATED_JSON: InvalidResponse,
    Faults.DEEP_JSON: InvalidResponse,
    Faults.WRONG_TYPES: InvalidResponse,
    Faults.NOT_UTF8: InvalidResponse,
    Faults.NOT_GZIP: InvalidResponse,
    Faults.HUGE_BODY: InvalidResponse,
    Faults.GZIP_BOMB: InvalidResponse,
}

FINAL = {
    ("jikan", "nobody"): UserNotFound,
    ("jikan", "recluse"): SiteBlocked,
    ("mal", "nobody"): UserNotFound,
    ("mal", "recluse"): PrivateList,
    ("load_json", "nobody"): SiteBlocked,
    ("load_json", "recluse"): SiteBlocked,
    ("anilist", "nobody"): UserNotFound,
    ("anilist", "recluse"): PrivateList,
}


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
    # AniList's lists go by status, so which of them is the last is another matter there.
    first = next(rating for rating in fetched.ratings if rating.anime_id == 1)
    assert first == (Rating(1, 3, Status.WATCHING) if source.name == "anilist" else Rating(1, 9, Status.COMPLETED))


def test_entries_that_cannot_be_read_are_skipped_and_counted(source: ListSource, http: HttpClient) -> None:
    fetched = source.fetch_list(http, "unreadable", http.new_deadline())

    assert set(fetched.ratings) == {Rating(70, 8), Rating(80, 4)}
    assert fetched.skipped == len(UNREADABLE)


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

    assert type(_failure(paged, http, "long-list")) is OUTCOMES[fault]
    assert len({tuple(seen.args.items()) for seen in standin.requests}) == 2


@pytest.mark.parametrize("name", PAGED)
def test_all_pages_have_one_deadline(standin: Standin, name: str) -> None:
    http = HttpClient(DEADLINE)

    def slow_page() -> None:
        time.sleep(DEADLINE / 2)

    standin.fail(name, slow_page)
    begun = time.monotonic()

    error = _failure(BUILDERS[name](standin), http, "even-list")

    assert type(error) is SiteTimeout
    assert DEADLINE - 0.1 < time.monotonic() - begun < DEADLINE + 1
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


def test_jikan_asks_for_pages_by_number(standin: Standin, http: HttpClient) -> None:
    Jikan(standin.jikan_url + "/").fetch_list(http, "long-list", http.new_deadline())

    assert {seen.path for seen in standin.requests} == {"/jikan/v4/users/long-list/animelist"}
    assert [seen.args for seen in standin.requests] == [{"page": str(page)} for page in range(1, 6)]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, '{"status": 404, "message": "Resource does not exist", "error": null}', UserNotFound),
        (404, '{"status": 404, "message": null, "error": "Resource does not exist."}', UserNotFound),
        (404, '{"status": 404, "type": "HttpException", "message": "Not Found", "error": "404"}', SiteBlocked),
        (404, '{"status": 404}', SiteBlocked),
        (404, '"Resource does not exist"', SiteBlocked),
        (404, "Resource does not exist", SiteBlocked),
        (400, '{"status": 400, "message": "Resource does not exist"}', SiteBlocked),
    ],
)
def test_jikan_means_the_user_with_one_404_only(
    standin: Standin, http: HttpClient, status: int, body: str, error: type[HakkenError]
) -> None:
    standin.fail("jikan", reply(status, body))

    assert type(_failure(Jikan(standin.jikan_url), http)) is error


def test_mal_asks_with_its_client_id_and_for_gray_titles_too(standin: Standin, http: HttpClient) -> None:
    Mal(standin.mal_url, CLIENT_ID).fetch_list(http, "long-list", http.new_deadline())

    assert {seen.headers["X-Mal-Client-Id"] for seen in standin.requests} == {CLIENT_ID}
    assert [seen.args for seen in standin.requests] == [
        {"fields": "list_status", "nsfw": "true", "limit": "1000", "offset": offset} for offset in ("0", "1000")
    ]


def test_mal_giving_shorter_pages_than_asked_for_loses_no_entry(standin: Standin, http: HttpClient) -> None:
    entry = '{{"node": {{"id": {}}}, "list_status": {{"status": "completed", "score": 5}}}}'
    bodies = iter(
        f'{{"data": [{entry.format(page)}], "paging": {{{following}}}}}'
        for page, following in ((1, '"next": "x"'), (2, '"next": "y"'), (3, '"previous": "z"'))
    )
    standin.fail("mal", lambda: Response(next(bodies)))

    assert len(Mal(standin.mal_url, CLIENT_ID).fetch_list(http, "everything", http.new_deadline())) == 3
    assert [seen.args["offset"] for seen in standin.requests] == ["0", "1", "2"]


def test_mal_promising_more_and_giving_nothing_is_cut_off(standin: Standin, http: HttpClient) -> None:
    standin.fail("mal", reply(200, '{"data": [], "paging": {"next": "x"}}'))

    assert type(_failure(Mal(standin.mal_url, CLIENT_ID), http)) is InvalidResponse
    assert len(standin.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("body", ["[]", '{"error": null}', '{"message": "no"}', "error", ""])
def test_mal_is_believed_only_in_its_own_words(standin: Standin, http: HttpClient, status: int, body: str) -> None:
    standin.fail("mal", reply(status, body))

    assert type(_failure(Mal(standin.mal_url, CLIENT_ID), http)) is SiteBlocked


def test_load_json_ends_at_an_empty_page_only(standin: Standin, http: HttpClient) -> None:
    LoadJson(standin.load_json_url).fetch_list(http, "long-list", http.new_deadline())

    assert [seen.args["offset"] for seen in standin.requests] == ["0", "300", "600", "900", "1200", "1250"]
    assert {seen.args["status"] for seen in standin.requests} == {"7"}


def test_anilist_counts_no_entry_twice_for_its_custom_lists(standin: Standin, http: HttpClient) -> None:
    fetched = AniList(standin.anilist_url).fetch_list(http, "everything", http.new_deadline())

    assert fetched.repeats == 0
    assert Rating(9253, 6, Status.ON_HOLD) in fetched.ratings  # which is in a custom list only


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ('{"message": "Private User", "status": 404}', PrivateList),
        ('{"message": "User not found", "status": 404}', UserNotFound),
        ('{"message": "Not Found."}', UserNotFound),
        ('{"message": "Too Many Requests.", "status": 429}', SiteBusy),
        ('{"message": "Internal Server Error", "status": 500}', SiteDown),
    ],
)
def test_anilist_puts_its_errors_in_the_body_whatever_the_status(
    standin: Standin, http: HttpClient, status: int, error: str, expected: type[HakkenError]
) -> None:
    standin.fail("anilist", reply(status, f'{{"errors": [{error}], "data": null}}'))

    assert type(_failure(AniList(standin.anilist_url), http)) is expected


@pytest.mark.parametrize(("status", "expected"), [(200, InvalidResponse), (403, SiteBlocked), (400, SiteBlocked)])
def test_anilist_saying_something_else_says_nothing_of_the_user(
    standin: Standin, http: HttpClient, status: int, expected: type[HakkenError]
) -> None:
    body = '{"errors": [{"message": "The API has been disabled", "status": 403}], "data": null}'
    standin.fail("anilist", reply(status, body))

    assert type(_failure(AniList(standin.anilist_url), http)) is expected


# Several in turn


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)


def sources_of(settings: Settings) -> ListSources:
    return ListSources.from_settings(settings, HttpClient.from_settings(settings))


ALL_MAL = "mal, jikan,load_json"


def test_the_first_source_that_answers_is_the_last_one_asked(standin: Standin) -> None:
    fetched = sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username("everything"))

    assert set(fetched.ratings) == ratings_of("everything")
    assert standin.asked() == ["mal"]


def test_a_source_that_fails_passes_on_to_the_next(standin: Standin) -> None:
    standin.fail("mal", Faults.OUT_OF_ORDER)
    standin.fail("jikan", Faults.TRUNCATED_JSON)

    fetched = sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username("everything"))

    assert set(fetched.ratings) == ratings_of("everything")
    # What may pass is tried again; what can't be read is not.
    assert standin.asked() == ["mal", "mal", "mal", "jikan", "load_json", "load_json"]


def test_a_list_half_fetched_is_not_mended_with_another_sources(standin: Standin) -> None:
    standin.fail("mal", Faults.OUT_OF_ORDER, after=1)

    fetched = sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username("long-list"))

    assert (len(fetched), fetched.repeats) == (1250, 0)


def test_a_source_that_hangs_leaves_time_to_the_next(standin: Standin) -> None:
    standin.fail("mal", Faults.SLOW_HEADERS)
    sources = sources_of(standin.settings(list_sources="mal,jikan", deadline=2 * DEADLINE))

    assert set(sources.fetch(Username("everything")).ratings) == ratings_of("everything")


def test_all_sources_have_one_deadline(standin: Standin) -> None:
    for name in PAGED:
        standin.fail(name, Faults.DRIPPED_BODY)
    sources = sources_of(standin.settings(list_sources=ALL_MAL, deadline=DEADLINE))
    begun = time.monotonic()

    with pytest.raises(AllSourcesFailed) as caught:
        sources.fetch(Username("everything"))

    assert time.monotonic() - begun < DEADLINE + 1
    assert [(name, type(error)) for name, error in caught.value.tried] == [(name, SiteTimeout) for name in _names()]


def _names() -> list[str]:
    return [name.strip() for name in ALL_MAL.split(",")]


@pytest.mark.parametrize(("user", "error"), [("nobody", UserNotFound), ("recluse", PrivateList), ("?", BadUsername)])
def test_what_is_final_asks_no_other(standin: Standin, user: str, error: type[HakkenError]) -> None:
    with pytest.raises(error):
        sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username(user))

    assert len(standin.requests) <= 1


def test_when_all_refuse_the_list_is_not_found_private_or_blocked(standin: Standin) -> None:
    standin.fail("mal", Faults.FORBIDDEN_HTML)
    standin.fail("jikan", Faults.NOT_FOUND_HTML)

    with pytest.raises(AllSourcesFailed, match="not found, private, or blocked") as caught:
        sources_of(standin.settings(list_sources=ALL_MAL)).fetch(Username("nobody"))

    assert [(name, type(error)) for name, error in caught.value.tried] == [(name, SiteBlocked) for name in _names()]


def test_when_one_could_not_answer_it_may_later(standin: Standin) -> None:
    standin.fail("mal", Faults.FORBIDDEN_HTML)
    standin.fail("jikan", Faults.BUSY_FOR_AN_HOUR)

    with pytest.raises(AllSourcesFailed, match="MyAnimeList could not answer; please try again later"):
        sources_of(standin.settings()).fetch(Username("everything"))


def test_a_site_with_one_source_fails_as_one_with_many(standin: Standin) -> None:
    standin.fail("anilist", Faults.FORBIDDEN_EMPTY)

    with pytest.raises(AllSourcesFailed, match="AniList: not found, private, or blocked") as caught:
        sources_of(standin.settings()).fetch(Username("everything", Site.ANILIST))

    assert [name for name, _ in caught.value.tried] == ["anilist"]


@pytest.mark.parametrize(
    ("listed", "client_id", "asked"),
    [
        ("", CLIENT_ID, ["mal", "jikan"]),
        ("", "", ["jikan"]),  # which is not the public one
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


@pytest.mark.parametrize("listed", ["kitsu", "mal,,jikan", "MAL", "mal jikan", "anilist", ",", "mal"])
def test_an_unknown_source_and_mal_without_a_client_id_are_refused_at_start(listed: str) -> None:
    with pytest.raises(ConfigError, match="MAL_CLIENT_ID" if listed == "mal" else "HAKKEN_LIST_SOURCES"):
        sources_of(Settings(list_sources=listed, mal_client_id="" if listed == "mal" else CLIENT_ID))


def test_without_a_source_of_a_sites_lists_nobody_is_asked(standin: Standin) -> None:
    sources = sources_of(standin.settings(mal_client_id="", jikan_url=PUBLIC_JIKAN_URL))

    with pytest.raises(NoListSource, match="set MAL_CLIENT_ID, or name a source in HAKKEN_LIST_SOURCES"):
        sources.fetch(Username("everything"))
    with pytest.raises(BadUsername):
        sources.fetch(Username("no such name"))
    assert not standin.asked()

    assert len(sources.fetch(Username("everything", Site.ANILIST)))


def test_the_public_jikan_is_asked_where_the_operator_names_it(standin: Standin) -> None:
    sources = sources_of(standin.settings(list_sources="jikan", jikan_url=PUBLIC_JIKAN_URL, deadline=DEADLINE))

    with pytest.raises(AllSourcesFailed) as failed:
        sources.fetch(Username("everything"))

    assert [name for name, _ in failed.value.tried] == ["jikan"]


# ListSources that ask no site
