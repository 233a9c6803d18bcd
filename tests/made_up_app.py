"""The real application and the embedded model, with made-up lists in the place of the sites'."""

import os
from collections.abc import Iterable

import msgspec
from flask import Flask

from ars_app import create_app
from hakken.catalogue import Anime, Catalogue
from hakken.config import Settings
from hakken.errors import PrivateList
from hakken.http import Deadline, HttpClient
from hakken.ratings import Rating, Site, UserList
from hakken.sources import Sources
from make_recommendations import open_knowledge


class Lists:
    """A source that knows two people, one of whom keeps their list private."""

    name = "made up"

    def fetch(self, username: str, deadline: Deadline) -> UserList:  # noqa: ARG002  # a source's signature
        if username == "private":
            raise PrivateList("The site says that this list is private.")
        return UserList.of([Rating(1, 9), Rating(5, 8), Rating(457, 10)])


class Facts:
    """Has each picture that the catalogue has at the one host from which this server lets them come."""

    def __init__(self, origin: str, catalogue: Catalogue) -> None:
        self._origin = origin
        self._pictured = {one.anime_id for one in catalogue.values() if one.picture}

    def known(self, anime: Anime) -> Anime:
        picture = f"{self._origin}/{anime.anime_id}.png" if anime.anime_id in self._pictured else None
        return msgspec.structs.replace(anime, picture=picture)

    def want(self, anime_ids: Iterable[int]) -> None:
        pass


def create_made_up_app() -> Flask:
    settings = Settings.from_environ(os.environ)
    sources = Sources(HttpClient(1.0), {site: [Lists()] for site in Site})
    knowledge = open_knowledge(settings)
    facts = Facts(settings.pictures_from[0], knowledge.catalogue)
    return create_app(settings, knowledge=knowledge, sources=sources, details=facts)
