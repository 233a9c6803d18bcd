"""Asking one site as it wants to be asked: at its pace, again when it stumbles, not at all when it lies down."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import requests
import tenacity

from hakken.errors import CircuitOpen, RateLimited, SiteBusy, SiteDown, SiteError
from hakken.http.breaker import FAIR_SECONDS, Asked, Breaker
from hakken.http.deadline import Deadline
from hakken.http.pace import Pace
from hakken.http.transport import BoundedAdapter, host_of, sending_in
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation

ATTEMPTS = 3
BACK_OFF_SECONDS = 0.4
"""Before the second attempt; doubled for the third."""
_CHANCE = secrets.SystemRandom()
"""Of its own, so that a thread in the background changes no other's random numbers."""


class SiteAdapter(BoundedAdapter):
    """What a session sends all requests to one site through.

    Args:
        site: its name, as rates have it.
        pace: how often it may be asked.
        breaker: the site's own.
        max_body: largest body that is read, in bytes.
        instrumentation: hears how asking the site ends.
    """

    def __init__(
        self,
        site: str,
        pace: Pace,
        breaker: Breaker,
        max_body: int,
        instrumentation: Instrumentation = NO_INSTRUMENTATION,
    ) -> None:
        super().__init__(max_body)
        self._instrumentation = instrumentation
        self._site = site
        self._pace = pace
        self._breaker = breaker

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401  # handed on
        """Send a request, several times if need be; raises SiteError as `BoundedAdapter.send` does."""
        deadline: Deadline = kwargs["timeout"]
        host = host_of(request)
        for attempt in _attempts(deadline):
            with (
                attempt,
                self._observed() as answers,
                self._breaker.guard(host, deadline) as asked,
                sending_in(partial(self._turn, deadline, asked)),
            ):
                answers.append(super().send(request, *args, **kwargs))
                return answers[0]
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _observed(self) -> Iterator[list[requests.Response]]:
        """Let the instrumentation know how an attempt ends, whose answer the block puts into the list."""
        begun = time.perf_counter()
        answers: list[requests.Response] = []
        outcome = "mistake"  # of ours, unless it turns out otherwise
        try:
            yield answers
            outcome = "refused" if answers[0].status_code >= HTTPStatus.BAD_REQUEST else "ok"
        except SiteError as error:
            outcome = error.public_name
            raise
        finally:
            self._instrumentation.site_asked(self._site, outcome, time.perf_counter() - begun)
            self._instrumentation.circuit_changed(self._site, resting=self._breaker.resting)

    @contextmanager
    def _turn(self, deadline: Deadline, asked: Asked) -> Iterator[None]:
        with self._pace.turn(self._site, deadline):
            asked.now()
            yield


def _attempts(deadline: Deadline) -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=_back_off,
        # An attempt that would have no time proves nothing, and would hide how the one before it failed.
        stop=lambda state: state.attempt_number >= ATTEMPTS or state.upcoming_sleep + FAIR_SECONDS >= deadline.left,
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, SiteDown | SiteBusy) and not isinstance(error, CircuitOpen | RateLimited)


def _back_off(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: what the site asks for or, if it does not say, more each time.

    Up to half of the usual pause is added by chance, so that those who failed together do not come again together.
    """
    error = state.outcome.exception() if state.outcome else None
    pause = BACK_OFF_SECONDS * 2 ** (state.attempt_number - 1)
    asked_for = error.retry_after if isinstance(error, SiteError) else None
    return (pause if asked_for is None else asked_for) + _CHANCE.uniform(0, pause / 2)
