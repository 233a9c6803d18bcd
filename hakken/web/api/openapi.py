"""The API's OpenAPI document, made from the operations and their structs: what is checked is what is documented."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect
from werkzeug.exceptions import (
    BadRequest,
    InternalServerError,
    RequestEntityTooLarge,
    RequestTimeout,
    TooManyRequests,
    UnsupportedMediaType,
)

from hakken import errors
from hakken.web.api.operations import CACHED_FOR, OPERATIONS, ROOT, Operation
from hakken.web.api.request_parsing import JSON
from hakken.web.api.request_types import TitlePath
from hakken.web.error_pages import MEDIA_TYPE, Problem, problem_name, problem_type
from hakken.web.failures import EVERY_FAILURE

Schema = dict[str, Any]
Struct = type[msgspec.Struct]

REFERENCE = "#/components/schemas/{name}"
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
    schemas = _components([Problem, *(one.answer for one in OPERATIONS)], [one.body for one in OPERATIONS if one.body])
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        described, parts = _operation(operation)
        schemas |= parts
        paths.setdefault(f"{ROOT}{operation.path}", {})[operation.method.lower()] = described
    made: Schema = {
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
    as_json: Schema = msgspec.json.decode(msgspec.json.encode(made))  # JSON has no tuples
    return as_json


def problems_of(operation: Operation) -> tuple[type[Exception], ...]:
    """All kinds of errors that an operation may have."""
    body = ANY_BODY if operation.body else ()
    return (*ANY_QUERY, *body, *operation.problems, *ANY_MODEL)


def example_of(kind: type[Exception]) -> Problem:
    """A problem as it may look."""
    failure = EVERY_FAILURE[kind]
    return Problem(
        type=problem_type(kind),
        title=failure.title or failure.heading,
        status=failure.status,
        detail=explained(kind),
    )


def explained(kind: type[Exception]) -> str:
    """What a kind of problem is, in a sentence or two."""
    if not issubclass(kind, errors.HakkenError):
        return EVERY_FAILURE[kind].happened or "The body is larger than an uploaded file may be."
    return " ".join((kind.__doc__ or "").partition("Attributes:")[0].split())


def _components(answers: Sequence[Struct], bodies: Sequence[Struct]) -> dict[str, Schema]:
    """Schemas of structs, and of the types in them, by name.

    Args:
        answers: what we write, always in full unless a struct leaves out what it lacks.
        bodies: what others write, who may leave out what has a default.
    """
    schemas = _schemas([*answers, *bodies])
    for kind in _structs_in(answers) - _structs_in(bodies):
        if not kind.__struct_config__.omit_defaults:
            schema = schemas[kind.__name__]
            schema["required"] = list(schema["properties"])
            for one in schema["properties"].values():
                one.pop("default", None)
    return schemas


def _schemas(kinds: Sequence[Struct]) -> dict[str, Schema]:
    """Msgspec's schemas of structs and of the types in them, each described in one line."""
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    for schema in schemas.values():
        schema["description"] = " ".join(schema.get("description", "").split())
    return schemas


def _structs_in(kinds: Iterable[Struct]) -> set[Struct]:
    """Structs and all structs in them."""
    found: set[Struct] = set()

    def walk(info: inspect.Type) -> None:
        if isinstance(info, inspect.StructType) and info.cls not in found:
            found.add(info.cls)
            for field in info.fields:
                walk(field.type)
        elif isinstance(info, inspect.UnionType):
            for part in info.types:
                walk(part)
        elif isinstance(info, inspect.VarTupleType):
            walk(info.item_type)
        elif isinstance(info, inspect.Metadata):
            walk(info.type)

    for kind in kinds:
        walk(inspect.type_info(kind))
    return found


def _parameters(query: Struct, location: str) -> tuple[list[Schema], dict[str, Schema]]:
    """The fields of a struct as parameters in "query" or "path", and the schemas of the types in them."""
    schemas = _schemas([query])
    schema = schemas.pop(query.__name__)
    parameters = []
    for name, kind in schema["properties"].items():
        one = {"name": name, "in": location, "required": name in schema["required"]}
        if location == "query" and not one["required"]:
            one["allowEmptyValue"] = True
        parameters.append(one | {"description": kind.pop("description"), "schema": kind})
    return parameters, schemas


def _operation(operation: Operation) -> tuple[Schema, dict[str, Schema]]:
    parameters, schemas = _parameters(operation.query, "query")
    if "{anime_id}" in operation.path:
        in_path, more = _parameters(TitlePath, "path")
        parameters, schemas = in_path + parameters, schemas | more
    for one in parameters:
        if one["name"] in operation.example_query:
            one["example"] = operation.example_query[one["name"]]
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
    }
    if operation.body is not None:
        content = {"schema": _reference(operation.body), "example": operation.example_body}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    described["responses"] = _responses(operation)
    return described, schemas


def _responses(operation: Operation) -> Schema:
    example = msgspec.to_builtins(operation.example)
    responses: Schema = {
        "200": {
            "description": (operation.answer.__doc__ or "").partition("\n")[0],
            "headers": {"Cache-Control": _header(_caching(operation))},
            "content": {JSON: {"schema": _reference(operation.answer), "example": example}},
        }
    }
    if operation.cacheable:
        responses["200"]["headers"]["ETag"] = _header("Changes when the answer does.")
        responses["304"] = {"description": "The answer is still the one that has the ETag in If-None-Match."}
    by_status: dict[int, list[type[Exception]]] = {}
    for kind in problems_of(operation):
        by_status.setdefault(EVERY_FAILURE[kind].status, []).append(kind)
    return responses | {str(status): _problem_response(status, kinds) for status, kinds in sorted(by_status.items())}


def _problem_response(status: int, kinds: Sequence[type[Exception]]) -> Schema:
    examples = {kind: example_of(kind) for kind in kinds}
    named = {problem_name(kind): {"value": msgspec.to_builtins(example)} for kind, example in examples.items()}
    response: Schema = {
        "description": "; or: ".join(dict.fromkeys(example.title for example in examples.values())) + ".",
        "content": {MEDIA_TYPE: {"schema": _reference(Problem), "examples": named}},
    }
    if status in {429, 503}:  # these always say when to try again
        response["headers"] = {"Retry-After": _header("Seconds after which to ask again.", kind="integer")}
    return response


def _caching(operation: Operation) -> str:
    return f"Anyone may keep it for {CACHED_FOR} seconds." if operation.cacheable else "Nobody may keep it."


def _header(description: str, kind: str = "string") -> Schema:
    return {"description": description, "schema": {"type": kind}}


def _reference(kind: Struct) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=kind.__name__)}
