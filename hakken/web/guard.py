"""Limits on requests: how many are answered at once, and how many one client may send.

Some more requests wait for a moment, all others get a 503 at once: a gthread worker alone would queue them without
limit, see `hakken.serving.worker`, which provides the threads that refusing takes. All requests of a client draw on one
allowance, and costly ones draw more.
"""

import hashlib
import heapq
import ipaddress
import logging
import math
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter
from limits.storage import MemoryStorage
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout
from werkzeug.security import safe_join
from werkzeug.wsgi import ClosingIterator

from hakken.config import Settings
from hakken.errors import ServerBusy
from hakken.files import is_file
from hakken.serving.limit_storage import storage_options
from hakken.web.forwarded import parsed_address
from hakken.web.observability import STARTED, Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WAITING, WAIT_SECONDS = 32, 2.0
"""How many requests may wait for a slot, and how long: after a reload, all that came meanwhile come at once."""
_EXEMPT = frozenset(("/healthz", "/readyz", "/metrics"))
_STATIC = "/static/"
_REFUSED = "hakken.full"
"""Key of a refused request's WSGI environment."""
FORM, SITE, PROGRAM, PAGE = 4, 4, 2, 1
"""What a request costs: a form with a body, a list that a site may be asked for, a call of the API, a page."""
USERNAMES = ("username", "with_username")
"""Parameters that may each have a site asked."""
OFF = "off"
_CLIENT_PREFIX = 64
"""Bits of an IPv6 address that identify a client, which commonly has all addresses with that prefix."""
MAX_COUNTS = 50_000
"""Clients' counts that a worker holds, about 400 bytes each; those whose windows end first leave first."""
_CLOCK_STEP = 5.0
"""Seconds of a change of the clock that count as setting it; gradual corrections are smaller."""

log = logging.getLogger("hakken.guard")


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
    """Whether a path is never refused for lack of a slot: files, which take no time, health checks and metrics.

    Failures there are told in a line: a whole page would take time.
    """
    return path in _EXEMPT or path.startswith(_STATIC)


def refuse_when_busy(app: Flask, metrics: Metrics) -> None:
    """Respond to requests that `ConcurrencyLimit` refused, and refuse bodies that are too large before reading them."""

    def refuse() -> None:
        if request.environ.get(_REFUSED):
            metrics.refused.labels("full").inc()
            raise ServerBusy("The server is answering as many people as it can just now.")
        if (request.content_length or 0) > app.config["MAX_CONTENT_LENGTH"]:
            raise RequestEntityTooLarge

    app.before_request(refuse)
    # The client is gone, or its connection was cut for being too slow.
    app.register_error_handler(ClientDisconnected, lambda _: app.handle_http_exception(RequestTimeout()))


def limit_requests(app: Flask, settings: Settings, metrics: Metrics) -> None:
    """Refuse, with 429 and a `Retry-After`, clients that send more than the settings allow.

    Requests are counted in memory, per worker, or in the storage that the settings name. When that fails, each worker
    counts in memory until it is back.
    """
    if settings.rate_limit == OFF:
        return
    limiter = Limiter(
        client,
        app=app,
        application_limits=[settings.rate_limit],
        application_limits_cost=cost,
        storage_uri=settings.limits_url,
        storage_options=storage_options(settings.limits_url),
        strategy="fixed-window",  # the only one that knows exactly when there is room again
        in_memory_fallback_enabled=True,
        key_prefix="hakken",
        request_identifier=lambda: "any",  # by their own names, unknown addresses and all static files would be free
    )
    limiter.logger.setLevel(logging.ERROR)  # its warnings name keys; ours are below
    limiter.request_filter(is_free)
    for storage in (limiter.storage, limiter._fallback_storage):  # noqa: SLF001  # Flask-Limiter has no public name for it
        if isinstance(storage, MemoryStorage):
            _watch_counts(app, storage)
    was_down = False

    def finish(response: Response) -> Response:
        """Say when to come again, and log once that the storage can't be reached, and once that it can again."""
        nonlocal was_down
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and (hit := limiter.current_limit):
            metrics.refused.labels("rate").inc()
            response.headers["Retry-After"] = str(max(1, math.ceil(hit.reset_at - time.time())))
        down = limiter._storage_dead  # noqa: SLF001  # Flask-Limiter has no public way to ask
        if down is not was_down:
            was_down = down
            metrics.limits_apart.set(int(down))
            change = "can't be reached: each worker counts for itself" if down else "is back"
            log.warning("The storage of HAKKEN_LIMITS_URL %s.", change)
        return response

    app.after_request(finish)


def _watch_counts(app: Flask, storage: MemoryStorage) -> None:
    """Keep counts in memory within bounds, and reset them when the clock was set.

    Windows end by the clock, and would end a day late if it is set back a day.
    """
    offset = time.time() - time.monotonic()

    def check() -> None:
        nonlocal offset
        now = time.time() - time.monotonic()
        if abs(now - offset) > _CLOCK_STEP:
            offset = now
            storage.reset()
        if len(storage.expirations) > MAX_COUNTS:
            ends = storage.expirations.copy()  # other threads change it
            for key in heapq.nsmallest(len(ends) - MAX_COUNTS * 9 // 10, ends, key=ends.__getitem__):
                storage.clear(key)

    app.before_request_funcs.setdefault(None, []).insert(0, check)  # before the limiter's own


def client() -> str:
    """The client of a request as the storage knows it: a hash, so that no address is stored.

    All whose address can't be read are one client: otherwise whoever makes up addresses would have no limit.
    """
    address = parsed_address(request.remote_addr)
    if isinstance(address, ipaddress.IPv6Address):
        address = ipaddress.IPv6Network((address, _CLIENT_PREFIX), strict=False).network_address
    known = address.compressed if address else ""
    return hashlib.blake2b(known.encode(), digest_size=12, person=b"hakken client").hexdigest()


def is_free() -> bool:
    """Whether a request costs nothing: files, covers, health checks, and what comes from this machine itself.

    The latter is the operator, or a proxy that the settings don't mention: then all visitors look alike and would use
    up one allowance.
    """
    address = parsed_address(request.remote_addr)
    if address and address.is_loopback:
        return True
    if request.path.startswith(_STATIC):
        return _is_static_file()
    return is_exempt(request.path) or request.blueprint == "covers"  # of which a page has dozens, and they are cheap


def _is_static_file() -> bool:
    """Whether there is the file that is asked for; guessing names costs as much as any page."""
    if request.endpoint != "static" or not current_app.static_folder:
        return False
    file = safe_join(current_app.static_folder, (request.view_args or {}).get("filename", ""))
    return file is not None and is_file(Path(file))


def cost() -> int:
    """What a request costs. Its body is not looked at: reading it is part of what is limited."""
    given = {*request.args, *(request.view_args or {})}
    if named := len(given.intersection(USERNAMES)):
        return SITE * named
    if request.path.startswith("/api/"):
        return PROGRAM
    return FORM if request.method == "POST" else PAGE
