"""Candidates: unseen titles that pass the visitor's filters, with a count of what each filter removed."""

import difflib
from collections.abc import Iterator, Mapping

import numpy as np

from hakken.bundle import ModelBundle
from hakken.errors import BadOption
from hakken.model import ListColumns, Model
from hakken.model.arrays import Bools, Int64s
from hakken.ratings import FEWEST_RATERS, Order, Planned, Preferences


def candidates(columns: ListColumns, bundle: ModelBundle, preferences: Preferences) -> tuple[Bools, dict[str, int]]:
    """Find the titles that may be recommended.

    Returns:
        `(n_items,)` bool, and how many unseen titles each filter removed that had passed the ones before.

    Raises:
        BadOption: the catalogue knows no such type or genre.
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
        yield "type", np.logical_or.reduce([_mask("type", name, facts.types) for name in preferences.types])
    for name in preferences.genres:
        yield f"genre {name}", _mask("genre", name, facts.genres)
    for name in preferences.without_genres:
        yield f"without genre {name}", ~_mask("genre", name, facts.genres)
    if preferences.year_from is not None:
        yield f"from {preferences.year_from}", facts.year >= preferences.year_from
    if preferences.year_to is not None:
        yield f"up to {preferences.year_to}", (facts.year > 0) & (facts.year <= preferences.year_to)
    if preferences.min_members > 0:
        yield f"at least {preferences.min_members:,} members", facts.members >= preferences.min_members


def _mask(kind: str, name: str, masks: Mapping[str, Bools]) -> Bools:
    if (mask := masks.get(name.lower())) is not None:
        return mask
    near = difflib.get_close_matches(name.lower(), masks, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise BadOption(f'There is no {kind} "{name[:40]}"{hint}')
