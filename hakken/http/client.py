"""The one HTTP client: every request to a site goes through it.

A question goes down this way, and its answer comes back up:

    what is kept on disk, for facts (requests-cache)
    is the site to be left alone? (breaker)
    its turn (pace)
    sent once, and bounded (transport); again, should it fail in passing (adapter)
"""

import http.cookiejar
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

import requests
import urllib3

from hakken import __version__
from hakken.config import Settings
from hakken.files import SITES, cache_directory, private_directory
from hakken.http.adapter import SiteAdapter
from hakken.http.answers import Answer, site_error
from hakken.http.breaker import Breaker
from hakken.http.deadline import Deadline
from hakken.http.pace import Pace
from hakken.http.transport import BoundedAdapter, host_of
from hakken.http.vault import Vault
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation

if TYPE_CHECKING:
    from requests_cache import CachedSession

USER_AGENT = f"Hakken/{__version__} (anime recommender)"
MAX_BODY = 16 * 2**20
"""Largest answer that is read, in bytes after unpacking; 1,000 entries of a list come to about 1 MB."""


class HttpClient:
    """Sends requests; may be shared between threads.

    Args:
        deadline: seconds that fetching one thing may take in all, pages and fallbacks included.
        sites: name of a site → base of its addresses. What lies elsewhere has neither a pace nor a breaker.
        pace: how often each site may be asked.
        directory: where answers are kept; None: nowhere.
        max_body: largest body that is read, in bytes.
        clock: seconds that never run backwards.
        instrumentation: hears how asking the sites ends.
    """

    def __init__(
        self,
        deadline: float,
        *,
        sites: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        directory: Path | None = None,
        max_body: int = MAX_BODY,
        clock: Callable[[], float] = time.monotonic,
        instrumentation: Instrumentation = NO_INSTRUMENTATION,
    ) -> None:
        for library in ("urllib3", "requests_cache"):
            # Their warnings hold whole addresses, and with them usernames; what went wrong is in our errors too.
            logging.getLogger(library).setLevel(logging.ERROR)
        self._seconds = deadline
        self._sites = {base: (site, Breaker()) for site, base in (sites or {}).items()}
        self._pace = pace or Pace({})
        self._vault = Vault(directory)
        self._max_body = max_body
        self._clock = clock
        self._instrumentation = instrumentation
        self._local = threading.local()  # requests does not promise that a session may be shared between threads

    @classmethod
    def from_settings(cls, settings: Settings, instrumentation: Instrumentation = NO_INSTRUMENTATION) -> Self:
        """Set up the client for the sites that an operator chose, sharing with all others of this machine."""
        directory = private_directory(cache_directory(settings.cache_dir) / SITES)
        bases = {
            "jikan": settings.jikan_url,
            "mal": settings.mal_url,
            "load_json": settings.load_json_url,
            "anilist": settings.anilist_url,
        }
        pace = Pace(settings.rates, directory)
        return cls(settings.deadline, sites=bases, pace=pace, directory=directory, instrumentation=instrumentation)

    def new_deadline(self) -> Deadline:
        """Start the time that fetching one thing may take."""
        return Deadline.after(self._seconds, self._clock)

    def pace(self, site: str, deadline: Deadline) -> None:
        """Wait until a site, or what is limited like one, may be asked; raises SiteBusy as `Pace.wait` does."""
        self._pace.wait(site, deadline)

    def get(
        self,
        url: str,
        deadline: Deadline,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> Answer:
        """Ask for JSON with GET.

        Args:
            url: of the question.
            deadline: by which there has to be an answer.
            params: of the question.
            headers: of the question.
            keep: keep the answer on disk, and answer from there for a week; later the site is asked whether it still
                holds and, while the site is down, it is given as it is.

        Raises:
            SiteError: see `hakken.errors` for the kinds; never SiteBlocked, which is the caller's to find.
        """
        if keep:
            try:
                if session := self._keeping:
                    return _asked(session, "GET", url, deadline, params=params, headers=headers)
            except sqlite3.Error as error:
                self._vault.spoilt(error)
        return _asked(self._session, "GET", url, deadline, params=params, headers=headers)

    def post(self, url: str, deadline: Deadline, *, json: object) -> Answer:
        """Ask for JSON with POST, sending `json`; raises as `get` does."""
        return _asked(self._session, "POST", url, deadline, json=json)

    def kept(
        self, url: str, *, params: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        """Give the answer that is kept to a question, however old it is; asks nobody.

        What is kept but can't be read is no answer.
        """
        question = self._session.prepare_request(
            requests.Request("GET", url, params=params, headers=dict(headers or {}))
        )
        found = self._vault.find(question)
        return Answer(host_of(question), found.status, found.body) if found else None

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            self._equip(session)
        return session

    @property
    def _keeping(self) -> "CachedSession | None":
        session: CachedSession | None = getattr(self._local, "keeping", None)
        if session is None and (session := self._vault.new_session()):
            self._local.keeping = session
            self._equip(session)
        return session

    def _equip(self, session: requests.Session) -> None:
        session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        # Requests for different visitors share a session, so a site's cookies are refused.
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("http://", "https://"):
            session.mount(scheme, BoundedAdapter(self._max_body))
        for base, (site, breaker) in self._sites.items():
            session.mount(base, SiteAdapter(site, self._pace, breaker, self._max_body, self._instrumentation))


def _asked(session: requests.Session, method: str, url: str, deadline: Deadline, **arguments: Any) -> Answer:  # noqa: ANN401  # handed on
    host = urlsplit(url).hostname or "The site"
    try:
        response = session.request(method, url, timeout=cast("float", deadline), allow_redirects=False, **arguments)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        # What is wrong with an address or a header is found before anything is sent.
        raise site_error(error, host) from None
    return Answer(host, response.status_code, response.content)
