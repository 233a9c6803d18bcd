"""The API for programs: JSON under /api/v1, documented by an OpenAPI document and by a page made from it."""

from flask import Blueprint, Flask, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_cors import CORS

from hakken.listing import readable
from hakken.web.api.docs_page import api_page
from hakken.web.api.openapi import document
from hakken.web.api.operations import CACHED_FOR, OPERATIONS, ROOT
from hakken.web.api.request_parsing import JSON
from hakken.web.responses import cache_publicly

api = Blueprint("api", __name__, url_prefix=ROOT)


def register_api(app: Flask) -> None:
    """Add the API to an application; pages of any origin may GET it."""
    app.register_blueprint(api)
    CORS(
        app,
        resources=r"/api/.*",
        origins="*",
        methods=["GET", "HEAD", "OPTIONS"],
        send_wildcard=True,
        expose_headers=["ETag", "Retry-After", "X-Request-ID"],
        # No page on the internet may access a server on someone's own machine.
        allow_private_network=False,
    )


for _operation in OPERATIONS:
    api.add_url_rule(_operation.rule, _operation.name, _operation.respond, methods=[_operation.method])


@api.get("/openapi.json")
def openapi() -> Response:
    """Send the document."""
    return cache_publicly(Response(readable(document()), mimetype=JSON), CACHED_FOR)


@api.get("/")
def about() -> ResponseReturnValue:
    """Show the document as a page."""
    return api_page(request.host_url.rstrip("/"))


@api.get("/problems")
def problems() -> ResponseReturnValue:
    """Redirect to where problems are explained; a browser keeps the fragment, which names one of them."""
    return redirect(url_for("api.about"))
