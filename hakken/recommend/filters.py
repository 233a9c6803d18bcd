"""Candidates: unseen titles that pass the visitor's filters, with a count of what each filter removed."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from hakken.bundle import ModelBundle
from hakken.errors import BadOption
from hakken.model import ListColumns, Model
from hakken.model.arrays import Bools, Int64s
from hakken.ratings import FEWEST_RATERS, Order, Planned, Preferences
from hakken.seasons import Season

Named = TypeVar("Named", Bools, Int64s)


def candidates(columns: ListColumns, bundle: ModelBundle, preferences: Preferences) -> tuple[Bools, dict[str, int]]:
    """Find the titles that may be recommended.

    Returns:
        `(n_items,)` bool, and how many unseen titles each filter removed that had passed the ones before.

    Raises:
        BadOption: the catalogue knows no such type, genre, studio or title.
    """
    allowed = ~rows_among(bundle.model, columns.seen_ids)
    removed = {}
    for name, passes in _filters(columns, bundle, preferences):
        removed[name] = int(np.count_nonzero(allowed & ~passes))
        allowed &= passes
    return allowed, {name: count for name, count in removed.items() if count}


def rows_among(model: Model, anime_ids: Int64s) -> Bools:
    """The rows of some anime, `(n_items,)` bool."""
    rows, known = model.rows_of(anime_ids)
    among = np.zeros(model.n_items, dtype=np.bool_)
    among[rows[known]] = True
    return among


def _filters(  # noqa: C901  # a table
    columns: ListColumns, bundle: ModelBundle, preferences: Preferences
) -> Iterator[tuple[str, Bools]]:
    facts, model = bundle.facts, bundle.model
    if not preferences.adult:
        yield "adult titles hidden", ~facts.adult
    if preferences.hidden:
        yield "hidden one by one", ~rows_among(model, np.array(preferences.hidden, dtype=np.int64))
    if preferences.planned is not Planned.SHOW:
        planned, only = rows_among(model, columns.anime_ids[columns.planned]), preferences.planned is Planned.ONLY
        yield ("not planned", planned) if only else ("planned titles hidden", ~planned)
    if preferences.order is Order.PREDICTED_RATING:
        enough = max(model.manifest.parameters.min_raters, FEWEST_RATERS)
        yield f"fewer than {enough:,} raters", model.arrays.raters >= enough
    if preferences.rated_only:
        yield "hardly rated", ~model.mostly_by_attributes & (model.arrays.raters >= FEWEST_RATERS)
    if preferences.types:
        yield "type", np.logical_or.reduce([_known("type", name, facts.types) for name in preferences.types])
    for name in preferences.genres:
        yield f"genre {name}", _known("genre", name, facts.genres)
    for name in preferences.without_genres:
        yield f"without genre {name}", ~_known("genre", name, facts.genres)
    yield from _subject(bundle, preferences)
    if preferences.year_from is not None:
        yield f"from {preferences.year_from}", facts.year >= preferences.year_from
    if preferences.year_to is not None:
        yield f"up to {preferences.year_to}", (facts.year > 0) & (facts.year <= preferences.year_to)
    if preferences.min_members > 0:
        yield f"at least {preferences.min_members:,} members", facts.members >= preferences.min_members


def _subject(bundle: ModelBundle, preferences: Preferences) -> Iterator[tuple[str, Bools]]:
    facts = bundle.facts
    if preferences.season is not None:
        season = Season.of(preferences.season)
        yield f"season {season.words}", facts.season == season.number
    if preferences.studios:
        rows = np.concatenate([_known("studio", name, facts.studios) for name in preferences.studios])
        yield "studio", np.isin(np.arange(bundle.model.n_items), rows)
    if preferences.series:
        yield "series", _series(bundle, preferences.series)


def _series(bundle: ModelBundle, anime_ids: Sequence[int]) -> Bools:
    """The rows of the series of some anime, `(n_items,)` bool; raises BadOption where one is unknown."""
    facts = bundle.facts
    positions = facts.anime_index.of(np.array(anime_ids, dtype=np.int64))
    if len(positions) < len(anime_ids):
        raise BadOption("The series can't be found: there is no title with that id.")
    return np.asarray(facts.series.any_of(positions)[facts.series.of_row])


def _known(kind: str, name: str, named: Mapping[str, Named]) -> Named:
    if (found := named.get(name.lower())) is not None:
        return found
    near = difflib.get_close_matches(name.lower(), named, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise BadOption(f'There is no {kind} "{name[:40]}"{hint}')
