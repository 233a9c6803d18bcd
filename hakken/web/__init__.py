"""The web side: pages, covers, error pages and health checks, added to an application by `register`."""

from http import HTTPStatus

from flask import Flask, Response

from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.data_time import in_words
from hakken.ratings import MAX_N
from hakken.recommend.notes import counted
from hakken.web.addresses import fits, watch_links
from hakken.web.anime import anime
from hakken.web.api import register_api
from hakken.web.compression import compress_answers
from hakken.web.covers import covers, initial
from hakken.web.errors import register_error_pages
from hakken.web.finding import titles_of
from hakken.web.forms import DEFAULTS, YEARS, InMemoryRequest, body_limit
from hakken.web.guard import (
    Gate,
    believe_proxies,
    limit_requests,
    refuse_when_full,
    secure_headers,
    secure_transport,
)
from hakken.web.health import health
from hakken.web.offer import ORDERS, PLANNED, RULES, current_offer, offer_of
from hakken.web.pages import pages
from hakken.web.picking import picking
from hakken.web.seeing import Metrics, metrics_page, request_id, watch_requests
from hakken.web.services import EXTENSION, Details, Services, let_go, once_a_request
from hakken.web.taste import taste
from hakken.web.wording import facts, paragraphs, remembered, signed, studio

__all__ = ["Details", "Metrics", "Services", "once_a_request", "register", "warm"]

RETRY_AFTER = 60
"""Seconds after which to ask again when we can't serve, and know no better."""


def register(app: Flask, services: Services, metrics: Metrics | None = None) -> None:
    """Add Hakken's pages to an application, which keeps its `templates` and `static` beside itself.

    Args:
        app: the application.
        services: what the views call.
        metrics: what others count in too.

    Raises:
        ConfigError: the settings let pictures come from what is no origin.
    """
    metrics = metrics or Metrics()
    app.extensions[EXTENSION] = services
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = body_limit(services.settings)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        curly=lambda text: text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
        facts=facts,
        in_words=in_words,
        initial=initial,
        paragraphs=paragraphs,
        studio=studio,
        watch_links=watch_links,
    )
    app.jinja_env.globals.update(
        settings=services.settings,
        defaults=DEFAULTS,
        max_n=MAX_N,
        years=YEARS,
        orders=ORDERS,
        rules=RULES,
        planned=PLANNED,
        offer=current_offer,
        fits=fits,
        request_id=request_id,
        counted=counted,
        signed=signed,
        remembered=remembered,
    )
    _guard(app, services.settings, metrics)
    for blueprint in (pages, taste, anime, picking, covers, health, metrics_page(services.settings, metrics)):
        app.register_blueprint(blueprint)
    register_api(app)
    register_error_pages(app)
    app.teardown_request(let_go)


def _guard(app: Flask, settings: Settings, metrics: Metrics) -> None:
    """Add what goes before every answer, and what is said with it; what is added first is the last to see an answer."""
    watch_requests(app, metrics, trusted=settings.proxies > 0)
    app.wsgi_app = Gate(app.wsgi_app, metrics, places=settings.threads, waiting=settings.waiting)  # type: ignore[method-assign]  # so Flask has it
    believe_proxies(app, settings.proxies)
    if settings.https == "on":
        secure_transport(app)
    compress_answers(app)
    secure_headers(app, settings)
    app.after_request(_say_when)
    refuse_when_full(app, metrics)
    limit_requests(app, settings, metrics)


def warm(bundle: ModelBundle) -> None:
    """Make what the first request to a model would wait for, before it is served."""
    bundle.warm()
    offer_of(bundle)
    titles_of(bundle)


def _say_when(response: Response) -> Response:
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", str(RETRY_AFTER))
    return response
