"""The HTTP client for all requests to sites.

A request passes the HTTP cache on disk (facts only; `http_cache`), then the circuit breaker, the rate limit, the
retries, the deadline and the size limit (`adapter`).
"""

import http.cookiejar
import logging
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit

import requests
import urllib3

from hakken import __version__
from hakken.config import Settings, SiteRate
from hakken.files import SITES, cache_directory, private_directory
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.sites.adapter import SiteAdapter
from hakken.sites.http import Answer, Deadline, Request, site_error
from hakken.sites.http_cache import HttpCache
from hakken.sites.rate_limit import RateLimit

USER_AGENT = f"Hakken/{__version__} (anime recommender)"


class HttpClient:
    """Sends requests to sites; thread-safe.

    Args:
        deadline: seconds that one fetch may take in total, including all pages and fallback sources.
        sites: name of a site → base URL.
        rates: name of a site, or of another rate limit → its rates; one without an entry has no limit.
        directory: for the HTTP cache and the request counts; None: no cache, and counts in this process only.
        instrumentation: records the outcome of each request.
    """

    def __init__(
        self,
        deadline: float,
        *,
        sites: Mapping[str, str] | None = None,
        rates: Mapping[str, tuple[SiteRate, ...]] | None = None,
        directory: Path | None = None,
        instrumentation: Instrumentation = NO_INSTRUMENTATION,
    ) -> None:
        for library in ("urllib3", "requests_cache"):
            # Their warnings contain whole URLs, and with them usernames; our errors also say what went wrong.
            logging.getLogger(library).setLevel(logging.ERROR)
        self._seconds = deadline
        self._rate_limits = {site: RateLimit(site, some, directory) for site, some in (rates or {}).items()}
        self._adapters = {
            base: SiteAdapter(site, self._rate_limits.get(site), instrumentation)
            for site, base in {"http": "http://", "https": "https://", **(sites or {})}.items()
        }
        self._session = self._equipped(requests.Session())
        self._cache = HttpCache(directory)
        self._cached_session: requests.Session | None = None

    @classmethod
    def from_settings(cls, settings: Settings, instrumentation: Instrumentation = NO_INSTRUMENTATION) -> Self:
        """Set up the client from the settings; it shares its cache and rate limits with all others on this machine."""
        sites = {
            "jikan": settings.jikan_url,
            "mal": settings.mal_url,
            "load_json": settings.load_json_url,
            "anilist": settings.anilist_url,
        }
        directory = private_directory(cache_directory(settings.cache_dir) / SITES)
        if directory:  # earlier versions cached lists here for minutes, and nothing else would delete the last ones
            with suppress(OSError):
                (directory / "lists.sqlite").unlink()
        return cls(
            settings.deadline, sites=sites, rates=settings.rates, directory=directory, instrumentation=instrumentation
        )

    def new_deadline(self) -> Deadline:
        """Start the deadline of one fetch."""
        return Deadline.after(self._seconds)

    def take_turn(self, name: str) -> None:
        """Count a request against a rate limit that is not a site's own.

        Raises:
            RateLimited: it allows none now; `retry_after` says when.
        """
        if name in self._rate_limits:
            self._rate_limits[name].wait(Deadline.after(0))

    def get(self, request: Request, deadline: Deadline, *, keep: bool = False) -> Answer:
        """Send a GET request for JSON.

        Args:
            request: the request to send.
            deadline: time limit for the response.
            keep: use the HTTP cache on disk: a response is fresh for a week, then revalidated and, while the site is
                down, served stale. Not for threads that serve visitors.

        Raises:
            SiteError: see `hakken.errors` for the kinds; never SiteBlocked, which the caller raises.
        """
        url, params, headers = request
        if keep:
            try:
                if self._cached_session is None and (session := self._cache.new_session()):
                    self._cached_session = self._equipped(session)
                if self._cached_session:
                    return _ask(self._cached_session, "GET", url, deadline, params=params, headers=headers)
            except sqlite3.Error as error:
                self._cache.failed(error)
                self._cached_session = None
        return _ask(self._session, "GET", url, deadline, params=params, headers=headers)

    def post(self, url: str, deadline: Deadline, *, json: object) -> Answer:
        """Send `json` in a POST request for JSON; raises as `get` does."""
        return _ask(self._session, "POST", url, deadline, json=json)

    def kept(self, request: Request) -> Answer | None:
        """Return the cached response to a request, however old it is; sends no request.

        Raises:
            Exception: of any kind, if the cache entry is damaged.
        """
        url, params, headers = request
        prepared = self._session.prepare_request(requests.Request("GET", url, params=params, headers=dict(headers)))
        found = self._cache.find(prepared)
        return Answer(_host(url), found.status_code, found.content) if found is not None else None

    def _equipped(self, session: requests.Session) -> requests.Session:
        session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        # Requests for different visitors share a session, so a site's cookies are refused.
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
        for base, adapter in self._adapters.items():
            session.mount(base, adapter)
        return session


def _host(url: str) -> str:
    return urlsplit(url).hostname or "The site"


def _ask(session: requests.Session, method: str, url: str, deadline: Deadline, **arguments: Any) -> Answer:  # noqa: ANN401  # passed on
    try:
        response = session.request(method, url, timeout=cast("float", deadline), allow_redirects=False, **arguments)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        # An invalid URL or header is detected before the adapter is called.
        raise site_error(error, _host(url)) from None
    return Answer(_host(url), response.status_code, response.content)
