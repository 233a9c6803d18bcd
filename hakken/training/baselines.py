"""Biases of users and items, by alternating least squares.

    min Σ (r_ui − mu − b_u − b_i)² + reg_u Σ b_u² + reg_i Σ b_i²

Koren, "Factor in the neighbors" (TKDD 2010), section 2.1; the steps have Surprise's order: items, then users, so
that folding in a training user gives exactly that user's bias.
"""

import numpy as np

from hakken.model.arrays import Float64s
from hakken.training.kernels import update_biases
from hakken.training.matrix import ScoreMatrix
from hakken.training.progress import SILENT, Progress


def als_baselines(
    matrix: ScoreMatrix, reg_u: float, reg_i: float, n_epochs: int, progress: Progress = SILENT
) -> tuple[Float64s, Float64s]:
    """Estimate the biases.

    Returns:
        `b_u` `(n_users,)` and `b_i` `(n_items,)`, float64, score points; 0 for a row without a score.
    """
    b_u, b_i = np.zeros(matrix.n_users), np.zeros(matrix.n_items)
    m = matrix
    with progress.stage("biases", n_epochs, "rounds") as advance:
        for _ in range(n_epochs):
            update_biases(b_i, m.item_indptr, m.item_users, m.item_scores, b_u, m.mu, reg_i)
            update_biases(b_u, m.user_indptr, m.user_items, m.user_scores, b_i, m.mu, reg_u)
            advance(1)
    return b_u, b_i
