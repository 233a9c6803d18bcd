"""What the views depend on, composed in `ars_app`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import BinaryIO, cast

import msgspec
from flask import current_app, g, has_request_context

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.config import Settings
from hakken.ratings import Preferences, Recommendations, TitleNames, UserList, Username
from hakken.served_model import ModelStatus
from hakken.sites.facts import lacking
from hakken.web.template_filters import picture_address

EXTENSION = "hakken"
"""Key of the services in `Flask.extensions`."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the views call; tests pass fakes.

    Attributes:
        settings: the operator's.
        recommend: the use case. Raises any `HakkenError` that a visitor can meet.
        fetch: gets a list by username, or returns a list as it is. Raises the kinds of `SourceError`.
        bundle: the current model and catalogue. Raises `ModelError` when none could be opened.
        parse_export: parses MyAnimeList's export. Raises the kinds of `ExportError`.
        known: an anime with what the catalogue lacks filled in, as far as it was fetched before; waits for no site.
        want: has facts about titles, by their ids, fetched in the background; waits for no site.
        model_status: status of the current model.
        find: the cached list of a username, if there is one, or a list as it is; asks no site.
        today: the current date, UTC.
    """

    settings: Settings
    recommend: Callable[[Username | UserList, Preferences], Recommendations]
    fetch: Callable[[Username | UserList], UserList]
    bundle: Callable[[], ModelBundle]
    parse_export: Callable[[BinaryIO], UserList]
    known: Callable[[Anime], Anime]
    want: Callable[[Iterable[int]], None]
    model_status: Callable[[], ModelStatus] = ModelStatus
    find: Callable[[Username | UserList], UserList | None] = lambda _: None
    today: Callable[[], date] = lambda: datetime.now(UTC).date()


def once_per_request(bundle: Callable[[], ModelBundle]) -> Callable[[], ModelBundle]:
    """Give a request the same model each time, though the current one may be replaced meanwhile.

    Its titles have the names that the request asks for.
    """

    def pinned() -> ModelBundle:
        if not has_request_context():
            return bundle()
        if "bundle" not in g:
            g.bundle = bundle()
        return cast("ModelBundle", g.bundle).named(g.get("title_names", TitleNames.ROMAJI))

    return pinned


def services() -> Services:
    """The services of the application that answers the current request."""
    return cast("Services", current_app.extensions[EXTENSION])


def with_facts(anime: Anime) -> Anime:
    """A title with all that is known of it; a picture in the catalogue that may not be shown counts as none."""
    if anime.picture and not picture_address(anime.picture, services().settings.pictures_from):
        anime = msgspec.structs.replace(anime, picture=None)
    return services().known(anime)


def other_names(anime: Anime) -> list[tuple[str, str]]:
    """The names of a title beside the one it is shown by, as far as they differ, each with its language.

    English, main, Japanese; the main name's language isn't known, and empty.
    """
    main = services().bundle().catalogue.main.title(anime.anime_id)
    names = {anime.title_english: "en", main: "", anime.title_japanese: "ja"}
    return [(name, language) for name, language in names.items() if name and name.lower() != anime.title.lower()]


def request_missing_facts(anime: Iterable[Anime]) -> None:
    """Have facts fetched, in the background, about those titles that lack a picture or a synopsis."""
    if missing := [one.anime_id for one in anime if lacking(one)]:
        services().want(missing)
