"""Where answers are kept on disk: requests-cache, in an SQLite file of all workers.

It can do without: a file that can't be opened, read or written only means that nothing is kept.
"""

import hashlib
import logging
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import requests

from hakken.files import check_database, is_file

if TYPE_CHECKING:
    from requests_cache import CachedSession
    from requests_cache.backends.sqlite import SQLiteCache

KEEP = timedelta(days=7)
"""How long what is kept counts as fresh."""
KEEP_STALE = timedelta(days=365)
"""How long after that it is still given when its site is down."""
SECRET_HEADERS = ("X-MAL-CLIENT-ID",)
"""Neither kept nor told apart by."""

_PATIENCE = 1.0
"""Seconds to wait for another worker that writes, before anything is kept."""
_GLANCE = 0.05
"""Seconds to wait for one, where a visitor waits."""

_log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """An answer that is kept: its status and body."""

    status: int
    body: bytes


class Vault:
    """The file and how it is opened; may be shared between threads.

    Args:
        directory: where the file is; None: nothing is kept.
    """

    def __init__(self, directory: Path | None) -> None:
        self._file = directory / "facts.sqlite" if directory else None
        self._opening = threading.Lock()
        self._store: SQLiteCache | None = None

    def new_session(self) -> "CachedSession | None":
        """Make a session that keeps what it gets, for one thread; None where nothing can be kept now.

        The library waits as long as it takes for others who write. So this is nothing for a thread that answers
        visitors: those only `find`.
        """
        # requests-cache takes a tenth of a second to load, which only those should wait for who keep something.
        from requests_cache import CachedSession  # noqa: PLC0415  # as said

        with self._opening:
            self._store = self._store or self._open()
        if self._store is None:
            return None
        return CachedSession(
            backend=self._store,
            expire_after=KEEP,
            stale_if_error=int(KEEP_STALE.total_seconds()),
            ignored_parameters=list(SECRET_HEADERS),
            allowable_codes=(200,),
            key_fn=_key,
        )

    def find(self, question: requests.PreparedRequest) -> Kept | None:
        """Find what is kept for a question, however old it is; waits for nobody."""
        if self._file is None or not is_file(self._file):
            return None
        address = f"{self._file.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=_GLANCE)) as store:
                row = store.execute("SELECT value FROM responses WHERE key = ?", (_key(question),)).fetchone()
        except sqlite3.Error as error:
            self.spoilt(error)
            return None
        from requests_cache.serializers import init_serializer  # noqa: PLC0415  # as in new_session

        try:
            serializer = init_serializer("json", decode_content=False)
            found = serializer.loads(row[0]) if serializer and row else None
            return Kept(int(found.status_code), bytes(found.content)) if found else None
        except Exception as error:  # noqa: BLE001  # a damaged entry can be anything to the library, and is no answer
            _log.warning("What is kept of a site can't be read (%s)", type(error).__name__)
            return None

    def spoilt(self, error: sqlite3.Error) -> None:
        """Say that the file is of no use; a damaged one is taken away, for the next start to begin anew."""
        _log.warning("Nothing can be kept of sites just now: %s", error)
        if self._file and not isinstance(error, sqlite3.OperationalError):
            with suppress(OSError):
                self._file.unlink()

    def _open(self) -> "SQLiteCache | None":
        from requests_cache.backends.sqlite import SQLiteCache  # noqa: PLC0415  # as in new_session

        for _ in range(2):
            try:
                if self._file is None:
                    return None
                check_database(self._file, _PATIENCE)  # or the library would try for as long as it takes
                return SQLiteCache(self._file, serializer="json", wal=True, busy_timeout=round(1000 * _PATIENCE))
            except sqlite3.Error as error:
                self.spoilt(error)
        return None


def _key(request: requests.PreparedRequest, **_: object) -> str:
    """What an answer is kept under: the question alone, whoever asks it."""
    return hashlib.sha256(f"{request.method} {request.url}".encode()).hexdigest()
