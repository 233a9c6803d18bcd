"""An anime's page: what is known of it, where it stands, and what is near it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Related
from hakken.details import lacking
from hakken.errors import UnknownTitle
from hakken.neighbours import AlsoLiked, Neighbour, also_liked, nearest, standing
from hakken.ratings import MAX_ANIME_ID
from hakken.web.asking import Asked, Kind, read_asked
from hakken.web.caching import public
from hakken.web.covers import want_missing, with_details
from hakken.web.services import services
from hakken.web.viewing_order import series_of
from hakken.web.wording import judged_by

anime = Blueprint("anime", __name__)

KEPT = 5 * 60
SOON = 60
"""Seconds for which the page may be kept, and for which while facts that it lacks are being fetched."""
MAX_RELATED = 12
DEPENDABLE = 0.8
"""Confidence from which on an inferred sequel mostly is one; other words are right half the time, whatever it is."""


class Near(NamedTuple):
    """A title near another, as the page shows it."""

    anime: Anime
    how: Neighbour | AlsoLiked


class Relative(NamedTuple):
    """A related title, and in a word how; no word where only that it is related is certain enough."""

    anime: Anime
    word: str


@anime.get(f"/anime/<int(min=1, max={MAX_ANIME_ID}):anime_id>")
def page(anime_id: int) -> ResponseReturnValue:
    """Show a title; `adult=1` lets titles for adults be near one that isn't.

    Where the address says whose list the visitor came from, what it has of the title's series is shown. No site is
    asked for it: a username's list is there for some minutes after it was fetched, or it isn't.

    Raises:
        UnknownTitle: neither catalogue nor model knows it.
        InputError: the address names a list that can't be read.
    """
    bundle = services().bundle()
    one = title_of(anime_id, bundle)
    adult = True if request.args.get("adult") == "1" else None
    want_missing([one])
    to_adults = one.adult or bool(adult)
    asked = _whose()
    user_list = asked.at_hand() if asked else None
    listed = {rating.anime_id: rating for rating in user_list.ratings} if user_list else {}
    series = series_of(anime_id, bundle.catalogue, listed, adult=to_adults)
    text = render_template(
        "anime.html",
        anime=one,
        standing=standing(anime_id, bundle),
        min_raters=bundle.model.manifest.parameters.min_raters,
        tells=bool(bundle.model.informative_rows_of([anime_id])[1].all()),
        nearest=_near(nearest(anime_id, bundle, adult=adult), bundle),
        also_liked=_near(also_liked(anime_id, bundle, adult=adult), bundle),
        judged_by=_judged_by(anime_id, bundle),
        series=series,
        related=related_to(one, bundle, adult=to_adults, besides=series.shown),
        asked=asked,
        lost=asked is not None and user_list is None,
    )
    if asked:  # a page about a person, which is nobody else's
        return text
    return public(Response(text), SOON if lacking(one) else KEPT)


def title_of(anime_id: int, bundle: ModelBundle) -> Anime:
    """A title with all that is known of it; of one that only the model knows, that is its id.

    Raises:
        UnknownTitle: neither catalogue nor model knows it.
    """
    if anime_id not in bundle.catalogue and not bundle.model.rows_of([anime_id])[1].all():
        raise UnknownTitle(f"Neither the catalogue nor the model has an anime with the number {anime_id}.")
    return with_details(bundle.catalogue.anime(anime_id))


def related_to(one: Anime, bundle: ModelBundle, *, adult: bool, besides: Iterable[Anime]) -> list[Relative]:
    """The titles that one is related to, each once, the best known first.

    Args:
        one: the title.
        bundle: has the others.
        adult: whether titles for adults may be among them.
        besides: titles that are shown elsewhere.
    """
    shown = {one.anime_id, *(other.anime_id for other in besides)}
    found = []
    for related in filter(lambda related: related.likely, one.relations or ()):
        other = bundle.catalogue.get(related.anime_id)
        if other and other.anime_id not in shown and (adult or not other.adult):
            shown.add(other.anime_id)
            found.append(Relative(other, _word(related)))
    return sorted(found, key=lambda relative: -(relative.anime.members or 0))[:MAX_RELATED]


def _whose() -> Asked | None:
    """Whose list the visitor came from, if the address says so."""
    return read_asked(request.args) if any(kind.value in request.args for kind in Kind) else None


def _judged_by(anime_id: int, bundle: ModelBundle) -> str:
    """By what a title is judged that hardly anyone watched; empty for all others."""
    [row], [known] = bundle.model.rows_of([anime_id])
    if not known or not bundle.model.mostly_by_attributes[row]:
        return ""
    return judged_by(bundle.catalogue.anime(anime_id), bundle.facts)


def _word(related: Related) -> str:
    if related.confidence is None:
        return related.relation
    dependable = related.relation in {"Sequel", "Prequel"} and related.confidence >= DEPENDABLE
    return f"probably {related.relation.lower()}" if dependable else ""


def _near(found: Sequence[Neighbour | AlsoLiked], bundle: ModelBundle) -> list[Near]:
    return [Near(title_of(how.anime_id, bundle), how) for how in found]
