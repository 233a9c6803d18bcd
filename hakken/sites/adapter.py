"""Transport adapter for one site: circuit breaker, rate limit, retries, deadline and size limit.

The read timeout of requests and urllib3 bounds each read from the socket, so a site that sends one byte now and then
could block a visitor for hours, and a DNS lookup has no timeout at all. So each request is sent in its own thread; the
caller waits for it no longer than until the deadline, and then shuts its socket down.
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

import requests
import urllib3
from circuitbreaker import CircuitBreaker
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from hakken.errors import CircuitOpen, InvalidResponse, RateLimited, SiteBusy, SiteDown, SiteError, SiteTimeout
from hakken.instrumentation import Instrumentation
from hakken.sites.http import Deadline, check_status, host_of, retry_after, site_error
from hakken.sites.rate_limit import RateLimit

MAX_BODY = 16 * 2**20
"""Largest response body that is read, in bytes after decompression; 1,000 list entries take about 1 MB."""
CONNECT_SECONDS = 3.0
"""Timeout for connecting to one address of a host."""
READ_SECONDS = 10.0
"""Timeout for each read of the response headers and of the body."""
ATTEMPTS = 3
BACK_OFF_SECONDS = 0.4
"""Pause before the second attempt; doubled before the third."""
FAILURES = 3
"""Consecutive failures after which the circuit opens."""
REST_SECONDS = 30
FAIR_SECONDS = 0.5
"""With less time than this left, a request is not retried, and its failure does not count for the circuit."""

_CHUNK = 2**16
_random = random.SystemRandom()
"""A separate generator, so that background threads do not change the random numbers of other code."""


class SiteAdapter(HTTPAdapter):
    """Transport adapter through which a session sends all requests to the site of a name; thread-safe."""

    def __init__(self, site: str, rate_limit: RateLimit | None, instrumentation: Instrumentation) -> None:
        super().__init__()
        self._site = site
        self._rate_limit = rate_limit
        self._instrumentation = instrumentation
        self._circuit = CircuitBreaker(FAILURES, REST_SECONDS, (SiteDown, SiteTimeout, SiteBusy))
        self._trial = threading.Lock()
        self._busy_until = 0.0

    def send(self, request: requests.PreparedRequest, *_args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401  # as in the base class
        """Send a request, with retries, and read the whole response; raises as `HttpClient.get`.

        The arguments are those of the base class, except that `timeout` is a `Deadline`, which a session passes on
        unchanged. The response has status 200, most of the 4xx or, for a conditional request, 304.
        """
        deadline: Deadline = kwargs.pop("timeout")
        attempt = 1
        while True:
            try:
                return self._attempt(request, deadline, **kwargs)
            except (SiteDown, SiteBusy) as error:
                pause = BACK_OFF_SECONDS * 2 ** (attempt - 1)
                wait = pause if error.retry_after is None else error.retry_after
                wait += _random.uniform(0, pause / 2)  # requests that failed together do not retry together
                # An attempt with too little time would only time out, and hide this error.
                is_last = attempt == ATTEMPTS or wait + FAIR_SECONDS >= deadline.left
                if is_last or isinstance(error, CircuitOpen | RateLimited):
                    raise
            time.sleep(wait)
            attempt += 1

    def _attempt(self, request: requests.PreparedRequest, deadline: Deadline, **kwargs: object) -> requests.Response:
        host, begun = host_of(request.url or ""), time.perf_counter()
        outcome = "mistake"  # recorded for an error that is not a SiteError: a bug of ours
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
        """Allow a request, unless the circuit is open or the time that the site gave in `Retry-After` has not passed.

        After a pause, an open circuit lets one request at a time through.
        """
        state, wait = self._circuit.state, self._busy_until - time.monotonic()
        if state != "open" and wait > 0:
            check_status(HTTPStatus.TOO_MANY_REQUESTS, host, wait)
        is_trial = state == "half_open"
        if state == "open" or (is_trial and not self._trial.acquire(blocking=False)):
            words = f"{host} has just failed several times, so it is not being asked for now."
            raise CircuitOpen(words, max(1.0, self._circuit.open_remaining))
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
            raise SiteTimeout(f"No request was sent to {host}, because no time was left.")
        kwargs["timeout"] = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS, total=deadline.left)
        kwargs["stream"] = True  # otherwise the base class reads the body itself, without our limit
        send = super().send

        def exchange() -> requests.Response:
            with send(request, **kwargs) as response:
                is_conditional = "If-None-Match" in request.headers or "If-Modified-Since" in request.headers
                if not (is_conditional and response.status_code == HTTPStatus.NOT_MODIFIED):
                    check_status(response.status_code, host, retry_after(response))
                body = bytearray()
                for chunk in response.raw.stream(_CHUNK, decode_content=True):
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise InvalidResponse(f"{host} gave an answer that is too large.")
                response._content = bytes(body)  # noqa: SLF001  # where requests itself puts it
                return response

        try:
            return _Exchange(exchange).result(deadline)
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' errors are OSErrors
            # Their messages contain the whole URL, and with it the username, so the cause is not chained.
            raise site_error(error, host) from None

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:  # noqa: ANN401  # passed on
        """Make the pool, also that of a proxy, use connections that can be shut down at the deadline."""
        pool = cast("urllib3.HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        pool.ConnectionCls = _SecureConnection if pool.scheme == "https" else _Connection
        return pool


class _Exchange(threading.Thread):
    """Sends one request and reads its response, in a thread that the caller leaves at the deadline."""

    def __init__(self, exchange: Callable[[], requests.Response]) -> None:
        super().__init__(name="hakken-request", daemon=True)
        self._exchange = exchange
        self._response: Future[requests.Response] = Future()
        self._socket: socket.socket | None = None
        self._is_late = False

    def run(self) -> None:
        try:
            self._response.set_result(self._exchange())
        except Exception as error:  # noqa: BLE001  # raised again in the waiting thread
            self._response.set_exception(error)

    def uses(self, connected: socket.socket) -> None:
        """Note the socket on which the response will arrive; raises TimeoutError if the caller has left."""
        self._socket = connected
        if self._is_late:
            raise TimeoutError

    def result(self, deadline: Deadline) -> requests.Response:
        """Start, and wait for the response; raises TimeoutError at the deadline, or what the exchange raised.

        A DNS lookup can't be cancelled: one that takes too long continues in its thread, and its result is discarded.
        """
        self.start()
        try:
            return self._response.result(deadline.left)
        except TimeoutError:
            self._is_late = True
            if self._socket:
                with suppress(OSError):  # it is closed already
                    self._socket.shutdown(socket.SHUT_RDWR)
            raise


class _Connection(HTTPConnection):
    """Tells its exchange which socket to shut down."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        exchange = threading.current_thread()
        if isinstance(exchange, _Exchange):
            exchange.uses(self.sock)
        return super().getresponse()


class _SecureConnection(_Connection, HTTPSConnection):
    pass
