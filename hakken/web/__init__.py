"""The web side: pages, API, error pages, health checks and metrics, added to an application by `register`."""

from flask import Flask
from werkzeug.exceptions import HTTPException

from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.data_time import in_words
from hakken.errors import HakkenError
from hakken.ratings import CHOICES
from hakken.recommend.notes import counted
from hakken.web.anime_page import anime
from hakken.web.api import register_api
from hakken.web.covers import covers
from hakken.web.error_pages import respond
from hakken.web.filter_choices import current_filter_choices, filter_choices
from hakken.web.forms import InMemoryRequest, body_limit
from hakken.web.forwarded import refuse_invalid_hosts, trust_proxies
from hakken.web.guard import ConcurrencyLimit, limit_requests, refuse_when_busy
from hakken.web.health import health
from hakken.web.list_request import fits_address
from hakken.web.observability import Metrics, log_requests, metrics_page
from hakken.web.pages import of_season, pages, taste, this_season
from hakken.web.picks_page import picking, title_index
from hakken.web.responses import add_security_headers, compress_responses, redirect_to_https
from hakken.web.services import EXTENSION, Services, once_per_request, other_names
from hakken.web.template_filters import (
    cached_macro,
    facts,
    initial,
    isolated,
    score_buttons,
    signed,
    studio,
    title_address,
    watch_links,
)
from hakken.web.title_names import add_title_names
from hakken.web.together_page import together

__all__ = ["Metrics", "Services", "once_per_request", "register", "warm"]


def register(app: Flask, services: Services, metrics: Metrics | None = None) -> None:
    """Add Hakken's pages to an application that has the folders `templates` and `static`.

    Raises:
        ConfigError: a picture origin in the settings is not an origin.
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
        isolated=isolated,
        other_names=other_names,
        studio=studio,
        watch_links=watch_links,
    )
    app.jinja_env.globals.update(
        settings=services.settings,
        options=CHOICES,
        filter_choices=current_filter_choices,
        fits_address=fits_address,
        counted=counted,
        score_buttons=score_buttons,
        signed=signed,
        title_address=title_address,
        cached_macro=cached_macro,
        of_season=of_season,
        this_season=this_season,
    )
    _add_hooks(app, services.settings, metrics)
    for blueprint in (pages, taste, together, anime, picking, covers, health, metrics_page(services.settings, metrics)):
        app.register_blueprint(blueprint)
    register_api(app)
    for failure in (HakkenError, HTTPException):
        app.register_error_handler(failure, respond)


def _add_hooks(app: Flask, settings: Settings, metrics: Metrics) -> None:
    """Add what runs before each request and after each response; what is added first sees the response last."""
    log_requests(app, metrics, trusted=settings.proxies > 0)
    app.wsgi_app = ConcurrencyLimit(app.wsgi_app, metrics, slots=settings.threads)  # type: ignore[method-assign]  # as Flask documents
    trust_proxies(app, settings.proxies)
    refuse_invalid_hosts(app)
    if settings.https == "on":
        redirect_to_https(app)
    compress_responses(app)
    add_security_headers(app, settings)
    refuse_when_busy(app, metrics)
    limit_requests(app, settings, metrics)
    add_title_names(app)  # what is refused is not read


def warm(bundle: ModelBundle) -> None:
    """Compute, before a model is served, what its first requests would otherwise wait for."""
    bundle.warm()
    filter_choices(bundle)
    title_index(bundle)
