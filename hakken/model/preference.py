"""Preference: a score of each title for someone's list, from what people chose to watch and liked (implicit feedback).

    p_ui = Σ_{j ∈ L(u), j ≠ i} x_uj · (w_ji + c_i · Σ_{a ∈ A(i)} v_ja)

L(u) are the entries of the list, w the preference weights and x_uj the liking of an entry:

    x_uj = 1 + liking · (r_uj − m_u)   scored, at least 0;  m_u = (Σ r_uj + 5 mu) / (|R(u)| + 5)
    x_uj = unscored                    not scored
    x_uj = planned                     planned, which shows an interest too
    x_uj = min(liking · (r_uj − m_u), 0) − 1/4   dropped

v_ja is the weight of watched title j for attribute a, A(i) are the attributes of i, and c_i is their weight: large if
few people watched i, 0 if many did. All are learnt by `hakken.training.preferences` and
`hakken.training.attributes`. Rows of `w` and `v` are watched titles, so a list of 300 titles reads 300 rows.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Array, Bools, Float64s, Int64s, Model, gather
from hakken.model.hyperparameters import Parameters
from hakken.model.list_columns import ListColumns
from hakken.ratings import MIN_SCORE

USUAL_LENGTH = 100.0
"""Length of a list that has weight 1, whatever the exponent on lengths."""
MEAN_PRIOR = 5.0
"""Scores of the average rater that are added to a person's own before their mean is taken."""
LONG_LIST = 4
"""A list longer than n_items divided by this is summed title by title."""
TITLES_AT_ONCE, ENTRIES_AT_ONCE = 1000, 500
"""Numbers of titles whose weights, and of entries whose attributes, stay in the processor's cache."""
DROPPED = -0.25
"""x_uj of a dropped entry without a score."""


class Taste(NamedTuple):
    """What someone watched or plans to watch, and how much they like it.

    Attributes:
        rows: `(n,)` int64, inner indices of the entries that the model learnt from users.
        scores: `(n,)` int64, 1-10; less where there is none.
        liking: `(n,)` float64, x_uj.
        planned: `(n,)` bool, which of them are only planned.
    """

    rows: Int64s
    scores: Int64s
    liking: Float64s
    planned: Bools

    @property
    def n_watched(self) -> int:
        """How many of the entries were watched."""
        return len(self.rows) - int(np.count_nonzero(self.planned))


def liking_of(scores: Array, dropped: Array, means: Array | float, parameters: Parameters) -> Float64s:
    """x_uj of entries from their scores, `(n,)`, 1-10 or less where there is none, and m_u, for all or for each."""
    scored = scores >= MIN_SCORE
    above = np.where(scored, parameters.liking * (scores - means), 0.0)
    liked = np.where(scored, np.maximum(1.0 + above, 0.0), parameters.unscored)
    return np.where(dropped, np.minimum(above, 0.0) + DROPPED, liked)


def shrunk_mean(total: Array | float, count: Array | float, mu: float) -> Array | float:
    """m_u: the mean of someone's scores, shrunk towards `mu`."""
    return (total + MEAN_PRIOR * mu) / (count + MEAN_PRIOR)


def mean_score(model: Model, scores: Int64s, planned: Bools) -> float:
    """m_u of someone's entries: the shrunk mean of their scores, `(n,)`, without those of planned entries."""
    given = scores[~planned & (scores >= MIN_SCORE)]
    return float(shrunk_mean(float(given.sum()), float(len(given)), model.mu))


def taste_of(model: Model, columns: ListColumns, rows: Int64s, known: Bools) -> Taste:
    """Read a taste from the entries of a list; `rows` and `known` are what `Model.learnt_rows_of` finds of them."""
    parameters = model.manifest.parameters
    chosen = known if parameters.planned else known & ~columns.planned
    scores, planned = columns.scores[chosen], columns.planned[chosen]
    liking = liking_of(scores, columns.dropped[chosen], mean_score(model, scores, planned), parameters)
    return Taste(rows[chosen], scores, np.where(planned, parameters.planned, liking), planned)


def preference(model: Model, taste: Taste) -> Float64s:
    """p_ui of every title, `(n_items,)` float64."""
    arrays = model.arrays
    if LONG_LIST * len(taste.rows) > model.n_items:
        total = _by_title(model, taste)
    else:
        begins, ends = arrays.pref_indptr[taste.rows], arrays.pref_indptr[taste.rows + 1]
        of_entries = [slice(0), *(slice(*cut) for cut in zip(begins.tolist(), ends.tolist(), strict=True))]
        # Copied row by row: half as long as taking entry by entry.
        values, titles = (
            np.concatenate([one[each] for each in of_entries]) for one in (arrays.pref_values, arrays.pref_indices)
        )
        amounts = np.repeat(taste.liking, ends - begins) * values
        total = np.bincount(titles, amounts, minlength=model.n_items).astype(np.float64)
    total *= arrays.pref_scale
    places, nth_attributes = model.by_attributes
    if nth_attributes:
        says, values = _attribute_values(model, taste)
        liking, of_attribute = taste.liking[says].astype(np.float32), np.zeros(values.shape[1], dtype=np.float32)
        for first in range(0, len(says), ENTRIES_AT_ONCE):
            some = slice(first, first + ENTRIES_AT_ONCE)
            of_attribute += liking[some] @ values[some].astype(np.float32)
        of_attribute *= arrays.attr_scale
        sums = np.zeros(len(nth_attributes[0]) + 1, dtype=np.float32)
        for attributes in nth_attributes:
            sums[: len(attributes)] += of_attribute.take(attributes)
        total += arrays.attr_share * sums.take(places)
        # A planned title may be recommended: its own contribution is subtracted.
        rows = taste.rows[says]
        cut, positions = gather(arrays.attr_indptr, rows)
        entry = np.repeat(np.arange(len(rows)), np.diff(cut))
        attribute = arrays.attr_indices[positions]
        own = np.bincount(entry, values[entry, attribute] * arrays.attr_scale[attribute], minlength=len(rows))
        total[rows] -= liking * own * arrays.attr_share[rows]
    return total


def _attribute_values(model: Model, taste: Taste) -> tuple[Int64s, Array]:
    """v_ja of those entries of a taste that have any: their positions, and `(n, n_attributes)` int8, see `Arrays`."""
    rows = model.arrays.attr_rows[taste.rows]
    says = np.flatnonzero(rows >= 0)
    return says, model.arrays.attr_values[rows[says]]


def _by_title(model: Model, taste: Taste) -> Float64s:
    """The same sums, title by title over all weights: faster for long lists."""
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


def parts_of(model: Model, taste: Taste, rows: Int64s) -> Float64s:
    """Split the preference for some titles, `(n,)` inner indices, into what each entry of a taste contributes.

    Returns:
        `(n, n_entries)` float64: `x_uj · (w_ji + c_i · Σ v_ja)`, 0 where an entry is the title itself.
    """
    indptr, watched, values = model.weights_by_title
    cut, positions = gather(indptr, rows)
    position = np.full(model.n_items, -1)
    position[taste.rows] = np.arange(len(taste.rows))
    entry = position.take(watched.take(positions))
    counts = entry >= 0
    title, entry = np.repeat(np.arange(len(rows)), np.diff(cut))[counts], entry[counts]
    weights = np.zeros((len(rows), len(taste.rows)))
    weights[title, entry] = values.take(positions[counts]) * model.arrays.pref_scale[rows[title]]
    _add_attributes(model, taste, rows, weights)
    listed = np.flatnonzero(position[rows] >= 0)
    weights[listed, position[rows[listed]]] = 0.0
    weights *= taste.liking
    return weights


def _add_attributes(model: Model, taste: Taste, rows: Int64s, weights: Float64s) -> None:
    """Add the attribute weights of some titles, `(n,)` inner indices, to `weights`, `(n, n_entries)`."""
    arrays = model.arrays
    cut, positions = gather(arrays.attr_indptr, rows)
    if not len(positions):
        return
    attributes = arrays.attr_indices[positions]
    scale = arrays.attr_scale[attributes] * np.repeat(arrays.attr_share[rows], np.diff(cut))
    says, values = _attribute_values(model, taste)
    values = np.ascontiguousarray(values.T)
    # Title by title: one product of matrices would round differently with the number of titles.
    for title, (begin, end) in enumerate(pairwise(cut.tolist())):
        if begin < end:
            weights[title, says] += scale[begin:end] @ values[attributes[begin:end]].astype(np.float32)
