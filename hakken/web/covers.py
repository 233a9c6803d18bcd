"""Covers: a redirect to a title's picture or, where none is known, a drawn placeholder; no page waits for a site."""

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from hakken.catalogue import Anime
from hakken.errors import ModelError
from hakken.ratings import MAX_ANIME_ID
from hakken.web.responses import cache_publicly
from hakken.web.services import services, with_facts
from hakken.web.template_filters import initial, picture_address

covers = Blueprint("covers", __name__)

DAY = 24 * 60 * 60
SOON = 60
"""Seconds for which a placeholder may be cached: the picture may be known by then."""


@covers.get(f"/anime/<int(min=1, max={MAX_ANIME_ID}):anime_id>/cover")
def cover(anime_id: int) -> ResponseReturnValue:
    """Redirect to the picture of a title, or draw a placeholder.

    No site is asked about an id that is no title's: otherwise anyone could have us ask for all numbers.
    """
    title = _title(anime_id)
    anime = with_facts(title or Anime(anime_id=anime_id, title=""))
    if address := picture_address(anime.picture, services().settings.pictures_from):
        return cache_publicly(Response(status=302, headers={"Location": address}), DAY)
    if title and anime.picture is None:
        services().want([anime_id])
    return _placeholder(anime_id, initial(anime.title), SOON, 200 if title else 404)


@covers.get("/covers/<int(fixed_digits=1):pattern>.svg")
def drawn(pattern: int) -> ResponseReturnValue:
    """Draw a placeholder without a letter, which lies beneath all pictures."""
    return _placeholder(pattern, "", DAY)


def _title(anime_id: int) -> Anime | None:
    """What the catalogue has; of a title that only the model knows, the id."""
    try:
        bundle = services().bundle()
    except ModelError:
        return None
    _, known = bundle.model.rows_of([anime_id])
    return bundle.catalogue.get(anime_id) or (Anime(anime_id=anime_id, title="") if known.all() else None)


def _placeholder(number: int, letter: str, seconds: int, status: int = 200) -> Response:
    drawing = render_template("cover.svg", pattern=number % 6, letter=letter)
    return cache_publicly(Response(drawing, status, mimetype="image/svg+xml"), seconds)
