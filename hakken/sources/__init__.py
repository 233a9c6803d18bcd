"""Where lists come from: one file for each source, and `Sources`, which asks them in turn."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from hakken.config import Settings
from hakken.errors import AllSourcesFailed, ConfigError, SiteBlocked, SiteError
from hakken.http import HttpClient
from hakken.ratings import Site, UserList, Username
from hakken.sources.anilist import AniList
from hakken.sources.base import Source
from hakken.sources.jikan import Jikan
from hakken.sources.load_json import LoadJson
from hakken.sources.mal import Mal

_MAL_SOURCES: Mapping[str, Callable[[HttpClient, Settings], Source]] = {
    Mal.name: lambda http, settings: Mal(http, settings.mal_url, settings.mal_client_id),
    Jikan.name: lambda http, settings: Jikan(http, settings.jikan_url),
    LoadJson.name: lambda http, settings: LoadJson(http, settings.load_json_url),
}
_SITE_NAMES = {Site.MAL: "MyAnimeList", Site.ANILIST: "AniList"}

_log = logging.getLogger(__name__)


class Sources:
    """The sources of each site's lists, in the order in which they are asked."""

    def __init__(self, http: HttpClient, sources: Mapping[Site, Sequence[Source]]) -> None:
        self._http = http
        self._sources = sources

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Set up the sources that an operator chose.

        Raises:
            ConfigError: a source is unknown, or lacks what it needs.
        """
        http = HttpClient(settings.deadline)
        mal = [_MAL_SOURCES[name](http, settings) for name in _names(settings)]
        return cls(http, {Site.MAL: mal, Site.ANILIST: [AniList(http, settings.anilist_url)]})

    def fetch(self, username: Username) -> UserList:
        """Fetch someone's whole list from the first source that can give it, all within one deadline.

        Raises:
            BadUsername: the site can't have such a user.
            UserNotFound: the site itself says that it has no such user.
            PrivateList: the site itself says that the list is private.
            AllSourcesFailed: none of the sources could answer.
        """
        sources = self._sources[username.site]
        deadline = self._http.new_deadline()
        tried: list[tuple[str, SiteError]] = []
        for place, source in enumerate(sources):
            try:
                # Each has an even share of what is left, or the first to hang would leave nothing to the next.
                return source.fetch(username.name, deadline.share(len(sources) - place))
            except SiteError as error:
                _log.warning("The source %s failed: %s", source.name, error)
                tried.append((source.name, error))
        raise AllSourcesFailed(_what_failed(username.site, tried), tried)


def _names(settings: Settings) -> tuple[str, ...]:
    names = settings.mal_sources
    for name in names:
        if name not in _MAL_SOURCES:
            raise ConfigError(
                f"The setting HAKKEN_LIST_SOURCES can't be used: {name!r} is none of {', '.join(_MAL_SOURCES)}."
            )
    if Mal.name in names and not settings.mal_client_id:
        raise ConfigError("The setting HAKKEN_LIST_SOURCES has the source mal, which needs MAL_CLIENT_ID.")
    return names


def _what_failed(site: Site, tried: Sequence[tuple[str, SiteError]]) -> str:
    if all(isinstance(error, SiteBlocked) for _, error in tried):
        return f"The list could not be had from {_SITE_NAMES[site]}: not found, private, or blocked."
    return f"The list could not be had, since {_SITE_NAMES[site]} could not answer; please try again later."
