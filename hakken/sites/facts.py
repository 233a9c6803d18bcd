"""Facts about anime that the catalogue lacks, such as a picture and a synopsis: fetched from a site, and merged.

    page ─► known (memory, HTTP cache) ─► the anime, filled in
         └► want ─► fetch queue (a thread) ─► jikan | mal ─► HTTP cache, found by the next `known`

Pages never wait for a fetch. Facts that the catalogue has are never requested and never overwritten. Of the facts of
two sources about one anime, an unknown one never replaces a known one.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

import msgspec
from cachetools import TLRUCache

from hakken.catalogue import Anime, Catalogue
from hakken.config import Settings
from hakken.errors import ConfigError, RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.sites.client import HttpClient
from hakken.sites.jikan import Jikan
from hakken.sites.mal import Mal

RATE = "facts"
"""Name in `HAKKEN_SITE_RATES` of the rate limit for fetching facts."""
MAX_FOUND_BYTES = 8 * 2**20
"""Of the facts held in memory, about 2 kB for each anime; they are counted as JSON, which is a little less."""
ENTRY_BYTES = 200
"""What an entry takes beside its facts, and all that it takes where there are none."""
FOUND_SECONDS = 3600.0
NOTHING_SECONDS = 20.0
"""After this time the disk is read again, since another worker may have fetched the facts."""
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

SERIES_FIELDS = ("series", "part", "kind", "probable", "story", "universe")
_UNKNOWN: dict[str, object] = {
    field.name: field.default
    for field in msgspec.structs.fields(Anime)
    if field.default is not msgspec.NODEFAULT and field.name not in SERIES_FIELDS
}
"""Value of each unknown fact; for a flag it is False, so an unknown flag equals one known to be false."""

FactsSite = Mal | Jikan

_log = logging.getLogger(__name__)


def lacking(anime: Anime) -> bool:
    """Whether an anime lacks facts that are worth fetching: its picture or its synopsis."""
    return anime.picture is None or anime.synopsis is None


def facts_site(name: str, settings: Settings) -> FactsSite:
    """Set up the site of that name, `mal` or `jikan`; raises ConfigError if a setting that it needs is missing."""
    if name == Jikan.name:
        return Jikan(settings.jikan_url)
    if not settings.mal_client_id:
        raise ConfigError("Anime facts from mal (HAKKEN_FACTS_SOURCE, or --source) need MAL_CLIENT_ID.")
    return Mal(settings.mal_url, settings.mal_client_id)


def filled(anime: Anime, more: Anime) -> Anime:
    """Fill in the facts that an anime lacks from another source; known facts are not overwritten.

    Relations from a site replace inferred ones. The fields of `SERIES_FIELDS` are computed here and come from no site,
    so they are unchanged.
    """
    added: dict[str, Any] = {
        name: getattr(more, name) for name, unknown in _UNKNOWN.items() if getattr(anime, name) == unknown
    }
    if more.relations_asked and not anime.relations_asked:
        added["relations"] = more.relations
    title = anime.title or more.title
    english = added.get("title_english", anime.title_english)
    if english == title:
        english = None
    added["title_english"] = english
    added["synonyms"] = tuple(name for name in added.get("synonyms", anime.synonyms) if name not in {title, english})
    return msgspec.structs.replace(anime, title=title, **added)


def updated(old: Anime, new: Anime) -> Anime:
    """Update an anime: new facts replace old ones, and old facts without a new value are kept.

    Old names are kept as synonyms, since people and other tables may still use them.
    """
    both = filled(new, old)
    names = dict.fromkeys((*both.synonyms, *old.synonyms))
    known = {both.title, both.title_english}
    return msgspec.structs.replace(
        both,
        synonyms=tuple(name for name in names if name not in known),
        **{name: getattr(old, name) for name in SERIES_FIELDS},
    )


def updated_all(old: Catalogue, new: Catalogue) -> Catalogue:
    """Merge two catalogues: all anime of either, those in both `updated`."""
    changed = (updated(old[one.anime_id], one) if one.anime_id in old else one for one in new.values())
    return Catalogue([*old.values(), *changed])


class AnimeFacts:
    """Facts about anime beyond the catalogue; thread-safe.

    Args:
        http: sends the requests, and caches the responses.
        site: the site to ask; None: none, so that only the facts in the catalogue are known.
        instrumentation: records cache hits and misses.
    """

    def __init__(
        self, http: HttpClient, site: FactsSite | None, instrumentation: Instrumentation = NO_INSTRUMENTATION
    ) -> None:
        self._http = http
        self._site = site
        self._instrumentation = instrumentation
        self._held: TLRUCache[int, Anime | None] = TLRUCache(
            MAX_FOUND_BYTES,
            ttu=lambda _, found, now: now + (FOUND_SECONDS if found else NOTHING_SECONDS),
            getsizeof=lambda found: ENTRY_BYTES + (len(msgspec.json.encode(found)) if found else 0),
        )
        self._lock = threading.Lock()  # guards _held
        self.queue = FetchQueue(self._fetch)

    @classmethod
    def from_settings(
        cls, settings: Settings, http: HttpClient, instrumentation: Instrumentation = NO_INSTRUMENTATION
    ) -> Self:
        """Set up with the site that the settings name, or with none if they say `off`; raises as `facts_site`."""
        name = settings.facts_from
        return cls(http, facts_site(name, settings) if name else None, instrumentation)

    def known(self, anime: Anime) -> Anime:
        """Fill in the facts that an anime of the catalogue lacks from those fetched before; sends no request."""
        if self._site is None:
            return anime
        with self._lock:
            is_held, more = anime.anime_id in self._held, self._held.get(anime.anime_id)
        if not is_held:
            more = self._kept(self._site, anime.anime_id)
        self._instrumentation.looked_up("facts", found=more is not None)
        return filled(anime, more) if more else anime

    def want(self, anime_ids: Iterable[int]) -> None:
        """Queue some anime for their facts to be fetched soon, one at a time and in this order; returns at once."""
        if self._site is not None:
            self.queue.want(anime_ids)

    def _kept(self, site: FactsSite, anime_id: int) -> Anime | None:
        """Read the facts in the HTTP cache on disk; the result, or that there is none, is held in memory."""
        try:
            answer = self._http.kept(site.about(anime_id))
            found = site.read(answer, anime_id) if answer else None
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the disk, a page must not fail for a picture
            _log.warning("The facts kept of anime %d can't be used (%s).", anime_id, type(error).__name__)
            found = None
        self._hold(anime_id, found)
        return found

    def _fetch(self, anime_id: int) -> None:
        if self._site is not None:
            self._http.take_turn(RATE)
            answer = self._http.get(self._site.about(anime_id), self._http.new_deadline(), keep=True)
            self._hold(anime_id, self._site.read(answer, anime_id))

    def _hold(self, anime_id: int, found: Anime | None) -> None:
        with self._lock, suppress(ValueError):  # larger than all that may be held: read from the disk each time
            self._held[anime_id] = found


class FetchQueue:
    """Fetches items by their ids in a thread of its own, which starts with the first request.

    `fetch` fetches one item and stores the result. It raises RateLimited if the rate limit does not allow it soon, and
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
