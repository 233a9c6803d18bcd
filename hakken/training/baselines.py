"""Biases of users and items, by alternating least squares.

    min Σ (r_ui − mu − b_u − b_i)² + reg_u Σ b_u² + reg_i Σ b_i²

Koren, "Factor in the neighbors" (TKDD 2010), section 2.1; the order of the steps is Surprise's: items, then users, so
that a user's bias is exactly what folding that user in gives.
"""

import numpy as np

from hakken.model.arrays import Float64s
from hakken.training.kernels import update_biases
from hakken.training.matrix import Half, ScoreMatrix


def als_baselines(matrix: ScoreMatrix, reg_u: float, reg_i: float, n_epochs: int) -> tuple[Float64s, Float64s]:
    """Estimate the biases.

    Returns:
        `b_u` `(n_users,)` and `b_i` `(n_items,)`, float64, score points; 0 for a row without a score.
    """
    b_u = np.zeros(len(matrix.by_user.indptr) - 1)
    b_i = np.zeros(len(matrix.by_item.indptr) - 1)
    users, items = matrix.by_user, matrix.by_item
    for _ in range(n_epochs):
        update_biases(b_i, items.indptr, items.indices, items.scores, b_u, matrix.mu, reg_i)
        update_biases(b_u, users.indptr, users.indices, users.scores, b_i, matrix.mu, reg_u)
    return b_u, b_i


def residuals(half: Half, mu: float, b_row: Float64s, b_column: Float64s) -> Float64s:
    """`r_ui − b_ui` of each entry of one orientation, `(n_scored,)` float64."""
    return half.scores - mu - np.repeat(b_row, np.diff(half.indptr)) - b_column[half.indices]
