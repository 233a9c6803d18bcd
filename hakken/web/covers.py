"""Covers: a redirect to a title's picture or, where it is not known, one drawn at once; no page waits for a site."""

from collections.abc import Iterable

import msgspec
from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from hakken.catalogue import Anime
from hakken.errors import ModelError
from hakken.ratings import MAX_ANIME_ID
from hakken.sites.facts import lacking
from hakken.web.addresses import picture_address
from hakken.web.caching import public
from hakken.web.services import services

covers = Blueprint("covers", __name__)

PATTERNS = 6
"""How many different covers are drawn."""
DAY = 24 * 60 * 60
SOON = 60
"""Seconds for which a browser keeps a drawn cover: when it asks again, the picture may be known."""


def initial(title: str) -> str:
    """The letter on the drawn cover of a title; empty where it has none."""
    return next((letter.upper() for letter in title if letter.isalnum()), "")


def with_details(anime: Anime) -> Anime:
    """A title with all that is known of it; a picture in the catalogue that may not be shown counts as none."""
    if anime.picture and not picture_address(anime.picture, services().settings.pictures_from):
        anime = msgspec.structs.replace(anime, picture=None)
    return services().details.known(anime)


def want_missing(anime: Iterable[Anime]) -> None:
    """Have the facts fetched, in the background, of those titles that lack a picture or a synopsis."""
    if missing := [one.anime_id for one in anime if lacking(one)]:
        services().details.want(missing)


@covers.get(f"/anime/<int(min=1, max={MAX_ANIME_ID}):anime_id>/cover")
def cover(anime_id: int) -> ResponseReturnValue:
    """Lead to the picture of a title, or draw one.

    Nothing is asked of another site for an id that is no title's, or anyone could have us ask for all numbers.
    """
    title = _title(anime_id)
    anime = with_details(title or Anime(anime_id=anime_id, title=""))
    if address := picture_address(anime.picture, services().settings.pictures_from):
        return public(Response(status=302, headers={"Location": address}), DAY)
    if title and anime.picture is None:
        services().details.want([anime_id])
    return public(_drawn(anime_id % PATTERNS, initial(anime.title), 200 if title else 404), SOON)


@covers.get("/covers/<int(fixed_digits=1):pattern>.svg")
def drawn(pattern: int) -> ResponseReturnValue:
    """Draw a cover without a letter: what lies beneath all others."""
    return public(_drawn(pattern % PATTERNS, "", 200), DAY)


def _title(anime_id: int) -> Anime | None:
    """What the catalogue has; of a title that only the model knows, the id."""
    try:
        bundle = services().bundle()
    except ModelError:
        return None
    _, known = bundle.model.rows_of([anime_id])
    return bundle.catalogue.get(anime_id) or (Anime(anime_id=anime_id, title="") if known.all() else None)


def _drawn(pattern: int, letter: str, status: int) -> Response:
    drawing = render_template("cover.svg", pattern=pattern, letter=letter)
    return Response(drawing, status, mimetype="image/svg+xml")
