"""Answers to failures: a page for people, a problem for programs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, current_app, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError

from hakken import errors
from hakken.web.failures import FAILURES, HTTP_FAILURES, SOURCES, Failure, Turn, http_kind_of, kind_of
from hakken.web.forms import Typed, typed
from hakken.web.problems import Problem, Tried, concerns_programs, problem_answer, type_of
from hakken.web.services import services


def register_error_pages(app: Flask) -> None:
    """Answer every failure with a page, or a problem, of its own."""
    app.register_error_handler(errors.HakkenError, on_hakken_error)
    app.register_error_handler(HTTPException, on_http_error)


@dataclass(frozen=True, slots=True)
class Told:
    """One failure as it is told.

    Attributes:
        kind: of error, by which a program knows it.
        failure: what is said of all of its kind.
        status: the answer's HTTP status.
        happened: what happened this time.
        tried: the sources that were asked in vain, and what each failed with.
    """

    kind: type[Exception]
    failure: Failure
    status: int
    happened: str
    tried: tuple[tuple[str, errors.SiteError], ...] = ()


def on_hakken_error(error: errors.HakkenError) -> ResponseReturnValue:
    """Answer with one of our own errors."""
    kind = kind_of(error)
    failure = FAILURES[kind]
    unforeseen = kind is errors.HakkenError
    if failure.turn is Turn.OURS:
        current_app.logger.error("%s: %s", type(error).__name__, error, exc_info=error if unforeseen else None)
    tried = error.tried if isinstance(error, errors.AllSourcesFailed) else ()
    known_as = InternalServerError if unforeseen else kind
    told = Told(known_as, failure, failure.status, failure.happened or str(error), tried)
    return _answer(told, _retry_after(error), lambda: typed(request.values) if failure.form else Typed())


def _retry_after(error: errors.HakkenError) -> dict[str, str]:
    """The header that says when to ask again, where a site said so; of several, the first that may be asked."""
    failed = [why for _, why in error.tried] if isinstance(error, errors.AllSourcesFailed) else [error]
    known = [
        why.retry_after
        for why in failed
        if isinstance(why, errors.SiteError) and why.retry_after is not None and math.isfinite(why.retry_after)
    ]
    return {"Retry-After": str(max(1, math.ceil(min(known))))} if known else {}


def on_http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer with an error that Flask or Werkzeug raised, with the headers it came with, such as Allow."""
    kind = http_kind_of(error)
    failure = HTTP_FAILURES[kind]
    limit = services().settings.max_upload_mb
    happened = failure.happened or f"A file may have at most {limit} MB, and what was sent is larger."
    told = Told(kind, failure, error.code or 500, happened)
    # Not with the form's values: reading them may be what failed.
    return _answer(told, dict(error.get_headers(request.environ)), Typed)


def _answer(told: Told, headers: Mapping[str, str], shown: Callable[[], Typed]) -> ResponseReturnValue:
    """Write the problem or the page, whichever the one who asks can read."""
    failure = told.failure
    if concerns_programs(request.path):
        title = failure.title or failure.heading
        tried = tuple(Tried(name, type_of(type(why)), str(why)) for name, why in told.tried)
        problem = Problem(type=type_of(told.kind), title=title, status=told.status, detail=told.happened, tried=tried)
        return problem_answer(problem, headers)
    named = [(SOURCES.get(name, name), str(why)) for name, why in told.tried]
    page = render_template("error.html", failure=failure, happened=told.happened, tried=named, typed=shown())
    return page, told.status, dict(headers)
