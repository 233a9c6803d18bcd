"""An anime's page: its facts, its rank, its series, and what is near it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue, Mask, Related
from hakken.errors import UnknownTitle
from hakken.neighbours import AlsoLiked, Neighbour, also_liked, nearest, standing
from hakken.ratings import MAX_ANIME_ID, Rating, Status
from hakken.recommend.notes import is_known
from hakken.seasons import Season
from hakken.sites.facts import lacking
from hakken.web.forms import read_preferences
from hakken.web.list_request import KINDS, ListRef, read_list_ref
from hakken.web.responses import cache_publicly
from hakken.web.services import request_missing_facts, services, with_facts
from hakken.web.template_filters import judged_by

anime = Blueprint("anime", __name__)

CACHED = 5 * 60
CACHED_INCOMPLETE = 60
"""Seconds for which the page may be cached, and for which while facts that it lacks are being fetched."""
MAX_RELATED = 12
MAX_EXTRAS = 24
MAX_OTHER_SERIES = 8
"""How many extras of a series are shown, and how many series of the same story or universe, at most."""
EXTRA_KINDS = ("side story", "special", "recap", "extra")
"""In the order in which they are shown."""
DEPENDABLE = 0.8
"""Confidence from which on an inferred sequel usually is one; other inferred relations are right half the time."""
ON_LIST = {one: one.replace("_", " ") for one in Status} | {Status.COMPLETED: "seen", Status.PLAN_TO_WATCH: "planned"}


class Relative(NamedTuple):
    """A title that belongs with another.

    Attributes:
        word: its relation, or what it is where it is no main entry, and how sure that is; may be empty.
        yours: what the visitor's list says of it; empty where it says nothing.
    """

    anime: Anime
    word: str
    yours: str = ""


class Relatives(NamedTuple):
    """The titles that are shown, and the number of those that are not."""

    entries: Sequence[Relative] = ()
    more: int = 0


class SeriesShown(NamedTuple):
    """What belongs with a title; a part may be empty.

    Attributes:
        main: the main entries of its series in viewing order.
        beside: its specials, side stories and the like.
        tellings: series that tell the same story again, each by its first entry, the best known first; without those
            that are a lone special, music video or the like.
        universe: other series of the same universe; the same.
    """

    main: Relatives = Relatives()
    beside: Relatives = Relatives()
    tellings: Relatives = Relatives()
    universe: Relatives = Relatives()

    @property
    def alone(self) -> bool:
        """Whether there is no other entry of the series."""
        return len(self.main.entries) + len(self.beside.entries) <= 1


@anime.get(f"/anime/<int(min=1, max={MAX_ANIME_ID}):anime_id>")
def page(anime_id: int) -> ResponseReturnValue:
    """Show a title; `adult=1` lets titles for adults be near one that isn't.

    Where the address says whose list the visitor came from, and what else they have seen, what they have seen of the
    title's series is shown. No site is asked for it: a username's list is cached for some minutes after it was fetched,
    or not shown.

    Raises:
        UnknownTitle: neither catalogue nor model knows it.
        InputError: the address names a list, or titles that were seen, that can't be read.
    """
    bundle = services().bundle()
    one = title_of(anime_id, bundle)
    adult = True if request.args.get("adult") == "1" else None
    request_missing_facts([one])
    to_adults = one.adult or bool(adult)
    seen = read_preferences(MultiDict({"seen": request.args.getlist("seen")})).seen
    named = any(kind in request.args for kind in KINDS)
    list_ref = read_list_ref(request.args) if named else ListRef.everyone() if seen else None
    list_ref = list_ref and list_ref._replace(seen=seen)
    found = services().find(list_ref.who) if list_ref else None
    user_list = found.with_seen(seen) if found is not None else None
    listed = {rating.anime_id: rating for rating in user_list.ratings} if user_list else {}
    series = series_shown(anime_id, bundle.catalogue, listed, adult=to_adults)
    season = Season.named(one.season or "")
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
        related=related_to(one, bundle.catalogue, series, adult=to_adults),
        listed=bundle.facts,
        season=season if season and is_known(season, bundle) else None,
        list_ref=list_ref,
        list_expired=list_ref is not None and user_list is None,
    )
    if list_ref:  # a page about a person must not be cached for others
        return text
    return cache_publicly(Response(text), CACHED_INCOMPLETE if lacking(one) else CACHED)


def title_of(anime_id: int, bundle: ModelBundle) -> Anime:
    """A title with all that is known of it; raises UnknownTitle if neither catalogue nor model knows it."""
    if anime_id not in bundle.catalogue and not bundle.model.rows_of([anime_id])[1].all():
        raise UnknownTitle(f"Neither the catalogue nor the model has an anime with the number {anime_id}.")
    return with_facts(bundle.catalogue.anime(anime_id))


def related_to(one: Anime, catalogue: Catalogue, series: SeriesShown, *, adult: bool) -> list[Relative]:
    """The titles that one is related to but those shown of its `series`, each once, the best known first.

    `adult` says whether titles for adults may be among them.
    """
    shown = {one.anime_id, *(other.anime.anime_id for part in series for other in part.entries)}
    found = []
    for related in one.relations or ():
        other = catalogue.get(related.anime_id) if related.likely else None
        if other and other.anime_id not in shown and (adult or not other.adult):
            shown.add(other.anime_id)
            found.append(Relative(other, _word(related)))
    return sorted(found, key=lambda relative: -(relative.anime.members or 0))[:MAX_RELATED]


def series_shown(anime_id: int, catalogue: Catalogue, listed: Mapping[int, Rating], *, adult: bool) -> SeriesShown:
    """What belongs with a title, and what the visitor's list, given by id, says of it; `adult` as in `related_to`."""
    columns = catalogue.columns
    row = int(np.searchsorted(columns.ids, anime_id))
    if anime_id not in catalogue:
        return SeriesShown()
    series, stories, universes = columns.series, columns.story, columns.universe
    own, retold = series == series[row], stories == stories[row]

    def part(ids: Iterable[int], most: int) -> Relatives:
        shown = [one for each in ids if (one := catalogue.get(each)) and (adult or not one.adult)]
        return Relatives([_member(one, listed) for one in shown[:most]], max(0, len(shown) - most))

    def first_entries(among: Mask) -> list[int]:
        begins = np.flatnonzero(among & (columns.ids == series) & ~columns.beside)
        best = begins[np.argsort(-columns.members[begins], kind="stable")]
        return cast("list[int]", columns.ids[best].tolist())

    main = catalogue.series.get(int(series[row]), (anime_id,))
    beside = [one for one in columns.ids[own].tolist() if one not in main]
    return SeriesShown(
        main=part(main, len(main)),
        beside=part(sorted(beside, key=lambda one: _extra_order(catalogue[one])), MAX_EXTRAS),
        tellings=part(first_entries(retold & ~own), MAX_OTHER_SERIES),
        universe=part(first_entries((universes == universes[row]) & ~retold), MAX_OTHER_SERIES),
    )


def _extra_order(anime: Anime) -> tuple[int, int, int]:
    return (*EXTRA_KINDS, anime.kind).index(anime.kind), anime.year or 9999, anime.anime_id


def _member(anime: Anime, listed: Mapping[int, Rating]) -> Relative:
    kind = anime.kind if anime.kind in EXTRA_KINDS and anime.part is None and anime.series else ""
    word = f"probably {kind or 'of this series'}" if anime.probable else kind or ""
    rating = listed.get(anime.anime_id)
    yours = ON_LIST[rating.status] if rating else ""
    return Relative(anime, word, f"{yours}, {rating.score}" if rating and rating.scored else yours)


def _judged_by(anime_id: int, bundle: ModelBundle) -> str:
    """By what a title is judged that hardly anyone watched; empty for all others."""
    [row], [known] = bundle.model.rows_of([anime_id])
    unwatched = known and bundle.model.mostly_by_attributes[row]
    return judged_by(bundle.catalogue.anime(anime_id), bundle.facts) if unwatched else ""


def _word(related: Related) -> str:
    if related.confidence is None:
        return related.relation
    dependable = related.relation in {"Sequel", "Prequel"} and related.confidence >= DEPENDABLE
    return f"probably {related.relation.lower()}" if dependable else ""


def _near(found: Sequence[Neighbour | AlsoLiked], bundle: ModelBundle) -> list[tuple[Anime, Neighbour | AlsoLiked]]:
    return [(title_of(how.anime_id, bundle), how) for how in found]
