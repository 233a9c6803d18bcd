"""The API for programs: JSON under /api/v1, documented by an OpenAPI document and by a page made from it."""

from flask import Blueprint, Flask, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_cors import CORS

from hakken.listing import readable
from hakken.web.api.document import document
from hakken.web.api.operations import KEPT_FOR, ROOT
from hakken.web.api.page import api_page
from hakken.web.api.reading import JSON
from hakken.web.api.table import OPERATIONS
from hakken.web.caching import public

api = Blueprint("api", __name__, url_prefix=ROOT)


def register_api(app: Flask) -> None:
    """Add the API to an application, with leave for pages of any origin to GET it."""
    app.register_blueprint(api)
    CORS(
        app,
        resources=r"/api/.*",
        origins="*",
        methods=["GET", "HEAD", "OPTIONS"],
        send_wildcard=True,
        expose_headers=["ETag", "Retry-After"],
        # A server on someone's own machine is theirs: no page on the internet may reach for it.
        allow_private_network=False,
    )


for _operation in OPERATIONS:
    api.add_url_rule(_operation.rule, _operation.name, _operation.respond, methods=[_operation.method])


@api.get("/openapi.json")
def openapi() -> Response:
    """Answer with the document."""
    return public(Response(readable(document()), mimetype=JSON), KEPT_FOR)


@api.get("/")
def about() -> ResponseReturnValue:
    """Show the document to people."""
    return api_page(request.host_url.rstrip("/"))


@api.get("/problems")
def problems() -> ResponseReturnValue:
    """Lead to where problems are explained; a browser takes along which of them it looks for."""
    return redirect(url_for("api.about"))
