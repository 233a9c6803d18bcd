"""The views of the API's operations.

All of them raise `ModelError` where there is no model. Those about one title raise `UnknownTitle`; those about a list,
any error that the pages have: `BadOption` where an option is unknown to the catalogue, and the errors of fetching it.
"""

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
from hakken.web.anime_page import title_of
from hakken.web.api.request_types import (
    ListBody,
    ListQuery,
    NeighboursQuery,
    NoQuery,
    SearchQuery,
    TasteQuery,
    is_on,
    preferences_of,
)
from hakken.web.api.response_types import Facts, FoundTitle, FoundTitles, ModelFacts, Neighbours
from hakken.web.list_request import ListRef, read_list_ref
from hakken.web.picks_page import not_found_phrase, title_index
from hakken.web.services import services

LIST_PARAMETERS = ("username", "sample", "pick", "list")
"""The parameters of which exactly one has to name a list."""


def recommend_by_name(query: ListQuery) -> Listing:
    """Recommend for a list that is named."""
    preferences = preferences_of(query)
    return _recommended(list_ref(query).who, preferences)


def recommend_to_list(body: ListBody) -> Listing:
    """Recommend for a list that was sent."""
    return _recommended(UserList.of(body.ratings), preferences_of(body))


def search(query: SearchQuery) -> FoundTitles:
    """Find titles."""
    bundle = services().bundle()
    found = title_index(bundle).search(query.q, query.limit, adult=is_on(query.adult))
    notes = () if found else (f"“{query.q}” is {not_found_phrase(bundle)}.",)
    return FoundTitles(tuple(map(FoundTitle.of, found)), notes)


def facts(_: NoQuery, anime_id: int) -> Facts:
    """Report what is known of a title."""
    bundle = services().bundle()
    return Facts.of(title_of(anime_id, bundle), bundle)


def neighbours(query: NeighboursQuery, anime_id: int) -> Neighbours:
    """List the titles that are near one."""
    bundle = services().bundle()
    title_of(anime_id, bundle)  # raises where the title is unknown
    adult = None if query.adult is UNSET else is_on(query.adult)
    return Neighbours(
        nearest=nearest(anime_id, bundle, query.limit, adult=adult),
        also_liked=also_liked(anime_id, bundle, query.limit, adult=adult),
        standing=standing(anime_id, bundle),
    )


def taste_by_name(query: TasteQuery) -> Profile:
    """Sum up the taste of a list that is named."""
    return _taste(list_ref(query).fetched())


def taste_of_list(body: ListBody) -> Profile:
    """Sum up the taste of a list that was sent."""
    return _taste(UserList.of(body.ratings))


def model(_: NoQuery) -> ModelFacts:
    """Describe the current model."""
    return ModelFacts.of(services().bundle().model)


def list_ref(query: ListQuery) -> ListRef:
    """The list that a query names.

    Raises:
        BadOption: it names none, or several.
        InputError: what it names can't be used.
    """
    given = {name: value for name in LIST_PARAMETERS if (value := getattr(query, name)) is not UNSET and value != ()}
    if len(given) != 1:
        raise BadOption(
            f"Exactly one of {', '.join(f'`{name}`' for name in LIST_PARAMETERS)} has to say whose list is meant."
        )
    values: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return read_list_ref(MultiDict({**values, "source": query.source.value}))


def _recommended(who: Username | UserList, preferences: Preferences) -> Listing:
    return listing(services().recommend(who, preferences), services().bundle())


def _taste(user_list: UserList) -> Profile:
    found = profile(user_list, services().bundle())
    return msgspec.structs.replace(found, notes=(*found.notes, *list_notes(user_list)))
