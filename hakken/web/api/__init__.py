"""The API for programs: JSON under /api/v1, documented by an OpenAPI document and by a page made from it."""

import json
import shlex
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_cors import CORS
from werkzeug.exceptions import HTTPException

from hakken.listing import readable
from hakken.ratings import MAX_ANIME_ID
from hakken.web.api.openapi import Schema, document, example_of, problems_of
from hakken.web.api.operations import CACHED_FOR, OPERATIONS, ROOT
from hakken.web.api.request_parsing import JSON
from hakken.web.error_pages import RESPONSIBLE, failures, problem_name
from hakken.web.responses import cache_publicly

api = Blueprint("api", __name__, url_prefix=ROOT)
for _one in OPERATIONS:
    _rule = _one.path.replace("{anime_id}", f"<int(min=1, max={MAX_ANIME_ID}):anime_id>")
    api.add_url_rule(_rule, _one.name, _one.respond, methods=[_one.method])


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


@api.get("/openapi.json")
def openapi() -> Response:
    """Send the document; its server is this one, below the prefix that it is asked under."""
    served = document() | {"servers": [{"url": request.script_root or "/"}]}
    return cache_publicly(Response(readable(served), mimetype=JSON), CACHED_FOR)


@api.get("/")
def about() -> ResponseReturnValue:
    """Show the document as a page."""
    possible = {kind for one in OPERATIONS for kind in problems_of(one)}
    problems = {
        problem_name(kind): (example_of(kind), RESPONSIBLE[failure.responsible])
        for kind, failure in failures().items()
        if issubclass(kind, HTTPException) or kind in possible
    }
    bodies = {one.body.__name__ for one in OPERATIONS if one.body}
    pretty = partial(json.dumps, indent=2, ensure_ascii=False)
    return render_template(
        "api.html", openapi=document(), bodies=bodies, problems=problems, root=ROOT, curl=_curl, pretty=pretty
    )


def _curl(path: str, operation: Schema) -> str:
    """A command that sends the example of an operation."""
    examples = {one["name"]: one["example"] for one in operation["parameters"] if "example" in one}
    address = request.root_url.rstrip("/") + path.format(**examples)
    if query := {name: value for name, value in examples.items() if f"{{{name}}}" not in path}:
        address = f"{address}?{urlencode(query, doseq=True)}"
    command = f"curl {shlex.quote(address)}"
    if "requestBody" not in operation:
        return command
    data = shlex.quote(json.dumps(operation["requestBody"]["content"][JSON]["example"]))
    return f"{command} -H 'Content-Type: application/json' \\\n  -d {data}"


@api.get("/problems")
def problems() -> ResponseReturnValue:
    """Redirect to where problems are explained; a browser keeps the fragment, which names one of them."""
    return redirect(url_for("api.about"))
