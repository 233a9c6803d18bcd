"""The compiled loops of training. Each is parallel over rows that no other thread touches.

So every sum is added up by one thread in one order, and the same input gives the same bytes on any number of threads.
"""

import numpy as np
from numba import njit, prange

from hakken.model.arrays import Float64s, Int32s, Int64s


@njit(parallel=True, cache=True)
def update_biases(
    biases: Float64s, indptr: Int64s, indices: Int32s, scores: Float64s, other: Float64s, mu: float, reg: float
) -> None:
    """One half-step of alternating least squares: solve one side's biases with the other side's fixed.

    b_r = Σ_c (r_rc − mu − b_c) / (reg + |R(r)|), for each row r, over its entries (r, c).
    """
    for row in prange(len(biases)):
        begin, end = indptr[row], indptr[row + 1]
        deviation = 0.0
        for p in range(begin, end):
            deviation += scores[p] - mu - other[indices[p]]
        weight = reg + (end - begin)
        biases[row] = deviation / weight if weight > 0.0 else 0.0


@njit(cache=True)
def add_statistics(
    i: int,
    item_indptr: Int64s,
    item_users: Int32s,
    item_residuals: Float64s,
    user_indptr: Int64s,
    user_items: Int32s,
    user_residuals: Float64s,
    support: Int32s,
    products: Float64s,
    squares_i: Float64s,
    squares_j: Float64s,
) -> None:
    """Add what one part of the users says about item i and every item j.

    n_ij += 1, Σxy += x_ui·x_uj, Σx² += x_ui², Σy² += x_uj² for each user u of the part who rated both, x being
    residuals. The four sums are additive over users, so parts made elsewhere are merged by adding them.
    """
    for p in range(item_indptr[i], item_indptr[i + 1]):
        u = item_users[p]
        x = item_residuals[p]
        for q in range(user_indptr[u], user_indptr[u + 1]):
            j = user_items[q]
            y = user_residuals[q]
            support[j] += 1
            products[j] += x * y
            squares_i[j] += x * x
            squares_j[j] += y * y


@njit(cache=True)
def finish_similarity(
    support: int, products: float, squares_i: float, squares_j: float, shrinkage: float, min_support: int
) -> float:
    """Shrunk Pearson-baseline correlation of one pair from its four sums.

    sim_ij = (n_ij − 1) / (n_ij − 1 + λ) · Σxy / √(Σx² · Σy²); 0 below the minimum support or without any deviation.
    """
    norm = np.sqrt(squares_i * squares_j)
    if support < min_support or support < 2 or norm == 0.0:  # noqa: PLR2004  # one common user is no correlation
        return 0.0
    sim: float = (support - 1) / (support - 1 + shrinkage) * products / norm
    return sim


@njit(parallel=True, cache=True)
def nearest_neighbours(
    item_indptr: Int64s,
    item_users: Int32s,
    item_residuals: Float64s,
    user_indptr: Int64s,
    user_items: Int32s,
    user_residuals: Float64s,
    shrinkage: float,
    min_support: int,
    k_stored: int,
    n_blocks: int,
) -> tuple[Int32s, Int32s, Float64s]:
    """Find each item's strongest positive neighbours.

    Returns:
        counts `(n_items,)`; and padded to `(n_items, k_stored)`, neighbours `j` and `sim_ij`, by falling similarity,
        of equal ones the lower `j` first.
    """
    n_items = len(item_indptr) - 1
    counts = np.zeros(n_items, dtype=np.int32)
    neighbours = np.zeros((n_items, k_stored), dtype=np.int32)
    sims = np.zeros((n_items, k_stored), dtype=np.float64)
    for block in prange(n_blocks):  # a block's accumulators are as long as the item axis: they stay in cache
        support = np.empty(n_items, dtype=np.int32)
        products = np.empty(n_items)
        squares_i = np.empty(n_items)
        squares_j = np.empty(n_items)
        negated = np.empty(n_items)
        columns = np.empty(n_items, dtype=np.int32)
        for i in range(block, n_items, n_blocks):  # strided, so that popular items spread over the blocks
            support[:] = 0
            products[:] = 0.0
            squares_i[:] = 0.0
            squares_j[:] = 0.0
            add_statistics(
                i, item_indptr, item_users, item_residuals, user_indptr, user_items, user_residuals,
                support, products, squares_i, squares_j,
            )  # fmt: skip
            found = 0
            for j in range(n_items):
                if products[j] > 0.0 and j != i:
                    sim = finish_similarity(support[j], products[j], squares_i[j], squares_j[j], shrinkage, min_support)
                    if sim > 0.0:
                        negated[found] = -sim
                        columns[found] = j
                        found += 1
            order = np.argsort(negated[:found], kind="mergesort")  # stable: columns are ascending already
            count = min(found, k_stored)
            counts[i] = count
            for rank in range(count):
                neighbours[i, rank] = columns[order[rank]]
                sims[i, rank] = -negated[order[rank]]
    return counts, neighbours, sims
