"""The API's page: its document, laid out for people."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import render_template

from hakken.web.api.document import document, example_of, explained, problems_of
from hakken.web.api.schemas import PLACE, Schema
from hakken.web.api.table import OPERATIONS
from hakken.web.failures import EVERY_FAILURE, HTTP_FAILURES
from hakken.web.problems import name_of

REFERENCE = PLACE.format(name="")


class Field(NamedTuple):
    """A parameter, or a field of a body or an answer.

    Attributes:
        name: of the field.
        kind: what it may be, in words.
        description: what it is.
        required: whether it is needed.
        default: what it is when it is left out, as JSON; empty where nothing needs saying.
    """

    name: str
    kind: str
    description: str
    required: bool = False
    default: str = ""


class Part(NamedTuple):
    """A struct of an answer or a body: its name, what it is, and its fields."""

    name: str
    description: str
    fields: list[Field]


class Shown(NamedTuple):
    """An operation as the page shows it.

    Attributes:
        name: by which links on the page find it.
        method: of HTTP.
        path: with parameters in braces.
        summary: in a few words.
        description: what else to know.
        parameters: of the address.
        body: of what is sent; empty where nothing is.
        curl: a command that asks for it.
        answer: the answer's struct.
        example: an answer, as JSON.
        caching: whether it may be kept.
        problems: what can go wrong, status by status: the status and the names of the problems.
    """

    name: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field]
    curl: str
    answer: str
    example: str
    caching: str
    problems: list[tuple[str, list[str]]]


class Explained(NamedTuple):
    """A kind of problem as the page explains it."""

    name: str
    status: int
    title: str
    sentence: str
    turn: str


def api_page(root: str) -> str:
    """Write the page.

    Args:
        root: the address of this server, for the commands on it.
    """
    said = document()
    shown = [
        _shown(path, method, operation, root)
        for path, operations in said["paths"].items()
        for method, operation in operations.items()
    ]
    return render_template(
        "api.html", intro=said["info"]["description"], shown=shown, parts=_parts(), kinds=list(_problems())
    )


def _shown(path: str, method: str, operation: Schema, root: str) -> Shown:
    answer = operation["responses"]["200"]
    content = answer["content"]["application/json"]
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return Shown(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        parameters=[
            Field(
                one["name"], kind_in_words(one["schema"]), one["description"], one["required"], _default(one["schema"])
            )
            for one in operation["parameters"]
        ],
        body=_fields(_part_of(sent["schema"])) if sent else [],
        curl=_curl(path, operation, sent, root),
        answer=_name_in(content["schema"]),
        example=json.dumps(content["example"], indent=2, ensure_ascii=False),
        caching=answer["headers"]["Cache-Control"]["description"],
        problems=[
            (status, list(response["content"]["application/problem+json"]["examples"]))
            for status, response in operation["responses"].items()
            if status >= "400"
        ],
    )


def _parameter(one: Schema) -> Field:
    schema = one["schema"]
    return Field(one["name"], kind_in_words(schema), one["description"], one["required"], _default(schema))


def _curl(path: str, operation: Schema, sent: Schema | None, root: str) -> str:
    """A command that asks for the example."""
    examples = {one["name"]: one["example"] for one in operation["parameters"] if "example" in one}
    for name in [name for name in examples if f"{{{name}}}" in path]:
        path = path.replace(f"{{{name}}}", str(examples.pop(name)))
    address = f"{root}{path}" + (f"?{urlencode(examples, doseq=True)}" if examples else "")
    if sent is None:
        return f"curl {shlex.quote(address)}"
    body = json.dumps(sent["example"])
    return f"curl {shlex.quote(address)} -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"


def _parts() -> list[Part]:
    """The structs of answers and bodies that have fields."""
    return [
        Part(name, schema["description"], _fields(schema))
        for name, schema in document()["components"]["schemas"].items()
        if "properties" in schema and name not in {one.body.__name__ for one in OPERATIONS if one.body}
    ]


def _fields(schema: Schema) -> list[Field]:
    return [
        Field(name, kind_in_words(one), one.get("description", ""), name in schema["required"], _default(one))
        for name, one in schema["properties"].items()
    ]


def _problems() -> Iterator[Explained]:
    """Every kind of problem that the API can have, in the order of the table of failures."""
    possible = {kind for operation in OPERATIONS for kind in problems_of(operation)}
    for kind, failure in EVERY_FAILURE.items():
        if kind in possible or kind in HTTP_FAILURES:
            yield Explained(name_of(kind), failure.status, example_of(kind).title, explained(kind), failure.turn.value)


def kind_in_words(schema: Schema) -> str:
    """What a schema lets in, in words."""
    if "$ref" in schema:
        part = _part_of(schema)
        return _one_of(part["enum"]) if "enum" in part else _name_in(schema)
    if "enum" in schema:
        return _one_of(schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind_in_words(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        most = f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
        return f"list of {kind_in_words(schema['items'])}{most}"
    if schema.get("type") in {"integer", "number"}:
        return " ".join([schema["type"], _range(schema)]).strip()
    return str(schema.get("type", "anything"))


def _range(schema: Schema) -> str:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is None or highest is None:
        return "" if lowest is None else f"from {lowest}"
    return f"from {lowest} to {highest}"


def _one_of(values: list[Any]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or value in ("", [], ()):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _part_of(schema: Schema) -> Schema:
    part: Schema = document()["components"]["schemas"][_name_in(schema)]
    return part


def _name_in(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(REFERENCE)
