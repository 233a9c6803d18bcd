"""The HTTP client for all requests to sites, and its cache of anime facts on disk.

A request passes the cache (facts only), then the circuit breaker, the rate limit, the retries, the deadline and the
size limit (`adapter`). The cache is requests-cache, in an SQLite file shared by all workers; if the file can't be
opened, read or written, nothing is cached until it can again, and no request fails. It has a size; the oldest responses
leave first.
"""

import hashlib
import http.cookiejar
import logging
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import requests
import urllib3

from hakken import __version__
from hakken.config import Settings, SiteRate
from hakken.files import SITES, cache_directory, check_database, is_file, private_directory
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.sites.adapter import SiteAdapter
from hakken.sites.http import Answer, Deadline, Request, host_of, site_error
from hakken.sites.rate_limit import RateLimit, part_of

if TYPE_CHECKING:
    from requests_cache.backends.sqlite import SQLiteCache

USER_AGENT = f"Hakken/{__version__} (anime recommender)"
FRESH = timedelta(days=7)
"""How long a cached response is served without a request to the site."""
STALE = timedelta(days=365)
"""How long after that it is still served while the site is down."""
MAX_BYTES = 128 * 2**20
"""Of the cached responses in the file; before one that leads beyond it, the oldest are deleted."""
MAX_ROWS = 40_000
"""Cached responses; no site has as many anime."""
SECRET_HEADERS = ("X-MAL-CLIENT-ID",)
"""Neither stored nor part of the cache key."""
WRITE_SECONDS = 1.0
"""How long opening the cache for writing waits for another worker that is writing."""
_SIZES = ("page_count", "freelist_count", "page_size")
READ_SECONDS = 0.05
"""How long reading waits for it, since a visitor is waiting."""

_log = logging.getLogger(__name__)


class HttpClient:
    """Sends requests to sites; thread-safe.

    Args:
        deadline: seconds that one fetch may take in total, including all pages and fallback sources.
        sites: name of a site → base URL.
        rates: name of a site, or of another rate limit → its rates; one without an entry has no limit.
        share: share of each rate that this client may take, of the requests of all on this machine.
        directory: for the HTTP cache and the request counts; None: no cache, and counts in this process only.
        instrumentation: records the outcome of each request.
    """

    def __init__(
        self,
        deadline: float,
        *,
        sites: Mapping[str, str] | None = None,
        rates: Mapping[str, tuple[SiteRate, ...]] | None = None,
        share: float = 1.0,
        directory: Path | None = None,
        instrumentation: Instrumentation = NO_INSTRUMENTATION,
    ) -> None:
        for library in ("urllib3", "requests_cache"):
            # Their warnings contain whole URLs, and with them usernames; our errors also say what went wrong.
            logging.getLogger(library).setLevel(logging.ERROR)
        self._seconds = deadline
        self._rate_limits = {
            site: RateLimit(site, some, directory, _share_of(site, some, share, directory))
            for site, some in (rates or {}).items()
        }
        self._adapters = {
            base: SiteAdapter(site, self._rate_limits.get(site), instrumentation)
            for site, base in {"http": "http://", "https": "https://", **(sites or {})}.items()
        }
        self._session = self._equipped(requests.Session())
        self._file = directory / "facts.sqlite" if directory else None
        self._cached_session: requests.Session | None = None
        self._opening = threading.Lock()
        self._reader: SQLiteCache | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings, instrumentation: Instrumentation = NO_INSTRUMENTATION, *, share: float = 1.0
    ) -> Self:
        """Set up the client from the settings; it shares its cache and rate limits with all others on this machine."""
        sites = {name: getattr(settings, f"{name}_url") for name in ("jikan", "mal", "load_json", "anilist")}
        directory = private_directory(cache_directory(settings.cache_dir) / SITES)
        if directory:  # earlier versions cached lists here for minutes, and nothing else would delete the last ones
            with suppress(OSError):
                (directory / "lists.sqlite").unlink()
        return cls(
            settings.deadline,
            sites=sites,
            rates=settings.rates,
            share=share,
            directory=directory,
            instrumentation=instrumentation,
        )

    def new_deadline(self) -> Deadline:
        """Start the deadline of one fetch."""
        return Deadline.after(self._seconds)

    def take_turn(self, name: str) -> None:
        """Count a request against a rate limit that is not a site's own; raises RateLimited if it allows none now."""
        if name in self._rate_limits:
            self._rate_limits[name].wait(Deadline.after(0))

    def get(self, request: Request, deadline: Deadline, *, keep: bool = False) -> Answer:
        """Send a GET request for JSON.

        Args:
            request: the request to send.
            deadline: time limit for the response.
            keep: use the HTTP cache on disk: a response is fresh for a week, then revalidated and, while the site is
                down, served stale. Not for threads that serve visitors, since the library waits for other writers
                without a timeout.

        Raises:
            SiteError: see `hakken.errors` for the kinds; never SiteBlocked, which the caller raises.
        """
        sent = {"params": request.params, "headers": request.headers}
        if keep and self._file:
            try:
                self._cached_session = self._cached_session or self._new_cached_session(self._file)
                answer = _ask(self._cached_session, "GET", request.url, deadline, **sent)
            except sqlite3.Error as error:
                self._cache_failed(error)
                self._cached_session = None
            else:
                self._trim(self._file)
                return answer
        return _ask(self._session, "GET", request.url, deadline, **sent)

    def post(self, url: str, deadline: Deadline, *, json: object) -> Answer:
        """Send `json` in a POST request for JSON; raises as `get` does."""
        return _ask(self._session, "POST", url, deadline, json=json)

    def kept(self, request: Request) -> Answer | None:
        """Return the cached response to a request, however old it is; sends no request.

        Raises an exception of any kind if the cache entry is damaged.
        """
        if self._file is None or not is_file(self._file):
            return None
        url, params, headers = request
        prepared = self._session.prepare_request(requests.Request("GET", url, params=params, headers=dict(headers)))
        try:
            with self._opening:
                reader = self._reader = self._reader or _open_cache(self._file, READ_SECONDS)
            found = reader.get_response(_cache_key(prepared))
        except sqlite3.Error as error:
            self._cache_failed(error)
            return None
        return Answer(host_of(url), found.status_code, found.content) if found is not None else None

    def _equipped(self, session: requests.Session) -> requests.Session:
        session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        # Requests for different visitors share a session, so a site's cookies are refused.
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
        for base, adapter in self._adapters.items():
            session.mount(base, adapter)
        return session

    def _new_cached_session(self, file: Path) -> requests.Session:
        from requests_cache import CachedSession  # noqa: PLC0415  # importing it takes 0.1 s, and few processes need it

        session = CachedSession(
            backend=_open_cache(file, WRITE_SECONDS),
            expire_after=FRESH,
            stale_if_error=int(STALE.total_seconds()),
            ignored_parameters=list(SECRET_HEADERS),
            allowable_codes=(200,),
            key_fn=_cache_key,
        )
        return self._equipped(session)

    def _trim(self, file: Path) -> None:
        try:
            trim(file)
        except sqlite3.Error as error:
            self._cache_failed(error)

    def _cache_failed(self, error: sqlite3.Error) -> None:
        """Log that the file can't be used; delete it if it is damaged, so that a new one is created."""
        _log.warning("The HTTP cache can't be used: %s", error)
        if self._file and type(error) is sqlite3.DatabaseError:
            self._reader = None
            with suppress(OSError):
                self._file.unlink()


def _share_of(site: str, rates: tuple[SiteRate, ...], share: float, directory: Path | None) -> RateLimit | None:
    """The limit of a client that may take a share of the rates only; None if it may take all."""
    return RateLimit(f"{site}-collect", [part_of(one, share) for one in rates], directory) if share < 1 else None


def _open_cache(file: Path, seconds: float) -> "SQLiteCache":
    from requests_cache.backends.sqlite import SQLiteCache  # noqa: PLC0415  # takes 0.1 s to load

    check_database(file, seconds)  # otherwise the library would wait without a timeout
    return SQLiteCache(file, serializer="json", wal=True, busy_timeout=round(1000 * seconds))


def trim(file: Path) -> None:
    """Delete the oldest responses, a tenth at a time, until the rest is within the limits; raises sqlite3.Error.

    The file itself shrinks only if most of it is unused: otherwise later responses use the room.
    """
    with closing(sqlite3.connect(file, timeout=WRITE_SECONDS, isolation_level=None)) as connection:
        while True:
            rows, pages, unused, page_bytes = (
                connection.execute(query).fetchone()[0]
                for query in ("SELECT count(*) FROM responses", *(f"PRAGMA {one}" for one in _SIZES))
            )
            if not rows or (rows <= MAX_ROWS and (pages - unused) * page_bytes <= MAX_BYTES):
                break
            # A response that is written anew gets a new rowid, beyond all others.
            oldest = "DELETE FROM responses WHERE rowid IN (SELECT rowid FROM responses ORDER BY rowid LIMIT ?)"
            connection.execute(oldest, (max(rows // 10, 1, rows - MAX_ROWS),))
        if unused > pages // 2 and pages * page_bytes > MAX_BYTES:
            connection.execute("VACUUM")


def _cache_key(request: requests.PreparedRequest, **_: object) -> str:
    return hashlib.sha256(f"{request.method} {request.url}".encode()).hexdigest()


def _ask(session: requests.Session, method: str, url: str, deadline: Deadline, **arguments: Any) -> Answer:  # noqa: ANN401  # passed on
    try:
        response = session.request(method, url, timeout=cast("float", deadline), allow_redirects=False, **arguments)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        # An invalid URL or header is detected before the adapter is called.
        raise site_error(error, host_of(url)) from None
    return Answer(host_of(url), response.status_code, response.content)
