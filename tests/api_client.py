"""The API as a program meets it."""

from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ars_app import create_app
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.web.api.operations import Operation

JSON = "application/json"
PROBLEM = "application/problem+json"


def said(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return answer.json


@pytest.fixture(scope="session")
def embedded_client(embedded: ModelBundle) -> FlaskClient:
    """The app as it is served, with the embedded model."""
    return create_app(Settings(facts_source="off"), bundle=embedded).test_client()


def ask(client: FlaskClient, operation: Operation, **more: str) -> Any:
    """Ask for an operation's example, with more parameters."""
    if operation.body is not None:
        return client.post(f"/api/v1{operation.path}?{urlencode(more)}", json=operation.example)
    asked = dict(operation.example) | more
    path = "/api/v1" + operation.path.format(anime_id=asked.pop("anime_id", ""))
    return client.get(f"{path}?{urlencode(asked, doseq=True)}")
