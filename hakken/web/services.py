"""What the web side is handed by whoever composes the application."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from flask import current_app, has_request_context, request

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.config import Settings
from hakken.ratings import Preferences, Recommendations, UserList, Username
from hakken.served_model import ModelStatus

EXTENSION = "hakken"
"""Where an application keeps its services."""
PINNED = "hakken.bundle"
"""Where a request keeps its model."""


class Details(Protocol):
    """Facts about titles that the catalogue lacks. Neither method waits for any site."""

    def known(self, anime: Anime) -> Anime:
        """The same anime, with what the catalogue lacks filled in as far as it was fetched before."""

    def want(self, anime_ids: Iterable[int]) -> None:
        """Have the facts about some titles fetched soon, in the background."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the views call; a test hands them fakes.

    Attributes:
        settings: what the operator chose.
        recommend: the use case. Raises any `HakkenError` that a visitor can meet.
        fetch: gets a list by username. Raises `BadUsername` and the kinds of `SourceError`.
        bundle: the current model and catalogue. Raises `ModelError` when none could be opened.
        parse_export: reads MyAnimeList's export. Raises the kinds of `ExportError`.
        details: what is known of titles beside the catalogue.
        news: what is known of the current model itself.
        find: the list that was fetched by a username a moment ago, if one was; asks no site.
    """

    settings: Settings
    recommend: Callable[[Username | UserList, Preferences], Recommendations]
    fetch: Callable[[Username], UserList]
    bundle: Callable[[], ModelBundle]
    parse_export: Callable[[BinaryIO], UserList]
    details: Details
    news: Callable[[], ModelStatus] = ModelStatus
    find: Callable[[Username], UserList | None] = lambda _: None


def once_a_request(bundle: Callable[[], ModelBundle]) -> Callable[[], ModelBundle]:
    """Give a request the same model whenever it asks, though another may take its place meanwhile.

    Args:
        bundle: gives the current one.
    """

    def pinned() -> ModelBundle:
        if not has_request_context():
            return bundle()
        if PINNED not in request.environ:
            request.environ[PINNED] = bundle()
        found: ModelBundle = request.environ[PINNED]
        return found

    return pinned


def let_go(_: BaseException | None) -> None:
    """Let go of the request's model at its end: its own objects may stay a while."""
    request.environ.pop(PINNED, None)


def services() -> Services:
    """The services of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
