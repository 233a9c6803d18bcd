"""The operations of the API. Routes, the OpenAPI document and its page are all made from them, so that they agree.

All of them raise `ModelError` where there is no model. Those about one title raise `UnknownTitle`; those about a list,
any error that the pages have: `BadOption` where an option is unknown to the catalogue, and the errors of fetching it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import msgspec
from flask import Response, request
from msgspec import UNSET
from werkzeug.datastructures import MultiDict

from hakken import errors
from hakken.listing import Listing, listing, readable
from hakken.neighbours import also_liked, nearest, standing
from hakken.ratings import MAX_ANIME_ID, UserList
from hakken.recommend import list_notes
from hakken.taste import Profile, profile
from hakken.web.anime_page import title_of
from hakken.web.api.request_parsing import (
    JSON,
    ListBody,
    ListQuery,
    NeighboursQuery,
    NoQuery,
    RecommendationsBody,
    RecommendationsQuery,
    SearchQuery,
    is_on,
    preferences_of,
    read_body,
    read_query,
)
from hakken.web.api.response_types import Facts, FoundTitle, FoundTitles, ModelFacts, Neighbours
from hakken.web.error_pages import FAILURES
from hakken.web.list_request import ListRef, read_list_ref
from hakken.web.picks_page import not_found_phrase, title_index
from hakken.web.responses import cache_publicly
from hakken.web.services import services

View = TypeVar("View", bound=Callable[..., msgspec.Struct])

ROOT = "/api/v1"
CACHED_FOR = 300
"""Seconds for which anyone may cache what says nothing about a person; a new model shows that much later."""
LIST_PARAMETERS = ("username", "sample", "pick", "list")
"""The parameters of which exactly one has to name a list."""
FETCHING = [one for one in FAILURES if issubclass(one, errors.SourceError) and not issubclass(one, errors.ExportError)]
BY_NAME = (errors.BadUsername, *FETCHING, errors.BadList)
"""Problems where a list is fetched, or encoded in an address."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of the API.

    Attributes:
        view: makes the answer from the query or body and the path's parameters; its docstring is the documentation.
        path: below `ROOT`, with parameters in braces.
        query: type of the query parameters.
        body: type of the body; an operation with one is a POST.
        example: parameters for an example, including those of the path, name → value; or a body for one.
        problems: kinds of errors it may have, beside those that all operations may have.
        cacheable: whether anyone may cache the answer: it depends on nothing but the address.
    """

    view: Callable[..., msgspec.Struct]
    path: str
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    example: Mapping[str, Any]
    problems: tuple[type[Exception], ...] = ()
    cacheable: bool = False

    @property
    def name(self) -> str:
        """Its `operationId`, and the name of its route."""
        return re.sub("_(.)", lambda found: found[1].upper(), self.view.__name__)

    @property
    def answer(self) -> type[msgspec.Struct]:
        """Type of the answer."""
        answer: type[msgspec.Struct] = get_type_hints(self.view)["return"]
        return answer

    @property
    def method(self) -> str:
        """Its HTTP method."""
        return "GET" if self.body is None else "POST"

    @property
    def rule(self) -> str:
        """Its path as Flask has it."""
        return self.path.replace("{anime_id}", f"<int(min=1, max={MAX_ANIME_ID}):anime_id>")

    def respond(self, **path: int) -> Response:
        """Respond to the current request.

        Raises:
            HakkenError: the request can't be used, or there is no answer to it.
            HTTPException: the body can't be read.
        """
        query = read_query(self.query, request.args)
        given = query if self.body is None else read_body(self.body, request)
        response = Response(readable(self.view(given, **path)), mimetype=JSON)
        if self.cacheable:
            return cache_publicly(response, CACHED_FOR)
        # Not even the browser may keep an answer about a person: a list changes while its owner watches, and others may
        # read a disk. To ask for a list again within minutes costs no site a request, since the server caches it.
        response.cache_control.private = response.cache_control.no_store = True
        return response


OPERATIONS: list[Operation] = []


def _operation(path: str, **facts: Any) -> Callable[[View], View]:  # noqa: ANN401  # the fields of Operation
    """Make a view an operation."""

    def add(view: View) -> View:
        OPERATIONS.append(Operation(view=view, path=path, **facts))
        return view

    return add


@_operation(
    "/recommendations",
    query=RecommendationsQuery,
    example={"sample": "1", "n": 3, "genre": ["Action"]},
    problems=BY_NAME,
)
def recommend(query: ListQuery) -> Listing:
    """Recommend to someone whose list is on a site.

    The options are those of the page, by the same names; a list is given by repeating its name. With `sample=1` no site
    is asked.
    """
    preferences = preferences_of(query)
    return listing(services().recommend(_list_ref(query).who, preferences), services().bundle())


@_operation(
    "/recommendations",
    body=RecommendationsBody,
    example={
        "ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 9253, "score": 10, "status": "watching"}],
        "n": 3,
        "year_from": 2000,
    },
)
def recommend_to_list(body: ListBody) -> Listing:
    """Recommend from a list that is sent.

    No site is asked, and nothing of the list is kept. A score of 0 means that there is none; without a status an entry
    is completed. Whole numbers have no fraction: 9, not 9.0.
    """
    found = services().recommend(UserList.of(body.ratings), preferences_of(body))
    return listing(found, services().bundle())


@_operation("/anime", query=SearchQuery, example={"q": "cowbyo bebop", "limit": 3}, cacheable=True)
def search_anime(query: SearchQuery) -> FoundTitles:
    """Find titles by any of their names.

    Any name, abbreviation or part of a name will do. What more people know comes first, where names match alike; names
    that look alike are given only where none matches. No title, and a note, says that nothing like it is known.
    """
    bundle = services().bundle()
    found = title_index(bundle).search(query.q, query.limit, adult=is_on(query.adult))
    notes = () if found else (f"“{query.q}” is {not_found_phrase(bundle)}.",)
    return FoundTitles(tuple(map(FoundTitle.of, found)), notes)


@_operation("/anime/{anime_id}", example={"anime_id": 1}, problems=(errors.UnknownTitle,), cacheable=True)
def get_anime(_: NoQuery, anime_id: int) -> Facts:
    """What this server knows of a title.

    Pictures are named only where they are of the hosts that this server's pages show pictures from.
    """
    bundle = services().bundle()
    return Facts.of(title_of(anime_id, bundle), bundle)


@_operation(
    "/anime/{anime_id}/neighbours",
    query=NeighboursQuery,
    example={"anime_id": 1, "limit": 3},
    problems=(errors.UnknownTitle,),
    cacheable=True,
)
def get_neighbours(query: NeighboursQuery, anime_id: int) -> Neighbours:
    """Which titles are near one.

    What is nearest goes by how people scored, what is also liked by what they chose to watch.
    """
    bundle = services().bundle()
    title_of(anime_id, bundle)  # raises where the title is unknown
    adult = None if query.adult is UNSET else is_on(query.adult)
    return Neighbours(
        nearest=nearest(anime_id, bundle, query.limit, adult=adult),
        also_liked=also_liked(anime_id, bundle, query.limit, adult=adult),
        standing=standing(anime_id, bundle),
    )


@_operation("/taste", query=ListQuery, example={"sample": "1"}, problems=BY_NAME)
def get_taste(query: ListQuery) -> Profile:
    """What a list on a site says about its owner's taste.

    Scores are held against what people in general gave the same titles. With `sample=1` no site is asked.
    """
    return _taste(_list_ref(query).fetched())


@_operation(
    "/taste", body=ListBody, example={"ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 269, "score": 6}]}
)
def taste_of_list(body: ListBody) -> Profile:
    """What a list that is sent says about its owner's taste.

    No site is asked, and nothing of the list is kept.
    """
    return _taste(UserList.of(body.ratings))


@_operation("/model", example={}, cacheable=True)
def get_model(_: NoQuery) -> ModelFacts:
    """What lists are made with.

    Lists change when the version does, and when the list that they are made from does.
    """
    return ModelFacts.of(services().bundle().model)


def _list_ref(query: ListQuery) -> ListRef:
    """The list that a query names; raises BadOption where it names none, or several."""
    given = {name: value for name in LIST_PARAMETERS if (value := getattr(query, name)) not in (UNSET, ())}
    if len(given) != 1:
        raise errors.BadOption(
            f"Exactly one of {', '.join(f'`{name}`' for name in LIST_PARAMETERS)} has to say whose list is meant."
        )
    return read_list_ref(MultiDict(given | {"source": query.source.value}))


def _taste(user_list: UserList) -> Profile:
    found = profile(user_list, services().bundle())
    return msgspec.structs.replace(found, notes=(*found.notes, *list_notes(user_list)))
