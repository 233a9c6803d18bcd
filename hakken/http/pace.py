"""How often each site is asked: one limit for all threads and all workers of a machine."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import filelock
from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate, RateItem, SQLiteBucket

from hakken.config import SiteRate
from hakken.errors import RateLimited
from hakken.files import check_database
from hakken.http.deadline import Deadline

SLACK_MS = 250
"""What each window is longer than the site's own: one request may take so much longer to arrive than the next."""

_PATIENCE = 0.2
"""Seconds to wait for whoever else holds the file; we hold its lock, so that is nobody of us."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Pace:
    """Counts requests by site, in SQLite files that all workers share.

    Where such a file can't be used each process counts for itself: better a site that says 429 than no list at all.

    Args:
        rates: site → how many requests it may get in how many seconds; a site without any is not limited.
        directory: where the files are; None: each process counts for itself.
    """

    def __init__(self, rates: Mapping[str, Sequence[SiteRate]], directory: Path | None = None) -> None:
        self._queues = {site: _Queue(site, some, directory) for site, some in rates.items()}

    @contextmanager
    def turn(self, site: str, deadline: Deadline) -> Iterator[None]:
        """Wait until a site may be asked; the request is to be sent in the block, which nobody else's is meanwhile.

        Raises:
            RateLimited: it is not our turn before the deadline; said as soon as it is certain.
        """
        queue = self._queues.get(site)
        with queue.turn(deadline) if queue else nullcontext():
            yield

    def wait(self, site: str, deadline: Deadline) -> None:
        """Take a turn that nothing has to be sent in; raises as `turn` does."""
        with self.turn(site, deadline):
            pass


class _Queue:
    """One site's requests.

    A request is counted once it is sent, and none may be sent in between. Counted before, it might be sent late, with
    others on its heels; that the library's own limiter can't do, so only its record of requests is used.
    """

    def __init__(self, site: str, rates: Sequence[SiteRate], directory: Path | None) -> None:
        self._site = site
        self._rates = _binding([Rate(rate.requests, round(1000 * rate.seconds) + SLACK_MS) for rate in rates])
        self._alone = threading.Lock()
        self._file = directory / f"pace-{site}.sqlite" if directory else None
        self._bucket: AbstractBucket | None = None

    @contextmanager
    def turn(self, deadline: Deadline) -> Iterator[None]:
        while True:
            with self._held(deadline):
                delay = self._delay()
                if delay <= 0:
                    try:
                        yield
                    finally:
                        self._count()
                    return
            if delay >= deadline.left:
                raise _out_of_turns(delay)
            time.sleep(delay)

    @contextmanager
    def _held(self, deadline: Deadline) -> Iterator[None]:
        """Keep all other threads and processes out."""
        if not self._alone.acquire(timeout=deadline.left):
            raise _out_of_turns(1.0)
        try:
            with self._file_lock(deadline):
                yield
        finally:
            self._alone.release()

    def _file_lock(self, deadline: Deadline) -> AbstractContextManager[object]:
        if self._file:
            lock = filelock.FileLock(f"{self._file}.lock", poll_interval=0.01)
            try:
                return lock.acquire(timeout=deadline.left)
            except filelock.Timeout:
                raise _out_of_turns(1.0) from None
            except OSError as error:
                self._count_alone(error)
        return nullcontext()

    def _delay(self) -> float:
        """Seconds until a request may be sent: until, for each rate, the last but so many is out of its window."""
        now = self._now()
        delay = 0
        for rate in self._rates:
            before = self._newest(rate.limit - 1)
            if before is not None:
                delay = max(delay, before + rate.interval + 1 - now)  # the record takes both ends for inside
        return delay / 1000

    def _now(self) -> int:
        now: int = self._record().now()  # type: ignore[no-untyped-call]
        newest = self._newest(0)
        if newest is not None and newest > now:
            # The clock was set back: what was counted lies in a future that may be days away.
            self._with_record(lambda record: record.flush())
        return now

    def _newest(self, place: int) -> int | None:
        """When, in milliseconds, a request was sent, counted back from the newest."""
        item = self._with_record(lambda record: record.peek(place))
        return item.timestamp if isinstance(item, RateItem) else None

    def _count(self) -> None:
        def count(record: AbstractBucket) -> None:
            now: int = record.now()  # type: ignore[no-untyped-call]
            record.put(RateItem(self._site, now))
            record.leak(now)

        self._with_record(count)

    def _with_record(self, act: Callable[[AbstractBucket], T]) -> T:
        """Read or change the record; when that fails, the one in memory that takes its place."""
        try:
            return act(self._record())
        except sqlite3.Error as error:
            self._count_alone(error)
            return act(self._record())

    def _record(self) -> AbstractBucket:
        if self._bucket is None and self._file:
            try:
                check_database(self._file, _PATIENCE)  # the library would wait for five seconds
                self._bucket = SQLiteBucket.init_from_file(self._rates, db_path=str(self._file))
                self._bucket.conn.execute(f"PRAGMA busy_timeout = {round(1000 * _PATIENCE)}")
            except sqlite3.Error as error:
                self._count_alone(error)
        self._bucket = self._bucket or InMemoryBucket(self._rates)
        return self._bucket

    def _count_alone(self, error: Exception) -> None:
        _log.warning("The pace of %s is kept by this process alone: %s", self._site, error)
        self._file, self._bucket = None, InMemoryBucket(self._rates)


def _out_of_turns(seconds: float) -> RateLimited:
    return RateLimited("Too many lists are being fetched just now; please try again in a minute.", seconds)


def _binding(rates: Sequence[Rate]) -> list[Rate]:
    """Leave out rates that others make sure of, such as ten a second beside five a minute; the library refuses them."""
    binding: list[Rate] = []
    for rate in sorted(rates, key=lambda rate: (rate.interval, rate.limit)):
        while binding and binding[-1].limit >= rate.limit:
            binding.pop()
        if not binding or rate.limit / rate.interval <= binding[-1].limit / binding[-1].interval:
            binding.append(rate)
    return binding
