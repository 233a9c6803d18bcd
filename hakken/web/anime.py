"""An anime's page."""

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from hakken.catalogue import mal_page
from hakken.ratings import MAX_ANIME_ID

anime = Blueprint("anime", __name__)


@anime.get(f"/anime/<int(min=1, max={MAX_ANIME_ID}):anime_id>")
def page(anime_id: int) -> ResponseReturnValue:
    """Lead to the page that MyAnimeList has of it."""
    return redirect(mal_page(anime_id))
