"""Leaving a site alone that has just failed: so a dead site costs a visitor milliseconds, and is tried again later."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from circuitbreaker import CircuitBreaker

from hakken.errors import OutOfTurns, SiteBusy, SiteDown, SiteResting, SiteTimeout
from hakken.http.deadline import Deadline

FAILURES = 3
"""So many in a row, and a site is left alone."""
REST_SECONDS = 30.0
FAIR_SECONDS = 0.5
"""A site that is given less than this to answer proves nothing by failing."""


class Breaker:
    """One site's circuit breaker; may be shared between threads.

    Args:
        rest: seconds for which a site is left alone.
    """

    def __init__(self, rest: float = REST_SECONDS) -> None:
        self._circuit = CircuitBreaker(
            failure_threshold=FAILURES, recovery_timeout=rest, expected_exception=_is_failure
        )
        self._trial = threading.Lock()
        self._busy_until = 0.0

    @contextmanager
    def guard(self, host: str, deadline: Deadline) -> Iterator[None]:
        """Let a request to a site through, and learn from how it ends.

        Raises:
            SiteResting: the site failed several times in a row; in its place one visitor at a time tries it again.
            SiteBusy: the site asked to be left alone for longer.
        """
        if self._circuit.opened:
            raise _resting(host, max(1.0, self._circuit.open_remaining))
        if (wait := self._busy_until - time.monotonic()) > 0:
            raise SiteBusy(f"{host} asks for fewer requests; please try again in a minute.", wait)
        trial = self._circuit.state == "half_open"
        if trial and not self._trial.acquire(blocking=False):
            raise _resting(host, 1.0)
        try:
            with self._circuit if deadline.left >= FAIR_SECONDS else nullcontext():
                yield
        except SiteBusy as error:
            if error.retry_after is not None and not isinstance(error, OutOfTurns):
                self._busy_until = time.monotonic() + error.retry_after
            raise
        finally:
            if trial:
                self._trial.release()


def _is_failure(kind: type[Exception], _: Exception) -> bool:
    return issubclass(kind, SiteDown | SiteTimeout | SiteBusy) and not issubclass(kind, OutOfTurns)


def _resting(host: str, seconds: float) -> SiteResting:
    return SiteResting(f"{host} has just failed several times, and is left alone for a moment.", seconds)
