"""Preference: how much someone's list speaks for each title, from what people chose to watch and liked.

    p_ui = Σ_{j ∈ L(u)} x_uj · w_ji

L(u) are the entries of the list but the planned ones, w the preference weights and x_uj how much an entry was liked:

    x_uj = 1 + liking · (r_uj − m_u)   scored, at least 0;  m_u = (Σ r_uj + 5 mu) / (|R(u)| + 5)
    x_uj = unscored                    not scored
    x_uj = min(liking · (r_uj − m_u), 0) − 1/4   dropped: it counts against, less or more

The weights are those of `hakken.training.preferences`. Rows of `w` are what was watched, so that a list of 300 titles
touches 300 rows.
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Array, Float64s, Int64s, Model, gather
from hakken.model.manifest import Parameters
from hakken.ratings import MIN_SCORE, Rating, Status

MEAN_PRIOR = 5.0
"""Scores of the average rater that are added to a person's own before their mean is taken."""
DROPPED = -0.25
"""What a dropped entry without a score counts."""


class Taste(NamedTuple):
    """What someone watched, and how much they liked each.

    Attributes:
        rows: `(n_watched,)` int64, inner indices of the entries that the model knows.
        liking: `(n_watched,)` float64, x_uj.
    """

    rows: Int64s
    liking: Float64s


class Parts(NamedTuple):
    """What each entry of a taste adds to the preference for some titles.

    Attributes:
        entry: `(n_parts,)` int64, positions within the taste.
        title: `(n_parts,)` int64, positions within the titles asked for.
        amount: `(n_parts,)` float64, `x_uj w_ji`.
    """

    entry: Int64s
    title: Int64s
    amount: Float64s


def liking_of(scores: Array, dropped: Array, means: Array | float, parameters: Parameters) -> Float64s:
    """How much entries were liked, x_uj.

    Args:
        scores: `(n,)`, 1-10, less where there is none.
        dropped: `(n,)` bool.
        means: m_u, for all or for each.
        parameters: `liking` and `unscored`.
    """
    scored = scores >= MIN_SCORE
    above = np.where(scored, parameters.liking * (scores - means), 0.0)
    liked = np.where(scored, np.maximum(1.0 + above, 0.0), parameters.unscored)
    return np.where(dropped, np.minimum(above, 0.0) + DROPPED, liked)


def shrunk_mean(total: Array | float, count: Array | float, mu: float) -> Array | float:
    """m_u: the mean of someone's scores, near `mu` while there are few."""
    return (total + MEAN_PRIOR * mu) / (count + MEAN_PRIOR)


def taste_of(model: Model, entries: list[Rating]) -> Taste:
    """Read a taste from the watched entries of a list."""
    told = np.array([(one.anime_id, one.score, one.status is Status.DROPPED) for one in entries], dtype=np.int64)
    anime_ids, scores, dropped = told.reshape(-1, 3).T
    rows, known = model.rows_of(anime_ids)
    scored = scores[scores >= MIN_SCORE]
    mean = shrunk_mean(float(scored.sum()), float(len(scored)), model.mu)
    liking = liking_of(scores, dropped.astype(np.bool_), mean, model.manifest.parameters)
    return Taste(rows[known], liking[known])


def preference(model: Model, taste: Taste) -> Float64s:
    """p_ui of every title, `(n_items,)` float64."""
    arrays = model.arrays
    if 4 * len(taste.rows) > model.n_items:  # most rows are wanted: in one piece they are faster than one by one
        liking = np.zeros(model.n_items)
        liking[taste.rows] = taste.liking
        amounts = np.repeat(liking, np.diff(arrays.pref_indptr)) * arrays.pref_values
        return _per_title(model, arrays.pref_indices, amounts)
    cut, positions = gather(arrays.pref_indptr, taste.rows)
    amounts = np.repeat(taste.liking, np.diff(cut)) * arrays.pref_values[positions]
    return _per_title(model, arrays.pref_indices[positions], amounts)


def parts_of(model: Model, taste: Taste, rows: Int64s) -> Parts:
    """Take the preference for some titles, `(n,)` inner indices, apart."""
    arrays = model.arrays
    place = np.full(model.n_items, -1)
    place[rows] = np.arange(len(rows))
    cut, positions = gather(arrays.pref_indptr, taste.rows)
    title = place[arrays.pref_indices[positions]]
    wanted = title >= 0
    entry, title, positions = (
        np.repeat(np.arange(len(taste.rows)), np.diff(cut))[wanted],
        title[wanted],
        positions[wanted],
    )
    amount = taste.liking[entry] * arrays.pref_values[positions] * arrays.pref_scale[rows[title]]
    return Parts(entry, title, amount)


def _per_title(model: Model, titles: Array, amounts: Float64s) -> Float64s:
    total = np.bincount(titles, amounts, minlength=model.n_items).astype(np.float64)
    return total * model.arrays.pref_scale.astype(np.float64)
