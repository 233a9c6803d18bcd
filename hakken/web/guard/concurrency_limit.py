"""A limit on the requests that are answered at once: a few more wait for a moment, all others get a 503 at once.

A gthread worker alone would queue them without limit: see `hakken.serving.worker`, which provides the threads that
refusing takes.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout

from hakken.errors import ServerBusy
from hakken.web.observability import STARTED, Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WAIT_SECONDS = 2.0
"""How long a request waits for a slot before it is refused."""
RETRY_AFTER = 3
"""Seconds after which a refused client may try again."""
_EXEMPT = frozenset(("/healthz", "/readyz", "/metrics"))
_REFUSED = "hakken.full"
"""Key of a refused request's WSGI environment."""


class ConcurrencyLimit:
    """WSGI middleware that lets a limited number of requests through at once.

    Args:
        app: the application; it responds to a refused request by `refuse_when_busy`.
        metrics: where to count.
        slots: how many requests are answered at once.
        waiting: how many may wait for a slot.
        wait: seconds that they wait, at most.
    """

    def __init__(
        self, app: "WSGIApplication", metrics: Metrics, *, slots: int, waiting: int, wait: float = WAIT_SECONDS
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._slots = threading.BoundedSemaphore(slots)
        self._max_waiting = waiting
        self._n_waiting = 0
        self._lock = threading.Lock()  # of `_n_waiting`
        self._wait = wait

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, or have it refused."""
        environ[STARTED] = time.perf_counter()
        if environ.get("CONTENT_LENGTH"):
            # It means "the body ends where the input ends"; a body that breaks off would then pass for a whole one.
            environ.pop("wsgi.input_terminated", None)
        if is_exempt(environ["PATH_INFO"]):
            return self._app(environ, start_response)
        if not self._acquire():
            environ[_REFUSED] = True
            return self._app(environ, start_response)
        self._metrics.in_flight.inc()
        try:
            return _Body(self._app(environ, start_response), self._release)
        except BaseException:
            self._release()
            raise

    def _acquire(self) -> bool:
        with self._lock:
            # No request overtakes those that wait.
            if not self._n_waiting and self._slots.acquire(blocking=False):
                return True
            if self._n_waiting >= self._max_waiting:
                return False
            self._n_waiting += 1
        self._metrics.waiting.inc()
        try:
            with self._metrics.stage("wait"):
                return self._slots.acquire(timeout=self._wait)
        finally:
            self._metrics.waiting.dec()
            with self._lock:
                self._n_waiting -= 1

    def _release(self) -> None:
        self._slots.release()
        self._metrics.in_flight.dec()


class _Body:
    """A response body that holds its slot until its last byte is sent, or it is closed or dropped.

    Servers close a body; a test's client may forget to.
    """

    def __init__(self, body: Iterable[bytes], release: Callable[[], None]) -> None:
        self._body = body
        self._parts = iter(body)
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except StopIteration:
            self._end()
            raise

    def close(self) -> None:
        """Close the body, and release the slot."""
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            self._end()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        release, self._release = self._release, None
        if release:
            release()


def is_exempt(path: str) -> bool:
    """Whether a path is never refused: files, which take no time, health checks and metrics."""
    return path in _EXEMPT or path.startswith("/static/")


def refuse_when_busy(app: Flask, metrics: Metrics) -> None:
    """Respond to requests that `ConcurrencyLimit` refused, and refuse bodies that are too large before reading them."""

    def timed_out(_: ClientDisconnected) -> ResponseReturnValue:
        # The client is gone, or its connection was cut for being too slow.
        return app.handle_http_exception(RequestTimeout())

    def add_retry_after(response: Response) -> Response:
        if _REFUSED in request.environ:
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response

    def refuse() -> None:
        if _REFUSED in request.environ:
            metrics.refused.labels("full").inc()
            raise ServerBusy("So many people are being answered just now that you would only wait.")
        if (request.content_length or 0) > app.config["MAX_CONTENT_LENGTH"]:
            raise RequestEntityTooLarge

    app.before_request(refuse)
    app.after_request(add_retry_after)
    app.register_error_handler(ClientDisconnected, timed_out)
