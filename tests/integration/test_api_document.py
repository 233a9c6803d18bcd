"""The API's document and its page say what the API does."""

import html
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from hakken import errors
from hakken.web.api.openapi import document, problems_of
from hakken.web.api.operations import BY_NAME, OPERATIONS, Operation
from hakken.web.error_pages import FAILURES, problem_name
from tests.api_client import JSON, PROBLEM, ask, said
from tests.fake_services import words
from tests.integration.test_pages import kinds_of_error


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_example_is_answered_with_what_the_document_says(
    embedded_client: FlaskClient, operation: Operation
) -> None:
    answer = ask(embedded_client, operation)

    assert answer.status_code == 200
    responses = document()["paths"][f"/api/v1{operation.path}"][operation.method.lower()]["responses"]
    example = responses["200"]["content"][JSON]["example"]
    assert set(said(answer)) == set(example)
    schema = document()["components"]["schemas"][operation.answer.__name__]
    assert set(said(answer)) == set(schema["properties"]) == set(schema["required"])


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


@pytest.mark.parametrize(
    ("place", "part"), list(described(document())), ids=lambda one: one if isinstance(one, str) else ""
)
def test_everything_is_described(place: str, part: dict[str, Any]) -> None:
    assert re.fullmatch(r"[^\n]+\.", part["description"]), place
    assert not {"Attributes:", "None"} & set(part["description"].split())


def test_every_answer_has_an_example_and_every_failure_a_place() -> None:
    for operation in OPERATIONS:
        responses = document()["paths"][f"/api/v1{operation.path}"][operation.method.lower()]["responses"]
        examples = {
            name
            for status, response in responses.items()
            if status >= "400"
            for name in response["content"][PROBLEM]["examples"]
        }
        assert examples == {problem_name(kind) for kind in problems_of(operation)}
        assert ("304" in responses) is operation.cacheable


def test_what_can_go_wrong_with_a_list_is_all_documented() -> None:
    possible = {kind for kind in kinds_of_error() if issubclass(kind, errors.SourceError)}
    uploads = set(errors.ExportError.__subclasses__())
    inherited = {errors.CircuitOpen}
    assert {kind for kind in possible - uploads - inherited if kind in FAILURES} <= set(BY_NAME)


def test_the_page_has_it_all(client: FlaskClient) -> None:
    page = client.get("/api/v1/")
    text = words(page)

    assert page.status_code == 200
    assert words(page).count(document()["info"]["description"]) == 1
    assert "() by default" not in text
    for operation in OPERATIONS:
        assert (operation.view.__doc__ or "").partition(".")[0] in text
        assert f"{operation.method} /api/v1{operation.path}" in text
    for part in document()["components"]["schemas"]:
        if f"{part}</a>" in page.text:
            assert f'id="structure-{part}"' in page.text
    targets = set(re.findall(r'href="#([^"]+)"', page.text))
    assert targets <= set(re.findall(r'id="([^"]+)"', page.text))
    assert "<script>" not in page.text
    found = client.get("/api/v1/problems")
    assert (found.status_code, found.location) == (302, "/api/v1/")
    assert client.get("/api/v1").location.endswith("/api/v1/")


def test_the_commands_of_the_page_are_answered(embedded_client: FlaskClient) -> None:
    page = embedded_client.get("/api/v1/", headers={"Host": "hakken.example"})
    commands = [
        shlex.split(command.replace("\\\n", " "))
        for command in re.findall(
            r"<code>(curl .*?)</code>",
            html.unescape(page.text),
            re.DOTALL,
        )
    ]

    assert len(commands) == len(OPERATIONS)
    for _, address, *rest in commands:
        path = address.removeprefix("http://hakken.example")
        if rest:
            assert rest[:3] == ["-H", "Content-Type: application/json", "-d"]
            assert embedded_client.post(path, data=rest[3], content_type=JSON).status_code == 200
        else:
            assert embedded_client.get(path).status_code == 200
