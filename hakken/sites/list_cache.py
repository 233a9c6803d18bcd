"""Cache of the lists fetched in the last minutes; concurrent requests for the same list share one fetch."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future

from cachetools import TTLCache

from hakken.errors import SiteTimeout
from hakken.ratings import UserList, Username
from hakken.sites.http import Deadline

FRESH_SECONDS = 300.0
MAX_RATINGS = 200_000
"""Ratings in all cached lists together, about 100 bytes each."""


class ListCache:
    """Lists of one worker, in memory; thread-safe.

    Usernames are stored only as hashes. Expired lists are deleted by a timer, even without further requests.

    Args:
        seconds: time to live of a list.
    """

    def __init__(self, seconds: float = FRESH_SECONDS) -> None:
        self._lists: TTLCache[str, UserList] = TTLCache(MAX_RATINGS, seconds, getsizeof=lambda one: 1 + len(one))
        self._fetches: dict[str, Future[UserList]] = {}
        self._lock = threading.Lock()
        self._is_timed = False

    def find(self, who: Username) -> UserList | None:
        """Return someone's cached list; None if there is none."""
        with self._lock:
            return self._lists.get(_key(who))

    def fetch(self, who: Username, deadline: Deadline, fetch: Callable[[], UserList]) -> UserList:
        """Fetch a list or, if another thread is fetching it already, wait for that fetch and share its result or error.

        Args:
            who: the user whose list is fetched.
            deadline: limits the wait for the other thread.
            fetch: fetches the list.

        Raises:
            SiteTimeout: the other thread took too long.
            SourceError: the list could not be fetched; raised by `fetch`, in this thread or the other.
        """
        key = _key(who)
        with self._lock:
            if (found := self._lists.get(key)) is not None:
                return found
            is_first = key not in self._fetches
            future = self._fetches.setdefault(key, Future())
        if is_first:
            self._run(key, future, fetch)
        try:
            return future.result(deadline.left)
        except TimeoutError:
            raise SiteTimeout("The list did not come in time; please try again in a minute.") from None

    def _run(self, key: str, future: Future[UserList], fetch: Callable[[], UserList]) -> None:
        try:
            found = fetch()
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            with self._lock:
                self._lists[key] = found
                self._expire_later()
            future.set_result(found)
        finally:
            with self._lock:
                del self._fetches[key]

    def _expire_later(self) -> None:
        if not self._is_timed and self._lists:
            self._is_timed = True
            timer = threading.Timer(self._lists.ttl / 30, self._expire)
            timer.daemon = True
            timer.start()

    def _expire(self) -> None:
        with self._lock:
            self._is_timed = False
            self._lists.expire()
            self._expire_later()


def _key(who: Username) -> str:
    # Usernames are case-insensitive on all sites.
    return hashlib.sha256(f"{who.site} {who.name.strip().lower()}".encode()).hexdigest()
