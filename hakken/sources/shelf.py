"""A file in which all workers of a machine keep things for minutes; what can't be read or written is not there."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_PATIENCE = 0.2
"""Seconds to wait for another's hold of the file, which lasts for milliseconds; a visitor's deadline may be over."""
_TABLE = "CREATE TABLE IF NOT EXISTS things (key TEXT PRIMARY KEY, since REAL NOT NULL, thing BLOB NOT NULL)"

_log = logging.getLogger(__name__)


class Shelf:
    """Bytes by key, each kept for `seconds` and then wiped out, also when nobody comes again.

    Args:
        file: of SQLite; made when it is first needed.
        seconds: how long a thing is kept.
    """

    def __init__(self, file: Path, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._alone = threading.Lock()
        self._tidying = False
        self._thread: threading.Thread | None = None
        if file.exists():  # left by a server that was stopped
            self._tidy_up()

    def take(self, key: str) -> tuple[float, bytes] | None:
        """Look for a thing: since when it is there, by `time.time()`, and what it is."""
        found: tuple[float, bytes] | None = None
        with self._forgiving(), self._connection() as connection:
            found = connection.execute("SELECT since, thing FROM things WHERE key = ?", (key,)).fetchone()
        now = time.time()
        # One from the future was put there before the clock was set back: nobody knows how old it is.
        return found if found and now - self._seconds < found[0] <= now else None

    def put(self, key: str, thing: bytes) -> None:
        """Keep a thing, in the place of what was there."""
        with self._forgiving(), self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO things VALUES (?, ?, ?)", (key, time.time(), thing))
        self._tidy_up()

    def _tidy_up(self) -> None:
        """Have a thread wipe out what is old, for as long as there is anything."""
        with self._alone:
            # A thread does not outlive a fork: the child of a process that had one begins its own.
            if not self._tidying or self._thread is None or not self._thread.is_alive():
                self._tidying = True
                self._thread = threading.Thread(target=self._tidy, name="hakken-shelf", daemon=True)
                self._thread.start()

    def _tidy(self) -> None:
        while self._left():
            time.sleep(self._seconds / 10)

    def _left(self) -> bool:
        # Counted under the lock: what is put after the count finds that nobody tidies any more.
        with self._alone:
            left = int(self._file.exists())  # while it can't be read, there may be something
            with self._forgiving(), self._connection() as connection:
                now = time.time()
                connection.execute("DELETE FROM things WHERE since <= ? OR since > ?", (now - self._seconds, now))
                (left,) = connection.execute("SELECT count(*) FROM things").fetchone()
            self._tidying = left > 0
            return self._tidying

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            connection.execute("PRAGMA synchronous = OFF")  # what a power cut takes can be fetched again
            connection.execute(_TABLE)
            yield connection

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            _log.warning("The file %s is of no use just now: %s", self._file.name, error)
            if not isinstance(error, sqlite3.OperationalError):  # not a file of SQLite's, or a damaged one
                with suppress(OSError):
                    self._file.unlink()
