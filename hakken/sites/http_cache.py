"""HTTP cache of anime facts on disk: requests-cache, in an SQLite file of all workers.

A file that can't be opened, read or written only means that nothing is kept.
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
"""How long an answer is given without asking the site."""
STALE = timedelta(days=365)
"""How long after that it is still given when its site is down."""
SECRET_HEADERS = ("X-MAL-CLIENT-ID",)
"""Neither kept nor told apart by."""
WRITE_SECONDS = 1.0
"""How long to wait for another worker that writes, before anything is kept."""
READ_SECONDS = 0.05
"""How long to wait for one, where a visitor waits."""

_log = logging.getLogger(__name__)


class HttpCache:
    """Opens the cache's file for writing and, apart from that, for reading; may be shared between threads.

    Args:
        directory: where the file is; None: nothing is kept.
    """

    def __init__(self, directory: Path | None) -> None:
        self._file = directory / "facts.sqlite" if directory else None
        self._opening = threading.Lock()
        self._reader: SQLiteCache | None = None

    def new_session(self) -> "CachedSession | None":
        """Make a session that keeps what it gets; None where nothing can be kept now.

        The library waits without end for others who write, so no thread that answers visitors may use it.
        """
        if self._file is None:
            return None
        from requests_cache import CachedSession  # noqa: PLC0415  # takes 0.1 s to load, and few processes need it

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
        """Find the answer that is kept, however old it is; a writer is hardly waited for.

        Raises:
            Exception: of any kind, when the entry is damaged.
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
        """Log that the file can't be used; a damaged one is deleted, so that the next start begins anew."""
        _log.warning("No answers of sites can be kept just now: %s", error)
        if self._file and not isinstance(error, sqlite3.OperationalError):
            self._reader = None
            with suppress(OSError):
                self._file.unlink()


def _open(file: Path, seconds: float) -> "SQLiteCache":
    from requests_cache.backends.sqlite import SQLiteCache  # noqa: PLC0415  # as in new_session

    check_database(file, seconds)  # or the library would try for as long as it takes
    return SQLiteCache(file, serializer="json", wal=True, busy_timeout=round(1000 * seconds))


def _key(request: requests.PreparedRequest, **_: object) -> str:
    """What an answer is kept under: the question alone, whoever asks it."""
    return hashlib.sha256(f"{request.method} {request.url}".encode()).hexdigest()
