"""The table of failures: what happened in plain words, whose turn it is, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
    TooManyRequests,
    UnsupportedMediaType,
)

from hakken import errors


class Turn(StrEnum):
    """Who can mend it."""

    YOURS = "You can mend this."
    SITES = "Neither you nor we did anything wrong: it is the other site's turn."
    NOBODYS = "Nobody did anything wrong: a place comes free within seconds."
    NOT_SET_UP = "You did nothing wrong: this server is not set up for it."
    OURS = "This is our fault; you did nothing wrong."


@dataclass(frozen=True, slots=True)
class Failure:
    """What the page of one kind of failure says, and the problem of a program.

    Attributes:
        status: the answer's HTTP status.
        turn: who can mend it.
        heading: the failure in a few words.
        advice: what to do about it, each in a sentence or two.
        happened: what happened; empty where the error's own message says it.
        upload_first: whether the upload, which needs no site, is the best next step.
        form: whether trying again makes sense, so that the page has the form.
        choices: whether it lies in what was chosen, and not in the list.
        title: the heading for a program, where the page's own is about pages.
    """

    status: int
    turn: Turn
    heading: str
    advice: tuple[str, ...]
    happened: str = ""
    upload_first: bool = False
    form: bool = True
    choices: bool = False
    title: str = ""


LATER = "Try again in a few minutes."
UPLOAD = "Or upload your MyAnimeList export, or pick a few titles by hand: both need no other site."


def _site(heading: str, *advice: str, status: int = 503) -> Failure:
    # Not 502: a proxy in front, or a network of caches, takes that for a failure of ours; it asks again, or shows a
    # page of its own. With a 503 goes a Retry-After.
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
        title="An option is unknown, missing or out of range",
    ),
    errors.BadBody: Failure(
        400,
        Turn.YOURS,
        "What was sent is not JSON",
        ("Begin at the start page.",),
        form=False,
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
    errors.NoListSource: Failure(
        # Not 503, which says that it passes; nor 4xx, since with another set-up the same request is answered.
        501,
        Turn.NOT_SET_UP,
        "MyAnimeList usernames don't work here",
        ("If you have a list on AniList, choose that site and type your name there.", UPLOAD),
        happened="MyAnimeList usernames can't be looked up on this server. AniList usernames can; a MyAnimeList "
        "export, and picking titles by hand, always work.",
        upload_first=True,
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
    errors.SiteDown: _site("The site is down", LATER),
    errors.SiteTimeout: _site("The site took too long", LATER, status=504),
    errors.SiteBusy: _site("The site asks us to slow down", "Try again in a minute or two."),
    errors.SiteBlocked: _site(
        "The site refused to answer us",
        "It keeps its reason to itself: check the spelling, and that the list is public.",
    ),
    errors.InvalidResponse: _site("The site's answer could not be read", LATER),
    errors.AllSourcesFailed: _site("The list could not be fetched", LATER),
    errors.RateLimited: _FULL,
    errors.TooManyFetches: _FULL,
    errors.ServerBusy: Failure(
        503,
        Turn.NOBODYS,
        "Many people are being answered just now",
        ("Try again in a few seconds.",),
        form=False,
        title="Many requests are being answered just now",
    ),
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
        title="What was sent is too large",
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
        happened="The server made a mistake.",
        form=False,
    ),
}

HTTP_FAILURES: dict[type[HTTPException], Failure] = {
    BadRequest: Failure(
        400,
        Turn.YOURS,
        "That request can't be answered",
        ("Begin at the start page.",),
        happened="What was sent could not be understood.",
        form=False,
    ),
    NotFound: Failure(
        404,
        Turn.YOURS,
        "There is no such page",
        ("Check the address, or begin at the start page.",),
        happened="Nothing is kept at this address.",
        form=False,
        title="There is nothing at this address",
    ),
    MethodNotAllowed: Failure(
        405,
        Turn.YOURS,
        "That can't be done here",
        ("Begin at the start page.",),
        happened="There is something at this address, but it can't be asked for in this way.",
        form=False,
        title="This address can't be asked in this way",
    ),
    RequestTimeout: Failure(
        408,
        Turn.YOURS,
        "That took too long to arrive",
        ("Send it again, over a faster connection if there is one.",),
        happened="What was sent did not come whole in the time that there is for it.",
        form=False,
    ),
    RequestEntityTooLarge: FAILURES[errors.ExportTooLarge],
    UnsupportedMediaType: Failure(
        415,
        Turn.YOURS,
        "That request can't be answered",
        ("Begin at the start page.",),
        happened="The body has to be sent as application/json.",
        form=False,
        title="What was sent is not of the right type",
    ),
    TooManyRequests: Failure(
        429,
        Turn.YOURS,
        "That was too much at once",
        ("Wait for a minute, then go on.",),
        happened="More was asked for, from where you are, than this server gives to one visitor.",
        form=False,
    ),
    InternalServerError: FAILURES[errors.HakkenError],
}
"""The same for what Flask and Werkzeug raise; the entries for 400 and 500 stand for all others of their class."""

EVERY_FAILURE: dict[type[Exception], Failure] = dict((*FAILURES.items(), *HTTP_FAILURES.items()))

SOURCES = {
    "mal": "MyAnimeList's official API",
    "jikan": "Jikan, an unofficial API for MyAnimeList",
    "load_json": "MyAnimeList's list pages",
    "anilist": "AniList",
}
"""The sources by their names in settings, in a visitor's words."""


def kind_of(error: errors.HakkenError) -> type[errors.HakkenError]:
    """Which entry of the table is an error's: that of its class, or of the nearest class it derives from."""
    kind = type(error)
    if isinstance(error, errors.AllSourcesFailed) and len(kinds := {type(why) for _, why in error.tried}) == 1:
        # All sources, or the only one, failed alike: that failure's page says more.
        kind = kinds.pop()
    return next(each for each in kind.__mro__ if each in FAILURES)


def failure_of(error: errors.HakkenError) -> Failure:
    """Find the entry of an error in the table."""
    return FAILURES[kind_of(error)]


def http_kind_of(error: HTTPException) -> type[HTTPException]:
    """Which entry of the table is that of an error of Flask or Werkzeug."""
    others = InternalServerError if (error.code or 500) >= 500 else BadRequest  # noqa: PLR2004  # classes of status
    return next((each for each in type(error).__mro__ if each in HTTP_FAILURES), others)
