"""How often each site is asked: one limit for all threads and all workers of a machine."""

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import filelock
from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate, RateItem, SQLiteBucket

from hakken.config import SiteRate
from hakken.errors import SiteBusy
from hakken.http.deadline import Deadline

SLACK_MS = 250
"""What each window is longer than the site's own: one request may take so much longer to arrive than the next."""

_TURN_SECONDS = 2.0
"""Longest wait for another worker to count itself; it takes a millisecond."""

_log = logging.getLogger(__name__)


class Pace:
    """Counts requests by site, in an SQLite file that all workers share.

    Where the file can't be used each process counts for itself: better a site that says 429 than no list at all.

    Args:
        rates: site → how many requests it may get in how many seconds; a site without any is not limited.
        directory: where the files are; None: each process counts for itself.
    """

    def __init__(self, rates: Mapping[str, Sequence[SiteRate]], directory: Path | None = None) -> None:
        self._queues = {site: _Queue(site, some, directory) for site, some in rates.items()}

    def wait(self, site: str, deadline: Deadline) -> None:
        """Wait until a site may be asked.

        Raises:
            SiteBusy: it is not our turn before the deadline; said as soon as it is certain.
        """
        queue = self._queues.get(site)
        while queue and (delay := queue.delay(deadline)) > 0:
            if delay >= deadline.left:
                raise SiteBusy("Too many lists are being fetched just now; please try again in a minute.", delay)
            time.sleep(delay)


class _Queue:
    def __init__(self, site: str, rates: Sequence[SiteRate], directory: Path | None) -> None:
        self._site = site
        self._rates = [Rate(rate.requests, round(1000 * rate.seconds) + SLACK_MS) for rate in rates]
        self._alone = threading.Lock()
        self._file = directory / f"pace-{site}.sqlite" if directory else None
        self._bucket: AbstractBucket | None = None

    def delay(self, deadline: Deadline) -> float:
        """Take a turn: 0, or the seconds after which to ask again, when another may have been faster."""
        with self._alone:
            if self._file is not None:
                try:
                    patience = min(deadline.left, _TURN_SECONDS)
                    # As reentrant locks go by thread, and a thread must not be let in by another's: one for each use.
                    with filelock.FileLock(f"{self._file}.lock", timeout=patience, poll_interval=0.01):
                        return self._take(self._file)
                except (OSError, sqlite3.Error) as error:  # filelock's Timeout is an OSError
                    _log.warning("The pace of %s is kept by this process alone: %s", self._site, error)
                    self._file, self._bucket = None, None
            return self._take(None)

    def _take(self, file: Path | None) -> float:
        if self._bucket is None:
            kept = SQLiteBucket.init_from_file(self._rates, db_path=str(file)) if file else InMemoryBucket(self._rates)
            self._bucket = kept
        bucket = self._bucket
        now: int = bucket.now()  # type: ignore[no-untyped-call]
        newest = bucket.peek(0)
        if isinstance(newest, RateItem) and newest.timestamp > now:
            bucket.flush()  # the clock was set back: what was counted lies in a future that may be days away
        item = RateItem(self._site, now)
        if bucket.put(item):
            bucket.leak(now)
            return 0.0
        wait = bucket.waiting(item)
        return max(wait if isinstance(wait, int) else 0, 1) / 1000
