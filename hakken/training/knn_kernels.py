"""Compiled loop of predictions by KNN-with-baseline on a square array of similarities."""

import numpy as np
from numba import njit, prange

from hakken.model.arrays import Array, Float64s, Int64s
from hakken.training.kernels import offer


@njit(parallel=True, cache=True)
def interpolate(
    users: Int64s,
    wanted: Int64s,
    n_parts: int,
    user_indptr: Int64s,
    items: Array,
    residuals: Float64s,
    sim: Array,
    k: int,
    min_k: int,
    amplification: float,
    prior: float,
) -> tuple[Float64s, Int64s]:
    """Contribution of a user's rated items to the prediction of an item, for pairs of a user and an item.

    Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij),  w_ij = sim_ij^amplification

    `users` and `wanted`, `(n_pairs,)`, are the pairs; if the items ascend, similarities are read from the cache. The
    entries of each user are `items` and `residuals`, `r_uj − b_uj` in score points, from `user_indptr` on. `n_parts`
    threads share the work. Of equal similarities the earlier entry is kept, as Surprise does; with fewer than `min_k`
    neighbours nothing is added.

    Returns:
        `(n_pairs,)` float64, score points; `(n_pairs,)` int64, how many neighbours there were.
    """
    n_pairs = len(users)
    added = np.zeros(n_pairs)
    counts = np.zeros(n_pairs, dtype=np.int64)
    for part in prange(n_parts):
        heap_sims, heap_positions = np.empty(k), np.empty(k, dtype=np.int32)
        for n in range(n_pairs * part // n_parts, n_pairs * (part + 1) // n_parts):
            begin, size = user_indptr[users[n]], 0
            if k > 0:
                for q in range(begin, user_indptr[users[n] + 1]):
                    similarity = sim[wanted[n], items[q]]
                    if similarity > 0.0:
                        size = offer(heap_sims, heap_positions, size, similarity, q - begin)
            counts[n] = size
            weighted = total = 0.0
            for m in range(size):
                weight = heap_sims[m] if amplification == 1.0 else heap_sims[m] ** amplification
                weighted += weight * residuals[begin + heap_positions[m]]
                total += weight
            if size >= min_k and total > 0.0:
                added[n] = weighted / (prior + total)
    return added, counts
