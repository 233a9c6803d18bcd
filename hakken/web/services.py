"""What the web side is handed by whoever composes the application."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from flask import current_app

from hakken.catalogue import Anime
from hakken.config import Settings
from hakken.knowledge import Knowledge
from hakken.ratings import Preferences, Recommendations, UserList, Username

EXTENSION = "hakken"
"""Where an application keeps its services."""


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
        knowledge: the current model and catalogue. Raises `ModelError` when none could be opened.
        parse_export: reads MyAnimeList's export. Raises the kinds of `ExportError`.
        details: what is known of titles beside the catalogue.
    """

    settings: Settings
    recommend: Callable[[Username | UserList, Preferences], Recommendations]
    fetch: Callable[[Username], UserList]
    knowledge: Callable[[], Knowledge]
    parse_export: Callable[[BinaryIO], UserList]
    details: Details


def services() -> Services:
    """The services of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
