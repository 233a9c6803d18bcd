"""Prediction: fold the visitor in, then aggregate neighbours. Notation as in docs/notation.md.

    b_u   = Σ_{j ∈ R(u)} (r_uj − mu − b_j) / (reg_u + |R(u)|)
    b_ui  = mu + b_u + b_i
    r_hat = b_ui + Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij),  w_ij = sim_ij^amplification

    r_hat += implicit_offset + implicit_slope · min(max(p_ui, −0.2), 1.5),  for someone who has watched anything we know

p_ui is the preference (`hakken.model.preference`): people rate higher what people like them chose to watch.
N_k(i;u) are the at most k rated items with the highest positive similarity to i. With amplification 1, prior 0 and no
implicit term this is Surprise's `KNNBaseline`: Koren, "Factor in the neighbors" (TKDD 2010), equations 2-3. Case
amplification: Breese, Heckerman & Kadie, "Empirical analysis of predictive algorithms" (UAI 1998).
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Float64s, Int64s, Model, gather
from hakken.model.preference import Taste, preference, taste_of
from hakken.ratings import UserList

IMPLICIT_RANGE = (-0.2, 1.5)
"""Preferences beyond say no more about a rating."""


class Visitor(NamedTuple):
    """What a prediction needs to know of a person.

    Attributes:
        b_u: user bias, score points.
        rows: `(n_rated,)` int64, inner indices of the scored anime that the model knows.
        residuals: `(n_rated,)` float64, r_uj − b_uj of each, score points.
        unknown: how many scored anime the model does not know.
        taste: what they watched, scored or not.
    """

    b_u: float
    rows: Int64s
    residuals: Float64s
    unknown: int
    taste: Taste


def fold_in(model: Model, user_list: UserList) -> Visitor:
    """Estimate a user's bias with all item biases fixed: for a training user, exactly the trained one."""
    scored = [(rating.anime_id, rating.score) for rating in user_list.scored]
    anime_ids, scores = np.array(scored, dtype=np.int64).reshape(-1, 2).T
    rows, known = model.rows_of(anime_ids)
    rows = rows[known]
    from_item = scores[known] - model.mu - model.arrays.b_i[rows]
    weight = model.manifest.parameters.reg_u + len(rows)
    b_u = float(from_item.sum() / weight) if weight else 0.0
    taste = taste_of(model, [rating for rating in user_list.ratings if rating.seen])
    return Visitor(b_u, rows, from_item - b_u, int((~known).sum()), taste)


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
    if not len(visitor.taste.rows):
        return np.zeros(len(wanted))
    parameters = model.manifest.parameters
    return parameters.implicit_offset + parameters.implicit_slope * wanted.clip(*IMPLICIT_RANGE)


def predict_from_neighbours(model: Model, visitor: Visitor, rows: Int64s | None = None) -> Float64s:
    """Predict ratings from the scores of similar titles alone; neither rounded nor clipped.

    Args:
        model: the model.
        visitor: a folded-in user.
        rows: `(n,)` inner indices of the anime to predict; all of them when None.

    Returns:
        `(n,)` float64, r_hat in score points. An anime without a rated neighbour gets its baseline.
    """
    baseline, prior, spoken = _spoken(model, visitor, rows)
    n_rows = len(baseline)
    weighted = np.bincount(spoken.row, spoken.weight * visitor.residuals[spoken.rated], minlength=n_rows)
    total = np.bincount(spoken.row, spoken.weight, minlength=n_rows)
    return baseline + np.divide(weighted, prior + total, out=np.zeros(n_rows), where=total > 0)


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
    baseline, prior, spoken = _spoken(model, visitor, rows)
    total = prior + np.bincount(spoken.row, spoken.weight, minlength=len(baseline))
    amount = spoken.weight * visitor.residuals[spoken.rated] / total[spoken.row]
    return Neighbourhood(baseline, spoken.row, spoken.rated, amount)


class _Spoken(NamedTuple):
    row: Int64s
    rated: Int64s
    weight: Float64s


def _spoken(model: Model, visitor: Visitor, rows: Int64s | None) -> tuple[Float64s, Float64s, _Spoken]:
    """Baselines, priors, and N_k(i;u) of each title with their weights."""
    arrays = model.arrays
    if rows is None:
        indptr, entries = arrays.sim_indptr, None
        indices, b_i, prior = arrays.sim_indices, arrays.b_i, model.row_priors
    else:
        indptr, entries = gather(arrays.sim_indptr, rows)
        indices, b_i, prior = arrays.sim_indices[entries], arrays.b_i[rows], model.row_priors[rows]
    baseline = model.mu + visitor.b_u + b_i

    place = np.full(model.n_items, -1)
    place[visitor.rows] = np.arange(len(visitor.rows))
    rated = place[indices]
    # Each row is ordered by falling similarity, so its first k rated entries are N_k(i;u).
    found = np.flatnonzero(rated >= 0)
    first = np.searchsorted(found, indptr)
    count = np.diff(first)
    row = np.repeat(np.arange(len(count)), count)
    nearest = np.arange(len(found)) - first[row] < model.manifest.parameters.k
    found, row = found[nearest], row[nearest]
    # Weights and prior are in units of their row's scale, which cancels out.
    weight = model.weights[arrays.sim_values[found if entries is None else entries[found]]]
    return baseline, prior, _Spoken(row, rated[found], weight)
