"""A limit on the requests that are answered at once: some more wait for a moment, all others get a 503 at once.

A gthread worker alone would queue them without limit: see `hakken.serving.worker`, which provides the threads that
refusing takes.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout
from werkzeug.wsgi import ClosingIterator

from hakken.errors import ServerBusy
from hakken.web.observability import STARTED, Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WAITING, WAIT_SECONDS = 32, 2.0
"""How many requests may wait for a slot, and how long: after a reload, all that came meanwhile come at once."""
_EXEMPT = frozenset(("/healthz", "/readyz", "/metrics"))
_REFUSED = "hakken.full"
"""Key of a refused request's WSGI environment."""


class ConcurrencyLimit:
    """WSGI middleware that lets a limited number of requests through at once.

    The application responds to a refused request by `refuse_when_busy`. A request waits for one of the `slots` for at
    most `wait` seconds.
    """

    def __init__(self, app: "WSGIApplication", metrics: Metrics, *, slots: int, wait: float = WAIT_SECONDS) -> None:
        self._app = app
        self._metrics = metrics
        self._slots = threading.Semaphore(slots)
        self._queue = threading.Semaphore(WAITING)
        self._wait = wait

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, or have it refused."""
        environ[STARTED] = time.perf_counter()
        if environ.get("CONTENT_LENGTH"):
            # It means "the body ends where the input ends"; a body that breaks off would then pass for a whole one.
            environ.pop("wsgi.input_terminated", None)
        if is_exempt(environ["PATH_INFO"]):
            return self._app(environ, start_response)
        return self._answer(environ, start_response)

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        """Answer with a slot, which is held until the body's last byte is sent, or the body is closed or dropped."""
        has_slot = self._acquire()
        environ[_REFUSED] = not has_slot
        self._metrics.in_flight.inc(has_slot)
        try:
            with closing(ClosingIterator(self._app(environ, start_response))) as body:
                yield from body
        finally:
            if has_slot:
                self._slots.release()
                self._metrics.in_flight.dec()

    def _acquire(self) -> bool:
        if self._slots.acquire(blocking=False):
            return True
        if not self._queue.acquire(blocking=False):
            return False
        try:
            with self._metrics.stage("wait"):
                return self._slots.acquire(timeout=self._wait)
        finally:
            self._queue.release()


def is_exempt(path: str) -> bool:
    """Whether a path is never refused: files, which take no time, health checks and metrics."""
    return path in _EXEMPT or path.startswith("/static/")


def refuse_when_busy(app: Flask, metrics: Metrics) -> None:
    """Respond to requests that `ConcurrencyLimit` refused, and refuse bodies that are too large before reading them."""

    def refuse() -> None:
        if request.environ.get(_REFUSED):
            metrics.refused.labels("full").inc()
            raise ServerBusy("So many people are being answered just now that you would only wait.")
        if (request.content_length or 0) > app.config["MAX_CONTENT_LENGTH"]:
            raise RequestEntityTooLarge

    app.before_request(refuse)
    # The client is gone, or its connection was cut for being too slow.
    app.register_error_handler(ClientDisconnected, lambda _: app.handle_http_exception(RequestTimeout()))
