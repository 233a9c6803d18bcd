"""How much one client may ask for: all of its requests draw on one allowance, and what costs us more draws more."""

import hashlib
import ipaddress
import logging
import math
import time

from flask import Flask, Response, request
from flask_limiter import Limiter
from limits.storage import MemoryStorage

from hakken.config import Settings
from hakken.serving.checks import STORAGE_OPTIONS
from hakken.web.guard.gate import is_free
from hakken.web.seeing.metrics import Metrics

FORM, SITE, PROGRAM, PAGE = 4, 4, 2, 1
"""What a request draws: a form with anything in it, a list that a site may be asked for, a call of the API, a page."""
OFF = "off"
_COVERS = "covers"
"""The blueprint of pictures, of which a page has dozens: they are cheap, and free."""
_NETWORK = 64
"""Bits of an IPv6 address that tell clients apart: one client commonly has all addresses that begin with them."""
_TOO_MANY = 429
_NOWHERE = "none"
_STEP = 5.0
"""Seconds that a clock is moved by when it was set; what corrects it in passing does so more gently."""

log = logging.getLogger("hakken.guard")


def limit_requests(app: Flask, settings: Settings, metrics: Metrics) -> None:
    """Refuse, with 429 and a `Retry-After`, those who ask for more than the settings allow.

    Counted is in memory, for each worker alone, or in the storage that the settings name. When that fails, each worker
    counts for itself until it is back.
    """
    if settings.rate_limit == OFF:
        return
    limiter = Limiter(
        client,
        app=app,
        application_limits=[settings.rate_limit],
        application_limits_cost=cost,
        storage_uri=settings.limits_url,
        storage_options=dict(STORAGE_OPTIONS.get(settings.limits_url.partition(":")[0], {})),
        strategy="fixed-window",  # the only one that knows for certain when there is room again
        in_memory_fallback_enabled=True,
        key_prefix="hakken",
        request_identifier=lambda: request.endpoint or _NOWHERE,  # or what leads nowhere would be free
    )
    limiter.logger.setLevel(logging.ERROR)  # what it has to say is said below
    limiter.request_filter(exempt)
    _watch_storage(app, limiter, metrics)
    if isinstance(limiter.storage, MemoryStorage):
        _watch_clock(app, limiter.storage)

    def say_when(response: Response) -> Response:
        if response.status_code == _TOO_MANY and (hit := limiter.current_limit):
            metrics.refused.labels("rate").inc()
            response.headers["Retry-After"] = str(max(1, math.ceil(hit.reset_at - time.time())))
        return response

    app.after_request(say_when)


def _watch_storage(app: Flask, limiter: Limiter, metrics: Metrics) -> None:
    """Say once that the storage can't be reached, and once that it can again."""
    apart = False

    def look(response: Response) -> Response:
        nonlocal apart
        down = limiter._storage_dead  # noqa: SLF001  # it tells nobody but its own log, which names keys too
        if down is not apart:
            apart = down
            metrics.limits_apart.set(int(down))
            if down:
                log.warning("The storage of HAKKEN_LIMITS_URL can't be reached: each worker counts for itself.")
            else:
                log.warning("The storage of HAKKEN_LIMITS_URL is back.")
        return response

    app.after_request(look)


def _watch_clock(app: Flask, storage: MemoryStorage) -> None:
    """Begin anew when the clock was set: windows end by it, and would end a day late when it is set back by a day."""
    ahead = time.time() - time.monotonic()

    def look() -> None:
        nonlocal ahead
        now = time.time() - time.monotonic()
        if abs(now - ahead) > _STEP:
            ahead = now
            storage.reset()

    app.before_request_funcs.setdefault(None, []).insert(0, look)  # before the limiter has looked


def client() -> str:
    """Who asks, as the storage knows them: not by their address, which nobody needs to find there."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        known = request.remote_addr or ""
    else:
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or ipaddress.ip_network((address, _NETWORK), strict=False).network_address
        known = address.compressed
    return hashlib.blake2b(known.encode(), digest_size=12, person=b"hakken client").hexdigest()


def exempt() -> bool:
    """Whether a request is free: files, covers and health checks; and what comes from this machine itself.

    The latter is from whoever runs it, or through a proxy that the settings say nothing of: then all visitors look
    alike, and would use up one allowance.
    """
    if is_free(request.path) or request.blueprint == _COVERS:
        return True
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def cost() -> int:
    """What a request draws. Its body is not looked at: reading it is part of what has to be limited."""
    if "username" in request.args or "username" in (request.view_args or {}):
        return SITE
    if request.path.startswith("/api/"):
        return PROGRAM
    return FORM if request.method == "POST" else PAGE
