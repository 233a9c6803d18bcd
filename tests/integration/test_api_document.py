"""The API's document and its page say what the API does."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from hakken.web.api.openapi import document, problems_of
from hakken.web.api.operations import OPERATIONS, Operation
from hakken.web.error_pages import problem_name
from tests.api_client import JSON, PROBLEM, ask, said
from tests.fake_services import words


def responses_of(operation: Operation) -> Any:
    return document()["paths"][f"/api/v1{operation.path}"][operation.method.lower()]["responses"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_example_is_answered_with_what_the_document_says(
    embedded_client: FlaskClient, operation: Operation
) -> None:
    answer = ask(embedded_client, operation)

    assert answer.status_code == 200
    responses = responses_of(operation)
    example = responses["200"]["content"][JSON]["example"]
    assert json.loads(msgspec.json.encode(msgspec.convert(example, operation.answer))) == example, (
        "it is one of such an answer"
    )
    schema = document()["components"]["schemas"][operation.answer.__name__]
    assert set(said(answer)) == set(example) == set(schema["properties"]) == set(schema["required"])
    examples = {
        name
        for status, response in responses.items()
        if status >= "400"
        for name in response["content"][PROBLEM]["examples"]
    }
    assert examples == {problem_name(kind) for kind in problems_of(operation)}
    assert ("304" in responses) is operation.cacheable


def described(schema: Any) -> Iterator[tuple[str, Any]]:
    for name, part in schema["components"]["schemas"].items():
        yield name, part
        for field, one in part.get("properties", {}).items():
            yield f"{name}.{field}", one
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for one in operation["parameters"]:
                yield f"{path} {one['name']}", one
            for status, response in operation["responses"].items():
                yield f"{path} {status}", response


def test_everything_is_described() -> None:
    for place, part in described(document()):
        assert re.fullmatch(r"[^\n]+\.", part["description"]), place
        assert not {"Attributes:", "None"} & set(part["description"].split()), place
    schemas = document()["components"]["schemas"]
    assert schemas["Related"]["required"] == ["anime_id", "relation"], "what it lacks is left out"
    assert schemas["Problem"]["required"] == ["type", "title", "status", "detail"]
    assert set(schemas["Listed"]["required"]) == set(schemas["Listed"]["properties"]), "all others are whole"


def test_the_page_has_it_all(client: FlaskClient) -> None:
    page = client.get("/api/v1/")
    text = words(page)

    assert page.status_code == 200
    assert text.count(document()["info"]["description"]) == 1
    assert "() by default" not in text
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] in text
            assert f"{method.upper()} {path}" in text
    for kind in ("integer from 1 to 100, 10 by default", "list of string, at most 50", "match or predicted_rating"):
        assert kind in text
    targets = set(re.findall(r'href="#([^"]+)"', page.text))
    assert {"structure-Listing", "site-busy"} < targets <= set(re.findall(r'id="([^"]+)"', page.text))
    assert "<script>" not in page.text
    found = client.get("/api/v1/problems")
    assert (found.status_code, found.location) == (302, "/api/v1/")
    assert client.get("/api/v1").location.endswith("/api/v1/")


@pytest.mark.parametrize("prefix", ["", "/anime"])
def test_the_commands_of_the_page_are_answered(embedded_client: FlaskClient, prefix: str) -> None:
    below = {"SCRIPT_NAME": prefix}
    page = embedded_client.get("/api/v1/", headers={"Host": "hakken.example"}, environ_overrides=below)
    commands = [
        shlex.split(command.replace("\\\n", " "))
        for command in re.findall(r"<code>(curl .*?)</code>", html.unescape(page.text), re.DOTALL)
    ]

    assert len(commands) == len(OPERATIONS)
    for _, address, *rest in commands:
        path = address.removeprefix(f"http://hakken.example{prefix}")
        assert path.startswith("/api/")
        if rest:
            assert rest[:3] == ["-H", "Content-Type: application/json", "-d"]
            assert embedded_client.post(path, data=rest[3], content_type=JSON).status_code == 200
        else:
            assert embedded_client.get(path).status_code == 200
    served = said(embedded_client.get("/api/v1/openapi.json", environ_overrides=below))
    assert served == document() | {"servers": [{"url": prefix or "/"}]}
