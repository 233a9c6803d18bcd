"""Fetching a list by username: the sources of each site's lists, asked in turn."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self

from hakken.config import Settings
from hakken.errors import AllSourcesFailed, ConfigError, NoListSource, SiteBlocked, SiteError, TooManyFetches
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.ratings import Site, UserList, Username
from hakken.sites.anilist import AniList
from hakken.sites.base import ListSource, checked
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline
from hakken.sites.jikan import Jikan
from hakken.sites.list_cache import ListCache
from hakken.sites.load_json import LoadJson
from hakken.sites.mal import Mal

_MAL_SOURCES: Mapping[str, Callable[[Settings], ListSource]] = {
    Mal.name: lambda settings: Mal(settings.mal_url, settings.mal_client_id),
    Jikan.name: lambda settings: Jikan(settings.jikan_url),
    LoadJson.name: lambda settings: LoadJson(settings.load_json_url),
}
_SITE_NAMES = {Site.MAL: "MyAnimeList", Site.ANILIST: "AniList"}

NO_MAL_SOURCE = (
    "MyAnimeList usernames can't be looked up: set MAL_CLIENT_ID, or name a source in HAKKEN_LIST_SOURCES. Without "
    "either, MyAnimeList's export (--file) and AniList usernames (--source anilist) work."
)
"""For the operator, who is the one at a terminal; visitors of a server are told what they can do themselves."""

SEATS = 4
"""Half of a worker's usual threads."""

_log = logging.getLogger(__name__)


class ListSources:
    """The sources of each site's lists, in the order in which they are asked; may be shared between threads.

    Args:
        http: asks them, and gives each fetch its deadline.
        sources: site → its sources.
        cache: lists of the last minutes.
        seats: how many threads may wait for sites at once.
        instrumentation: hears how long it takes, and whether a list was there already.
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
        """Set up the sources that an operator chose.

        Raises:
            ConfigError: a source is unknown, or lacks what it needs.
        """
        mal = [_MAL_SOURCES[name](settings) for name in mal_source_names(settings)]
        sources: dict[Site, Sequence[ListSource]] = {Site.MAL: mal, Site.ANILIST: [AniList(settings.anilist_url)]}
        return cls(http, sources, seats=max(1, settings.threads // 2), instrumentation=instrumentation)

    def fetch(self, username: Username) -> UserList:
        """Fetch someone's whole list from the first source that can give it, all within one deadline.

        Raises:
            BadUsername: the site can't have such a user.
            NoListSource: no source of the site's lists is set up; said at once.
            TooManyFetches: too many threads are waiting already; said at once.
            UserNotFound: the site itself says that it has no such user.
            PrivateList: the site itself says that the list is private.
            SiteTimeout: another visitor's fetch of the same list took too long.
            AllSourcesFailed: none of the sources could answer.
        """
        checked(username.name)
        if not self._sources[username.site]:
            raise NoListSource(NO_MAL_SOURCE)
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

    def find(self, username: Username) -> UserList | None:
        """The list that was fetched for someone within the last minutes, if one was; no site is asked."""
        return self._cache.find(username)

    def _ask(self, username: Username, deadline: Deadline) -> UserList:
        sources = self._sources[username.site]
        tried: list[tuple[str, SiteError]] = []
        for index, source in enumerate(sources):
            try:
                # Each has an even share of what is left, or the first to hang would leave nothing to the next.
                return source.fetch_list(self._http, username.name, deadline.share(len(sources) - index))
            except SiteError as error:
                _log.warning("The source %s failed: %s", source.name, error)
                tried.append((source.name, error))
        raise AllSourcesFailed(_what_failed(username.site, tried), tried)


def mal_source_names(settings: Settings) -> tuple[str, ...]:
    """Names of the sources to ask for a MyAnimeList username, in order.

    Raises:
        ConfigError: one is unknown, or lacks what it needs.
    """
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


def _what_failed(site: Site, tried: Sequence[tuple[str, SiteError]]) -> str:
    if all(isinstance(error, SiteBlocked) for _, error in tried):
        return f"The list could not be fetched from {_SITE_NAMES[site]}: not found, private, or blocked."
    return f"The list could not be fetched, since {_SITE_NAMES[site]} could not answer; please try again later."
