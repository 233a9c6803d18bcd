"""Sending the requests to one site: circuit breaker, rate limit, retries, deadline and size limit.

A read timeout, in requests and urllib3, bounds each read from the socket; a site that sends one byte now and then would
hold a visitor for hours, and a look-up of its host has no timeout at all. So a request is sent in a thread of its own,
which is waited for no longer than until the deadline, and its socket is shut down then.
"""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from circuitbreaker import CircuitBreaker
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from hakken.errors import CircuitOpen, InvalidResponse, RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout
from hakken.instrumentation import NO_INSTRUMENTATION, Instrumentation
from hakken.sites.http import Deadline, check_status, retry_after, site_error
from hakken.sites.rate_limit import RateLimit

MAX_BODY = 16 * 2**20
"""Largest answer that is read, in bytes after unpacking; 1,000 entries of a list come to about 1 MB."""
CONNECT_SECONDS = 3.0
"""For connecting to one address of a host."""
READ_SECONDS = 10.0
"""For the headers of an answer, and for each silence after them."""
ATTEMPTS = 3
BACK_OFF_SECONDS = 0.4
"""Before the second attempt; doubled for the third."""
FAILURES = 3
"""So many in a row, and a site is left alone."""
REST_SECONDS = 30
FAIR_SECONDS = 0.5
"""A site that is given less than this to answer proves nothing by failing."""

_CHUNK = 2**16
_random = random.SystemRandom()
"""Of its own, so that a thread in the background changes no other's random numbers."""


class SiteAdapter(HTTPAdapter):
    """What a session sends all requests to one site through; may be shared between threads.

    Args:
        site: its name.
        rate_limit: how often it may be asked; None: without a limit.
        instrumentation: hears how asking the site ends.
    """

    def __init__(
        self, site: str, rate_limit: RateLimit | None = None, instrumentation: Instrumentation = NO_INSTRUMENTATION
    ) -> None:
        super().__init__()
        self._site = site
        self._rate_limit = rate_limit
        self._instrumentation = instrumentation
        self._circuit = CircuitBreaker(FAILURES, REST_SECONDS, (SiteDown, SiteTimeout, SiteBusy))
        self._trial = threading.Lock()
        self._busy_until = 0.0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401, ARG002  # as in the base class
        """Send a request, several times if need be, and read its whole answer.

        Args:
            request: what is sent.
            args: of the base class; a session gives none.
            kwargs: of the base class, but that `timeout` is a `Deadline`: a session hands it on as it is.

        Returns:
            An answer whose status is 200, most of the 4xx or, if asked for, 304.

        Raises:
            SiteError: see `hakken.errors` for the kinds; never SiteBlocked, which is the caller's to find.
        """
        deadline: Deadline = kwargs.pop("timeout")
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_temporary),
            wait=_pause,
            # An attempt that would have no time proves nothing, and would hide how the one before it failed.
            stop=lambda state: state.attempt_number >= ATTEMPTS or state.upcoming_sleep + FAIR_SECONDS >= deadline.left,
            reraise=True,
        )
        return retrying(self._attempt, request, deadline, **kwargs)

    def _attempt(self, request: requests.PreparedRequest, deadline: Deadline, **kwargs: object) -> requests.Response:
        host = urlsplit(request.url or "").hostname or "The site"
        begun = time.perf_counter()
        outcome = "mistake"  # of ours, unless it turns out otherwise
        try:
            with self._admitted(host):
                if self._rate_limit:
                    self._rate_limit.wait(deadline)
                with self._circuit if deadline.left >= FAIR_SECONDS else nullcontext():
                    response = self._send_once(request, host, deadline, kwargs)
        except SiteError as error:
            outcome = error.public_name
            raise
        else:
            outcome = "refused" if response.status_code >= HTTPStatus.BAD_REQUEST else "ok"
            return response
        finally:
            self._instrumentation.site_asked(self._site, outcome, time.perf_counter() - begun)
            is_open = self._circuit.state != "closed" or self._busy_until > time.monotonic()
            self._instrumentation.circuit_changed(self._site, is_open=is_open)

    @contextmanager
    def _admitted(self, host: str) -> Iterator[None]:
        """Let a request to the site through, unless the site is to be left alone.

        Raises:
            CircuitOpen: the site failed several times in a row; after a while, one visitor at a time tries it again.
            SiteBusy: the site asked to be left alone for longer.
        """
        if self._circuit.opened:
            raise _circuit_open(host, max(1.0, self._circuit.open_remaining))
        if (wait := self._busy_until - time.monotonic()) > 0:
            check_status(HTTPStatus.TOO_MANY_REQUESTS, host, wait)
        is_trial = self._circuit.state == "half_open"
        if is_trial and not self._trial.acquire(blocking=False):
            raise _circuit_open(host, 1.0)
        try:
            yield
        except SiteBusy as error:
            if error.retry_after is not None and not isinstance(error, RateLimited):
                self._busy_until = time.monotonic() + error.retry_after
            raise
        finally:
            if is_trial:
                self._trial.release()

    def _send_once(
        self, request: requests.PreparedRequest, host: str, deadline: Deadline, kwargs: dict[str, Any]
    ) -> requests.Response:
        if not deadline.left:
            raise SiteTimeout(f"{host} was not asked, since no time was left.")
        kwargs["timeout"] = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS, total=deadline.left)
        kwargs["stream"] = True  # or the base class reads the body in its own way
        send = super().send

        def exchange() -> requests.Response:
            with send(request, **kwargs) as response:
                if not _is_not_modified(request, response):
                    check_status(response.status_code, host, retry_after(response))
                with _cut_off_after(deadline.left, response.raw.shutdown):
                    response._content = _body(response, host)  # noqa: SLF001  # where requests itself puts it
                return response

        try:
            return _wait_for(exchange, deadline)
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' errors are OSErrors
            # Their words hold the whole address, and with it the username: not even the chain is passed on.
            raise site_error(error, host) from None

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:  # noqa: ANN401  # handed on
        """Let the pool, of a proxy too, make connections whose headers are bounded."""
        pool = cast("urllib3.HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        pool.ConnectionCls = _SecureConnection if pool.scheme == "https" else _Connection
        return pool


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, SiteDown | SiteBusy) and not isinstance(error, CircuitOpen | RateLimited)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: what the site asks for or, if it does not say, more each time.

    Up to half of the usual pause is added at random, so that those who failed together do not come again together.
    """
    error = state.outcome.exception() if state.outcome else None
    pause = BACK_OFF_SECONDS * 2 ** (state.attempt_number - 1)
    asked_for = error.retry_after if isinstance(error, SiteError) else None
    return (pause if asked_for is None else asked_for) + _random.uniform(0, pause / 2)


def _circuit_open(host: str, seconds: float) -> CircuitOpen:
    return CircuitOpen(f"{host} has just failed several times, and is left alone for a moment.", seconds)


def _is_not_modified(request: requests.PreparedRequest, response: requests.Response) -> bool:
    asked = "If-None-Match" in request.headers or "If-Modified-Since" in request.headers
    return asked and response.status_code == HTTPStatus.NOT_MODIFIED


def _body(response: requests.Response, host: str) -> bytes:
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidResponse(f"{host} gave an answer that is too large.")
    return bytes(body)


def _wait_for(exchange: Callable[[], requests.Response], deadline: Deadline) -> requests.Response:
    """Wait for an exchange, which runs in a thread of its own, no longer than until the deadline.

    Nothing can break off a look-up of a host: one that takes too long goes on for nobody, and ends by itself.

    Raises:
        TimeoutError: the deadline has passed.
        Exception: what the exchange raises.
    """
    future: Future[requests.Response] = Future()

    def run() -> None:
        try:
            future.set_result(exchange())
        except Exception as error:  # noqa: BLE001  # raised by the one who waits
            future.set_exception(error)

    threading.Thread(target=run, name="hakken-request", daemon=True).start()
    return future.result(deadline.left)


@contextmanager
def _cut_off_after(seconds: float, shutdown: Callable[[], object]) -> Iterator[None]:
    """Shut a socket down if reading from it takes longer, so that no read lasts for as long as a site sends something.

    Raises:
        TimeoutError: it took longer.
    """
    is_late = threading.Event()

    def cut_off() -> None:
        is_late.set()
        with suppress(OSError, RuntimeError, ValueError):  # it is closed already
            shutdown()

    timer = threading.Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if is_late.is_set():
            raise TimeoutError


class _Connection(HTTPConnection):
    """Bounds the time of an answer's headers as a whole; urllib3 bounds each of their reads."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        with _cut_off_after(self.timeout or READ_SECONDS, lambda: self.sock.shutdown(socket.SHUT_RDWR)):
            return super().getresponse()


class _SecureConnection(_Connection, HTTPSConnection):
    pass
