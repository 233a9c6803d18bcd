"""Facts about anime that the catalogue lacks, such as a picture and a synopsis, from a site that knows them.

    page ─► known (memory, HTTP cache) ─► the anime, filled in
         └► want ─► fetch queue (a thread) ─► jikan | mal ─► HTTP cache, found by the next `known`

A page waits for none of it. What the catalogue has is never asked for and never overwritten.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Self

from cachetools import TLRUCache

from hakken.catalogue import Anime
from hakken.config import Settings
from hakken.errors import ConfigError
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.sites.base import FactsSite
from hakken.sites.client import HttpClient
from hakken.sites.fetch_queue import FetchQueue
from hakken.sites.jikan import Jikan
from hakken.sites.mal import Mal
from hakken.sites.merge import filled

RATE = "facts"
"""What `HAKKEN_SITE_RATES` calls the asking for single titles."""
MAX_FOUND = 2048
"""Anime whose facts are held in memory, of about 2 kB each; that there are none takes 1/25 of the room."""
FOUND_SECONDS = 3600.0
NOTHING_SECONDS = 20.0
"""After so long, disk is looked at again for what another worker may have fetched."""

_log = logging.getLogger(__name__)


def lacking(anime: Anime) -> bool:
    """Whether there is anything about an anime that is worth asking for."""
    return anime.picture is None or anime.synopsis is None


def facts_site(name: str, settings: Settings) -> FactsSite:
    """Set up the site of facts that is called so, `mal` or `jikan`.

    Raises:
        ConfigError: it lacks what it needs.
    """
    if name == Jikan.name:
        return Jikan(settings.jikan_url)
    if not settings.mal_client_id:
        raise ConfigError("Anime facts from mal (HAKKEN_FACTS_SOURCE, or --source) need MAL_CLIENT_ID.")
    return Mal(settings.mal_url, settings.mal_client_id)


class AnimeFacts:
    """What is known about anime beyond the catalogue; may be shared between threads.

    Args:
        http: asks the site, and keeps what it answered.
        site: the site to ask; None: no site, so that nothing beyond the catalogue is known.
        instrumentation: hears whether facts were there already.
    """

    def __init__(
        self, http: HttpClient, site: FactsSite | None, instrumentation: Instrumentation = NO_INSTRUMENTATION
    ) -> None:
        self._http = http
        self._site = site
        self._instrumentation = instrumentation
        self._held: TLRUCache[int, Anime | None] = TLRUCache(
            25 * MAX_FOUND,
            ttu=lambda _, found, now: now + (FOUND_SECONDS if found else NOTHING_SECONDS),
            getsizeof=lambda found: 25 if found else 1,
        )
        self._lock = threading.Lock()  # of what is held
        self.queue = FetchQueue(self._fetch)

    @classmethod
    def from_settings(
        cls, settings: Settings, http: HttpClient, instrumentation: Instrumentation = NO_INSTRUMENTATION
    ) -> Self:
        """Set up the site that the settings name; none where they say `off`.

        Raises:
            ConfigError: what they name lacks what it needs.
        """
        name = settings.facts_from
        return cls(http, facts_site(name, settings) if name else None, instrumentation)

    def known(self, anime: Anime) -> Anime:
        """An anime with what the catalogue lacks filled in from facts that were fetched before; asks nobody.

        Args:
            anime: as the catalogue has it; its facts go before others.
        """
        if self._site is None:
            return anime
        with self._lock:
            is_held, more = anime.anime_id in self._held, self._held.get(anime.anime_id)
        if not is_held:
            more = self._kept(self._site, anime.anime_id)
        self._instrumentation.looked_up("facts", found=more is not None)
        return filled(anime, more) if more else anime

    def want(self, anime_ids: Iterable[int]) -> None:
        """Have the facts of some anime fetched soon, one at a time and the first of them first; returns at once."""
        if self._site is not None:
            self.queue.want(anime_ids)

    def _kept(self, site: FactsSite, anime_id: int) -> Anime | None:
        """What is kept on disk of an anime; it is remembered, and so is that there is nothing."""
        try:
            answer = self._http.kept(site.about(anime_id))
            found = site.read(answer, anime_id) if answer else None
        except Exception as error:  # noqa: BLE001  # whatever became of the disk, a page must not fail for a picture
            _log.warning("What is kept of anime %d can't be used (%s).", anime_id, type(error).__name__)
            found = None
        self._hold(anime_id, found)
        return found

    def _fetch(self, anime_id: int) -> None:
        """Ask for an anime, and remember what came."""
        if self._site is not None:
            self._http.wait_for(RATE)
            answer = self._http.get(self._site.about(anime_id), self._http.new_deadline(), keep=True)
            self._hold(anime_id, self._site.read(answer, anime_id))

    def _hold(self, anime_id: int, found: Anime | None) -> None:
        with self._lock:
            self._held[anime_id] = found
