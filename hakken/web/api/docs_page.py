"""The API's page: its OpenAPI document, laid out for people."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import render_template

from hakken.web.api.openapi import REFERENCE, Schema, document, example_of, explained, problems_of
from hakken.web.api.operations import OPERATIONS
from hakken.web.error_pages import MEDIA_TYPE, problem_name
from hakken.web.failures import EVERY_FAILURE, HTTP_FAILURES


class Field(NamedTuple):
    """A parameter, or a field of a body or an answer.

    Attributes:
        name: of the field.
        kind: its type and range in words.
        description: its meaning.
        required: whether it is needed.
        default: its default as JSON; empty where nothing needs saying.
    """

    name: str
    kind: str
    description: str
    required: bool
    default: str


def api_page(root: str) -> str:
    """Render the page.

    Args:
        root: the address of this server, for the commands on it.
    """
    openapi = document()
    operations = [
        _operation(path, method, operation, root)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    bodies = {one.body.__name__ for one in OPERATIONS if one.body}
    structs = [
        {"name": name, "description": schema["description"], "fields": _fields(schema)}
        for name, schema in openapi["components"]["schemas"].items()
        if "properties" in schema and name not in bodies
    ]
    return render_template(
        "api.html",
        intro=openapi["info"]["description"],
        operations=operations,
        structs=structs,
        problems=list(_problems()),
    )


def _operation(path: str, method: str, operation: Schema, root: str) -> dict[str, Any]:
    answer = operation["responses"]["200"]
    content = answer["content"]["application/json"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return operation | {
        "name": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "parameters": [
            _field(one["name"], one["schema"], one["description"], required=one["required"])
            for one in operation["parameters"]
        ],
        "body": _fields(_component(body["schema"])) if body else [],
        "curl": _curl(path, operation, body, root),
        "answer": _component_name(content["schema"]),
        "example": json.dumps(content["example"], indent=2, ensure_ascii=False),
        "caching": answer["headers"]["Cache-Control"]["description"],
        "problems": [
            (status, list(response["content"][MEDIA_TYPE]["examples"]))
            for status, response in operation["responses"].items()
            if status >= "400"
        ],
    }


def _curl(path: str, operation: Schema, body: Schema | None, root: str) -> str:
    """A command that sends the example."""
    examples = {one["name"]: one["example"] for one in operation["parameters"] if "example" in one}
    for name in [name for name in examples if f"{{{name}}}" in path]:
        path = path.replace(f"{{{name}}}", str(examples.pop(name)))
    address = f"{root}{path}" + (f"?{urlencode(examples, doseq=True)}" if examples else "")
    if body is None:
        return f"curl {shlex.quote(address)}"
    data = shlex.quote(json.dumps(body["example"]))
    return f"curl {shlex.quote(address)} -H 'Content-Type: application/json' \\\n  -d {data}"


def _fields(schema: Schema) -> list[Field]:
    return [
        _field(name, one, one["description"], required=name in schema["required"])
        for name, one in schema["properties"].items()
    ]


def _field(name: str, schema: Schema, description: str, *, required: bool) -> Field:
    value = schema.get("default")
    default = "" if value in (None, "", []) else f"{value:g}" if isinstance(value, float) else str(value).lower()
    return Field(name, kind_in_words(schema), description, required, default)


def _problems() -> Iterator[dict[str, Any]]:
    """Every kind of problem that the API can have, in the order of the table of failures."""
    possible = {kind for operation in OPERATIONS for kind in problems_of(operation)} | set(HTTP_FAILURES)
    for kind, failure in EVERY_FAILURE.items():
        if kind in possible:
            yield {
                "name": problem_name(kind),
                "status": failure.status,
                "title": example_of(kind).title,
                "sentence": explained(kind),
                "responsible": failure.responsible.value,
            }


def kind_in_words(schema: Schema) -> str:
    """The types and values that a schema allows, in words."""
    if "$ref" in schema:
        component = _component(schema)
        return _one_of(component["enum"]) if "enum" in component else _component_name(schema)
    if "enum" in schema:
        return _one_of(schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind_in_words(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        most = f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
        return f"list of {kind_in_words(schema['items'])}{most}"
    if schema.get("type") in {"integer", "number"} and "minimum" in schema:
        most = f" to {schema['maximum']}" if "maximum" in schema else ""
        return f"{schema['type']} from {schema['minimum']}{most}"
    return str(schema.get("type", "anything"))


def _one_of(values: list[Any]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def _component(schema: Schema) -> Schema:
    component: Schema = document()["components"]["schemas"][_component_name(schema)]
    return component


def _component_name(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(REFERENCE.format(name=""))
