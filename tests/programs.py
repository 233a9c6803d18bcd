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
    asked = dict(operation.asked)
    path = "/api/v1" + operation.path.format(anime_id=asked.pop("anime_id", ""))
    address = f"{path}?{urlencode(asked | more, doseq=True)}"
    return client.get(address) if operation.sent is None else client.post(address, json=operation.sent)
