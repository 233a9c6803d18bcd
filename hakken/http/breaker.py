"""Leaving a site alone that has just failed: so a dead site costs a visitor milliseconds, and is tried again later."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from circuitbreaker import CircuitBreaker

from hakken.errors import CircuitOpen, RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout
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
            failure_threshold=FAILURES, recovery_timeout=rest, expected_exception=(SiteDown, SiteTimeout, SiteBusy)
        )
        self._trial = threading.Lock()
        self._busy_until = 0.0

    @property
    def resting(self) -> bool:
        """Whether the site failed, or asked for less, and has not answered since."""
        return bool(self._circuit.state != "closed") or self._busy_until > time.monotonic()

    @contextmanager
    def guard(self, host: str, deadline: Deadline) -> Iterator["Asked"]:
        """Let a request to a site through, and learn from how it ends.

        Args:
            host: as messages have it.
            deadline: of the request.

        Yields:
            What to tell when the request is on its way.

        Raises:
            CircuitOpen: the site failed several times in a row; in its place one visitor at a time tries it again.
            SiteBusy: the site asked to be left alone for longer.
        """
        if self._circuit.opened:
            raise _resting(host, max(1.0, self._circuit.open_remaining))
        if (wait := self._busy_until - time.monotonic()) > 0:
            raise SiteBusy(f"{host} asks for fewer requests; please try again in a minute.", wait)
        trial = self._circuit.state == "half_open"
        if trial and not self._trial.acquire(blocking=False):
            raise _resting(host, 1.0)
        asked = Asked(deadline)
        try:
            yield asked
        except SiteError as error:
            self._learn(error, asked)
            raise
        else:
            self._circuit.reset()
        finally:
            if trial:
                self._trial.release()

    def _learn(self, error: SiteError, asked: "Asked") -> None:
        if isinstance(error, RateLimited) or (isinstance(error, SiteTimeout) and asked.seconds < FAIR_SECONDS):
            return  # the site was not asked, or hardly
        if isinstance(error, SiteBusy) and error.retry_after is not None:
            self._busy_until = time.monotonic() + error.retry_after
        # Any other kind is an answer, if not a good one.
        with suppress(SiteError), self._circuit:
            raise error


class Asked:
    """How long a site was given to answer.

    Attributes:
        seconds: that were left when the request was sent or, if it never was, when it was to be.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.seconds = deadline.left

    def now(self) -> None:
        """Say that the request is sent now: until then we may have waited for our turn."""
        self.seconds = self._deadline.left


def _resting(host: str, seconds: float) -> CircuitOpen:
    return CircuitOpen(f"{host} has just failed several times, and is left alone for a moment.", seconds)
