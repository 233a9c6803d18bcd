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
from hakken.model.columns import Bools, Columns
from hakken.model.manifest import Parameters
from hakken.ratings import MIN_SCORE

USUAL_LENGTH = 100.0
"""Anime on a list that counts for what it is, whatever exponent the lengths of lists are weighed by."""
MEAN_PRIOR = 5.0
"""Scores of the average rater that are added to a person's own before their mean is taken."""
LONG_LIST = 4
"""A list of more than this part of all titles, 1 in so many, is summed up title by title."""
TITLES_AT_ONCE = 1000
"""So many titles' weights stay in the processor's cache."""
DROPPED = -0.25
"""What a dropped entry without a score counts."""


class Taste(NamedTuple):
    """What someone watched, and how much they liked each.

    Attributes:
        rows: `(n_watched,)` int64, inner indices of the entries that the model learnt from people.
        scores: `(n_watched,)` int64, 1-10; less where there is none.
        liking: `(n_watched,)` float64, x_uj.
    """

    rows: Int64s
    scores: Int64s
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


def taste_of(model: Model, columns: Columns, rows: Int64s, known: Bools) -> Taste:
    """Read a taste from the watched entries of a list.

    Args:
        model: the model.
        columns: the list.
        rows: `(n,)` int64, inner index of each of its entries, as `Model.learnt_rows_of` gives them.
        known: `(n,)` bool, which of those mean something.
    """
    chosen = ~columns.planned & known
    scores = columns.scores[chosen]
    given = scores[scores >= MIN_SCORE]
    mean = shrunk_mean(float(given.sum()), float(len(given)), model.mu)
    liking = liking_of(scores, columns.dropped[chosen], mean, model.manifest.parameters)
    return Taste(rows[chosen], scores, liking)


def preference(model: Model, taste: Taste) -> Float64s:
    """p_ui of every title, `(n_items,)` float64."""
    scale = model.arrays.pref_scale.astype(np.float64)
    if LONG_LIST * len(taste.rows) > model.n_items:
        return scale * _by_title(model, taste)
    arrays = model.arrays
    cut, positions = gather(arrays.pref_indptr, taste.rows)
    amounts = np.repeat(taste.liking, np.diff(cut)) * arrays.pref_values.take(positions)
    return scale * np.bincount(arrays.pref_indices.take(positions), amounts, minlength=model.n_items)


def _by_title(model: Model, taste: Taste) -> Float64s:
    """The same sums, title by title over all weights: faster where most of them count."""
    indptr, watched, values = model.weights_by_title
    liking = np.zeros(model.n_items)
    liking[taste.rows] = taste.liking
    total = np.zeros(model.n_items)
    titles = np.flatnonzero(np.diff(indptr))
    for first in range(0, len(titles), TITLES_AT_ONCE):
        some = titles[first : first + TITLES_AT_ONCE]
        begins, end = indptr[some], indptr[some[-1] + 1]
        amounts = liking.take(watched[begins[0] : end]) * values[begins[0] : end]
        total[some] = np.add.reduceat(amounts, begins - begins[0])
    return total


def parts_of(model: Model, taste: Taste, rows: Int64s) -> Parts:
    """Take the preference for some titles, `(n,)` inner indices, apart."""
    indptr, watched, values = model.weights_by_title
    cut, positions = gather(indptr, rows)
    place = np.full(model.n_items, -1)
    place[taste.rows] = np.arange(len(taste.rows))
    entry = place.take(watched.take(positions))
    counts = entry >= 0
    title, entry = np.repeat(np.arange(len(rows)), np.diff(cut))[counts], entry[counts]
    amount = taste.liking[entry] * values.take(positions[counts]) * model.arrays.pref_scale[rows[title]]
    return Parts(entry, title, amount)
