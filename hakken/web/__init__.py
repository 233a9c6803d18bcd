"""The web side: pages, covers, error pages and health checks, added to an application by `register`."""

from functools import partial
from http import HTTPStatus

from flask import Flask, Response, request

from hakken.config import Settings
from hakken.knowledge import Knowledge
from hakken.ratings import MAX_N
from hakken.web.addresses import fits, watch_links
from hakken.web.anime import anime
from hakken.web.api import register_api
from hakken.web.compression import compress_answers
from hakken.web.covers import covers, initial
from hakken.web.errors import register_error_pages
from hakken.web.finding import titles_of
from hakken.web.forms import DEFAULTS, YEARS, InMemoryRequest, body_limit
from hakken.web.health import health
from hakken.web.offer import ORDERS, PLANNED, RULES, current_offer, offer_of
from hakken.web.pages import pages
from hakken.web.picking import picking
from hakken.web.services import EXTENSION, Details, Services, let_go, once_a_request
from hakken.web.taste import taste
from hakken.web.wording import paragraphs, sign, studio

__all__ = ["Details", "Services", "once_a_request", "register", "warm"]

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src {pictures}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
RETRY_AFTER = 60
"""Seconds after which to ask again when we can't serve, and know no better."""


def register(app: Flask, services: Services) -> None:
    """Add Hakken's pages to an application, which keeps its `templates` and `static` beside itself.

    Raises:
        ConfigError: the settings let pictures come from what is no origin.
    """
    app.extensions[EXTENSION] = services
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = body_limit(services.settings)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        curly=lambda text: text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
        initial=initial,
        paragraphs=paragraphs,
        sign=sign,
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
    )
    for blueprint in (pages, taste, anime, picking, covers, health):
        app.register_blueprint(blueprint)
    register_api(app)
    register_error_pages(app)
    compress_answers(app)
    app.teardown_request(let_go)
    app.after_request(partial(_with_headers, _headers(services.settings)))


def warm(knowledge: Knowledge) -> None:
    """Make what the first request to a model would wait for, before it is served."""
    knowledge.warm()
    offer_of(knowledge)
    titles_of(knowledge)


def _headers(settings: Settings) -> dict[str, str]:
    pictures = " ".join(("'self'", *settings.pictures_from))
    return {
        "Content-Security-Policy": POLICY.format(pictures=pictures),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _with_headers(headers: dict[str, str], response: Response) -> Response:
    response.headers.update(headers)
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", str(RETRY_AFTER))
    if request.endpoint != "static" and not response.cache_control.public:
        # A page may hold someone's name and list: it is theirs, not a shared cache's.
        response.cache_control.private = True
    return response
