"""Responses to failures: a page for people; for programs a problem, `application/problem+json`, RFC 9457."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import msgspec
from flask import Flask, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from msgspec import Meta
from werkzeug.exceptions import HTTPException, InternalServerError

from hakken import errors
from hakken.listing import readable
from hakken.web.failures import FAILURES, HTTP_FAILURES, SOURCES, Failure, Responsible, http_kind_of, kind_of
from hakken.web.forms import FormValues, read_form_values
from hakken.web.services import services

API = "/api/"
"""Path under which all failures are problems, not pages."""
MEDIA_TYPE = "application/problem+json"
EXPLAINED = "/api/v1/problems"
"""Where each kind of problem is explained, by its name."""


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
    app.register_error_handler(errors.HakkenError, on_hakken_error)
    app.register_error_handler(HTTPException, on_http_error)


def on_hakken_error(error: errors.HakkenError) -> ResponseReturnValue:
    """Respond to one of our own errors."""
    kind = kind_of(error)
    failure = FAILURES[kind]
    unexpected = kind is errors.HakkenError
    if failure.responsible is Responsible.OURS:
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
    known = [
        why.retry_after
        for why in failed
        if isinstance(why, errors.SiteError) and why.retry_after is not None and math.isfinite(why.retry_after)
    ]
    return {"Retry-After": str(max(1, math.ceil(min(known))))} if known else {}


def on_http_error(error: HTTPException) -> ResponseReturnValue:
    """Respond to an error that Flask or Werkzeug raised, with the headers it came with, such as Allow."""
    kind = http_kind_of(error)
    failure = HTTP_FAILURES[kind]
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
            title=failure.title or failure.heading,
            status=status,
            detail=happened,
            tried=tuple(Tried(name, problem_type(type(why)), str(why)) for name, why in tried),
        )
        response = Response(readable(problem), status, headers)
        response.content_type = MEDIA_TYPE
        response.cache_control.no_store = True
        return response
    named = [(SOURCES.get(name, name), str(why)) for name, why in tried]
    page = render_template("error.html", failure=failure, happened=happened, tried=named, form_values=form_values())
    return page, status, dict(headers)
