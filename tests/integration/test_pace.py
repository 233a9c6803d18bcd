"""How often a site is asked, by threads and by processes."""

import multiprocessing
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.config import SiteRate
from hakken.errors import SiteBusy
from hakken.sites.http import Deadline
from hakken.sites.rate_limit import SLACK_MS, RateLimit

RATE = {"jikan": [SiteRate(3, 0.2)]}
WINDOW = 0.2 + SLACK_MS / 1000
"""Seconds in which there may be three."""


def take(pace: Pace, turns: int, seconds: float = 20.0) -> list[float]:
    """When some turns came, by a clock that all processes share."""
    moments = []
    for _ in range(turns):
        pace.wait("jikan", Deadline.after(seconds))
        moments.append(time.time())
    return moments


def take_in_a_process(directory: Path, turns: int) -> list[float]:
    pace = Pace(RATE, directory)
    with ThreadPoolExecutor(2) as threads:
        return [moment for some in threads.map(lambda _: take(pace, turns), range(2)) for moment in some]


def most_at_once(moments: Sequence[float], seconds: float) -> int:
    """Slow and plain: the most moments that any window of so many seconds holds."""
    return max(sum(begin <= moment < begin + seconds for moment in moments) for begin in moments)


@pytest.mark.parametrize("on_disk", [True, False])
def test_threads_share_a_pace(tmp_path: Path, *, on_disk: bool) -> None:
    pace = Pace(RATE, tmp_path if on_disk else None)
    with ThreadPoolExecutor(4) as threads:
        moments = [moment for some in threads.map(lambda _: take(pace, 3), range(4)) for moment in some]

    assert len(moments) == 12
    assert most_at_once(moments, WINDOW - 0.2) <= 3
    assert max(moments) - min(moments) < 3 * WINDOW + 2


def test_processes_share_a_pace(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        some = pool.starmap(take_in_a_process, [(tmp_path, 3)] * 2)
    moments = [moment for one in some for moment in one]

    assert len(moments) == 12
    assert most_at_once(moments, WINDOW - 0.2) <= 3


def test_all_of_a_sites_rates_hold() -> None:
    pace = Pace({"jikan": [SiteRate(100, 0.1), SiteRate(2, 60)]})
    take(pace, 2)

    with pytest.raises(SiteBusy) as caught:
        take(pace, 1)

    assert caught.value.retry_after == pytest.approx(60 + SLACK_MS / 1000, abs=1)


@given(st.lists(st.tuples(st.integers(1, 999), st.sampled_from([1.0, 60.0])), min_size=1, max_size=4))
def test_rates_may_be_of_any_number_and_order(rates: list[tuple[int, float]]) -> None:
    pace = Pace({"jikan": [SiteRate(*rate) for rate in rates]})
    fewest = min(number for number, _ in rates)

    assert len(take(pace, min(fewest, 3))) == min(fewest, 3)


def test_a_turn_that_comes_too_late_is_refused_at_once() -> None:
    pace = Pace({"jikan": [SiteRate(1, 60)]})
    take(pace, 1)
    begun = time.monotonic()

    with pytest.raises(SiteBusy, match="in a minute"):
        take(pace, 1, seconds=20)

    assert time.monotonic() - begun < 0.5


def test_sites_are_counted_apart_and_one_without_a_rate_is_not_limited() -> None:
    pace = Pace({"jikan": [SiteRate(1, 60)], "mal": [SiteRate(1, 60)]})
    for site in ("jikan", "mal", *["elsewhere"] * 100):
        pace.wait(site, Deadline.after(1))


def test_a_clock_that_was_set_back_blocks_nobody(tmp_path: Path) -> None:
    take(Pace(RATE, tmp_path), 3)
    with sqlite3.connect(tmp_path / "pace-jikan.sqlite") as connection:
        connection.execute("UPDATE rate_bucket SET item_timestamp = item_timestamp + 86400000")

    begun = time.monotonic()
    take(Pace(RATE, tmp_path), 1)

    assert time.monotonic() - begun < 1


def test_turns_that_are_over_are_forgotten(tmp_path: Path) -> None:
    take(Pace(RATE, tmp_path), 12)

    with sqlite3.connect(tmp_path / "pace-jikan.sqlite") as connection:
        (count,) = connection.execute("SELECT count(*) FROM rate_bucket").fetchone()
    assert count <= 6


@pytest.mark.parametrize("spoil", ["damaged", "a directory", "gone"])
def test_a_file_of_no_use_leaves_each_process_its_own_pace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    directory = tmp_path / "sites"
    if spoil != "gone":
        directory.mkdir()
    if spoil == "damaged":
        (directory / "pace-jikan.sqlite").write_bytes(b"no database" * 1000)
    if spoil == "a directory":
        (directory / "pace-jikan.sqlite").mkdir()

    moments = take(Pace(RATE, directory), 6)

    assert most_at_once(moments, WINDOW - 0.2) <= 3
    assert ("by this process alone" in caplog.text) == (spoil != "gone")


def test_a_clock_set_back_on_a_disk_that_takes_nothing_costs_nobody_a_turn(tmp_path: Path) -> None:
    take(Pace(RATE, tmp_path), 1)
    with sqlite3.connect(tmp_path / "pace-jikan.sqlite") as connection:
        connection.execute("UPDATE rate_bucket SET item_timestamp = item_timestamp + 86400000")
        connection.execute(
            "CREATE TRIGGER full BEFORE DELETE ON rate_bucket BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )

    assert len(take(Pace(RATE, tmp_path), 2)) == 2


def test_whoever_holds_the_file_holds_up_nobody(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "pace-jikan.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        take(Pace(RATE, tmp_path), 1, seconds=2)
        assert time.monotonic() - begun < 1
