"""KNN-with-baseline on a square array of all similarities: compiled loops, and the function that runs the first.

`HakkenKNNBaseline` and the evaluation use the square array; `hakken train` never makes one. As in `kernels`, one thread
adds up each sum in the order of the users, so results do not depend on the number of threads.
"""

import numpy as np
from numba import get_num_threads, njit, prange

from hakken.model.arrays import Array, Float64s, Int32s, Int64s
from hakken.training.kernels import N_SUMS, PRODUCTS, add_pair_sums, finish_similarity, offer
from hakken.training.matrix import ScoreMatrix

ITEMS_AT_ONCE = 1024
"""Compiled code does not react to Ctrl-C: it returns after so many items."""


def all_similarities(matrix: ScoreMatrix, residuals: Float64s, shrinkage: float, min_support: int) -> Float64s:
    """Compute the shrunk Pearson-baseline similarities of all pairs of items, on all cores.

    Args:
        matrix: the scored entries.
        residuals: `(n_scored,)`, `r_ui − b_ui` in the matrix's user order, score points.
        shrinkage: λ, in users.
        min_support: pairs with fewer common users have similarity 0.

    Returns:
        `(n_items, n_items)` float64, symmetric, in [-1, 1]; an item's with itself is 1.
    """
    n_items, arrays = matrix.n_items, (*matrix.both_orders, residuals)
    sim = np.zeros((n_items, n_items))
    for first in range(0, n_items, ITEMS_AT_ONCE):
        last = min(first + ITEMS_AT_ONCE, n_items)
        fill_similarities(first, last, get_num_threads(), *arrays, shrinkage, min_support, sim)
    return sim


@njit(parallel=True, cache=True)
def fill_similarities(
    first: int,
    last: int,
    n_parts: int,
    item_indptr: Int64s,
    item_users: Int32s,
    item_positions: Array,
    user_indptr: Int64s,
    user_items: Array,
    residuals: Float64s,
    shrinkage: float,
    min_support: int,
    sim: Array,
) -> None:
    """Compare items first..last with all later ones, and write nonzero similarities to both halves of `sim`.

    Args:
        first: first item.
        last: one after the last item.
        n_parts: threads; they take items in turn, so that popular items, most of the work, are spread over them.
        item_indptr: `(n_items + 1,)`, as in `ScoreMatrix`, like the next two; its rows are sorted by item.
        item_users: `(n,)`.
        item_positions: `(n,)`.
        user_indptr: `(n_users + 1,)`.
        user_items: `(n,)`.
        residuals: `(n,)`, `r_ui − b_ui` in the order of users, score points.
        shrinkage: λ, in users.
        min_support: pairs with fewer common users have similarity 0.
        sim: `(n_items, n_items)`, zeros where nothing was written yet.
    """
    n_items = len(item_indptr) - 1
    for part in prange(n_parts):
        sums = np.empty((n_items, N_SUMS))
        for i in range(first + part, last, n_parts):
            sim[i, i] = 1.0
            sums[i:] = 0.0
            for p in range(item_indptr[i], item_indptr[i + 1]):
                here = item_positions[p]  # rows are sorted by item: later items follow
                end = user_indptr[item_users[p] + 1]
                add_pair_sums(residuals[here], here + 1, end, user_items, residuals, sums)
            for j in range(i + 1, n_items):
                if sums[j, PRODUCTS] != 0.0:
                    sim[i, j] = sim[j, i] = finish_similarity(sums[j], shrinkage, min_support)


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

    Args:
        users: `(n_pairs,)`.
        wanted: `(n_pairs,)`, item of each pair; if ascending, similarities are read from the cache.
        n_parts: threads.
        user_indptr: `(n_users + 1,)`, where each user's entries begin.
        items: `(n,)`, rated item of each entry.
        residuals: `(n,)`, `r_uj − b_uj` of each entry, score points.
        sim: `(n_items, n_items)` similarities.
        k: neighbours at most; of equal similarities the earlier entry is kept, as Surprise does.
        min_k: with fewer neighbours, nothing is added.
        amplification: exponent on a similarity.
        prior: added to the sum of the weights.

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
