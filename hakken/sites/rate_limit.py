"""Rate limits of the sites, shared by all threads and workers of a machine."""

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import filelock
from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate, RateItem, SQLiteBucket

from hakken.config import SiteRate
from hakken.errors import RateLimited
from hakken.files import check_database
from hakken.sites.http import Deadline

SLACK_MS = 250
"""Added to each window of a rate, since one request may take that much longer to arrive than the next."""
BUSY_SECONDS = 0.2
"""How long to wait for another program's lock on the database; Hakken's processes wait for the lock file instead."""

RETRY_SECONDS = 60.0
"""How long a process counts its own requests before it tries the database again."""

_log = logging.getLogger(__name__)


class RateLimit:
    """Rate limit of the site of that name, counted in an SQLite file in `directory` that all workers share.

    Without a directory, or while the file can't be used, each process counts its own requests: some 429 responses are
    better than no list. All of the rates apply, and before them those of `allowance`, if there is one.
    """

    def __init__(
        self, site: str, rates: Sequence[SiteRate], directory: Path | None = None, allowance: "RateLimit | None" = None
    ) -> None:
        self._site = site
        self._allowance = allowance
        self._rates = _binding([Rate(rate.requests, round(1000 * rate.seconds) + SLACK_MS) for rate in rates])
        self._file = directory / f"rate-{site}.sqlite" if directory else None
        self._shared: SQLiteBucket | None = None
        self._own = InMemoryBucket(self._rates)
        self._shared_from = 0.0  # by the monotonic clock
        self._threads = threading.Lock()

    def wait(self, deadline: Deadline) -> None:
        """Wait until the rate limit allows a request, and count it.

        Raises RateLimited as soon as it is certain that it allows none before the deadline.
        """
        if self._allowance:
            self._allowance.wait(deadline)
        while (delay := self._delay(deadline)) > 0:
            if delay >= deadline.left:
                raise _out_of_turns(delay)
            time.sleep(delay)

    def _delay(self, deadline: Deadline) -> float:
        """Count a request and return 0 if the limit allows it, else return the seconds until it may."""
        if not self._threads.acquire(timeout=deadline.left):
            raise _out_of_turns(1.0)
        try:
            if self._file is None or time.monotonic() < self._shared_from:
                return self._put(self._own)
            # Exclude other processes: the lock of the library's own bucket has no timeout.
            with filelock.FileLock(f"{self._file}.lock", poll_interval=0.01).acquire(timeout=deadline.left):
                self._shared = self._shared or self._open(self._file)
                return self._put(self._shared)
        except filelock.Timeout:
            raise _out_of_turns(1.0) from None
        except (sqlite3.Error, OSError) as error:
            _log.warning("Requests to %s are counted by this process alone: %s", self._site, error)
            if self._shared:  # it may be within a transaction, which would lock out all others
                self._shared.close()  # type: ignore[no-untyped-call]  # the library's
            self._shared, self._shared_from = None, time.monotonic() + RETRY_SECONDS
            return self._put(self._own)
        finally:
            self._threads.release()

    def _put(self, bucket: AbstractBucket) -> float:
        now: int = bucket.now()  # type: ignore[no-untyped-call]  # the library's
        newest = bucket.peek(0)
        if isinstance(newest, RateItem) and newest.timestamp > now:
            bucket.flush()  # the clock was set back: the counted requests lie in the future, perhaps by days
        bucket.leak(now)
        item = RateItem(self._site, now)
        if bucket.put(item):
            return 0.0
        return max(1, cast("int", bucket.waiting(item))) / 1000  # never an awaitable for these buckets

    def _open(self, file: Path) -> SQLiteBucket:
        check_database(file, BUSY_SECONDS)  # the library would wait for five seconds
        bucket = SQLiteBucket.init_from_file(self._rates, db_path=str(file))
        bucket.conn.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_SECONDS)}")
        return bucket


def part_of(rate: SiteRate, share: float) -> SiteRate:
    """A rate of at most a share of another."""
    requests = int(rate.requests * share)
    return SiteRate(requests, rate.seconds) if requests else SiteRate(1, rate.seconds / (rate.requests * share))


def _out_of_turns(seconds: float) -> RateLimited:
    return RateLimited("The site's rate limit allows no more requests just now; please try again in a minute.", seconds)


def _binding(rates: Sequence[Rate]) -> list[Rate]:
    """Leave out rates that others imply, such as ten a second next to five a minute; the library rejects them."""
    binding: list[Rate] = []
    for rate in sorted(rates, key=lambda rate: (rate.interval, rate.limit)):
        while binding and binding[-1].limit >= rate.limit:
            binding.pop()
        if not binding or rate.limit / rate.interval <= binding[-1].limit / binding[-1].interval:
            binding.append(rate)
    return binding
