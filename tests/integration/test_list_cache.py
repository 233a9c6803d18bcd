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
from tests.serving import until
from tests.standin.server import Standin

WHO = Username("Everything")
LIST = UserList.of([Rating(1, 9), Rating(5, 0, Status.DROPPED), Rating(1, 8)], skipped=3)
EMPTY = UserList()
FAILURES = [
    UserNotFound("MyAnimeList has no user of that name."),
    AllSourcesFailed("All failed.", [("mal", SiteBusy("Busy.", 7.5))]),
]


class Source:
    """A source that answers when it may, and counts."""

    name = "slow"

    def __init__(self, outcome: UserList | Exception = LIST, *, held: bool = False) -> None:
        self.times = 0
        self.go = threading.Event()
        self._outcome = outcome
        if not held:
            self.go.set()

    def __call__(self) -> UserList:
        self.times += 1
        self.go.wait(20)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        return self()


@pytest.fixture
def cache() -> ListCache:
    return ListCache()


def fetch(cache: ListCache, act: Callable[[], UserList], who: Username = WHO, seconds: float = 10) -> UserList:
    return cache.fetch(who, Deadline.after(seconds), act)


@pytest.mark.parametrize("outcome", [LIST, EMPTY, *FAILURES])
def test_ten_visitors_cost_one_fetch_and_share_what_comes_of_it(
    cache: ListCache, outcome: UserList | SourceError
) -> None:
    act = Source(outcome, held=True)

    def visit(_: int) -> UserList | SourceError:
        try:
            return fetch(cache, act)
        except SourceError as error:
            return error

    with ThreadPoolExecutor(10) as threads:
        visits = [threads.submit(visit, number) for number in range(10)]
        time.sleep(0.5)  # until all wait
        act.go.set()
        assert [one.result() for one in visits] == [outcome] * 10
    assert act.times == 1


def test_who_comes_after_a_failure_fetches_anew(cache: ListCache) -> None:
    for failure in (PrivateList("Private."), ZeroDivisionError()):  # the second is a mistake of ours
        with pytest.raises(type(failure)):
            fetch(cache, Source(failure))

    assert fetch(cache, Source()) == LIST


def test_a_list_is_found_again_also_in_capitals(cache: ListCache) -> None:
    fetch(cache, Source())

    assert cache.find(Username(" EVERYTHING ")) == LIST
    assert fetch(cache, Source(EMPTY)) == LIST
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
    monkeypatch.setattr(list_sources, "MAX_RATINGS", 4 * (list_sources.LIST_COST + len(LIST)))
    small = ListCache()
    for number in range(9):
        fetch(small, lambda: LIST, Username(f"visitor-{number}"))

    assert [small.find(Username(f"visitor-{number}")) for number in range(9)] == [None] * 5 + [LIST] * 4


def test_nobody_waits_for_another_past_their_deadline(cache: ListCache) -> None:
    slow = Source(held=True)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(fetch, cache, slow)
        until(lambda: slow.times == 1)
        with pytest.raises(SiteTimeout):
            fetch(cache, Source(), seconds=0.1)
        assert not first.done()
        slow.go.set()
        assert first.result() == LIST


# A full house


def test_one_more_than_may_wait_is_told_at_once_and_a_list_at_hand_needs_no_room(cache: ListCache) -> None:
    slow = Source(held=True)
    fetch(cache, Source())
    sources = ListSources(HttpClient(20), {Site.MAL: [slow]}, cache=cache, seats=3)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(sources.fetch, Username(f"visitor-{number}")) for number in range(3)]
        until(lambda: slow.times == 3)
        with pytest.raises(TooManyFetches):
            sources.fetch(Username("one-more"))
        assert sources.fetch(WHO) == LIST
        assert not any(one.done() for one in waiting)
        slow.go.set()
        assert [one.result() for one in waiting] == [LIST] * 3

    assert sources.fetch(Username("one-more")) == LIST  # there is room again


def test_a_failure_gives_the_room_back_and_is_no_list() -> None:
    sources = ListSources(HttpClient(20), {Site.MAL: [Source(SiteDown("The site is down."))]}, seats=1)
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
