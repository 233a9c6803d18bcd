"""Failures as a program reads them: `application/problem+json`, RFC 9457."""

import re
from collections.abc import Mapping

import msgspec
from flask import Response

from hakken.listing import readable

API = "/api/"
"""Where all failures are problems, not pages."""
MEDIA_TYPE = "application/problem+json"
EXPLAINED = "/api/v1/problems"
"""Where each kind of problem is explained, by its name."""


class Tried(msgspec.Struct, frozen=True):
    """One source that was asked for a list in vain.

    Attributes:
        source: its name, as the server's settings have it.
        type: which problem it had.
        detail: what happened there.
    """

    source: str
    type: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 has it.

    Attributes:
        type: which problem it is: a reference to where that is explained. It stays the same, whatever else changes.
        title: the problem in a few words, the same each time.
        status: the HTTP status.
        detail: what happened this time.
        tried: where several sources of a list were asked in vain, what each of them failed with.
    """

    type: str
    title: str
    status: int
    detail: str
    tried: tuple[Tried, ...] = ()


def concerns_programs(path: str) -> bool:
    """Whether it is programs that ask for an address."""
    return path.startswith(API)


def name_of(kind: type[Exception]) -> str:
    """The name of a kind of error in addresses: that of UserNotFound is user-not-found."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", getattr(kind, "public_name", kind.__name__)).lower()


def type_of(kind: type[Exception]) -> str:
    """The `type` of the problem that a kind of error is."""
    return f"{EXPLAINED}#{name_of(kind)}"


def problem_answer(problem: Problem, headers: Mapping[str, str]) -> Response:
    """Answer with a problem, and with the headers that go with it, such as Allow."""
    response = Response(readable(problem), problem.status, headers)
    response.content_type = MEDIA_TYPE
    response.cache_control.no_store = True
    return response
