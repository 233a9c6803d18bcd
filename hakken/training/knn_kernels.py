"""The compiled loops of `HakkenKNNBaseline`: sorting a Trainset, all similarities as a square array, predictions.

Only scikit-surprise's users need the square array; `hakken train` never makes one. As in `kernels`, each sum is added
up by one thread in the order of the users, so results do not depend on the number of threads.
"""

# ruff: noqa: PLR0913, PLR0917 - compiled code takes arrays, not objects
# Numba's decorators carry no types:
# mypy: disallow-untyped-decorators=False

import numpy as np
from numba import njit, prange

from hakken.model.arrays import Array, Float64s, Int32s, Int64s
from hakken.training.kernels import N_SUMS, PRODUCTS, add_pair_sums, finish_similarity, offer


@njit(cache=True)
def turn(indptr: Int64s, columns: Array, n_columns: int) -> tuple[Int64s, Array, Array]:
    """Find where each entry of a CSR matrix goes in its transpose (a counting sort); turned twice, rows are in order.

    Args:
        indptr: `(n_rows + 1,)`, where each row begins.
        columns: `(n,)`, column of each entry, in any order within a row; repeats are allowed.
        n_columns: how many columns there are.

    Returns:
        `(n_columns + 1,)` int64, where each column begins; `(n,)` uint32, place of each entry among the columns;
        `(n,)` int32, row of each entry, in its new place.
    """
    begins = np.zeros(n_columns + 1, dtype=np.int64)
    for column in columns:
        begins[column + 1] += 1
    begins = np.cumsum(begins)
    free = begins.copy()
    places = np.empty(len(columns), dtype=np.uint32)
    rows = np.empty(len(columns), dtype=np.int32)
    for row in range(len(indptr) - 1):
        for p in range(indptr[row], indptr[row + 1]):
            place = free[columns[p]]
            free[columns[p]] += 1
            places[p] = place
            rows[place] = row
    return begins, places, rows


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
    """Compare items first..last with every later one, and write what is not 0 to both halves of `sim`.

    Args:
        first: first item.
        last: one after the last item.
        n_parts: threads; items are dealt out in turn, so that popular ones, most of the work, spread over them.
        item_indptr: `(n_items + 1,)`, with the next two as in `ScoreMatrix`, whose rows are in the order of items.
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
                here = item_positions[p]  # rows are ordered by item: what follows are the later ones
                end = user_indptr[item_users[p] + 1]
                add_pair_sums(residuals[here], here + 1, end, user_items, residuals, sums)
            for j in range(i + 1, n_items):
                if sums[j, PRODUCTS] != 0.0:
                    sim[i, j] = sim[j, i] = finish_similarity(sums[j], shrinkage, min_support)


@njit(cache=True)
def interpolate(
    begin: int,
    end: int,
    items: Array,
    residuals: Float64s,
    sims: Array,
    min_k: int,
    amplification: float,
    prior: float,
    heap_sims: Float64s,
    heap_positions: Int32s,
) -> tuple[float, int]:
    """What a user's rated items add to the baseline of one item.

    Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij),  w_ij = sim_ij^amplification

    Args:
        begin: where the user's row begins.
        end: where it ends.
        items: `(n,)`, rated item of each entry.
        residuals: `(n,)`, `r_uj − b_uj` of each entry, score points.
        sims: `(n_items,)`, the item's similarities.
        min_k: with fewer neighbours, nothing is added.
        amplification: exponent on a similarity.
        prior: added to the sum of the weights.
        heap_sims: `(k,)`, to work in; of equal similarities the earlier entry is kept, as Surprise does.
        heap_positions: `(k,)`, to work in.

    Returns:
        score points, and how many neighbours there are.
    """
    size = 0
    if len(heap_sims) > 0:
        for q in range(begin, end):
            sim = sims[items[q]]
            if sim > 0.0:
                size = offer(heap_sims, heap_positions, size, sim, q - begin)
    if size < min_k:
        return 0.0, size
    weighted = total = 0.0
    for n in range(size):
        weight = heap_sims[n] if amplification == 1.0 else heap_sims[n] ** amplification
        weighted += weight * residuals[begin + heap_positions[n]]
        total += weight
    return (weighted / (prior + total) if total > 0.0 else 0.0), size


@njit(parallel=True, cache=True)
def interpolate_pairs(
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
    """`interpolate` for pairs of a user and an item, which are best in the order of the items: rows stay in cache.

    Returns:
        `(n_pairs,)` float64, score points; `(n_pairs,)` int64, how many neighbours there were.
    """
    n_pairs = len(users)
    added = np.empty(n_pairs)
    counts = np.empty(n_pairs, dtype=np.int64)
    for part in prange(n_parts):
        heap_sims, heap_positions = np.empty(k), np.empty(k, dtype=np.int32)
        for n in range(n_pairs * part // n_parts, n_pairs * (part + 1) // n_parts):
            begin, end = user_indptr[users[n]], user_indptr[users[n] + 1]
            added[n], counts[n] = interpolate(
                begin,
                end,
                items,
                residuals,
                sim[wanted[n]],
                min_k,
                amplification,
                prior,
                heap_sims,
                heap_positions,
            )
    return added, counts
