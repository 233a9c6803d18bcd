"""KNN-with-baseline on all similarities, as the original Hakken and scikit-surprise have it."""

import numba
import numpy as np

from hakken.model import TEXTBOOK
from hakken.model.arrays import Float64s
from hakken.training.knn_kernels import fill_similarities
from hakken.training.matrix import ScoreMatrix

ITEMS_AT_ONCE = 1024
"""Compiled code does not hear Ctrl-C: it comes back after so many items."""


def all_similarities(matrix: ScoreMatrix, residuals: Float64s) -> Float64s:
    """Shrunk Pearson-baseline similarities of all pairs, the textbook's parameters.

    Args:
        matrix: the scored entries.
        residuals: `(n_scored,)`, `r_ui − b_ui` in the matrix's user order.

    Returns:
        `(n_items, n_items)` float64, symmetric.
    """
    m = matrix
    sim = np.zeros((m.n_items, m.n_items))
    for first in range(0, m.n_items, ITEMS_AT_ONCE):
        fill_similarities(
            first,
            min(first + ITEMS_AT_ONCE, m.n_items),
            numba.get_num_threads(),
            m.item_indptr,
            m.item_users,
            m.item_positions,
            m.user_indptr,
            m.user_items,
            residuals,
            TEXTBOOK.shrinkage,
            TEXTBOOK.min_support,
            sim,
        )
    np.fill_diagonal(sim, 0)  # an item is no neighbour of its own
    return sim


def interpolated(sims: Float64s, residuals: Float64s, k: int) -> Float64s:
    """`Σ sim_ij (r_uj − b_uj) / Σ sim_ij` over the k most similar rated items, of positive similarities only.

    Args:
        sims: `(n_items, n_rated)`, similarity of each item to those that a user rated.
        residuals: `(n_rated,)`, of those ratings, score points.
        k: neighbours at most; of equal similarities the earlier rating is taken, as Surprise does.

    Returns:
        `(n_items,)` float64, score points; 0 for an item without a neighbour.
    """
    sims = sims.clip(min=0)
    near = np.broadcast_to(residuals, sims.shape)
    if sims.shape[1] > k:
        nearest = np.argsort(-sims, axis=1, kind="stable")[:, :k]
        sims, near = np.take_along_axis(sims, nearest, axis=1), residuals[nearest]
    total = sims.sum(axis=1)
    added: Float64s = np.divide((sims * near).sum(axis=1), total, out=np.zeros(len(sims)), where=total > 0)
    return added
