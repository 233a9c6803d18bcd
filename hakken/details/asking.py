"""A thread that asks for one thing after another, the latest wanted first, while whoever wants it goes on."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from cachetools import TLRUCache

from hakken.errors import SiteBusy, SiteDown, SiteError, SiteTimeout

MAX_QUEUE = 200
"""More than that nobody is still looking at when its turn comes, at 20 a minute."""
MAX_REMEMBERED = 50_000

_log = logging.getLogger(__name__)


class Patience(NamedTuple):
    """How long to leave things alone, in seconds.

    Attributes:
        answered: an anime that the site has told of, or does not know.
        failed: an anime that could not be had, unless the site names a longer time.
        rest: the site, when it could not answer at all, unless it names another time.
        longest: the site, at most.
    """

    answered: float = 24 * 3600.0
    failed: float = 600.0
    rest: float = 10.0
    longest: float = 300.0


class Asking:
    """Asks for anime by their ids in a thread of its own, which begins with the first that is wanted.

    Args:
        take_turn: waits for a turn. Raises SiteError when there is none to be had now.
        fetch: asks for one anime, and keeps what comes. Raises SiteError.
        patience: how long to leave things alone.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        take_turn: Callable[[], None],
        fetch: Callable[[int], None],
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._take_turn = take_turn
        self._fetch = fetch
        self._patience = patience
        self._queue: dict[int, None] = {}  # the next one to ask for stands last
        self._left_alone: TLRUCache[int, float] = TLRUCache(
            MAX_REMEMBERED, ttu=lambda _, seconds, now: now + seconds, timer=clock
        )
        self._current: int | None = None
        self._change = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, anime_ids: Iterable[int]) -> None:
        """Have some anime asked for soon, in their order and before those that wait already; returns at once.

        Those that are asked for now, or that are left alone for a while, are passed over. When too many wait, those
        that were wanted first, and not since, are forgotten.
        """
        with self._change:
            if self._closed.is_set():
                return
            for anime_id in reversed(list(dict.fromkeys(anime_ids))):
                if anime_id == self._current or anime_id in self._left_alone:
                    continue
                self._queue.pop(anime_id, None)
                self._queue[anime_id] = None
            while len(self._queue) > MAX_QUEUE:
                del self._queue[next(iter(self._queue))]
            if not self._queue:
                return
            # A thread does not outlive a fork: the child of a process that had one begins its own.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="anime-facts", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def settle(self, timeout: float) -> bool:
        """Wait until nothing waits to be asked for, and say whether it came to that within so many seconds."""
        with self._change:
            return self._change.wait_for(lambda: not self._queue and self._current is None, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Ask for nothing more, and wait so many seconds, at most, for the thread to end."""
        self._closed.set()
        with self._change:
            self._queue.clear()
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while (anime_id := self._next()) is not None:
            rest = 0.0
            try:
                rest = self._ask(anime_id)
            finally:
                with self._change:
                    self._current = None
                    self._change.notify_all()
            self._closed.wait(rest)

    def _next(self) -> int | None:
        """The next one to ask for, when there is one; None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closed.is_set())
            if self._closed.is_set():
                return None
            self._current = self._queue.popitem()[0]
            return self._current

    def _ask(self, anime_id: int) -> float:
        """Ask for one, and say for how long to rest then."""
        try:
            self._take_turn()
        except SiteError as error:
            with self._change:  # which says nothing of the anime: it stays in its place unless there is no room
                if len(self._queue) < MAX_QUEUE and not self._closed.is_set():
                    self._queue[anime_id] = None
            return self._rest(error)
        try:
            self._fetch(anime_id)
        except SiteError as error:
            _log.warning("The facts about anime %d could not be had: %s", anime_id, error)
            self._leave_alone(anime_id, max(self._patience.failed, error.retry_after or 0.0))
            return self._rest(error) if isinstance(error, SiteBusy | SiteDown | SiteTimeout) else 0.0
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not cost all others their pictures
            # Its words, or its stack, may hold an address: only its kind is told.
            _log.error("The facts about anime %d made a %s of us.", anime_id, type(error).__name__)
            self._leave_alone(anime_id, self._patience.answered)
            return 0.0
        self._leave_alone(anime_id, self._patience.answered)
        return 0.0

    def _leave_alone(self, anime_id: int, seconds: float) -> None:
        with self._change:
            self._left_alone[anime_id] = seconds

    def _rest(self, error: SiteError) -> float:
        return min(error.retry_after or self._patience.rest, self._patience.longest)
