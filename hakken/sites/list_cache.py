"""Lists that were fetched within the last minutes, and one fetch for all who ask for the same list at once."""

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
"""In all lists together, of about 100 bytes each."""


class ListCache:
    """Lists of one worker, in memory; may be shared between threads.

    Names are kept as hashes only, and a list no longer than it is given, also when nobody asks again.

    Args:
        seconds: for which a list is given again.
    """

    def __init__(self, seconds: float = FRESH_SECONDS) -> None:
        self._lists: TTLCache[str, UserList] = TTLCache(MAX_RATINGS, seconds, getsizeof=lambda one: 1 + len(one))
        self._fetches: dict[str, Future[UserList]] = {}
        self._lock = threading.Lock()
        self._is_timed = False

    def find(self, who: Username) -> UserList | None:
        """The list that was fetched for someone within the last minutes, if one was."""
        with self._lock:
            return self._lists.get(_key(who))

    def fetch(self, who: Username, deadline: Deadline, fetch: Callable[[], UserList]) -> UserList:
        """Fetch a list, unless another thread is fetching it already: then what comes of that is the answer here too.

        Args:
            who: whose list.
            deadline: until when to wait for the other.
            fetch: fetches it.

        Raises:
            SiteTimeout: the other took too long.
            SourceError: the list could not be fetched; what `fetch` raises, here or there.
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
    # Sites take a name in capitals for the same.
    return hashlib.sha256(f"{who.site} {who.name.strip().lower()}".encode()).hexdigest()
