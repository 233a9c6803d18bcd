"""The API against its own document: schemathesis asks what the document allows, and what it doesn't.

The app is the real one with the embedded model; a site in its place answers each name with a list or with some failure.
"""

import zlib
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, settings

from ars_app import create_app
from hakken import errors
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.ratings import Rating, Site, UserList
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline
from hakken.sites.list_sources import ListSources
from hakken.web.api.openapi import document

FAILURES = [
    errors.UserNotFound("The site has no such user."),
    errors.PrivateList("The list is private."),
    errors.SiteDown("The site is down."),
    errors.SiteTimeout("The site took too long."),
    errors.SiteBusy("The site asks for patience.", 30.0),
    errors.SiteBlocked("The site refused."),
    errors.InvalidResponse("The site's answer can't be read."),
    errors.TooManyFetches("Too many wait already."),
    errors.NoListSource("Nobody can be asked."),
]
OURS = ("`", "There is no option", "There is no value for")
"""How sentences begin that say what is wrong with the shape of what was sent."""
# Sites do fail: that is told with these, and 500 alone is a mistake of ours.
CHECKS = {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "501", "503", "504"]}}


class Whims:
    """A source that has a list for half of all names, and a failure for each of the others."""

    name = "whims"

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        whim = zlib.crc32(username.encode()) % (2 * len(FAILURES))
        if whim < len(FAILURES):
            raise FAILURES[whim]
        return UserList.of([Rating(1, 9), Rating(5, 8), Rating(457, 10)])


schema = schemathesis.openapi.from_dict(
    document() | {"servers": [{"url": "/"}]},
    config=schemathesis.Config.from_dict({"checks": CHECKS, "generation": {"deterministic": True}}),
)
apps: list[Flask] = []


def made_when_needed(environ: Any, start_response: Any) -> Any:
    """The app, which is not there yet when the tests are collected."""
    return apps[0](environ, start_response)


schema.app = made_when_needed


@pytest.fixture(scope="module", autouse=True)
def app(embedded: ModelBundle) -> None:
    sources = ListSources(HttpClient(1.0), {site: [Whims()] for site in Site})
    apps.append(create_app(Settings(facts_source="off"), bundle=embedded, sources=sources))


@schemathesis.check
def refused_only_for_what_no_schema_can_say(ctx: Any, response: Any, case: Any) -> None:
    """What the document allows is refused for what the catalogue knows, or what does not go together."""
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 400:
        detail = response.json()["detail"]
        # To a schema 9.0 is whole, to us it is not, as the document says in words.
        assert not detail.startswith(OURS) or "got `float`" in detail


@schema.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_what_is_documented_is_what_is_done(case: Any) -> None:
    case.call_and_validate(
        excluded_checks=[schemathesis.checks.positive_data_acceptance],
        headers={"Accept-Encoding": "identity"},  # what a WSGI app packs it does not unpack
    )
