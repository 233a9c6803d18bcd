"""The real application and the embedded model, with made-up lists in the place of the sites'."""

import os
from collections.abc import Iterable

import msgspec
from flask import Flask

from ars_app import create_app
from hakken.catalogue import Anime
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


class Facts:
    """Has a picture of each title at the one host from which this server lets them come."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def known(self, anime: Anime) -> Anime:
        return msgspec.structs.replace(anime, picture=f"{self._origin}/{anime.anime_id}.png")

    def want(self, anime_ids: Iterable[int]) -> None:
        pass


def create_made_up_app() -> Flask:
    settings = Settings.from_environ(os.environ)
    sources = Sources(HttpClient(1.0), {site: [Lists()] for site in Site})
    return create_app(settings, sources=sources, details=Facts(settings.pictures_from[0]))
