"""HTTP cache of anime facts on disk: requests-cache, in an SQLite file shared by all workers.

If the file can't be opened, read or written, nothing is cached; no request fails.
"""

import hashlib
import logging
import sqlite3
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from hakken.files import check_database, is_file

if TYPE_CHECKING:
    from requests_cache import CachedSession
    from requests_cache.backends.sqlite import SQLiteCache

FRESH = timedelta(days=7)
"""How long a response is served without a request to the site."""
STALE = timedelta(days=365)
"""How long after that it is still served while the site is down."""
SECRET_HEADERS = ("X-MAL-CLIENT-ID",)
"""Neither stored nor part of the cache key."""
WRITE_SECONDS = 1.0
"""How long opening the file for writing waits for another worker that is writing."""
READ_SECONDS = 0.05
"""How long reading waits for it, since a visitor is waiting."""

_log = logging.getLogger(__name__)


class HttpCache:
    """Opens the cache file in a directory, for writing and for reading separately; thread-safe. None: no cache."""

    def __init__(self, directory: Path | None) -> None:
        self._file = directory / "facts.sqlite" if directory else None
        self._opening = threading.Lock()
        self._reader: SQLiteCache | None = None

    def new_session(self) -> "CachedSession | None":
        """Make a session that caches responses; None if the file can't be used now.

        The library waits for other writers without a timeout, so no thread that serves visitors may use the session.
        """
        if self._file is None:
            return None
        from requests_cache import CachedSession  # noqa: PLC0415  # importing it takes 0.1 s, and few processes need it

        try:
            cache = _open(self._file, WRITE_SECONDS)
        except sqlite3.Error as error:
            self.failed(error)
            return None
        return CachedSession(
            backend=cache,
            expire_after=FRESH,
            stale_if_error=int(STALE.total_seconds()),
            ignored_parameters=list(SECRET_HEADERS),
            allowable_codes=(200,),
            key_fn=_key,
        )

    def find(self, request: requests.PreparedRequest) -> requests.Response | None:
        """Find the cached response, however old it is; waits at most `READ_SECONDS` for a writer.

        Raises:
            Exception: of any kind, if the entry is damaged.
        """
        if self._file is None or not is_file(self._file):
            return None
        try:
            with self._opening:
                reader = self._reader = self._reader or _open(self._file, READ_SECONDS)
            found: requests.Response | None = reader.get_response(_key(request))
        except sqlite3.Error as error:
            self.failed(error)
            return None
        return found

    def failed(self, error: sqlite3.Error) -> None:
        """Log that the file can't be used; delete it if it is damaged, so that a new one is created."""
        _log.warning("The HTTP cache can't be used: %s", error)
        if self._file and type(error) is sqlite3.DatabaseError:
            self._reader = None
            with suppress(OSError):
                self._file.unlink()


def _open(file: Path, seconds: float) -> "SQLiteCache":
    from requests_cache.backends.sqlite import SQLiteCache  # noqa: PLC0415  # takes 0.1 s to load

    check_database(file, seconds)  # otherwise the library would wait without a timeout
    return SQLiteCache(file, serializer="json", wal=True, busy_timeout=round(1000 * seconds))


def _key(request: requests.PreparedRequest, **_: object) -> str:
    """The cache key: method and URL, whatever the headers."""
    return hashlib.sha256(f"{request.method} {request.url}".encode()).hexdigest()
