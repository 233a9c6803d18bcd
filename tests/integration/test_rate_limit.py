"""How often a site is asked, by threads and by processes."""

import multiprocessing
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from pyrate_limiter import AbstractBucket, RateItem

from hakken.config import SiteRate
from hakken.errors import RateLimited
from hakken.sites import rate_limit
from hakken.sites.http import Deadline
from hakken.sites.rate_limit import SLACK_MS, RateLimit

RATES = [SiteRate(3, 0.2)]
WINDOW = 0.2 + SLACK_MS / 1000
"""Seconds in which there may be three."""
DAY_LATER = "UPDATE rate_bucket SET item_timestamp = item_timestamp + 86400000"


class Counted(RateLimit):
    """Keeps the moments that were counted: after them, a busy machine may hold a thread for any time."""

    def __init__(self, directory: Path | None, rates: Sequence[SiteRate]) -> None:
        super().__init__("jikan", rates, directory)
        self.moments: list[float] = []

    def _put(self, bucket: AbstractBucket) -> float:
        delay = super()._put(bucket)
        if not delay and isinstance(newest := bucket.peek(0), RateItem):
            self.moments.append(newest.timestamp / 1000)
        return delay


def limit(directory: Path | None, *rates: SiteRate) -> Counted:
    return Counted(directory, rates or RATES)


def take(limit: Counted, turns: int, seconds: float = 20.0) -> list[float]:
    """When turns came so far, by a clock that all processes share."""
    for _ in range(turns):
        limit.wait(Deadline.after(seconds))
    return limit.moments


def take_in_threads(directory: Path | None, threads: int) -> list[float]:
    shared = limit(directory)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: take(shared, 3), range(threads)))
    return shared.moments


def holds(moments: Sequence[float]) -> bool:
    return most_at_once(moments, WINDOW) <= 3


def most_at_once(moments: Sequence[float], seconds: float) -> int:
    """Slow and plain: the most moments that any window of so many seconds holds."""
    return max(sum(begin <= moment < begin + seconds for moment in moments) for begin in moments)


def test_threads_share_a_limit_and_turns_that_are_over_are_forgotten(tmp_path: Path) -> None:
    assert holds(take_in_threads(None, 4))
    assert holds(take_in_threads(tmp_path, 4))
    with sqlite3.connect(tmp_path / "rate-jikan.sqlite") as connection:
        (count,) = connection.execute("SELECT count(*) FROM rate_bucket").fetchone()
    assert count <= 6


def test_processes_share_a_limit(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        some = pool.starmap(take_in_threads, [(tmp_path, 2)] * 2)
    moments = [moment for one in some for moment in one]
    assert len(moments) == 12
    assert holds(moments)


def test_all_of_a_sites_rates_hold() -> None:
    both = limit(None, SiteRate(100, 0.1), SiteRate(2, 60))
    take(both, 2)
    begun = time.monotonic()
    with pytest.raises(RateLimited, match="in a minute") as caught:
        take(both, 1, seconds=40)
    assert time.monotonic() - begun < 20  # said at once, not at the deadline
    assert caught.value.retry_after == pytest.approx(60 + SLACK_MS / 1000, abs=20)


@given(st.lists(st.tuples(st.integers(1, 999), st.sampled_from([1.0, 60.0])), min_size=1, max_size=4))
def test_rates_may_be_of_any_number_and_order(rates: list[tuple[int, float]]) -> None:
    fewest = min(number for number, _ in rates)

    assert len(take(limit(None, *(SiteRate(*rate) for rate in rates)), min(fewest, 3))) == min(fewest, 3)


def test_sites_are_counted_apart(tmp_path: Path) -> None:
    for site in ("jikan", "mal"):
        RateLimit(site, [SiteRate(1, 60)], tmp_path).wait(Deadline.after(1))


@pytest.mark.parametrize("disk", ["good", "takes nothing", "held by another"])
def test_neither_a_clock_that_was_set_back_nor_whoever_holds_the_database_blocks_anybody(
    tmp_path: Path, disk: str
) -> None:
    take(limit(tmp_path), 3)
    with closing(sqlite3.connect(tmp_path / "rate-jikan.sqlite", isolation_level=None)) as other:
        other.execute(DAY_LATER)
        if disk == "takes nothing":
            other.execute("CREATE TRIGGER full BEFORE DELETE ON rate_bucket BEGIN SELECT RAISE(FAIL, 'disk full'); END")
        if disk == "held by another":
            other.execute("BEGIN EXCLUSIVE")
        take(limit(tmp_path), 1, seconds=10)


@pytest.mark.parametrize("spoil", ["damaged", "rate-jikan.sqlite", "rate-jikan.sqlite.lock", "gone"])
def test_a_file_of_no_use_leaves_each_process_its_own_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    directory = tmp_path / "sites"
    if spoil != "gone":
        directory.mkdir()
    if spoil == "damaged":
        (directory / "rate-jikan.sqlite").write_bytes(b"no database" * 1000)
    elif spoil != "gone":  # a directory is in its place
        (directory / spoil).mkdir()
    assert holds(take(limit(directory), 6))
    assert ("by this process alone" in caplog.text) == (spoil != "gone")


def test_a_process_that_stopped_with_the_lock_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    begun = time.monotonic()
    with FileLock(tmp_path / "rate-jikan.sqlite.lock"), ThreadPoolExecutor(2) as pool:
        for waiting in [pool.submit(take, limit(tmp_path), 1, 0.5) for _ in range(2)]:
            with pytest.raises(RateLimited):
                waiting.result()
    assert time.monotonic() - begun >= 0.4


def test_a_database_that_can_be_written_to_again_is_shared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rate_limit, "RETRY_SECONDS", 0.2)
    one, other = (limit(tmp_path, SiteRate(4, 60)) for _ in range(2))
    take(one, 1)
    with closing(sqlite3.connect(tmp_path / "rate-jikan.sqlite", isolation_level=None)) as disk:
        disk.execute("CREATE TRIGGER full BEFORE INSERT ON rate_bucket BEGIN SELECT RAISE(FAIL, 'disk full'); END")
        take(one, 2)
        assert caplog.text.count("by this process alone") == 1
        disk.execute("DROP TRIGGER full")
    time.sleep(0.3)
    take(one, 1)
    take(other, 2)  # four were allowed, of which two are in the database
    for both in (one, other):
        with pytest.raises(RateLimited):
            take(both, 1, seconds=1)
