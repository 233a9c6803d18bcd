"""Responses to failures: a page for people; for programs a problem, `application/problem+json`, RFC 9457."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from flask import Flask, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from msgspec import Meta
from werkzeug import exceptions
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, RequestEntityTooLarge

from hakken import errors
from hakken.listing import readable
from hakken.web.forms import FormValues, read_form_values
from hakken.web.services import services

API = "/api/"
"""Path under which all failures are problems, not pages."""
MEDIA_TYPE = "application/problem+json"
EXPLAINED = "/api/v1/problems"
"""Where each kind of problem is explained, by its name."""
RESPONSIBLE = {
    "yours": "You can fix this.",
    "sites": "Neither you nor we did anything wrong: the other site has to fix it.",
    "nobodys": "Nobody did anything wrong: there is room again within seconds.",
    "not_set_up": "You did nothing wrong: this server is not set up for it.",
    "ours": "This is our fault; you did nothing wrong.",
}
"""Who can fix a failure."""
OTHER_WAYS = "Or upload your MyAnimeList export, or pick a few titles by hand: both need no other site."
SOURCES = {
    "mal": "MyAnimeList's official API",
    "jikan": "Jikan, an unofficial API for MyAnimeList",
    "load_json": "MyAnimeList's list pages",
    "anilist": "AniList",
}
"""Names of the sources for visitors, by their names in settings."""


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text about one kind of failure, on a page and in a problem.

    Attributes:
        status: the HTTP status.
        heading: the failure in a few words.
        advice: what to do about it, each in a sentence or two.
        responsible: who can fix it.
        happened: what happened; empty where the error's own message says it.
        other_ways: whether the advice ends with the ways that need no site, of which the upload is the best next step.
        upload_first: whether the upload is the best next step.
        form: whether trying again makes sense, so that the page has the form.
        choices: whether the cause is a preference, not the list.
        title: the heading for a program; by default the page's own.
    """

    status: int
    heading: str
    advice: tuple[str, ...]
    responsible: Literal["yours", "sites", "nobodys", "not_set_up", "ours"] = "yours"
    happened: str = ""
    other_ways: bool = False
    upload_first: bool = False
    form: bool = True
    choices: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        given: dict[str, Any] = {"title": self.title or self.heading}
        if self.other_ways:
            given |= {"advice": (*self.advice, OTHER_WAYS), "upload_first": True}
        for name, value in given.items():
            msgspec.structs.force_setattr(self, name, value)


def _read_failures() -> dict[type[Exception], Failure]:
    texts = Path(__file__).with_name("failures.toml").read_bytes()
    by_name = msgspec.toml.decode(texts, type=dict[str, Failure])
    found = {getattr(errors, name, None) or getattr(exceptions, name): one for name, one in by_name.items()}
    return found | {
        errors.TooManyFetches: found[errors.RateLimited],
        RequestEntityTooLarge: found[errors.ExportTooLarge],
        InternalServerError: found[errors.HakkenError],
    }


FAILURES = _read_failures()
"""All failures by the class of their error."""


class Tried(msgspec.Struct, frozen=True):
    """One source that was asked for a list in vain."""

    source: Annotated[str, Meta(description="Its name, as the server's settings have it.")]
    type: Annotated[str, Meta(description="Which problem it had.")]
    detail: Annotated[str, Meta(description="What happened there.")]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 has it."""

    type: Annotated[
        str,
        Meta(
            description="Which problem it is: a reference to where that is explained. It stays the same, whatever "
            "else changes."
        ),
    ]
    title: Annotated[str, Meta(description="The problem in a few words, the same each time.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What happened this time.")]
    tried: Annotated[
        tuple[Tried, ...],
        Meta(description="Where several sources of a list were asked in vain, what each of them failed with."),
    ] = ()


def problem_name(kind: type[Exception]) -> str:
    """The name of a kind of error in addresses: that of UserNotFound is user-not-found."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", getattr(kind, "public_name", kind.__name__)).lower()


def problem_type(kind: type[Exception]) -> str:
    """The `type` of the problem that a kind of error is."""
    return f"{EXPLAINED}#{problem_name(kind)}"


def register_error_pages(app: Flask) -> None:
    """Answer every failure with a page, or a problem, of its own."""
    app.register_error_handler(errors.HakkenError, _on_hakken_error)
    app.register_error_handler(HTTPException, _on_http_error)


def kind_of(error: Exception) -> type[Exception]:
    """The class by which an error is looked up: its own, or the nearest one it derives from."""
    kind = type(error)
    if isinstance(error, errors.AllSourcesFailed) and len(kinds := {type(why) for _, why in error.tried}) == 1:
        # All sources, or the only one, failed in the same way: that failure's page says more.
        kind = kinds.pop()
    others = InternalServerError if (getattr(error, "code", None) or 500) >= 500 else BadRequest  # noqa: PLR2004  # classes of status
    return next((each for each in kind.__mro__ if each in FAILURES), others)


def _on_hakken_error(error: errors.HakkenError) -> ResponseReturnValue:
    kind = kind_of(error)
    failure = FAILURES[kind]
    unexpected = kind is errors.HakkenError
    if failure.responsible == "ours":
        current_app.logger.error("%s: %s", type(error).__name__, error, exc_info=error if unexpected else None)
    return _respond(
        failure,
        InternalServerError if unexpected else kind,
        failure.happened or str(error),
        headers=_retry_after(error),
        form_values=lambda: read_form_values(request.values) if failure.form else FormValues(),
        tried=error.tried if isinstance(error, errors.AllSourcesFailed) else (),
    )


def _retry_after(error: errors.HakkenError) -> dict[str, str]:
    """The header that says when to try again, where a site said so; of several sites, the earliest."""
    failed = [why for _, why in error.tried] if isinstance(error, errors.AllSourcesFailed) else [error]
    times = [getattr(why, "retry_after", None) for why in failed]
    known = [seconds for seconds in times if seconds is not None and math.isfinite(seconds)]
    return {"Retry-After": str(max(1, math.ceil(min(known))))} if known else {}


def _on_http_error(error: HTTPException) -> ResponseReturnValue:
    """Respond to an error that Flask or Werkzeug raised, with the headers it came with, such as Allow."""
    kind = kind_of(error)
    failure = FAILURES[kind]
    limit = services().settings.max_upload_mb
    happened = failure.happened or f"A file may have at most {limit} MB, and what was sent is larger."
    # Without the form's values: reading them may be what failed.
    return _respond(failure, kind, happened, status=error.code, headers=dict(error.get_headers(request.environ)))


def _respond(
    failure: Failure,
    kind: type[Exception],
    happened: str,
    *,
    headers: Mapping[str, str],
    status: int | None = None,
    form_values: Callable[[], FormValues] = FormValues,
    tried: Sequence[tuple[str, errors.SiteError]] = (),
) -> ResponseReturnValue:
    """Write a problem where a program asked, otherwise a page."""
    status = status or failure.status
    if request.path.startswith(API):
        problem = Problem(
            type=problem_type(kind),
            title=failure.title,
            status=status,
            detail=happened,
            tried=tuple(Tried(name, problem_type(type(why)), str(why)) for name, why in tried),
        )
        response = Response(readable(problem), status, headers)
        response.content_type = MEDIA_TYPE
        response.cache_control.no_store = True
        return response
    named = [(SOURCES.get(name, name), str(why)) for name, why in tried]
    page = render_template(
        "error.html",
        failure=failure,
        responsible=RESPONSIBLE[failure.responsible],
        happened=happened,
        tried=named,
        form_values=form_values(),
    )
    return page, status, dict(headers)
