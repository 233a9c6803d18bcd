"""What the web side is handed by whoever composes the application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from flask import current_app

from hakken.config import Settings
from hakken.knowledge import Knowledge
from hakken.ratings import Preferences, Recommendations, UserList, Username

EXTENSION = "hakken"
"""Where an application keeps its services."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the views call; a test hands them fakes.

    Attributes:
        settings: what the operator chose.
        recommend: the use case. Raises any `HakkenError` that a visitor can meet.
        knowledge: the current model and catalogue. Raises `ModelError` when none could be opened.
        parse_export: reads MyAnimeList's export. Raises the kinds of `ExportError`.
    """

    settings: Settings
    recommend: Callable[[Username | UserList, Preferences], Recommendations]
    knowledge: Callable[[], Knowledge]
    parse_export: Callable[[BinaryIO], UserList]


def services() -> Services:
    """The services of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
