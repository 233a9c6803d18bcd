"""Fetching a list by username from the sources for its site, in order; lists of the last minutes are cached."""

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol, Self

from cachetools import TTLCache

from hakken.config import Settings
from hakken.errors import (
    AllSourcesFailed,
    ClientIdRefused,
    ConfigError,
    NoListSource,
    SiteBlocked,
    SiteError,
    SiteTimeout,
    TooManyFetches,
)
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.ratings import Site, UserList, Username
from hakken.sites.anilist import AniList
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline
from hakken.sites.jikan import Jikan
from hakken.sites.load_json import LoadJson
from hakken.sites.mal import Mal


class ListSource(Protocol):
    """A site that provides the lists of its users, or of another site's users."""

    @property
    def name(self) -> str:
        """The source's name in settings and messages."""

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list, all of it or none; raises SourceError, see `hakken.errors` for the kinds."""


_MAL_SOURCES: Mapping[str, Callable[[Settings], ListSource]] = {
    Mal.name: lambda settings: Mal(settings.mal_url, settings.mal_client_id),
    Jikan.name: lambda settings: Jikan(settings.jikan_url),
    LoadJson.name: lambda settings: LoadJson(settings.load_json_url),
}
_SITE_NAMES = {Site.MAL: "MyAnimeList", Site.ANILIST: "AniList"}

SEATS = 4
"""Default number of concurrent fetches: half of a worker's default threads."""
FRESH_SECONDS = 300.0
MAX_RATINGS = 200_000
"""Ratings in all cached lists together, about 100 bytes each."""
LIST_COST = 5
"""What a list takes beside its ratings, as a number of ratings."""

_log = logging.getLogger(__name__)


class ListCache:
    """Lists of one worker, in memory for some seconds; thread-safe. Concurrent requests for a list share one fetch.

    Usernames are stored only as hashes. Expired lists are deleted by a timer, even without further requests.
    """

    def __init__(self, seconds: float = FRESH_SECONDS) -> None:
        self._lists: TTLCache[str, UserList] = TTLCache(
            MAX_RATINGS, seconds, getsizeof=lambda one: LIST_COST + len(one)
        )
        self._fetches: dict[str, Future[UserList]] = {}
        self._lock = threading.RLock()
        self._is_timed = False

    def find(self, who: Username) -> UserList | None:
        """Return someone's cached list; None if there is none."""
        with self._lock:
            return self._lists.get(_key(who))

    def fetch(self, who: Username, deadline: Deadline, fetch: Callable[[], UserList]) -> UserList:
        """Fetch a list or, if another thread is fetching it already, wait for that fetch and share its result or error.

        Raises:
            SiteTimeout: the other thread took longer than until the deadline.
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
            raise SiteTimeout("The list did not arrive in time; please try again in a minute.") from None

    def _run(self, key: str, future: Future[UserList], fetch: Callable[[], UserList]) -> None:
        try:
            found = fetch()
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            with self._lock:
                self._lists[key] = found
                if not self._is_timed:
                    self._expire()
            future.set_result(found)
        finally:
            with self._lock:
                del self._fetches[key]

    def _expire(self) -> None:
        with self._lock:
            self._lists.expire()
            self._is_timed = len(self._lists) > 0
            if self._is_timed:
                timer = threading.Timer(self._lists.ttl / 30, self._expire)
                timer.daemon = True
                timer.start()


def _key(who: Username) -> str:
    # Usernames are case-insensitive on all sites.
    return hashlib.sha256(f"{who.site} {who.name.strip().lower()}".encode()).hexdigest()


class ListSources:
    """The sources of each site's lists, in the order in which they are tried; thread-safe.

    Args:
        http: sends the requests, and sets the deadline of each fetch.
        sources: site → its sources.
        cache: cache of the lists fetched in the last minutes.
        seats: maximum number of threads that wait for sites at once.
        instrumentation: records the duration of fetches, and cache hits and misses.
    """

    def __init__(
        self,
        http: HttpClient,
        sources: Mapping[Site, Sequence[ListSource]],
        *,
        cache: ListCache | None = None,
        seats: int = SEATS,
        instrumentation: Instrumentation = NO_INSTRUMENTATION,
    ) -> None:
        self._http = http
        self._sources = sources
        self._cache = cache or ListCache()
        self._seats = threading.BoundedSemaphore(seats)
        self._instrumentation = instrumentation

    @classmethod
    def from_settings(
        cls, settings: Settings, http: HttpClient, instrumentation: Instrumentation = NO_INSTRUMENTATION
    ) -> Self:
        """Set up the sources from the settings; raises ConfigError if one is unknown or lacks a setting it needs."""
        mal = [_MAL_SOURCES[name](settings) for name in mal_source_names(settings)]
        sources: dict[Site, Sequence[ListSource]] = {Site.MAL: mal, Site.ANILIST: [AniList(settings.anilist_url)]}
        return cls(http, sources, seats=max(1, settings.threads // 2), instrumentation=instrumentation)

    def fetch(self, username: Username | UserList) -> UserList:
        """Fetch someone's whole list from the first source that can provide it, within one deadline in total.

        A list is returned as it is, so that callers need not tell it from a username.

        Raises:
            NoListSource: no source of the site's lists is set up; raised at once.
            TooManyFetches: too many threads are waiting for sites already; raised at once.
            UserNotFound: the site itself says that it has no such user.
            PrivateList: the site itself says that the list is private.
            SiteTimeout: another visitor's fetch of the same list took too long.
            AllSourcesFailed: all sources failed.
        """
        if isinstance(username, UserList):
            return username
        if not self._sources[username.site]:
            raise NoListSource(  # for the operator, at a terminal; pages tell visitors what they can do themselves
                "MyAnimeList usernames can't be looked up: HAKKEN_LIST_SOURCES is off. MyAnimeList's export (--file) "
                "and AniList usernames (--source anilist) work."
            )
        with self._instrumentation.stage("fetch"):
            deadline = self._http.new_deadline()
            found = self.find(username)
            self._instrumentation.looked_up("lists", found=found is not None)
            if found is not None:
                return found
            if not self._seats.acquire(blocking=False):
                raise TooManyFetches("Too many people are having their lists fetched just now.")
            try:
                return self._cache.fetch(username, deadline, partial(self._ask, username, deadline))
            finally:
                self._seats.release()

    def find(self, username: Username | UserList) -> UserList | None:
        """Return someone's cached list, or the list itself; None if there is none. Sends no request."""
        return username if isinstance(username, UserList) else self._cache.find(username)

    def _ask(self, username: Username, deadline: Deadline) -> UserList:
        sources, site = self._sources[username.site], _SITE_NAMES[username.site]
        tried: list[tuple[str, SiteError]] = []
        for index, source in enumerate(sources):
            try:
                # Each source gets an equal share of the time left, so that one that hangs leaves time for the next.
                return source.fetch_list(self._http, username.name, deadline.share(len(sources) - index))
            except SiteError as error:
                level = logging.ERROR if isinstance(error, ClientIdRefused) else logging.WARNING
                _log.log(level, "The source %s failed: %s", source.name, error)
                tried.append((source.name, error))
        if any(isinstance(error, ClientIdRefused) for _, error in tried):
            words = f"The list could not be fetched: {site} rejects this server's client id. Its operator can fix that."
            raise AllSourcesFailed(words, tried)
        if all(isinstance(error, SiteBlocked) for _, error in tried):
            raise AllSourcesFailed(f"The list could not be fetched from {site}: not found, private, or blocked.", tried)
        words = f"The list could not be fetched because {site} could not answer; please try again later."
        raise AllSourcesFailed(words, tried)


def mal_source_names(settings: Settings) -> tuple[str, ...]:
    """Names of the sources to try for a MyAnimeList username, in order; raises ConfigError as `from_settings` does."""
    names = settings.mal_sources
    for name in names:
        if name not in _MAL_SOURCES:
            raise ConfigError(
                f"The setting HAKKEN_LIST_SOURCES can't be used: {name!r} is none of {', '.join(_MAL_SOURCES)}."
            )
    if Mal.name in names and not settings.mal_client_id:
        raise ConfigError(
            "The setting HAKKEN_LIST_SOURCES has the source mal, which needs MAL_CLIENT_ID: set it, or leave mal out."
        )
    return names
