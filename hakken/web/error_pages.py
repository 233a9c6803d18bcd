"""Responses to failures: a page for people; for programs a problem, `application/problem+json`, RFC 9457."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from flask import Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug import exceptions
from werkzeug.exceptions import BadHost, BadRequest, HTTPException, InternalServerError, RequestEntityTooLarge

from hakken import errors
from hakken.about import about
from hakken.listing import readable
from hakken.web.forms import FormValues, read_form_values
from hakken.web.guard import is_exempt
from hakken.web.services import services

RETRY_AFTER = "60"
"""Seconds after which to try again where a 503 has no better figure."""
API = "/api/"
"""Path under which all failures are problems, not pages."""
MEDIA_TYPE = "application/problem+json"
EXPLAINED = "/api/v1/problems#"
"""Where a kind of problem is explained, of which the name follows; the `type` of problems."""
RESPONSIBLE = {
    "yours": "You can fix this.",
    "sites": "Neither you nor we did anything wrong: the other site has to fix it.",
    "nobodys": "Nobody did anything wrong: there will be room again within seconds.",
    "not_set_up": "You did nothing wrong: this server is not set up for it.",
    "ours": "This is our fault; you did nothing wrong.",
}
"""Who can fix a failure."""


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text about one kind of failure, on a page and in a problem.

    Attributes:
        heading: the failure in a few words.
        advice: what to do about it, each in a sentence or two.
        responsible: who can fix it.
        happened: what happened; empty where the error's own message says it.
        upload_first: whether the upload, which needs no site, is the best next step.
        other_ways: whether it is, and the page says so.
        form: whether trying again makes sense, so that the page has the form.
        choices: whether the cause is a preference, not the list.
        title: the heading for a program, where the page's own doesn't suit it.
    """

    status: int
    heading: str
    advice: tuple[str, ...]
    responsible: Literal["yours", "sites", "nobodys", "not_set_up", "ours"] = "yours"
    happened: str = ""
    upload_first: bool = False
    other_ways: bool = False
    form: bool = True
    choices: bool = False
    title: str = ""


@lru_cache(maxsize=1)
def failures() -> dict[type[Exception], Failure]:
    """All failures by the class of their error."""
    texts = Path(__file__).with_name("failures.toml").read_bytes()
    by_name = msgspec.toml.decode(texts, type=dict[str, Failure])
    found = {getattr(errors, name, None) or getattr(exceptions, name): one for name, one in by_name.items()}
    return found | {
        errors.TooManyFetches: found[errors.RateLimited],
        RequestEntityTooLarge: found[errors.ExportTooLarge],
        InternalServerError: found[errors.HakkenError],
    }


class Tried(msgspec.Struct, frozen=True):
    """One source that was asked for a list in vain."""

    source: Annotated[str, about("Its name, as the server's settings have it.")]
    type: Annotated[str, about("Which problem it had.")]
    detail: Annotated[str, about("What happened there.")]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 has it."""

    type: Annotated[
        str,
        about("Which problem it is: a reference to where that is explained. It stays the same, whatever else changes."),
    ]
    title: Annotated[str, about("The problem in a few words, the same each time.")]
    status: Annotated[int, about("The HTTP status.")]
    detail: Annotated[str, about("What happened this time.")]
    tried: Annotated[tuple[Tried, ...], about("If several sources of a list failed, what went wrong with each.")] = ()


def problem_name(kind: type[Exception]) -> str:
    """The name of a kind of error in addresses: that of UserNotFound is user-not-found."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", getattr(kind, "public_name", kind.__name__)).lower()


def problem_of(kind: type[Exception], detail: str, tried: tuple[Tried, ...] = ()) -> Problem:
    """The problem that a kind of error is."""
    failure, name = failures()[kind], EXPLAINED + problem_name(kind)
    return Problem(type=name, title=failure.title or failure.heading, status=failure.status, detail=detail, tried=tried)


def kind_of(error: Exception) -> type[Exception]:
    """The class by which an error is looked up: its own, or the nearest one it derives from."""
    kind = type(error)
    if isinstance(error, errors.AllSourcesFailed) and len(kinds := {type(why) for _, why in error.tried}) == 1:
        # All sources, or the only one, failed in the same way: that failure's page says more.
        kind = kinds.pop()
    code = getattr(error, "code", None) or HTTPStatus.INTERNAL_SERVER_ERROR
    others = InternalServerError if code >= HTTPStatus.INTERNAL_SERVER_ERROR else BadRequest
    return next((each for each in kind.__mro__ if each in failures()), others)


def respond(error: errors.HakkenError | HTTPException) -> ResponseReturnValue:
    """Write a problem where a program asked, otherwise a page, or a line where a page would cost too much."""
    kind = kind_of(error)
    failure = failures()[kind]
    tried = error.tried if isinstance(error, errors.AllSourcesFailed) else ()
    status, happened = failure.status, failure.happened or str(error)
    if isinstance(error, HTTPException):
        status, headers = error.code or status, dict(error.get_headers(request.environ))  # such as Allow
        if isinstance(error, RequestEntityTooLarge):
            limit = services().settings.max_upload_mb
            happened = f"The limit is {limit} MB, and what was sent is larger."
    else:
        headers = _retry_after([why for _, why in tried] or [error])
        if failure.responsible == "ours":
            trace = error if kind is errors.HakkenError else None  # any other is expected
            current_app.logger.error("%s: %s", type(error).__name__, error, exc_info=trace)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", RETRY_AFTER)
    if request.path.startswith(API):
        problem = problem_of(
            InternalServerError if kind is errors.HakkenError else kind,
            happened,
            tuple(Tried(name, _explained(type(why)), str(why)) for name, why in tried),
        )
        answer = readable(msgspec.structs.replace(problem, type=request.script_root + problem.type, status=status))
        response = Response(answer, status, headers, content_type=MEDIA_TYPE)
        response.cache_control.no_store = True
        return response
    if isinstance(error, BadHost) or is_exempt(request.path):  # a page has links, which need a host
        return Response(f"{failure.heading}.\n", status, headers, mimetype="text/plain")
    # To read a form's values may be what failed with an error of Werkzeug's.
    readable_form = failure.form and isinstance(error, errors.HakkenError)
    page = render_template(
        "error.html",
        failure=failure,
        responsible=RESPONSIBLE[failure.responsible],
        happened=happened,
        tried=tried,
        form_values=read_form_values(request.values) if readable_form else FormValues(),
    )
    return page, status, headers


def _explained(kind: type[Exception]) -> str:
    """Where a kind of problem is explained, below the prefix of this request."""
    return request.script_root + EXPLAINED + problem_name(kind)


def _retry_after(failed: Sequence[Exception]) -> dict[str, str]:
    """The header that says when to try again, where a site said so; of several sites, the earliest."""
    times = [getattr(why, "retry_after", None) for why in failed]
    known = [seconds for seconds in times if seconds is not None and math.isfinite(seconds)]
    return {"Retry-After": str(max(1, math.ceil(min(known))))} if known else {}
