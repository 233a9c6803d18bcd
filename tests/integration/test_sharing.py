"""What visitors share who ask for the same list: one fetch, its list for minutes, and its failure."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from hakken.errors import (
    AllSourcesFailed,
    Crowded,
    PrivateList,
    SiteBlocked,
    SiteBusy,
    SiteDown,
    SiteResting,
    SiteTimeout,
    SourceError,
    UserNotFound,
)
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline
from hakken.ratings import Rating, Site, Status, UserList, Username
from hakken.sites.list_sources import ListSources
from hakken.sources.sharing import SharedLists, _Outcome
from hakken.sources.shelf import Shelf
from tests.standin.server import Standin

WHO = Username("Everything")
LIST = UserList.of([Rating(1, 9), Rating(5, 0, Status.DROPPED), Rating(1, 8)], skipped=3)
EMPTY = UserList()


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
def shared(tmp_path: Path) -> SharedLists:
    return SharedLists(tmp_path)


def fetch(shared: SharedLists, act: Callable[[], UserList], who: Username = WHO, seconds: float = 10) -> UserList:
    return shared.fetch(who, Deadline.after(seconds), act)


@pytest.mark.parametrize("outcome", [LIST, EMPTY])
def test_ten_visitors_cost_one_fetch(shared: SharedLists, outcome: UserList) -> None:
    act = Fetch(outcome)

    assert together(10, lambda: fetch(shared, act)) == [outcome] * 10
    assert act.times == 1


FAILURES = [
    UserNotFound("MyAnimeList has no user of that name."),
    PrivateList("Private."),
    AllSourcesFailed(
        "All failed.", [("mal", SiteBusy("Busy.", 7.5)), ("jikan", SiteResting("Resting.")), ("x", SiteBlocked("No."))]
    ),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_who_waited_for_a_fetch_shares_its_failure(shared: SharedLists, failure: SourceError) -> None:
    act = Fetch(failure)

    outcomes = together(10, lambda: fetch(shared, act))

    assert act.times == 1
    for error in outcomes:
        assert isinstance(error, SourceError)
        assert (type(error), str(error)) == (type(failure), str(failure))
        if isinstance(failure, AllSourcesFailed):
            assert isinstance(error, AllSourcesFailed)
            told = [(name, type(why), str(why), why.retry_after) for name, why in error.tried]
            assert told == [(name, type(why), str(why), why.retry_after) for name, why in failure.tried]


def test_who_comes_after_a_failure_fetches_anew(shared: SharedLists) -> None:
    with pytest.raises(PrivateList):
        fetch(shared, Fetch(PrivateList("Private."), 0))

    assert fetch(shared, Fetch()) == LIST


def test_a_mistake_of_ours_is_nobody_elses(shared: SharedLists) -> None:
    def mistake() -> UserList:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch(shared, mistake)

    assert fetch(shared, Fetch()) == LIST


def test_a_list_is_found_again_by_all_processes_and_in_capitals(shared: SharedLists, tmp_path: Path) -> None:
    fetch(shared, Fetch())

    for again in (shared, SharedLists(tmp_path)):
        assert again.find(Username(" EVERYTHING ")) == LIST
        assert fetch(again, Fetch(EMPTY)) == LIST
    assert shared.find(Username("everything", Site.ANILIST)) is None
    assert shared.find(Username("somebody")) is None


def test_a_list_is_good_for_a_while_and_then_wiped_out(tmp_path: Path) -> None:
    shared = SharedLists(tmp_path, fresh=1.0)
    assert shared.find(WHO) is None
    fetch(shared, Fetch(seconds=0))
    assert shared.find(WHO) == LIST
    time.sleep(1.5)

    assert shared.find(WHO) is None
    with sqlite3.connect(tmp_path / "lists.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (0,)
    assert b"dropped" not in (tmp_path / "lists.sqlite").read_bytes()


def test_what_a_stopped_server_left_is_wiped_out_by_the_next(tmp_path: Path) -> None:
    Shelf(tmp_path / "lists.sqlite", 300).put("key", b"dropped")
    with sqlite3.connect(tmp_path / "lists.sqlite") as connection:
        connection.execute("UPDATE things SET since = since - 301")

    SharedLists(tmp_path)

    for _ in range(100):
        time.sleep(0.05)
        if b"dropped" not in (tmp_path / "lists.sqlite").read_bytes():
            return
    pytest.fail("an old list is still there")


def test_no_name_stands_on_the_disk(shared: SharedLists, tmp_path: Path) -> None:
    fetch(shared, Fetch(seconds=0))

    on_disk = b"".join(path.name.encode() + path.read_bytes() for path in tmp_path.iterdir())
    assert b"everything" not in on_disk.lower()


def test_a_clock_that_was_set_back_does_not_keep_a_list_for_ever(shared: SharedLists, tmp_path: Path) -> None:
    fetch(shared, Fetch(seconds=0))
    with sqlite3.connect(tmp_path / "lists.sqlite") as connection:
        connection.execute("UPDATE things SET since = since + 86400")

    assert shared.find(WHO) is None


def test_nobody_waits_for_another_past_their_deadline(shared: SharedLists) -> None:
    begun = threading.Event()

    def slow() -> UserList:
        begun.set()
        time.sleep(1.5)
        return LIST

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(fetch, shared, slow)
        begun.wait()
        moment = time.monotonic()
        with pytest.raises(SiteTimeout):
            fetch(shared, Fetch(), seconds=0.5)
        assert time.monotonic() - moment < 1
        assert first.result() == LIST


@pytest.mark.parametrize("spoil", ["no database", "a directory", "another version", "gone"])
def test_a_file_of_no_use_costs_nobody_their_list(tmp_path: Path, spoil: str) -> None:
    directory = tmp_path / "sites"
    shared = SharedLists(directory)
    if spoil != "gone":
        directory.mkdir()
    if spoil == "no database":
        (directory / "lists.sqlite").write_bytes(b"no database" * 1000)
    if spoil == "a directory":
        (directory / "lists.sqlite").mkdir()
    if spoil == "another version":
        fetch(shared, Fetch(seconds=0))
        with sqlite3.connect(directory / "lists.sqlite") as connection:
            connection.execute("UPDATE things SET thing = ?", (b"\x93what",))

    assert shared.find(WHO) is None
    assert fetch(shared, Fetch(seconds=0)) == LIST


NOT_UTF8 = b"\x82\xa5found\xc0\xa7failure\x83\xa4kind\xa1\xff\xa7message\xa1x\xabretry_after\xc0"


@pytest.mark.parametrize("row", [NOT_UTF8, "text", b"", b"\xc1"])
def test_a_row_that_cannot_be_read_is_none(shared: SharedLists, tmp_path: Path, row: str | bytes) -> None:
    fetch(shared, Fetch(seconds=0))
    with sqlite3.connect(tmp_path / "lists.sqlite") as connection:
        connection.execute("UPDATE things SET thing = ?", (row,))

    assert shared.find(WHO) is None
    assert fetch(shared, Fetch(seconds=0)) == LIST


def test_a_failure_that_a_later_version_knows_is_a_failure_all_the_same() -> None:
    known_later = {"failure": {"kind": "NotYetInvented", "message": "Odd."}}
    failure = msgspec.convert(known_later, _Outcome).failure

    assert failure is not None
    assert type(failure.again()) is SiteDown


def test_whoever_holds_the_file_holds_up_nobody(shared: SharedLists, tmp_path: Path) -> None:
    fetch(shared, Fetch(seconds=0), Username("before"))
    with closing(sqlite3.connect(tmp_path / "lists.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        assert shared.find(WHO) is None
        assert fetch(shared, Fetch(seconds=0)) == LIST
        assert time.monotonic() - begun < 1


# A full house


class Slow:
    """A source that answers when told."""

    name = "slow"

    def __init__(self) -> None:
        self.go = threading.Event()

    def fetch(self, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        self.go.wait(10)
        return LIST


def test_one_more_than_may_wait_is_told_at_once(tmp_path: Path) -> None:
    slow = Slow()
    sources = ListSources(HttpClient(20), {Site.MAL: [slow]}, shared=SharedLists(tmp_path), seats=3)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(sources.fetch, Username(f"visitor-{number}")) for number in range(3)]
        time.sleep(0.2)
        begun = time.monotonic()
        with pytest.raises(Crowded):
            sources.fetch(Username("one-more"))
        assert time.monotonic() - begun < 0.2
        slow.go.set()
        assert [one.result() for one in waiting] == [LIST] * 3

    assert sources.fetch(Username("one-more")) == LIST  # there is room again


def test_a_list_that_is_at_hand_needs_no_room(tmp_path: Path) -> None:
    slow = Slow()
    shared = SharedLists(tmp_path)
    fetch(shared, Fetch(seconds=0))
    sources = ListSources(HttpClient(20), {Site.MAL: [slow]}, shared=shared, seats=1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(sources.fetch, Username("visitor"))
        time.sleep(0.1)
        assert sources.fetch(WHO) == LIST
        slow.go.set()
        waiting.result()


def test_finding_a_list_asks_no_site(tmp_path: Path) -> None:
    down = ListSources(HttpClient(20), {Site.MAL: [Down()]}, shared=SharedLists(tmp_path))
    assert down.find(WHO) is None
    with pytest.raises(AllSourcesFailed):
        down.fetch(WHO)
    assert down.find(WHO) is None  # a failure is no list
    fetch(SharedLists(tmp_path), Fetch(seconds=0))
    assert down.find(WHO) == LIST
    assert down.find(Username("another")) is None
    assert ListSources(HttpClient(20), {Site.MAL: [Down()]}).find(WHO) is None


class Down:
    """A source that can't answer."""

    name = "down"

    def fetch(self, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        raise SiteDown("The site is down.")


def test_a_failure_gives_the_room_back(tmp_path: Path) -> None:
    sources = ListSources(HttpClient(20), {Site.MAL: [Down()]}, shared=SharedLists(tmp_path), seats=1)
    for _ in range(3):
        with pytest.raises(AllSourcesFailed):
            sources.fetch(WHO)


def test_without_any_place_to_keep_things_lists_are_fetched_all_the_same(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_place(**_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("tempfile.mkdtemp", no_place)
    settings = standin.settings(cache_dir="/proc/none", list_sources="jikan")
    sources = ListSources.from_settings(settings, HttpClient.from_settings(settings))

    assert len(sources.fetch(Username("everything"))) == 8
