"""The API's OpenAPI document, made from the operations and their structs: what is checked is what is documented."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from werkzeug import exceptions as http

from hakken import errors
from hakken.web.api.operations import CACHED_FOR, OPERATIONS, ROOT, Operation
from hakken.web.api.request_parsing import JSON, ListQuery, TitlePath
from hakken.web.error_pages import MEDIA_TYPE, Problem, failures, problem_name, problem_of

Schema = dict[str, Any]
Struct = type[msgspec.Struct]

EXAMPLES = Path(__file__).with_name("examples.json")
"""An example of each type of answer, by its name."""
REFERENCE = "#/components/schemas/{name}"
ABOUT = (
    "Anime recommendations, and the data behind them, for programs. No key is needed. Unknown parameters and fields "
    "are refused, because a typo would silently change the answer; a parameter without a value counts as left out. "
    "Failures are problems as defined by RFC 9457. Pages of other origins may use every GET."
)
ALWAYS = (errors.BadOption, http.TooManyRequests, http.InternalServerError, errors.ModelError, errors.ServerBusy)
BODY = (errors.BadBody, http.BadRequest, http.RequestTimeout, http.RequestEntityTooLarge, http.UnsupportedMediaType)
WITHOUT_DEFAULTS = frozenset(("Problem", "Related"))
"""Schemas of answers that leave out what they lack; all others are written in full."""


@lru_cache(maxsize=1)
def document() -> Schema:
    """The whole document, but for its servers."""
    bodies = [one.body for one in OPERATIONS if one.body]
    sent, schemas = _schemas(bodies), _schemas([Problem, *(one.answer for one in OPERATIONS)])
    for name in schemas.keys() - sent.keys() - WITHOUT_DEFAULTS:
        if properties := schemas[name].get("properties"):
            schemas[name]["required"] = list(properties)
            for one in properties.values():
                one.pop("default", None)
    schemas |= sent
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(ROOT + operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    licence = {"name": "MIT", "identifier": "MIT"}
    made = {
        "openapi": "3.1.0",
        "info": {"title": "Hakken", "version": "1", "description": ABOUT, "license": licence},
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }
    return msgspec.json.decode(msgspec.json.encode(made), type=Schema)  # JSON has no tuples


def problems_of(operation: Operation) -> list[type[Exception]]:
    """All kinds of errors that an operation may have."""
    found: list[type[Exception]] = [*ALWAYS, *(BODY if operation.body else ())]
    if issubclass(operation.query, ListQuery):  # a list is fetched, or encoded in the address
        fetching = [kind for kind in failures() if issubclass(kind, errors.SourceError)]
        found += [kind for kind in fetching if not issubclass(kind, errors.ExportError)]
        found += [errors.BadUsername, errors.BadList]
    return [*found, errors.UnknownTitle] if "{anime_id}" in operation.path else found


def example_of(kind: type[Exception]) -> Problem:
    """A problem as it may look; its detail is what the kind of problem is, in a sentence or two."""
    if issubclass(kind, errors.HakkenError):
        return problem_of(kind, _in_one_line((kind.__doc__ or "").partition("Attributes:")[0]))
    return problem_of(kind, failures()[kind].happened or "The body is larger than the limit for uploaded files.")


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _schemas(kinds: Sequence[Struct]) -> dict[str, Schema]:
    """Msgspec's schemas of structs and of the types in them, by name, each described in one line."""
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    for schema in schemas.values():
        schema["description"] = _in_one_line(schema.get("description", ""))
    return schemas


def _parameters(kind: Struct, location: str, operation: Operation, schemas: dict[str, Schema]) -> Iterator[Schema]:
    """The fields of a struct as parameters in "query" or "path"; the schemas of types in them join the others."""
    found = _schemas([kind])
    schema = found.pop(kind.__name__)
    schemas |= found
    for name, one in schema["properties"].items():
        parameter = {"name": name, "in": location, "required": name in schema["required"]}
        if not parameter["required"]:
            parameter["allowEmptyValue"] = True
        if operation.body is None and name in operation.example:
            parameter["example"] = operation.example[name]
        yield parameter | {"description": one.pop("description"), "schema": one}


def _described(operation: Operation, schemas: dict[str, Schema]) -> Schema:
    summary, _, description = (operation.view.__doc__ or "").partition("\n")
    parameters = [*_parameters(TitlePath, "path", operation, schemas)] if "{anime_id}" in operation.path else []
    described: Schema = {
        "operationId": operation.name,
        "summary": summary.rstrip("."),
        "description": _in_one_line(description),
        "parameters": [*parameters, *_parameters(operation.query, "query", operation, schemas)],
    }
    if operation.body is not None:
        content = {"schema": _reference(operation.body), "example": operation.example}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    example = msgspec.json.decode(EXAMPLES.read_bytes())[operation.answer.__name__]
    caching = f"It may be cached for {CACHED_FOR} seconds." if operation.cacheable else "It must not be cached."
    answer: Schema = {
        "description": (operation.answer.__doc__ or "").partition("\n")[0],
        "headers": {"Cache-Control": _header(caching)},
        "content": {JSON: {"schema": _reference(operation.answer), "example": example}},
    }
    responses = {"200": answer}
    if operation.cacheable:
        answer["headers"]["ETag"] = _header("Changes when the answer does.")
        responses["304"] = {"description": "The answer still has the ETag given in If-None-Match."}
    by_status: dict[int, list[type[Exception]]] = {}
    for kind in problems_of(operation):
        by_status.setdefault(failures()[kind].status, []).append(kind)
    problems = {str(status): _problem_response(status, kinds) for status, kinds in sorted(by_status.items())}
    return described | {"responses": responses | problems}


def _problem_response(status: int, kinds: Sequence[type[Exception]]) -> Schema:
    examples = {problem_name(kind): {"value": msgspec.to_builtins(example_of(kind))} for kind in kinds}
    response: Schema = {
        "description": "; or: ".join(dict.fromkeys(one["value"]["title"] for one in examples.values())) + ".",
        "content": {MEDIA_TYPE: {"schema": _reference(Problem), "examples": examples}},
    }
    if status in {429, 503}:  # these always say when to try again
        response["headers"] = {"Retry-After": _header("Seconds to wait before asking again.", kind="integer")}
    return response


def _header(description: str, kind: str = "string") -> Schema:
    return {"description": description, "schema": {"type": kind}}


def _reference(kind: Struct) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=kind.__name__)}
