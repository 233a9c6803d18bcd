"""What visitors share who ask for the same list at once: one fetch, its list for minutes, and its failure."""

import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hakken.errors import (
    AllSourcesFailed,
    PrivateList,
    SiteBusy,
    SiteDown,
    SiteTimeout,
    SourceError,
    TooManyFetches,
    UserNotFound,
)
from hakken.ratings import Rating, Site, Status, UserList, Username
from hakken.sites import list_sources
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline
from hakken.sites.list_sources import ListCache, ListSources
from tests.standin.server import Standin

WHO = Username("Everything")
LIST = UserList.of([Rating(1, 9), Rating(5, 0, Status.DROPPED), Rating(1, 8)], skipped=3)
EMPTY = UserList()
FAILURES = [
    UserNotFound("MyAnimeList has no user of that name."),
    AllSourcesFailed("All failed.", [("mal", SiteBusy("Busy.", 7.5))]),
]


class Fetch:
    """A fetch that takes its time, and counts."""

    def __init__(self, outcome: UserList | SourceError = LIST, seconds: float = 0.3) -> None:
        self.times = 0
        self._outcome = outcome
        self._seconds = seconds

    def __call__(self) -> UserList:
        self.times += 1
        time.sleep(self._seconds)
        if isinstance(self._outcome, SourceError):
            raise self._outcome
        return self._outcome


def together(number: int, act: Callable[[], UserList]) -> list[UserList | SourceError]:
    """Let so many visitors come at once; what each gets."""
    start = threading.Barrier(number)

    def visit(_: int) -> UserList | SourceError:
        start.wait()
        try:
            return act()
        except SourceError as error:
            return error

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(visit, range(number)))


@pytest.fixture
def cache() -> ListCache:
    return ListCache()


def fetch(cache: ListCache, act: Callable[[], UserList], who: Username = WHO, seconds: float = 10) -> UserList:
    return cache.fetch(who, Deadline.after(seconds), act)


@pytest.mark.parametrize("outcome", [LIST, EMPTY, *FAILURES])
def test_ten_visitors_cost_one_fetch_and_share_what_comes_of_it(
    cache: ListCache, outcome: UserList | SourceError
) -> None:
    act = Fetch(outcome)

    assert together(10, lambda: fetch(cache, act)) == [outcome] * 10
    assert act.times == 1


def test_who_comes_after_a_failure_fetches_anew(cache: ListCache) -> None:
    for failure in (PrivateList("Private."), ZeroDivisionError()):  # the second is a mistake of ours

        def fail(error: Exception = failure) -> UserList:
            raise error

        with pytest.raises(type(failure)):
            fetch(cache, fail)

    assert fetch(cache, Fetch(seconds=0)) == LIST


def test_a_list_is_found_again_also_in_capitals(cache: ListCache) -> None:
    fetch(cache, Fetch(seconds=0))

    assert cache.find(Username(" EVERYTHING ")) == LIST
    assert fetch(cache, Fetch(EMPTY)) == LIST
    assert cache.find(Username("everything", Site.ANILIST)) is None
    assert cache.find(Username("somebody")) is None


def test_a_list_is_good_for_a_while_and_then_wiped_out_though_nobody_comes() -> None:
    cache = ListCache(0.5)
    mine = UserList.of([Rating(1, 9)])
    fetch(cache, lambda: mine)
    assert cache.find(WHO) is mine
    held = len(gc.get_referrers(mine))
    time.sleep(0.8)

    assert len(gc.get_referrers(mine)) == held - 1
    assert cache.find(WHO) is None


def test_what_is_kept_has_a_bound(cache: ListCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_sources, "MAX_RATINGS", 12)
    small = ListCache()
    for number in range(9):
        fetch(small, lambda: LIST, Username(f"visitor-{number}"))

    assert [small.find(Username(f"visitor-{number}")) for number in range(9)] == [None] * 5 + [LIST] * 4


def test_nobody_waits_for_another_past_their_deadline(cache: ListCache) -> None:
    begun = threading.Event()

    def slow() -> UserList:
        begun.set()
        time.sleep(1.5)
        return LIST

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(fetch, cache, slow)
        begun.wait()
        moment = time.monotonic()
        with pytest.raises(SiteTimeout):
            fetch(cache, Fetch(), seconds=0.5)
        assert time.monotonic() - moment < 1
        assert first.result() == LIST


# A full house


class Slow:
    """A source that answers when told."""

    name = "slow"

    def __init__(self) -> None:
        self.go = threading.Event()

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        self.go.wait(10)
        return LIST


class Down:
    """A source that can't answer."""

    name = "down"

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        raise SiteDown("The site is down.")


def test_one_more_than_may_wait_is_told_at_once_and_a_list_at_hand_needs_no_room(cache: ListCache) -> None:
    slow = Slow()
    fetch(cache, Fetch(seconds=0))
    sources = ListSources(HttpClient(20), {Site.MAL: [slow]}, cache=cache, seats=3)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(sources.fetch, Username(f"visitor-{number}")) for number in range(3)]
        time.sleep(0.2)
        begun = time.monotonic()
        with pytest.raises(TooManyFetches):
            sources.fetch(Username("one-more"))
        assert sources.fetch(WHO) == LIST
        assert time.monotonic() - begun < 0.2
        slow.go.set()
        assert [one.result() for one in waiting] == [LIST] * 3

    assert sources.fetch(Username("one-more")) == LIST  # there is room again


def test_a_failure_gives_the_room_back_and_is_no_list() -> None:
    sources = ListSources(HttpClient(20), {Site.MAL: [Down()]}, seats=1)
    for _ in range(3):
        with pytest.raises(AllSourcesFailed):
            sources.fetch(WHO)
        assert sources.find(WHO) is None


def test_without_any_place_to_keep_things_lists_are_fetched_all_the_same(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_place(**_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("tempfile.mkdtemp", no_place)
    settings = standin.settings(cache_dir="/proc/none", list_sources="jikan")
    sources = ListSources.from_settings(settings, HttpClient.from_settings(settings))

    assert len(sources.fetch(Username("everything"))) == 8
