"""The real application and the embedded model, with made-up lists in the place of the sites'."""

from flask import Flask

from ars_app import create_app
from hakken.config import Settings
from hakken.errors import PrivateList
from hakken.http import Deadline, HttpClient
from hakken.ratings import Rating, Site, UserList
from hakken.sources import Sources


class Lists:
    """A source that knows two people, one of whom keeps their list private."""

    name = "made up"

    def fetch(self, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        if username == "private":
            raise PrivateList("The site says that this list is private.")
        return UserList.of([Rating(1, 9), Rating(5, 8), Rating(457, 10)])


def create_made_up_app() -> Flask:
    return create_app(
        Settings(facts_source="off"), sources=Sources(HttpClient(1.0), {site: [Lists()] for site in Site})
    )
