"""The web side: pages, error pages and health checks, added to an application by `register`."""

from flask import Flask, Response, request

from hakken.ratings import MAX_N
from hakken.web.errors import register_error_pages
from hakken.web.forms import DEFAULTS, YEARS, InMemoryRequest, body_limit
from hakken.web.health import health
from hakken.web.offer import ORDERS, RULES, current_offer
from hakken.web.pages import pages
from hakken.web.services import EXTENSION, Services

__all__ = ["Services", "register"]

PICTURES = "https://cdn.myanimelist.net"
"""The one other host that a page may load from: it has the covers."""

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'self'; img-src 'self' {PICTURES}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask, services: Services) -> None:
    """Add Hakken's pages to an application, which keeps its `templates` and `static` beside itself."""
    app.extensions[EXTENSION] = services
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = body_limit(services.settings)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["curly"] = lambda text: text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
    app.jinja_env.globals.update(
        settings=services.settings,
        pictures=f"{PICTURES}/",
        defaults=DEFAULTS,
        max_n=MAX_N,
        years=YEARS,
        orders=ORDERS,
        rules=RULES,
        offer=current_offer,
    )
    app.register_blueprint(pages)
    app.register_blueprint(health)
    register_error_pages(app)
    app.after_request(_with_headers)


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        # A page may hold someone's name and list: it is theirs, not a shared cache's.
        response.cache_control.private = True
    return response
