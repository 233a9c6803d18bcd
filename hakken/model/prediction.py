"""Prediction: fold the visitor in, then aggregate neighbours. Notation as in docs/notation.md.

    b_u   = Σ_{j ∈ R(u)} (r_uj − mu − b_j) / (reg_u + |R(u)|)
    b_ui  = mu + b_u + b_i
    r_hat = b_ui + Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij),  w_ij = sim_ij^amplification

N_k(i;u) are the at most k rated items with the highest positive similarity to i. With amplification 1 and prior 0 this
is Surprise's `KNNBaseline`: Koren, "Factor in the neighbors" (TKDD 2010), equations 2-3. Case amplification: Breese,
Heckerman & Kadie, "Empirical analysis of predictive algorithms" (UAI 1998).
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Array, Float64s, Int64s, Model
from hakken.ratings import UserList


class Visitor(NamedTuple):
    """What a prediction needs to know of a person.

    Attributes:
        b_u: user bias, score points.
        rows: `(n_rated,)` int64, inner indices of the scored anime that the model knows.
        residuals: `(n_rated,)` float64, r_uj − b_uj of each, score points.
        unknown: how many scored anime the model does not know.
    """

    b_u: float
    rows: Int64s
    residuals: Float64s
    unknown: int


def fold_in(model: Model, user_list: UserList) -> Visitor:
    """Estimate a user's bias with all item biases fixed: for a training user, exactly the trained one."""
    scored = [(rating.anime_id, rating.score) for rating in user_list.scored]
    anime_ids, scores = np.array(scored, dtype=np.int64).reshape(-1, 2).T
    rows, known = model.rows_of(anime_ids)
    rows = rows[known]
    from_item = scores[known] - model.mu - model.arrays.b_i[rows]
    weight = model.manifest.parameters.reg_u + len(rows)
    b_u = float(from_item.sum() / weight) if weight else 0.0
    return Visitor(b_u, rows, from_item - b_u, int((~known).sum()))


def predict(model: Model, visitor: Visitor, rows: Int64s | None = None) -> Float64s:
    """Predict ratings; neither rounded nor clipped.

    Args:
        model: the model.
        visitor: a folded-in user.
        rows: `(n,)` inner indices of the anime to predict; all of them when None.

    Returns:
        `(n,)` float64, r_hat in score points. An anime without a rated neighbour gets its baseline.
    """
    arrays = model.arrays
    if rows is None:
        indptr, entries = arrays.sim_indptr, None
        indices, b_i, prior = arrays.sim_indices, arrays.b_i, model.row_priors
    else:
        indptr, entries = _gather(arrays.sim_indptr, rows)
        indices, b_i, prior = arrays.sim_indices[entries], arrays.b_i[rows], model.row_priors[rows]
    baseline = model.mu + visitor.b_u + b_i
    if not len(visitor.rows):
        return baseline

    rated = np.zeros(model.n_items, dtype=np.bool_)
    rated[visitor.rows] = True
    residual = np.zeros(model.n_items)
    residual[visitor.rows] = visitor.residuals

    # Each row is ordered by falling similarity, so its first k rated entries are N_k(i;u).
    found = np.flatnonzero(rated[indices])
    first = np.searchsorted(found, indptr)
    count = np.diff(first)
    row = np.repeat(np.arange(len(count)), count)
    nearest = np.arange(len(found)) - first[row] < model.manifest.parameters.k
    found, row = found[nearest], row[nearest]
    # Weights and prior are in units of their row's scale, which cancels out.
    weight = model.weights[arrays.sim_values[found if entries is None else entries[found]]]

    weighted = np.bincount(row, weight * residual[indices[found]], minlength=len(count))
    total = np.bincount(row, weight, minlength=len(count))
    return baseline + np.divide(weighted, prior + total, out=np.zeros(len(count)), where=total > 0)


def _gather(indptr: Int64s, rows: Int64s) -> tuple[Int64s, Array]:
    """Cut some rows out of a CSR matrix: their own `indptr`, and the positions of their entries."""
    lengths = indptr[rows + 1] - indptr[rows]
    cut = np.concatenate(([0], np.cumsum(lengths)))
    return cut, np.arange(cut[-1]) + np.repeat(indptr[rows] - cut[:-1], lengths)
