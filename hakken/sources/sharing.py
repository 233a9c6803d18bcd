"""One fetch for all who ask for the same list at once, and the list again for those who ask within minutes.

All threads and workers of a machine share both. That is not left to a cache of HTTP answers: a list is many answers,
which belong together, and one page kept longer than the next would lose entries. A name stands on the disk as a hash
only, and a list no longer than it is good for.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import filelock
import msgspec

from hakken.errors import AllSourcesFailed, SiteDown, SiteError, SiteTimeout, SourceError
from hakken.http import Deadline
from hakken.ratings import UserList, Username
from hakken.sources.shelf import Shelf

FRESH_SECONDS = 300.0

_log = logging.getLogger(__name__)


class _Failure(msgspec.Struct):
    """A SourceError that can be raised again, be it in another process."""

    kind: str
    message: str
    retry_after: float | None = None
    tried: tuple[tuple[str, "_Failure"], ...] = ()

    @classmethod
    def of(cls, error: SourceError) -> "_Failure":
        tried = error.tried if isinstance(error, AllSourcesFailed) else ()
        wait = error.retry_after if isinstance(error, SiteError) else None
        return cls(type(error).__name__, str(error), wait, tuple((name, cls.of(why)) for name, why in tried))

    def again(self) -> SourceError:
        # Another version of Hakken may know kinds that this one does not.
        kind = next((kind for kind in _all_below(SourceError) if kind.__name__ == self.kind), SiteDown)
        if issubclass(kind, AllSourcesFailed):
            return kind(self.message, [(name, why.again()) for name, why in self.tried])  # type: ignore[misc]
        return kind(self.message, self.retry_after) if issubclass(kind, SiteError) else kind(self.message)


class _Outcome(msgspec.Struct):
    """What came of a fetch; one of the two is None."""

    found: UserList | None = None
    failure: _Failure | None = None


class SharedLists:
    """Lists and failures that all workers of a machine share.

    Args:
        directory: where, with a file and locks of its own.
        fresh: seconds for which a list is given again.
    """

    def __init__(self, directory: Path, fresh: float = FRESH_SECONDS) -> None:
        self._directory = directory
        self._shelf = Shelf(directory / "lists.sqlite", fresh)
        self._locks: dict[str, threading.Lock] = {}

    def find(self, who: Username) -> UserList | None:
        """The list that was fetched for someone within the last minutes, if one was."""
        _, outcome = self._last(_key(who))
        return outcome.found

    def fetch(self, who: Username, deadline: Deadline, fetch: Callable[[], UserList]) -> UserList:
        """Fetch a list, unless another is fetching it already: then what comes of that is the answer here too.

        Args:
            who: whose list.
            deadline: until when to wait for the other.
            fetch: fetches it.

        Raises:
            SiteTimeout: the other took too long.
            SourceError: the list could not be had; what `fetch` raises, here or there.
        """
        key, began = _key(who), time.time()
        with self._lock(key, deadline):
            since, outcome = self._last(key)
            if outcome.found is not None:
                return outcome.found
            # Who begins anew after a failure may have mended it.
            if outcome.failure and since >= began:
                raise outcome.failure.again()
            try:
                found = fetch()
            except SourceError as error:
                self._shelf.put(key, msgspec.msgpack.encode(_Outcome(failure=_Failure.of(error))))
                raise
            self._shelf.put(key, msgspec.msgpack.encode(_Outcome(found)))
            return found

    def _last(self, key: str) -> tuple[float, _Outcome]:
        since, thing = self._shelf.take(key) or (0.0, b"")
        try:
            return since, msgspec.msgpack.decode(thing, type=_Outcome) if thing else _Outcome()
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):  # damaged, or of another version of Hakken
            return 0.0, _Outcome()

    @contextmanager
    def _lock(self, key: str, deadline: Deadline) -> Iterator[None]:
        # Of the hash only as much as keeps lists apart mostly: lock files stay, and are not to tell who was here.
        part = key[:3]
        # A file's lock is waited for by looking again and again: so of each process only one thread does that.
        among_threads = self._locks.setdefault(part, threading.Lock())
        if not among_threads.acquire(timeout=deadline.left):
            raise _too_late()
        try:
            with self._file_lock(f"list-{part}.lock", deadline):
                yield
        finally:
            among_threads.release()

    def _file_lock(self, name: str, deadline: Deadline) -> AbstractContextManager[object]:
        try:
            return filelock.FileLock(self._directory / name, poll_interval=0.05).acquire(timeout=deadline.left)
        except filelock.Timeout:
            raise _too_late() from None
        except OSError as error:
            _log.warning("Each visitor fetches for themselves: %s", error.strerror)
            return nullcontext()


def _too_late() -> SiteTimeout:
    return SiteTimeout("The list did not come in time; please try again in a minute.")


def _key(who: Username) -> str:
    # Sites take a name in capitals for the same.
    return hashlib.sha256(f"{who.site} {who.name.strip().lower()}".encode()).hexdigest()


def _all_below(kind: type[SourceError]) -> Iterator[type[SourceError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all_below(below)
