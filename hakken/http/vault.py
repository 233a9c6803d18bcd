"""Where answers are kept on disk: requests-cache, in an SQLite file of all workers.

It can do without: a file that can't be opened, read or written only means that nothing is kept.
"""

import logging
import os
import sqlite3
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from requests_cache import CachedSession
    from requests_cache.backends.sqlite import SQLiteCache

KEEP = timedelta(days=7)
"""How long what is kept counts as fresh."""
KEEP_STALE = timedelta(days=365)
"""How long after that it is still given when its site is down."""
SECRET_HEADERS = ("X-MAL-CLIENT-ID",)
"""Neither kept nor told apart by."""

_log = logging.getLogger(__name__)


class Vault:
    """The file and how it is opened; may be shared between threads.

    Args:
        directory: where the file is; None: nothing is kept.
    """

    def __init__(self, directory: Path | None) -> None:
        self._file = directory / "facts.sqlite" if directory else None
        self._opening = threading.Lock()
        # Two, since the library lets readers wait for a writer that waits for ever, as on a disk gone read-only.
        self._writing: SQLiteCache | None = None
        self._reading: CachedSession | None = None

    def new_session(self) -> "CachedSession | None":
        """Make a session that keeps what it gets, for one thread; None where nothing can be kept."""
        with self._opening:
            self._writing = self._writing or self._open()
        return _session(self._writing) if self._writing else None

    def find(self, question: requests.PreparedRequest) -> requests.Response | None:
        """Find what is kept for a question, however old it is."""
        if self._file is None or not self._file.exists():
            return None
        with self._opening:
            if self._reading is None and (store := self._open()):
                self._reading = _session(store)
        if self._reading is None:
            return None
        try:
            cache = self._reading.cache
            return cache.get_response(cache.create_key(question))
        except sqlite3.Error as error:
            self.spoilt(error)
            return None

    def spoilt(self, error: sqlite3.Error) -> None:
        """Say that the file is of no use; a damaged one is taken away, for the next start to begin anew."""
        _log.warning("Nothing can be kept of sites just now: %s", error)
        if self._file and not isinstance(error, sqlite3.OperationalError):
            with suppress(OSError):
                self._file.unlink()

    def _open(self) -> "SQLiteCache | None":
        from requests_cache.backends.sqlite import SQLiteCache  # noqa: PLC0415

        if self._file is None or (self._file.exists() and not os.access(self._file, os.W_OK)):
            return None  # the library would try to write for ever
        for _ in range(2):
            try:
                return SQLiteCache(self._file, serializer="json", wal=True, busy_timeout=1000)
            except sqlite3.Error as error:
                self.spoilt(error)
        return None


def _session(store: "SQLiteCache") -> "CachedSession":
    # It takes a tenth of a second to load, which only those should wait for who keep something.
    from requests_cache import CachedSession  # noqa: PLC0415

    return CachedSession(
        backend=store,
        expire_after=KEEP,
        stale_if_error=int(KEEP_STALE.total_seconds()),
        ignored_parameters=list(SECRET_HEADERS),
        allowable_codes=(200,),
    )
