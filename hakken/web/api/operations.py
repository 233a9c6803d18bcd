"""The operations of the API. Routes, the OpenAPI document and its page are all made from them, so that they agree.

All of them raise `ModelError` where there is no model. Those about one title raise `UnknownTitle`; those about a list,
any error that the pages have: `BadOption` where an option is unknown to the catalogue, and the errors of fetching it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast, get_type_hints

import msgspec
from flask import Response, request
from msgspec import UNSET
from werkzeug.datastructures import MultiDict

from hakken.about import about
from hakken.catalogue import Anime
from hakken.errors import BadOption
from hakken.list_entries import read_list
from hakken.listing import EnglishTitle, Episodes, Listing, ModelName, Page, Type, Year, listing, readable
from hakken.model import Parameters
from hakken.model.manifest import Sizes
from hakken.neighbours import AlsoLiked, Neighbour, Standing, also_liked, nearest, standing
from hakken.ratings import UserList, Username
from hakken.recommend import list_notes
from hakken.taste import Profile, profile
from hakken.web.anime_page import title_of
from hakken.web.api.request_parsing import (
    JSON,
    ON,
    ListBody,
    ListQuery,
    NeighboursQuery,
    NoQuery,
    RecommendationsBody,
    RecommendationsQuery,
    SearchQuery,
    preferences_of,
    read_body,
    read_query,
)
from hakken.web.list_request import read_list_ref
from hakken.web.picks_page import not_found_phrase, title_index
from hakken.web.responses import cache_publicly
from hakken.web.services import services
from hakken.web.template_filters import picture_address, watch_links

ROOT = "/api/v1"
CACHED_FOR = 300
"""Seconds for which anyone may cache what says nothing about a person; a new model shows that much later."""


class FoundTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title that was found; a fact that the catalogue lacks is null."""

    anime_id: Annotated[int, about("MyAnimeList id.")]
    title: Annotated[str, about("The main (romanised) title.")]
    title_english: EnglishTitle
    type: Type
    year: Year
    episodes: Episodes
    url: Page


class FoundTitles(msgspec.Struct, frozen=True):
    """What a search found."""

    anime: Annotated[
        tuple[FoundTitle, ...],
        about("The likeliest first; empty where no title is similar to the query."),
    ]
    notes: Annotated[
        tuple[str, ...],
        about("Notes on the search, such as that no title of that name is known."),
    ]


class Facts(Anime, frozen=True, kw_only=True, omit_defaults=False):
    """All that this server knows of one title; a fact that it lacks is null, or empty."""

    url: Page
    recommendable: Annotated[
        bool,
        about("Whether the model knows the title, if only by its attributes, so that it can be recommended."),
    ]


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """The titles that are near one; empty where the model learnt of it from nobody."""

    nearest: Annotated[tuple[Neighbour, ...], about("Scored similarly by the same people, the most similar first.")]
    also_liked: Annotated[
        tuple[AlsoLiked, ...],
        about("What those who watched and liked the title are likely to watch and like, the likeliest first."),
    ]
    standing: Annotated[
        Standing | None,
        about("How the title ranks among all that training users have on their lists; null where none has it."),
    ]


class ModelFacts(ModelName, frozen=True, kw_only=True):
    """What lists are made with."""

    hakken_version: Annotated[str, about("Of the code that trained it.")]
    mu: Annotated[float, about("Mean of all ratings that it was trained on.")]
    sizes: Annotated[Sizes, about("How much it was made from, and how much it holds.")]
    parameters: Annotated[Parameters, about("Its hyper-parameters.")]


@dataclass(frozen=True)
class Operation:
    """One operation of the API; one with a `body` is a POST.

    Attributes:
        view: makes the answer from the query or body and the path's parameters; its docstring is the documentation.
        path: below `ROOT`, with parameters in braces.
        example: parameters, including those of the path, name → value; or a body.
        cacheable: whether anyone may cache the answer: it depends on nothing but the address.
    """

    view: Callable[..., msgspec.Struct]
    path: str
    example: Mapping[str, Any]
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    cacheable: bool = False

    @property
    def name(self) -> str:
        """Its `operationId`, and the name of its route."""
        return re.sub("_(.)", lambda found: found[1].upper(), self.view.__name__)

    @property
    def answer(self) -> type[msgspec.Struct]:
        """Type of the answer."""
        return cast("type[msgspec.Struct]", get_type_hints(self.view)["return"])

    @property
    def method(self) -> str:
        """Its HTTP method."""
        return "GET" if self.body is None else "POST"

    def respond(self, **path: int) -> Response:
        """Respond to the current request; raises what reading it and the view raise."""
        query = read_query(self.query, request.args)
        given = query if self.body is None else read_body(self.body, request)
        response = Response(readable(self.view(given, **path)), mimetype=JSON)
        if self.cacheable:
            return cache_publicly(response, CACHED_FOR)
        # Not even the browser may keep an answer about a person: a list changes while its owner watches, and others may
        # read a disk. To ask for a list again within minutes costs no site a request, since the server caches it.
        response.cache_control.private = response.cache_control.no_store = True
        return response


def recommend(query: ListQuery) -> Listing:
    """Recommend to someone whose list is on a site.

    The options have the same names as on the page; repeat a name to give several values. With `sample=1` no site is
    asked.
    """
    preferences = preferences_of(query)
    return listing(services().recommend(_who(query), preferences), services().bundle())


def recommend_to_list(body: ListBody) -> Listing:
    """Recommend from a list in the request.

    No site is asked, and the list is not kept. A score of 0 means no score; an entry without a status counts as
    completed. Whole numbers have no fraction: 9, not 9.0.
    """
    return listing(services().recommend(read_list(body.ratings), preferences_of(body)), services().bundle())


def search_anime(query: SearchQuery) -> FoundTitles:
    """Find titles by any of their names.

    Any name, abbreviation or part of a name will do. Among equal matches, better-known titles come first; names that
    only look similar are given if none matches. If nothing similar is known, there is a note and no title.
    """
    bundle = services().bundle()
    found = title_index(bundle).search(query.q, query.limit, adult=query.adult in ON)
    notes = () if found else (f"“{query.q}” is {not_found_phrase(bundle)}.",)
    return FoundTitles(msgspec.convert(found, tuple[FoundTitle, ...], from_attributes=True), notes)


def get_anime(_: NoQuery, anime_id: int) -> Facts:
    """What this server knows about a title.

    A picture is given only if it is on a host that this server's pages show pictures from.
    """
    bundle = services().bundle()
    anime = title_of(anime_id, bundle)
    shown = msgspec.structs.asdict(anime) | {
        "picture": picture_address(anime.picture, services().settings.pictures_from),
        "relations": anime.relations and tuple(related for related in anime.relations if related.likely),
        "streaming": watch_links(anime.streaming),
    }
    known = bundle.model.rows_of([anime_id])[1]
    return Facts(**shown, url=anime.url, recommendable=bool(known.all()))


def get_neighbours(query: NeighboursQuery, anime_id: int) -> Neighbours:
    """Which titles are near one.

    The nearest titles are found by how people scored, those also liked by what people chose to watch.
    """
    bundle = services().bundle()
    title_of(anime_id, bundle)  # raises where the title is unknown
    adult = None if query.adult is UNSET else query.adult in ON
    return Neighbours(
        nearest=nearest(anime_id, bundle, query.limit, adult=adult),
        also_liked=also_liked(anime_id, bundle, query.limit, adult=adult),
        standing=standing(anime_id, bundle),
    )


def get_taste(query: ListQuery) -> Profile:
    """What a list on a site says about its owner's taste.

    Scores are compared with what people in general gave the same titles. With `sample=1` no site is asked.
    """
    return _taste(services().fetch(_who(query)))


def taste_of_list(body: ListBody) -> Profile:
    """What a list in the request says about its owner's taste.

    No site is asked, and the list is not kept.
    """
    return _taste(read_list(body.ratings))


def get_model(_: NoQuery) -> ModelFacts:
    """The model that recommendations are made with.

    Recommendations change when its version does, and when the list that they are made from does.
    """
    model = services().bundle().model
    told = {name: getattr(model.manifest, name) for name in ModelFacts.__struct_fields__ if name != "version"}
    return ModelFacts(version=model.version, **told)


def _who(query: ListQuery) -> Username | UserList:
    """Whose list a query names; raises BadOption where it names none, or several."""
    names = ("username", "sample", "pick", "list")
    given = {name: value for name in names if (value := getattr(query, name)) not in (UNSET, ())}
    if len(given) != 1:
        raise BadOption("Give exactly one of `username`, `sample`, `pick` and `list`, to say whose list is meant.")
    return read_list_ref(MultiDict(given | {"source": query.source.value})).who


def _taste(user_list: UserList) -> Profile:
    found = profile(user_list, services().bundle())
    return msgspec.structs.replace(found, notes=(*found.notes, *list_notes(user_list)))


OPERATIONS = (
    Operation(
        recommend,
        "/recommendations",
        {"sample": "1", "n": 3, "genre": ["Action"]},
        query=RecommendationsQuery,
    ),
    Operation(
        recommend_to_list,
        "/recommendations",
        {
            "ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 9253, "score": 10, "status": "watching"}],
            "n": 3,
            "year_from": 2000,
        },
        body=RecommendationsBody,
    ),
    Operation(search_anime, "/anime", {"q": "cowbyo bebop", "limit": 3}, query=SearchQuery, cacheable=True),
    Operation(get_anime, "/anime/{anime_id}", {"anime_id": 1}, cacheable=True),
    Operation(
        get_neighbours,
        "/anime/{anime_id}/neighbours",
        {"anime_id": 1, "limit": 3},
        query=NeighboursQuery,
        cacheable=True,
    ),
    Operation(get_taste, "/taste", {"sample": "1"}, query=ListQuery),
    Operation(
        taste_of_list,
        "/taste",
        {"ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 269, "score": 6}]},
        body=ListBody,
    ),
    Operation(get_model, "/model", {}, cacheable=True),
)
