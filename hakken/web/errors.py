"""Error pages: what happened in plain words, whose turn it is, and what to do about it."""

import math
from dataclasses import dataclass
from enum import StrEnum

from flask import Flask, current_app, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from hakken import errors
from hakken.web.forms import Typed, typed
from hakken.web.services import services


class Turn(StrEnum):
    """Who can mend it."""

    YOURS = "You can mend this."
    SITES = "Neither you nor we did anything wrong: it is the other site's turn."
    NOBODYS = "Nobody did anything wrong: a place comes free within seconds."
    OURS = "This is our fault; you did nothing wrong."


@dataclass(frozen=True, slots=True)
class Failure:
    """What the page of one kind of failure says.

    Attributes:
        status: the answer's HTTP status.
        turn: who can mend it.
        heading: the failure in a few words.
        advice: what to do about it, each in a sentence or two.
        happened: what happened; empty where the error's own message says it.
        upload_first: whether the upload, which needs no site, is the best next step.
        form: whether trying again makes sense, so that the page has the form.
        choices: whether it lies in what was chosen, and not in the list.
    """

    status: int
    turn: Turn
    heading: str
    advice: tuple[str, ...]
    happened: str = ""
    upload_first: bool = False
    form: bool = True
    choices: bool = False


LATER = "Try again in a few minutes."
UPLOAD = "Or upload your MyAnimeList export, or pick a few titles by hand: both need no other site."


def _site(status: int, heading: str, *advice: str) -> Failure:
    return Failure(status, Turn.SITES, heading, (*advice, UPLOAD), upload_first=True)


_FULL = Failure(
    503, Turn.NOBODYS, "Many lists are being fetched just now", ("Try again in a minute.", UPLOAD), upload_first=True
)

FAILURES: dict[type[errors.HakkenError], Failure] = {
    errors.BadUsername: Failure(
        400,
        Turn.YOURS,
        "That can't be a username",
        ("Type the name as it stands in the address of your profile, without the address itself.",),
    ),
    errors.BadOption: Failure(
        400,
        Turn.YOURS,
        "One thing in the form is missing or out of range",
        ("Change it below and send it again.",),
        choices=True,
    ),
    errors.BadList: Failure(
        400,
        Turn.YOURS,
        "The list in this address can't be read",
        (
            "If it was copied, copy the whole address: some programs cut long ones short.",
            "Or begin anew: upload your export once more, or pick the titles again.",
        ),
        upload_first=True,
    ),
    errors.UnknownTitle: Failure(
        404,
        Turn.YOURS,
        "No such title is known here",
        (
            "Check the number in the address: it is the one that MyAnimeList has for the title.",
            "A title that is very new may not have come to us yet.",
        ),
        form=False,
    ),
    errors.UserNotFound: Failure(
        404,
        Turn.YOURS,
        "The site knows no such user",
        (
            "Check the spelling, and that the right site is chosen: a name on one site is often not yours on another.",
            "If you have renamed yourself, use the new name.",
        ),
    ),
    errors.PrivateList: Failure(
        403,
        Turn.YOURS,
        "This list is private",
        (
            "Upload your MyAnimeList export: the list stays private, and no site has to be asked.",
            "Or make it public, at least for a minute, in your account's settings: at MyAnimeList under List Settings.",
        ),
        upload_first=True,
    ),
    errors.SiteDown: _site(502, "The site is down", LATER),
    errors.SiteTimeout: _site(504, "The site took too long", LATER),
    errors.SiteBusy: _site(503, "The site asks us to slow down", "Try again in a minute or two."),
    errors.SiteBlocked: _site(
        502,
        "The site refused to answer us",
        "It keeps its reason to itself: check the spelling, and that the list is public.",
    ),
    errors.SiteNonsense: _site(502, "The site's answer could not be read", LATER),
    errors.AllSourcesFailed: _site(502, "The list could not be fetched", LATER),
    errors.OutOfTurns: _FULL,
    errors.Crowded: _FULL,
    errors.NotAnExport: Failure(
        400,
        Turn.YOURS,
        "That file is not an anime list export",
        (
            "Choose the file just as MyAnimeList gave it to you: it ends in .xml or .xml.gz.",
            "If you did, it may have been cut short: download it again.",
        ),
        upload_first=True,
    ),
    errors.MangaExport: Failure(
        422,
        Turn.YOURS,
        "That is the export of a manga list",
        ("On MyAnimeList's export page, choose “Anime List”, then upload that file.",),
        upload_first=True,
    ),
    errors.ExportTooLarge: Failure(
        413,
        Turn.YOURS,
        "That file is too large",
        ("Upload the file just as MyAnimeList gave it to you: even the longest list fits.",),
        upload_first=True,
    ),
    errors.ModelError: Failure(
        503,
        Turn.OURS,
        "No recommendations just now",
        ("Try again in a few minutes. If it lasts, tell whoever runs this server.",),
        happened="What we predict from could not be opened on this server.",
        form=False,
    ),
    # What no visitor can meet, unless we made a mistake.
    errors.HakkenError: Failure(
        500,
        Turn.OURS,
        "Something went wrong here",
        ("Go back and try again. If it happens again, tell whoever runs this server.",),
        happened="The server made a mistake while it wrote this page.",
        form=False,
    ),
}

HTTP_FAILURES = {
    400: Failure(
        400,
        Turn.YOURS,
        "That request can't be answered",
        ("Begin at the start page.",),
        happened="What your browser sent could not be understood.",
        form=False,
    ),
    404: Failure(
        404,
        Turn.YOURS,
        "There is no such page",
        ("Check the address, or begin at the start page.",),
        happened="Nothing is kept at this address.",
        form=False,
    ),
    405: Failure(
        405,
        Turn.YOURS,
        "That can't be done here",
        ("Begin at the start page.",),
        happened="There is a page at this address, but it can't be asked for in this way.",
        form=False,
    ),
    413: FAILURES[errors.ExportTooLarge],
    500: FAILURES[errors.HakkenError],
}
"""The same for what Flask and Werkzeug raise; 400 and 500 stand for all others of their class."""

SOURCES = {
    "mal": "MyAnimeList's official API",
    "jikan": "Jikan, an unofficial API for MyAnimeList",
    "load_json": "MyAnimeList's list pages",
    "anilist": "AniList",
}
"""The sources by their names in settings, in a visitor's words."""


def register_error_pages(app: Flask) -> None:
    """Answer every failure with a page of its own."""
    app.register_error_handler(errors.HakkenError, on_hakken_error)
    app.register_error_handler(HTTPException, on_http_error)


def failure_of(error: errors.HakkenError) -> Failure:
    """Find the entry of an error's class, or of the nearest class it derives from."""
    kind = type(error)
    if isinstance(error, errors.AllSourcesFailed) and len(kinds := {type(why) for _, why in error.tried}) == 1:
        # All sources, or the only one, failed alike: that failure's page says more.
        kind = kinds.pop()
    return next(FAILURES[each] for each in kind.__mro__ if each in FAILURES)


def on_hakken_error(error: errors.HakkenError) -> ResponseReturnValue:
    """Write the page of one of our own errors."""
    failure = failure_of(error)
    if failure.turn is Turn.OURS:
        unforeseen = failure is FAILURES[errors.HakkenError]
        current_app.logger.error("%s: %s", type(error).__name__, error, exc_info=error if unforeseen else None)
    tried = error.tried if isinstance(error, errors.AllSourcesFailed) else ()
    page = _page(
        failure,
        failure.happened or str(error),
        typed(request.values),
        tried=[(SOURCES.get(name, name), str(why)) for name, why in tried],
    )
    return page, failure.status, _retry_after(error)


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
    """Write the page of an error that Flask or Werkzeug raised, with the headers it came with, such as Allow."""
    status = error.code or 500
    failure = HTTP_FAILURES.get(status) or HTTP_FAILURES[500 if status >= 500 else 400]  # noqa: PLR2004  # classes
    limit = services().settings.max_upload_mb
    happened = failure.happened or f"A file may have at most {limit} MB, and what was sent is larger."
    # Not with the form's values: reading them may be what failed.
    return _page(failure, happened, Typed()), status, error.get_headers(request.environ)


def _page(failure: Failure, happened: str, shown: Typed, tried: list[tuple[str, str]] | None = None) -> str:
    return render_template("error.html", failure=failure, happened=happened, tried=tried or [], typed=shown)
