"""The operations of the API: parameters and bodies, answers, possible problems and caching.

Both the routes and the OpenAPI document are made from these, so that the document is right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask import Response, request

from hakken import errors
from hakken.listing import Listing, readable
from hakken.ratings import MAX_ANIME_ID
from hakken.taste import Profile
from hakken.web.api import examples, views
from hakken.web.api.request_parsing import JSON, read_body, read_query
from hakken.web.api.request_types import (
    ListBody,
    NeighboursQuery,
    NoQuery,
    RecommendationsBody,
    RecommendationsQuery,
    SearchQuery,
    TasteQuery,
)
from hakken.web.api.response_types import Facts, FoundTitles, ModelFacts, Neighbours
from hakken.web.responses import cache_publicly

ROOT = "/api/v1"
CACHED_FOR = 300
"""Seconds for which anyone may cache what says nothing about a person; a new model shows that much later."""

BY_NAME: tuple[type[Exception], ...] = (
    errors.BadUsername,
    errors.NoListSource,
    errors.UserNotFound,
    errors.PrivateList,
    errors.SiteDown,
    errors.SiteTimeout,
    errors.SiteBusy,
    errors.SiteBlocked,
    errors.InvalidResponse,
    errors.AllSourcesFailed,
    errors.RateLimited,
    errors.TooManyFetches,
    errors.BadList,
)
"""Problems where a list is fetched, or encoded in an address."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of the API.

    Attributes:
        name: its `operationId`.
        path: below `ROOT`, with parameters in braces.
        summary: in a few words.
        description: what else to know, in plain sentences.
        view: makes the answer from the query or body and the path's parameters.
        answer: type of the answer.
        example: an answer.
        query: type of the query parameters.
        body: type of the body; an operation with one is a POST.
        example_query: parameters for an example, including those of the path, name → value.
        example_body: a body for an example.
        problems: kinds of errors it may have, beside those that all operations may have.
        cacheable: whether anyone may cache the answer: it depends on nothing but the address.
    """

    name: str
    path: str
    summary: str
    description: str
    view: Callable[..., msgspec.Struct]
    answer: type[msgspec.Struct]
    example: msgspec.Struct
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    example_query: Mapping[str, Any] = field(default_factory=dict)
    example_body: Mapping[str, Any] | None = None
    problems: tuple[type[Exception], ...] = ()
    cacheable: bool = False

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
        return cache_publicly(response, CACHED_FOR) if self.cacheable else forbid_caching(response)


def forbid_caching(response: Response) -> Response:
    """Let nobody cache an answer about a person.

    Not even the browser: a list changes while its owner watches, and others may read a disk. To ask for a list again
    within minutes costs no site a request, since the server caches it.
    """
    response.cache_control.private = True
    response.cache_control.no_store = True
    return response


OPERATIONS = (
    Operation(
        name="recommend",
        path="/recommendations",
        summary="Recommend to someone whose list is on a site",
        description="The options are those of the page, by the same names; a list is given by repeating its name. With "
        "`sample=1` no site is asked.",
        view=views.recommend_by_name,
        answer=Listing,
        example=examples.LISTING,
        query=RecommendationsQuery,
        example_query={"sample": "1", "n": 3, "genre": ["Action"]},
        problems=BY_NAME,
    ),
    Operation(
        name="recommendToList",
        path="/recommendations",
        summary="Recommend from a list that is sent",
        description="No site is asked, and nothing of the list is kept. A score of 0 means that there is none; without "
        "a status an entry is completed. Whole numbers have no fraction: 9, not 9.0.",
        view=views.recommend_to_list,
        answer=Listing,
        example=examples.LISTING,
        body=RecommendationsBody,
        example_body={
            "ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 9253, "score": 10, "status": "watching"}],
            "n": 3,
            "year_from": 2000,
        },
    ),
    Operation(
        name="searchAnime",
        path="/anime",
        summary="Find titles by any of their names",
        description="Any name, abbreviation or part of a name will do. What more people know comes first, where names "
        "match alike; names that look alike are given only where none matches. No title, and a note, says that "
        "nothing like it is known.",
        view=views.search,
        answer=FoundTitles,
        example=examples.FOUND,
        query=SearchQuery,
        example_query={"q": "cowbyo bebop", "limit": 3},
        cacheable=True,
    ),
    Operation(
        name="getAnime",
        path="/anime/{anime_id}",
        summary="What this server knows of a title",
        description="Pictures are named only where they are of the hosts that this server's pages show pictures from.",
        view=views.facts,
        answer=Facts,
        example=examples.FACTS,
        example_query={"anime_id": 1},
        problems=(errors.UnknownTitle,),
        cacheable=True,
    ),
    Operation(
        name="getNeighbours",
        path="/anime/{anime_id}/neighbours",
        summary="Which titles are near one",
        description="What is nearest goes by how people scored, what is also liked by what they chose to watch.",
        view=views.neighbours,
        answer=Neighbours,
        example=examples.NEIGHBOURS,
        query=NeighboursQuery,
        example_query={"anime_id": 1, "limit": 3},
        problems=(errors.UnknownTitle,),
        cacheable=True,
    ),
    Operation(
        name="getTaste",
        path="/taste",
        summary="What a list on a site says about its owner's taste",
        description="Scores are held against what people in general gave the same titles. With `sample=1` no site is "
        "asked.",
        view=views.taste_by_name,
        answer=Profile,
        example=examples.TASTE,
        query=TasteQuery,
        example_query={"sample": "1"},
        problems=BY_NAME,
    ),
    Operation(
        name="tasteOfList",
        path="/taste",
        summary="What a list that is sent says about its owner's taste",
        description="No site is asked, and nothing of the list is kept.",
        view=views.taste_of_list,
        answer=Profile,
        example=examples.TASTE,
        body=ListBody,
        example_body={"ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 269, "score": 6}]},
    ),
    Operation(
        name="getModel",
        path="/model",
        summary="What lists are made with",
        description="Lists change when the version does, and when the list that they are made from does.",
        view=views.model,
        answer=ModelFacts,
        example=examples.MODEL,
        cacheable=True,
    ),
)
