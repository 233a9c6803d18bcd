"""Prediction: fold the visitor in, then aggregate neighbours. Notation as in docs/algorithm.md.

    b_u   = Σ_{j ∈ R(u)} (r_uj − mu − b_j) / (reg_u + |R(u)|)
    b_ui  = mu + b_u + b_i
    r_hat = b_ui + t_u Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij)

        w_ij = sim_ij^amplification,  t_u = (n_u / 100)^trust

    r_hat += implicit_offset + implicit_slope · min(max(p_ui, −0.2), 1.5) − implicit_length · ln(n_u / 100)

n_u is how many anime the person has watched; the last line is for people with n_u > 0. p_ui is the preference
(`hakken.model.preference`): people rate higher what people like them chose to watch. It grows with the length of a
list, which says nothing of ratings and is taken out again. The neighbours of a long list are closer, and so more to be
trusted.
N_k(i;u) are the at most k rated items with the highest positive similarity to i. With amplification 1, prior 0, trust 0
and no implicit term this is Surprise's `KNNBaseline`: Koren, "Factor in the neighbors" (TKDD 2010), equations 2-3. Case
amplification: Breese, Heckerman & Kadie, "Empirical analysis of predictive algorithms" (UAI 1998).
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Float64s, Int64s, Model
from hakken.model.columns import Columns
from hakken.model.preference import USUAL_LENGTH, Taste, preference, taste_of
from hakken.ratings import UserList

IMPLICIT_RANGE = (-0.2, 1.5)
"""Preferences beyond say no more about a rating."""


class Visitor(NamedTuple):
    """What a prediction needs to know of a person.

    Attributes:
        b_u: user bias, score points.
        rows: `(n_rated,)` int64, inner indices of the scored anime that the model learnt from people.
        residuals: `(n_rated,)` float64, r_uj − b_uj of each, score points.
        trust: t_u.
        new: `(n_new,)` int64, MyAnimeList ids of the watched anime that are new to the model.
        taste: what they watched or plan to watch, scored or not.
    """

    b_u: float
    rows: Int64s
    residuals: Float64s
    trust: float
    new: Int64s
    taste: Taste


def fold_in(model: Model, listed: UserList | Columns) -> Visitor:
    """Estimate a user's bias with all item biases fixed: for a training user, exactly the trained one.

    Nothing is learnt from anime that are new to the model.
    """
    columns = Columns.of(listed) if isinstance(listed, UserList) else listed
    rows, learnt = model.learnt_rows_of(columns.anime_ids)
    taste = taste_of(model, columns, rows, learnt)
    new = columns.anime_ids[~learnt & ~columns.planned]
    counts = learnt & columns.scored
    rows = rows[counts]
    from_item = columns.scores[counts] - model.mu - model.arrays.b_i[rows]
    weight = model.manifest.parameters.reg_u + len(rows)
    b_u = float(from_item.sum() / weight) if weight else 0.0
    trust = (max(1, taste.n_watched) / USUAL_LENGTH) ** model.manifest.parameters.trust
    return Visitor(b_u, rows, from_item - b_u, trust, new, taste)


def predict(model: Model, visitor: Visitor, rows: Int64s | None = None, wanted: Float64s | None = None) -> Float64s:
    """Predict ratings, neighbours and preference together; neither rounded nor clipped.

    Args:
        model: the model.
        visitor: a folded-in user.
        rows: `(n,)` inner indices of the anime to predict; all of them when None.
        wanted: `(n_items,)` preferences of the visitor, where they are at hand.

    Returns:
        `(n,)` float64, r_hat in score points.
    """
    if wanted is None:
        wanted = preference(model, visitor.taste)
    r_hat = predict_from_neighbours(model, visitor, rows)
    return r_hat + implicit_term(model, visitor, wanted if rows is None else wanted[rows])


def implicit_term(model: Model, visitor: Visitor, wanted: Float64s) -> Float64s:
    """What preferences `p_ui` add to predicted ratings, of the same shape, score points."""
    n_watched = visitor.taste.n_watched
    if not n_watched:
        return np.zeros(len(wanted))
    parameters = model.manifest.parameters
    offset = parameters.implicit_offset - parameters.implicit_length * np.log(n_watched / USUAL_LENGTH)
    term: Float64s = offset + parameters.implicit_slope * wanted.clip(*IMPLICIT_RANGE)
    return term


def predict_from_neighbours(model: Model, visitor: Visitor, rows: Int64s | None = None) -> Float64s:
    """Predict ratings from the scores of similar titles alone; neither rounded nor clipped.

    Args:
        model: the model.
        visitor: a folded-in user.
        rows: `(n,)` inner indices of the anime to predict; all of them when None.

    Returns:
        `(n,)` float64, r_hat in score points. An anime without a rated neighbour gets its baseline.
    """
    b_i = model.arrays.b_i if rows is None else model.arrays.b_i[rows]
    return model.mu + visitor.b_u + b_i + neighbours_say(model, visitor, rows)


def neighbours_say(model: Model, visitor: Visitor, rows: Int64s | None = None) -> Float64s:
    """What rated neighbours add to the baselines: the weighted mean of their residuals, with the prior, times t_u.

    Args:
        model: the model.
        visitor: a folded-in user.
        rows: `(n,)` inner indices of the anime; all of them when None.

    Returns:
        `(n,)` float64, score points; 0 for an anime without a rated neighbour.
    """
    prior, spoken = _spoken(model, visitor, rows)
    weighted = np.bincount(spoken.row, spoken.weight * visitor.residuals[spoken.rated], minlength=len(prior))
    total = np.bincount(spoken.row, spoken.weight, minlength=len(prior))
    return visitor.trust * np.divide(weighted, prior + total, out=np.zeros(len(prior)), where=total > 0)


class Neighbourhood(NamedTuple):
    """What rated neighbours say of some titles: what `predict_from_neighbours` adds up, taken apart.

    Attributes:
        baseline: `(n,)` float64, b_ui.
        title: `(n_parts,)` int64, position within the titles asked for.
        rated: `(n_parts,)` int64, position within the visitor's `rows`.
        amount: `(n_parts,)` float64, score points.
    """

    baseline: Float64s
    title: Int64s
    rated: Int64s
    amount: Float64s


def neighbourhood(model: Model, visitor: Visitor, rows: Int64s) -> Neighbourhood:
    """Take the predictions from neighbours apart; `baseline` and the amounts of a title add up to its prediction."""
    prior, spoken = _spoken(model, visitor, rows)
    total = prior + np.bincount(spoken.row, spoken.weight, minlength=len(prior))
    amount = visitor.trust * spoken.weight * visitor.residuals[spoken.rated] / total[spoken.row]
    return Neighbourhood(model.mu + visitor.b_u + model.arrays.b_i[rows], spoken.row, spoken.rated, amount)


class _Spoken(NamedTuple):
    row: Int64s
    rated: Int64s
    weight: Float64s


def _spoken(model: Model, visitor: Visitor, rows: Int64s | None) -> tuple[Float64s, _Spoken]:
    """Priors, and N_k(i;u) of each title with their weights."""
    arrays = model.arrays
    if rows is None:
        rows = np.arange(model.n_items)
    place = np.full(model.n_items, -1)
    place[visitor.rows] = np.arange(len(visitor.rows))
    # All rows are looked at through windows as wide as the widest: copying those is ten times faster than gathering
    # entry by entry. Near the end of the array a window begins before its row; a shorter row ends before its window.
    windows = model.sim_windows
    begins, ends = arrays.sim_indptr[rows], arrays.sim_indptr[rows + 1]
    at = np.minimum(begins, max(0, len(windows) - 1))
    is_rated = (place >= 0).take(windows[at]) if len(windows) else np.zeros((len(rows), 0), dtype=np.bool_)
    cut = np.flatnonzero((at < begins) | (ends - at < windows.shape[1]))
    column, low, high = np.arange(windows.shape[1]), (begins - at)[cut, np.newaxis], (ends - at)[cut, np.newaxis]
    is_rated[cut] &= (column >= low) & (column < high)
    found, count = np.flatnonzero(is_rated), np.count_nonzero(is_rated, axis=1)
    each = np.arange(len(rows))
    row = np.repeat(each, count)
    # Each row is ordered by falling similarity, so its first k rated entries are N_k(i;u).
    if count.max(initial=0) > model.manifest.parameters.k:
        nearest = np.arange(len(found)) < np.repeat(np.cumsum(count) - count + model.manifest.parameters.k, count)
        found, row = found[nearest], row[nearest]
    position = found + (at - each * windows.shape[1])[row]
    # Weights and prior are in units of their row's scale, which cancels out.
    weight = model.weights[arrays.sim_values[position]]
    return model.row_priors[rows], _Spoken(row, place[arrays.sim_indices[position]], weight)
