"""Whom to visit when, and the lists that no part of the table holds yet: one SQLite file, the only one with usernames.

A list counts once it is committed here; then it moves to a part. A process that is killed at any moment loses no list
that counts, and none is in the table twice.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import filelock

from hakken.errors import StorageError
from hakken.files import sync

NAMES, SECRET, LOCK = "names.sqlite", "secret", "lock"
DAY = 86_400
ABSENT_DAYS = 30
"""When someone whose list is private or gone is visited again; doubled each time."""
MAX_ABSENCES = 6
SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, due INTEGER NOT NULL, listed INTEGER, entries INTEGER NOT NULL DEFAULT 0,
    absences INTEGER NOT NULL DEFAULT 0, is_new INTEGER AS (listed IS NULL AND absences = 0)
);
CREATE INDEX IF NOT EXISTS due ON people (is_new, due);
CREATE TABLE IF NOT EXISTS lists (key TEXT PRIMARY KEY, listed INTEGER NOT NULL, entries BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS parts (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS titles (anime_id INTEGER PRIMARY KEY, asked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (key TEXT PRIMARY KEY, is_done INTEGER NOT NULL DEFAULT 0);
"""


class Person(NamedTuple):
    """Someone to visit; `listed` is the time of the list that is known, in seconds since 1970."""

    key: str
    name: str
    listed: int | None


class Known(NamedTuple):
    """What a collection holds.

    Attributes:
        people: people whose list is there.
        waiting: people who were never visited.
        absent: people whose list is private or gone.
        entries: entries of all lists.
        newest: time of the newest list, in seconds since 1970; None if there is none.
    """

    people: int
    waiting: int
    absent: int
    entries: int
    newest: int | None


class People:
    """The people of a collection in a directory, by keyed hash of their names."""

    def __init__(self, directory: Path, secret: bytes) -> None:
        self._secret = secret
        self._database = sqlite3.connect(directory / NAMES, isolation_level=None)
        # A name that is deleted is overwritten.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")
        self._database.executescript(SCHEMA)

    @classmethod
    @contextmanager
    def of(cls, directory: Path) -> Iterator[Self]:
        """Open the collection in a directory, or begin one; others are kept off meanwhile.

        Raises:
            StorageError: another process is using it, or it can't be written.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(directory / LOCK, timeout=0):
                people = cls(directory, _secret_of(directory))
                try:
                    yield people
                finally:
                    people._database.close()
        except filelock.Timeout:
            raise StorageError(f"Another run is using {directory}: let it finish first.") from None
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{directory} can't be written: {getattr(error, 'strerror', None) or error}.") from error

    def key_of(self, name: str) -> str:
        """Keyed hash of a username, whose case does not matter: 32 hexadecimal digits."""
        return hashlib.blake2b(name.lower().encode(), key=self._secret, digest_size=16).hexdigest()

    def add(self, names: Iterable[str], now: int) -> int:
        """Add people to visit, but for those who are known and who were forgotten; returns how many are new."""
        keyed = [(self.key_of(name), name, now) for name in names]
        with self._transaction():
            before = self._database.total_changes
            self._database.executemany(
                "INSERT INTO people (key, name, due) SELECT ?1, ?2, ?3 "
                "WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE key = ?1) ON CONFLICT (key) DO NOTHING",
                keyed,
            )
            return self._database.total_changes - before

    def next(self, now: int) -> Person | None:
        """The person who is due for the longest; people who were never visited come first."""
        query = "SELECT key, name, listed FROM people WHERE is_new = ? AND due <= ? ORDER BY due LIMIT 1"
        for is_new in (1, 0):  # each is found by the index
            if found := self._database.execute(query, (is_new, now)).fetchone():
                return Person(*found)
        return None

    def due(self, now: int, most: int = -1) -> int:
        """How many people are due, counted up to a number."""
        query = "SELECT count(*) FROM (SELECT 1 FROM people WHERE is_new IN (0, 1) AND due <= ? LIMIT ?)"
        (found,) = self._database.execute(query, (now, most)).fetchone()
        return int(found)

    def schedule(self, refresh_after: int) -> None:
        """Visit people again so many seconds after their list was fetched."""
        self._database.execute(
            "UPDATE people SET due = listed + ?1 WHERE NOT absences AND due != listed + ?1", (refresh_after,)
        )

    def keep(self, person: Person, entries: bytes, count: int, now: int, again: int) -> None:
        """Keep someone's list, of so many entries, and visit them again at a time. Lists never go back in time."""
        listed = max(now, (person.listed or 0) + 1)
        with self._transaction():
            self._database.execute("REPLACE INTO lists VALUES (?, ?, ?)", (person.key, listed, entries))
            self._database.execute(
                "UPDATE people SET listed = ?, entries = ?, absences = 0, due = ? WHERE key = ?",
                (listed, count, again, person.key),
            )

    def absent(self, person: Person, now: int) -> None:
        """Note that someone's list is private or gone: they are visited ever more seldom."""
        self._database.execute(
            "UPDATE people SET absences = min(absences + 1, ?), due = ? + (? << absences) WHERE key = ?",
            (MAX_ABSENCES, now, ABSENT_DAYS * DAY, person.key),
        )

    def postpone(self, person: Person, until: int) -> None:
        """Visit someone later: their list could not be read."""
        self._database.execute("UPDATE people SET due = ? WHERE key = ?", (until, person.key))

    def lists(self) -> list[tuple[str, int, bytes]]:
        """The lists that no part holds: key, time, entries."""
        return self._database.execute("SELECT key, listed, entries FROM lists ORDER BY key").fetchall()

    def n_lists(self) -> int:
        """How many lists no part holds."""
        (found,) = self._database.execute("SELECT count(*) FROM lists").fetchone()
        return int(found)

    def next_part(self) -> int:
        """Number of the part to write next: the same until `moved` is called."""
        (found,) = self._database.execute("SELECT coalesce(max(number), 0) + 1 FROM parts").fetchone()
        return int(found)

    def moved(self, number: int) -> None:
        """Note that the part of a number holds all lists."""
        with self._transaction():
            self._database.execute("INSERT INTO parts VALUES (?)", (number,))
            self._database.execute("DELETE FROM lists")

    def asked(self) -> dict[int, int]:
        """When each title's people were asked for: anime id → seconds since 1970."""
        return dict(self._database.execute("SELECT anime_id, asked FROM titles"))

    def ask(self, anime_id: int, now: int) -> None:
        """Note that a title's people were asked for."""
        self._database.execute("REPLACE INTO titles VALUES (?, ?)", (anime_id, now))

    def forget(self, name: str) -> None:
        """Delete someone and their list that no part holds, and never add them again; see `forgotten`."""
        key = self.key_of(name)
        with self._transaction():
            self._database.execute("REPLACE INTO forgotten VALUES (?, 0)", (key,))
            self._database.execute("DELETE FROM people WHERE key = ?", (key,))
            self._database.execute("DELETE FROM lists WHERE key = ?", (key,))

    def forgotten(self) -> set[str]:
        """Keys of people who were forgotten and whom parts may still hold."""
        return {key for (key,) in self._database.execute("SELECT key FROM forgotten WHERE NOT is_done")}

    def erased(self) -> None:
        """Note that no part holds anyone who was forgotten."""
        self._database.execute("UPDATE forgotten SET is_done = 1")
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log still has their names

    def known(self) -> Known:
        """Count what is there."""
        return Known(
            *self._database.execute(
                "SELECT count(listed), coalesce(sum(listed IS NULL AND NOT absences), 0), "
                "coalesce(sum(absences > 0), 0), coalesce(sum(entries), 0), max(listed) FROM people"
            ).fetchone()
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def _secret_of(directory: Path) -> bytes:
    """The secret of a collection; one is made at first use, that only the owner can read."""
    path = directory / SECRET
    if not path.exists():
        made = path.with_suffix(".new")
        made.touch(0o600)
        made.write_text(secrets.token_hex(32))
        sync(made)
        made.replace(path)
        sync(directory)
    return path.read_bytes()
