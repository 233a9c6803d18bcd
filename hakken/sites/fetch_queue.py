"""A queue of items to fetch in the background, one at a time, the most recently requested first."""

import logging
import threading
from collections.abc import Callable, Iterable

from cachetools import TLRUCache

from hakken.errors import RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout

MAX_QUEUE = 200
"""Longest queue; at 20 items a minute, nobody is still on the page when a later item would be fetched."""
MAX_REMEMBERED = 50_000
ANSWERED_SECONDS = 24 * 3600.0
"""Time for which an item is not fetched again after it was fetched, or the site did not know it."""
FAILED_SECONDS = 600.0
"""Time for which an item is not fetched again after a failure, unless the site asks for longer."""
REST_SECONDS = 10.0
"""Pause after the site could not answer at all, unless it asks for another time."""
MAX_REST_SECONDS = 300.0

_log = logging.getLogger(__name__)


class FetchQueue:
    """Fetches items by their ids in a thread of its own, which starts with the first request.

    Args:
        fetch: fetches one item and stores the result. Raises RateLimited if the rate limit does not allow it soon, and
            the other kinds of SiteError.
    """

    def __init__(self, fetch: Callable[[int], None]) -> None:
        self._fetch = fetch
        self._queue: dict[int, None] = {}  # the next one to fetch is last
        self._left_alone: TLRUCache[int, float] = TLRUCache(MAX_REMEMBERED, lambda _, seconds, now: now + seconds)
        self._current: int | None = None
        self._change = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, ids: Iterable[int]) -> None:
        """Queue some items, in their order and before those already queued; returns at once.

        An item that is being fetched, or was fetched or failed recently, is ignored. If the queue gets too long, the
        items least recently requested are dropped.
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
            # Threads do not survive a fork: a child process starts its own.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="anime-facts", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def close(self, timeout: float = 5.0) -> None:
        """Stop fetching, and wait at most `timeout` seconds for the thread to end."""
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
        """Fetch one item, and return the number of seconds to pause afterwards."""
        rest, seconds = 0.0, ANSWERED_SECONDS
        try:
            self._fetch(one)
        except RateLimited as error:
            with self._change:  # the item itself did not fail: it is queued again if there is room
                if len(self._queue) < MAX_QUEUE:
                    self._queue[one] = None
            return _rest(error)
        except SiteError as error:
            _log.warning("The facts about anime %d could not be fetched: %s", one, error)
            seconds = max(FAILED_SECONDS, error.retry_after or 0.0)
            rest = _rest(error) if isinstance(error, SiteBusy | SiteDown | SiteTimeout) else 0.0
        except Exception as error:  # noqa: BLE001  # whatever it is, the other items must still be fetched
            # Its message or stack may contain a URL, so only its type is logged.
            _log.error("Fetching the facts about anime %d raised %s.", one, type(error).__name__)
        with self._change:
            self._left_alone[one] = seconds
        return rest


def _rest(error: SiteError) -> float:
    return min(error.retry_after or REST_SECONDS, MAX_REST_SECONDS)
