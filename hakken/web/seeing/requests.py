"""Each request has an id, one line in the log and its place in the metrics. Neither says who asked, or for what."""

import logging
import re
import secrets
import time
from typing import Any

import structlog
from flask import Flask, Response, before_render_template, g, request, template_rendered

from hakken.errors import ModelError
from hakken.web.seeing.metrics import Metrics
from hakken.web.services import services

BEGUN = "hakken.begun"
"""Where a request's environment says when it came, in seconds of `time.perf_counter`."""
_GIVEN = "HTTP_X_REQUEST_ID"
_FORM = re.compile(r"[0-9a-f-]{16,64}")
"""What proxies make: hexadecimal digits, perhaps a UUID. Neither a name nor an address looks so."""
_ELSEWHERE = "none"
"""The route of a request for which there is none."""

log = logging.getLogger("hakken.requests")


def request_id() -> str:
    """The id of the current request."""
    found: str = g.request_id
    return found


def watch_requests(app: Flask, metrics: Metrics, *, trusted: bool) -> None:
    """Give each request an id, and see how it ends.

    Args:
        app: the application, to which nothing else was added yet: what is done before and after a request is in here.
        metrics: where to count.
        trusted: whether there is a proxy in front, whose ids are taken over.
    """

    def begin() -> None:
        given = request.environ.get(_GIVEN, "") if trusted else ""
        g.request_id = given if _FORM.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.bind_contextvars(request=g.request_id)

    def end(response: Response) -> Response:
        route = request.endpoint or _ELSEWHERE
        seconds = time.perf_counter() - request.environ[BEGUN]
        metrics.request_seconds.labels(route).observe(seconds)
        metrics.answers.labels(route, response.status_code).inc()
        _tell_model(metrics)
        response.headers["X-Request-ID"] = g.request_id
        log.info(
            "answered",
            extra={
                "route": route,
                "method": request.method,
                "status": response.status_code,
                "ms": round(1000 * seconds, 1),
            },
        )
        return response

    def forget(_: BaseException | None) -> None:
        structlog.contextvars.unbind_contextvars("request")

    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(forget)
    _time_templates(app, metrics)


def _time_templates(app: Flask, metrics: Metrics) -> None:
    def begin(_: Flask, **__: Any) -> None:  # noqa: ANN401  # what the signal tells beside
        g.rendering_since = time.perf_counter()

    def end(_: Flask, **__: Any) -> None:  # noqa: ANN401  # the same
        metrics.took("render", time.perf_counter() - g.rendering_since)

    before_render_template.connect(begin, app, weak=False)
    template_rendered.connect(end, app, weak=False)


def _tell_model(metrics: Metrics) -> None:
    try:
        model = services().bundle().model
    except ModelError:
        return
    metrics.serves(model.version, model.manifest.created, model.manifest.data_time)
