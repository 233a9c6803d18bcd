"""Metrics for Prometheus, and an id and a log line for each request. Neither says who asked, or for what.

Workers count in files that are summed when the metrics are read, see `hakken.serving.metric_files`, or in memory.
"""

import hmac
import logging
import re
import secrets
import time
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial

import structlog
from flask import Blueprint, Flask, Response, abort, before_render_template, g, request, template_rendered
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from hakken.config import Settings
from hakken.data_time import first_moment
from hakken.errors import ModelError
from hakken.instrumentation import Instrumentation, Stage, Store
from hakken.model import Model
from hakken.serving import metric_files
from hakken.web.services import services

STARTED = "hakken.begun"
"""Key of a request's WSGI environment: when it arrived, in seconds of `time.perf_counter`."""
_TRUSTED_ID = re.compile(r"[0-9a-f-]{16,64}")
"""Ids that proxies generate: hexadecimal digits, perhaps a UUID. Neither a name nor an address looks so."""

log = logging.getLogger("hakken.requests")

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class Metrics(Instrumentation):
    """All metrics of an application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._served = ""
        histogram = partial(Histogram, buckets=_BUCKETS, registry=self._registry)
        counter = partial(Counter, registry=self._registry)
        # They report the sum, or the least, of the values of all living workers.
        gauge = partial(Gauge, multiprocess_mode="livesum", registry=self._registry)
        least = partial(Gauge, multiprocess_mode="livemin", registry=self._registry)
        self.request_seconds = histogram(
            "hakken_request_seconds", "Time from a request's head to its response, by route", ["route"]
        )
        self.answers = counter("hakken_answers", "Requests answered, by route and status", ["route", "status"])
        self.stages = histogram(
            "hakken_stage_seconds",
            "Time of the stages of a response: wait (for a slot), fetch (a list), recommend, render (a template)",
            ["stage"],
        )
        self.in_flight = gauge("hakken_requests_in_flight", "Requests being answered")
        self.refused = counter(
            "hakken_refused",
            "Requests refused, by reason: rate (too many from one client), full (no free slot in the worker)",
            ["by"],
        )
        self.limits_apart = gauge(
            "hakken_limits_apart", "Workers that count clients' requests in memory, since the storage is down"
        )
        self._site_requests = counter(
            "hakken_site_requests",
            "Requests to a site, by outcome: ok, refused (a 4xx), or the kind of error",
            ["site", "outcome"],
        )
        self._site_seconds = histogram(
            "hakken_site_seconds", "Time that a request to a site took, including the wait for the rate limit", ["site"]
        )
        self._circuit_open = gauge(
            "hakken_breaker_open", "Workers whose circuit for a site was open when it was last needed", ["site"]
        )
        self._lookups = counter("hakken_lookups", "Cache look-ups, by store and by hit or miss", ["store", "found"])
        self._serving = gauge("hakken_model_workers", "Workers whose last response used a version", ["version"])
        self._trained = least(
            "hakken_model_trained_timestamp_seconds",
            "When the model was trained; the oldest that a worker used last",
        )
        self._data_time = least(
            "hakken_model_data_timestamp_seconds",
            "Up to when the model's ratings go, at least; the oldest that a worker used last; 0: unknown",
        )

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """Measure the time of a stage of a response."""
        return self.stages.labels(name).time()

    def site_asked(self, site: str, outcome: str, seconds: float) -> None:
        """Count a request to a site by its outcome."""
        self._site_requests.labels(site, outcome).inc()
        self._site_seconds.labels(site).observe(seconds)

    def circuit_changed(self, site: str, *, is_open: bool) -> None:
        """Set whether this worker's circuit for a site is open."""
        self._circuit_open.labels(site).set(int(is_open))

    def looked_up(self, store: Store, *, found: bool) -> None:
        """Count a cache look-up."""
        self._lookups.labels(store, "yes" if found else "no").inc()

    def model_used(self, model: Model) -> None:
        """Set which model this worker answers with."""
        if model.version == self._served:
            return
        if self._served:
            self._serving.labels(self._served).set(0)
        self._served = model.version
        self._serving.labels(model.version).set(1)
        made = model.manifest
        self._trained.set(datetime.fromisoformat(made.created).timestamp())
        self._data_time.set(first_moment(made.data_time).timestamp() if made.data_time else 0)

    def exposition(self) -> bytes:
        """The metrics of all workers in Prometheus's text format."""
        registry = self._registry
        if directory := metric_files.directory():
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(directory))
        return generate_latest(registry)


def metrics_page(settings: Settings, metrics: Metrics) -> Blueprint:
    """Make `/metrics`: it needs the token that the settings name, and answers 404 where they name none.

    A request's address would be no protection: behind a proxy on the same machine, all requests come from it.
    """
    page = Blueprint("metrics", __name__)
    token = settings.metrics_token.encode()

    @page.get("/metrics")
    def show() -> ResponseReturnValue:
        """Show the metrics of all workers."""
        if not token:
            abort(404)
        # Werkzeug takes a token with "=" in it for parameters, as other schemes have them.
        scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token):
            return Response(metrics.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
        message = "This needs the token of HAKKEN_METRICS_TOKEN.\n"
        return Response(message, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")

    return page


def log_requests(app: Flask, metrics: Metrics, *, trusted: bool) -> None:
    """Give each request an id, `g.request_id`, log one line about it and count it.

    To be called before any other hook is added: this one encloses all others. `trusted` says whether there is a proxy
    in front, whose request ids are adopted.
    """

    def start() -> None:
        given = request.environ.get("HTTP_X_REQUEST_ID", "") if trusted else ""
        g.request_id = given if _TRUSTED_ID.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.bind_contextvars(request=g.request_id)

    def finish(response: Response) -> Response:
        route = request.endpoint or "none"
        seconds = time.perf_counter() - request.environ[STARTED]
        metrics.request_seconds.labels(route).observe(seconds)
        metrics.answers.labels(route, response.status_code).inc()
        with suppress(ModelError):
            metrics.model_used(services().bundle().model)
        response.headers["X-Request-ID"] = g.request_id
        fields = {"route": route, "method": request.method, "status": response.status_code}
        log.info("answered", extra=fields | {"ms": round(1000 * seconds, 1)})
        return response

    def start_template(*_: object, **__: object) -> None:
        g.render_started = time.perf_counter()

    def finish_template(*_: object, **__: object) -> None:
        metrics.stages.labels("render").observe(time.perf_counter() - g.render_started)

    app.before_request(start)
    app.after_request(finish)
    app.teardown_request(lambda _: structlog.contextvars.unbind_contextvars("request"))
    before_render_template.connect(start_template, app, weak=False)
    template_rendered.connect(finish_template, app, weak=False)
