"""The API's OpenAPI document, made from the operations and their structs: what is checked is what is documented."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from werkzeug.exceptions import (
    BadRequest,
    InternalServerError,
    RequestEntityTooLarge,
    RequestTimeout,
    TooManyRequests,
    UnsupportedMediaType,
)

from hakken import errors
from hakken.web.api.operations import KEPT_FOR, ROOT, Operation
from hakken.web.api.options import TitlePath
from hakken.web.api.reading import JSON
from hakken.web.api.schemas import PLACE, Schema, components, parameters, plain
from hakken.web.api.table import OPERATIONS
from hakken.web.failures import EVERY_FAILURE
from hakken.web.problems import MEDIA_TYPE, Problem, name_of, type_of

ABOUT = (
    "Recommendations of anime, and what they are made from, for programs. Nothing needs a key. A parameter or field "
    "that is unknown is refused, for a typo would silently change the answer; a parameter without a value counts as "
    "left out. Failures are problems as RFC 9457 has them. Pages of other origins may GET all of it."
)
ANY_QUERY = (errors.BadOption, TooManyRequests, InternalServerError)
ANY_MODEL = (errors.ModelError, errors.ServerBusy)
ANY_BODY = (errors.BadBody, BadRequest, RequestTimeout, RequestEntityTooLarge, UnsupportedMediaType)


@lru_cache(maxsize=1)
def document() -> Schema:
    """The whole document."""
    answers: list[type[msgspec.Struct]] = [Problem, *(one.answer for one in OPERATIONS)]
    schemas = components(answers, [one.body for one in OPERATIONS if one.body])
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        described, parts = _operation(operation)
        schemas |= parts
        paths.setdefault(f"{ROOT}{operation.path}", {})[operation.method.lower()] = described
    return plain(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Hakken",
                "version": "1",
                "description": ABOUT,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": dict(sorted(schemas.items()))},
        }
    )


def problems_of(operation: Operation) -> tuple[type[Exception], ...]:
    """All that can go wrong in an operation."""
    sent = ANY_BODY if operation.body else ()
    return (*ANY_QUERY, *sent, *operation.problems, *ANY_MODEL)


def _operation(operation: Operation) -> tuple[Schema, dict[str, Schema]]:
    asked, parts = parameters(operation.query, "query")
    if "{anime_id}" in operation.path:
        named, more = parameters(TitlePath, "path")
        asked, parts = named + asked, parts | more
    for one in asked:
        if one["name"] in operation.asked:
            one["example"] = operation.asked[one["name"]]
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": asked,
    }
    if operation.body is not None:
        content = {"schema": _reference(operation.body), "example": operation.sent}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    described["responses"] = _responses(operation)
    return described, parts


def _responses(operation: Operation) -> Schema:
    responses: Schema = {
        "200": {
            "description": (operation.answer.__doc__ or "").partition("\n")[0],
            "headers": {"Cache-Control": _header(_caching(operation))},
            "content": {
                JSON: {"schema": _reference(operation.answer), "example": msgspec.to_builtins(operation.example)}
            },
        }
    }
    if operation.kept:
        responses["200"]["headers"]["ETag"] = _header("Changes when the answer does.")
        responses["304"] = {"description": "The answer is still the one that has the ETag in If-None-Match."}
    by_status: dict[int, list[type[Exception]]] = {}
    for kind in problems_of(operation):
        by_status.setdefault(EVERY_FAILURE[kind].status, []).append(kind)
    responses |= {str(status): _problem_response(status, kinds) for status, kinds in sorted(by_status.items())}
    return responses


def _problem_response(status: int, kinds: Sequence[type[Exception]]) -> Schema:
    examples = {name_of(kind): {"value": msgspec.to_builtins(example_of(kind))} for kind in kinds}
    titles = [EVERY_FAILURE[kind].title or EVERY_FAILURE[kind].heading for kind in kinds]
    response: Schema = {
        "description": "; or: ".join(dict.fromkeys(titles)) + ".",
        "content": {MEDIA_TYPE: {"schema": _reference(Problem), "examples": examples}},
    }
    if status in {429, 503}:  # which always say when to come again
        response["headers"] = {"Retry-After": _header("Seconds after which to ask again.", kind="integer")}
    return response


def example_of(kind: type[Exception]) -> Problem:
    """A problem as it may look."""
    failure = EVERY_FAILURE[kind]
    return Problem(
        type=type_of(kind),
        title=failure.title or failure.heading,
        status=failure.status,
        detail=explained(kind),
    )


def explained(kind: type[Exception]) -> str:
    """What a kind of problem is, in a sentence or two."""
    if not issubclass(kind, errors.HakkenError):
        return EVERY_FAILURE[kind].happened or "The body is larger than an uploaded file may be."
    return " ".join((kind.__doc__ or "").partition("Attributes:")[0].split())


def _caching(operation: Operation) -> str:
    return f"Anyone may keep it for {KEPT_FOR} seconds." if operation.kept else "Nobody may keep it."


def _header(description: str, kind: str = "string") -> Schema:
    return {"description": description, "schema": {"type": kind}}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": PLACE.format(name=kind.__name__)}
