"""So many requests are answered at once, a few wait for a moment, and to any more we say at once to come again.

A gthread worker would keep all of them waiting, without end and without a word: see `hakken.serving.worker`, which has
the threads that refusing takes.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout

from hakken.errors import ServerBusy
from hakken.web.seeing.metrics import Metrics
from hakken.web.seeing.requests import BEGUN

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WAIT_SECONDS = 2.0
"""How long a place is waited for; by then it's better to say so."""
RETRY_AFTER = 3
"""Seconds after which to come again."""
_FREE = frozenset(("/healthz", "/readyz", "/metrics"))
_FULL = "hakken.full"


class Gate:
    """WSGI middleware that lets so many requests through at once.

    Args:
        app: what answers them; it finds out about a refusal by `refuse_when_full`.
        metrics: where to count.
        places: how many are answered at once.
        waiting: how many may wait for a place.
        wait: seconds that they wait, at most.
    """

    def __init__(
        self, app: "WSGIApplication", metrics: Metrics, *, places: int, waiting: int, wait: float = WAIT_SECONDS
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._places = threading.BoundedSemaphore(places)
        self._most = waiting
        self._in_line = 0
        self._lock = threading.Lock()  # of the line
        self._wait = wait

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, or have it refused."""
        environ[BEGUN] = time.perf_counter()
        if environ.get("CONTENT_LENGTH"):
            # It says "the body ends where it ends"; then one that breaks off would be taken for a whole one.
            environ.pop("wsgi.input_terminated", None)
        if is_free(environ["PATH_INFO"]):
            return self._app(environ, start_response)
        if not self._enter():
            environ[_FULL] = True
            return self._app(environ, start_response)
        self._metrics.in_flight.inc()
        try:
            return _Answer(self._app(environ, start_response), self._leave)
        except BaseException:
            self._leave()
            raise

    def _enter(self) -> bool:
        with self._lock:
            # Nobody goes past those who stand in line.
            if not self._in_line and self._places.acquire(blocking=False):
                return True
            if self._in_line >= self._most:
                return False
            self._in_line += 1
        self._metrics.waiting.inc()
        try:
            with self._metrics.stage("wait"):
                return self._places.acquire(timeout=self._wait)
        finally:
            self._metrics.waiting.dec()
            with self._lock:
                self._in_line -= 1

    def _leave(self) -> None:
        self._places.release()
        self._metrics.in_flight.dec()


class _Answer:
    """An answer that holds its place until its last byte has left, or nobody wants it any more.

    Servers close what they are given; a test's client may forget to.
    """

    def __init__(self, body: Iterable[bytes], leave: Callable[[], None]) -> None:
        self._body = body
        self._parts = iter(body)
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except StopIteration:
            self._end()
            raise

    def close(self) -> None:
        """Close the body, and give the place away."""
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            self._end()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        leave, self._leave = self._leave, None
        if leave:
            leave()


def is_free(path: str) -> bool:
    """Whether a path is answered in any case: what takes no time, and what says how full it is."""
    return path in _FREE or path.startswith("/static/")


def refuse_when_full(app: Flask, metrics: Metrics) -> None:
    """Answer those whom the gate did not let in, and those whose body is too large, before it is read."""

    def too_late(_: ClientDisconnected) -> ResponseReturnValue:
        # Either nobody is there any more to hear it, or they were cut off.
        return app.handle_http_exception(RequestTimeout())

    def say_when(response: Response) -> Response:
        if _FULL in request.environ:
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response

    def refuse() -> None:
        if _FULL in request.environ:
            metrics.refused.labels("full").inc()
            raise ServerBusy("So many people are being answered just now that you would only wait.")
        if (request.content_length or 0) > app.config["MAX_CONTENT_LENGTH"]:
            raise RequestEntityTooLarge

    app.before_request(refuse)
    app.after_request(say_when)
    app.register_error_handler(ClientDisconnected, too_late)
