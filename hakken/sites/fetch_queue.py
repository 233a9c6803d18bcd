"""A queue of things to fetch in the background, one at a time, the latest wanted first."""

import logging
import threading
from collections.abc import Callable, Iterable

from cachetools import TLRUCache

from hakken.errors import RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout

MAX_QUEUE = 200
"""More than that nobody is still looking at when its turn comes, at 20 a minute."""
MAX_REMEMBERED = 50_000
ANSWERED_SECONDS = 24 * 3600.0
"""For which a thing is left alone that was fetched, or that the site does not know."""
FAILED_SECONDS = 600.0
"""For which one is left alone that could not be fetched, unless the site names a longer time."""
REST_SECONDS = 10.0
"""For which the site is left alone when it could not answer at all, unless it names another time."""
MAX_REST_SECONDS = 300.0

_log = logging.getLogger(__name__)


class FetchQueue:
    """Fetches things by their ids in a thread of its own, which begins with the first that is wanted.

    Args:
        fetch: fetches one thing, and keeps what comes. Raises RateLimited when its turn does not come soon, and the
            other kinds of SiteError.
    """

    def __init__(self, fetch: Callable[[int], None]) -> None:
        self._fetch = fetch
        self._queue: dict[int, None] = {}  # the next one to fetch stands last
        self._left_alone: TLRUCache[int, float] = TLRUCache(MAX_REMEMBERED, lambda _, seconds, now: now + seconds)
        self._current: int | None = None
        self._change = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, ids: Iterable[int]) -> None:
        """Have some things fetched soon, in their order and before those that wait already; returns at once.

        What is being fetched now, or left alone for a while, is passed over. When too many wait, those that were wanted
        first, and not since, are forgotten.
        """
        with self._change:
            if self._closed.is_set():
                return
            for one in reversed(list(dict.fromkeys(ids))):
                if one != self._current and one not in self._left_alone:
                    self._queue.pop(one, None)
                    self._queue[one] = None
            while len(self._queue) > MAX_QUEUE:
                del self._queue[next(iter(self._queue))]
            if not self._queue:
                return
            # A thread does not outlive a fork: the child of a process that had one begins its own.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="anime-facts", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def close(self, timeout: float = 5.0) -> None:
        """Fetch nothing more, and wait so many seconds, at most, for the thread to end."""
        self._closed.set()
        with self._change:
            self._queue.clear()
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._change:
                self._current = None
                self._change.wait_for(lambda: self._queue or self._closed.is_set())
                if self._closed.is_set():
                    return
                self._current = self._queue.popitem()[0]
            self._closed.wait(self._take(self._current))

    def _take(self, one: int) -> float:
        """Fetch one, and return for how many seconds to rest then."""
        rest, seconds = 0.0, ANSWERED_SECONDS
        try:
            self._fetch(one)
        except RateLimited as error:
            with self._change:  # this says nothing about the thing itself: it is queued again if there is room
                if len(self._queue) < MAX_QUEUE:
                    self._queue[one] = None
            return _rest(error)
        except SiteError as error:
            _log.warning("The facts about anime %d could not be fetched: %s", one, error)
            seconds = max(FAILED_SECONDS, error.retry_after or 0.0)
            rest = _rest(error) if isinstance(error, SiteBusy | SiteDown | SiteTimeout) else 0.0
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not cost all others their pictures
            # Its words, or its stack, may hold an address: only its kind is told.
            _log.error("Fetching the facts about anime %d raised %s.", one, type(error).__name__)
        with self._change:
            self._left_alone[one] = seconds
        return rest


def _rest(error: SiteError) -> float:
    return min(error.retry_after or REST_SECONDS, MAX_REST_SECONDS)
