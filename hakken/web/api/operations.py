"""What an operation of the API is: how it is asked, what it answers, what can go wrong, and how long that keeps.

Routes are made from these, and so is the document: what is said is what is done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask import Response, request

from hakken import errors
from hakken.listing import readable
from hakken.ratings import MAX_ANIME_ID
from hakken.web.api.options import NoQuery
from hakken.web.api.reading import JSON, read_body, read_query
from hakken.web.caching import public

ROOT = "/api/v1"
KEPT_FOR = 300
"""Seconds for which anyone may keep what says nothing about a person: a new model is seen so much later."""

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
"""What can go wrong where a list is fetched, or carried by an address."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that can be asked of the API.

    Attributes:
        name: by which generated clients call it.
        path: below `ROOT`, with parameters in braces.
        summary: in a few words.
        description: what else to know, in plain sentences.
        view: makes the answer of what was asked and the path's parameters.
        answer: type of the answer.
        example: an answer.
        query: type of the address's parameters.
        body: type of the body; an operation with one is a POST.
        asked: parameters for an example, of the path too, name → value.
        sent: a body for an example.
        problems: kinds of errors that may come of it, beside those that anything may have.
        kept: whether anyone may keep the answer for a while: it depends on nothing but the address.
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
    asked: Mapping[str, Any] = field(default_factory=dict)
    sent: Mapping[str, Any] | None = None
    problems: tuple[type[Exception], ...] = ()
    kept: bool = False

    @property
    def method(self) -> str:
        """Its HTTP method."""
        return "GET" if self.body is None else "POST"

    @property
    def rule(self) -> str:
        """Its path as Flask has it."""
        return self.path.replace("{anime_id}", f"<int(min=1, max={MAX_ANIME_ID}):anime_id>")

    def respond(self, **path: int) -> Response:
        """Answer the current request.

        Raises:
            HakkenError: what was sent can't be used, or the answer can't be had.
            HTTPException: the body can't be read.
        """
        query = read_query(self.query, request.args)
        asked = query if self.body is None else read_body(self.body, request)
        response = Response(readable(self.view(asked, **path)), mimetype=JSON)
        return public(response, KEPT_FOR) if self.kept else private(response)


def private(response: Response) -> Response:
    """Let nobody keep an answer that is someone's own.

    Not even the browser that asked: someone's list changes while they watch, and what is on a disk can be found there
    by others. A list asked for again within minutes costs no site a request, since the server keeps it so long.
    """
    response.cache_control.private = True
    response.cache_control.no_store = True
    return response
