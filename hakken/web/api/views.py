"""The answers of the API's operations."""

from typing import Any

import msgspec
from msgspec import UNSET
from werkzeug.datastructures import MultiDict

from hakken.errors import BadOption
from hakken.listing import Listing, listing
from hakken.neighbours import also_liked, nearest, standing
from hakken.ratings import Preferences, UserList, Username
from hakken.recommend import list_notes
from hakken.taste import Profile, profile
from hakken.web.anime import title_of
from hakken.web.api.answers import Facts, FoundTitle, FoundTitles, ModelFacts, Neighbours
from hakken.web.api.options import (
    ListBody,
    NeighboursQuery,
    NoQuery,
    SearchQuery,
    TasteQuery,
    Whose,
    on,
    preferences_of,
)
from hakken.web.asking import Asked, read_asked
from hakken.web.finding import not_known, titles_of
from hakken.web.services import services

WAYS = ("username", "sample", "pick", "list")
"""The parameters that each say whose list is meant."""


def recommend_by_name(query: Whose) -> Listing:
    """Recommend to someone whose list is named.

    Raises:
        HakkenError: as for the page.
    """
    preferences = preferences_of(query)
    return _recommended(whose(query).who, preferences)


def recommend_to_list(body: ListBody) -> Listing:
    """Recommend from a list that was sent.

    Raises:
        BadOption: an option is none of the catalogue's.
        ModelError: there is no model.
    """
    return _recommended(UserList.of(body.ratings), preferences_of(body))


def search(query: SearchQuery) -> FoundTitles:
    """Find titles.

    Raises:
        ModelError: there is no catalogue.
    """
    bundle = services().bundle()
    found = titles_of(bundle).search(query.q, query.limit, adult=on(query.adult))
    notes = () if found else (f"“{query.q}” is {not_known(bundle)}.",)
    return FoundTitles(tuple(map(FoundTitle.of, found)), notes)


def facts(_: NoQuery, anime_id: int) -> Facts:
    """Say what is known of a title.

    Raises:
        UnknownTitle: no title has the id.
        ModelError: there is no catalogue.
    """
    bundle = services().bundle()
    return Facts.of(title_of(anime_id, bundle), bundle)


def neighbours(query: NeighboursQuery, anime_id: int) -> Neighbours:
    """Say which titles are near one.

    Raises:
        UnknownTitle: no title has the id.
        ModelError: there is no model.
    """
    bundle = services().bundle()
    title_of(anime_id, bundle)  # of one that is none of ours, nothing is near
    adult = None if query.adult is UNSET else on(query.adult)
    return Neighbours(
        nearest=nearest(anime_id, bundle, query.limit, adult=adult),
        also_liked=also_liked(anime_id, bundle, query.limit, adult=adult),
        standing=standing(anime_id, bundle),
    )


def taste_by_name(query: TasteQuery) -> Profile:
    """Sum up the taste of someone whose list is named.

    Raises:
        HakkenError: as for the page.
    """
    return _taste(whose(query).fetched())


def taste_of_list(body: ListBody) -> Profile:
    """Sum up the taste of a list that was sent.

    Raises:
        ModelError: there is no model.
    """
    return _taste(UserList.of(body.ratings))


def model(_: NoQuery) -> ModelFacts:
    """Say what lists are made with.

    Raises:
        ModelError: there is no model.
    """
    return ModelFacts.of(services().bundle().model)


def whose(query: Whose) -> Asked:
    """Whose list a query means.

    Raises:
        BadOption: it names none, or several.
        InputError: what it names can't be used.
    """
    given = {name: value for name in WAYS if (value := getattr(query, name)) is not UNSET and value != ()}
    if len(given) != 1:
        raise BadOption(f"Exactly one of {', '.join(f'`{name}`' for name in WAYS)} has to say whose list is meant.")
    values: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return read_asked(MultiDict({**values, "source": query.source.value}))


def _recommended(who: Username | UserList, preferences: Preferences) -> Listing:
    return listing(services().recommend(who, preferences), services().bundle())


def _taste(user_list: UserList) -> Profile:
    found = profile(user_list, services().bundle())
    return msgspec.structs.replace(found, notes=(*found.notes, *list_notes(user_list)))
