"""Compiled loops of training.

A loop whose arguments begin with `part` and `n_parts` does one part of the work, see `hakken.training.threads`. One
thread computes each sum, in the order of the users, and which neighbours are kept does not depend on the order in which
they are found: equal input gives equal bytes on any number of threads.

Item indices are unsigned: compiled loops then need no test for negative ones, which doubles their speed.
"""

import numpy as np
from numba import njit

from hakken.model.arrays import Array, Float64s, Int8s, Int32s, Int64s

SUPPORT, PRODUCTS, SQUARES_I, SQUARES_J = range(4)
"""The four sums of a pair: n_ij, Σ x_ui x_uj, Σ x_ui², Σ x_uj² over the users who rated both, x being residuals."""
N_SUMS = 4
SUPPORT_BITS = 32
"""A heap's label is a neighbour and the pair's support, `j · 2^32 + n_ij`, which has the order of `j`."""


@njit(nogil=True, cache=True)
def sum_deviations(
    part: int,
    n_parts: int,
    sums: Float64s,
    indptr: Int64s,
    indices: Array,
    scores: Int8s,
    other: Float64s,
    mu: float,
) -> None:
    """Write Σ_c (r_rc − mu − b_c) of each row r, over its entries (r, c), to `sums`, `(n_rows,)`; b_c is in `other`."""
    for row in range(len(sums) * part // n_parts, len(sums) * (part + 1) // n_parts):
        deviation = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            deviation += scores[p] - mu - other[indices[p]]
        sums[row] = deviation


@njit(cache=True)
def add_pair_sums(x: float, begin: int, end: int, user_items: Array, residuals: Float64s, sums: Array) -> None:
    """Add the products of one user, who rated item i with residual x, for i and each item j of a part of their row.

    `sums` is `(n_items, 4)`, a row for each j, so that one update touches adjacent numbers.
    """
    xx = x * x
    for q in range(begin, end):
        j = user_items[q]
        y = residuals[q]
        sums[j, SUPPORT] += 1.0
        sums[j, PRODUCTS] += x * y
        sums[j, SQUARES_I] += xx
        sums[j, SQUARES_J] += y * y


@njit(cache=True)
def finish_similarity(sums: Float64s, shrinkage: float, min_support: int) -> float:
    """Shrunk Pearson-baseline correlation of one pair from its four sums.

    sim_ij = (n_ij − 1) / (n_ij − 1 + λ) · Σxy / √(Σx² · Σy²); 0 below the minimum support, or if all deviations are 0.
    """
    support = sums[SUPPORT]
    norm = np.sqrt(sums[SQUARES_I] * sums[SQUARES_J])
    if support < max(min_support, 2) or norm == 0.0:  # one common user gives no correlation
        return 0.0
    sim: float = (support - 1.0) / (support - 1.0 + shrinkage) * sums[PRODUCTS] / norm
    return sim


@njit(nogil=True, cache=True)
def pair_sums(
    part: int,
    n_parts: int,
    sums: Array,
    items: Array,
    item_indptr: Int64s,
    item_users: Int32s,
    item_positions: Array,
    user_indptr: Int64s,
    user_items: Array,
    residuals: Float64s,
    only_later: bool,
) -> None:
    """Add the four sums of some items with every item, or with later ones, to `sums`, `(len(items), n_items, 4)`.

    With mu and all b_i fixed they are additive over users: sums of parts of the users may be made on other machines or
    on other days, and added.
    """
    for block in range(part, len(items), n_parts):
        i = items[block]
        for p in range(item_indptr[i], item_indptr[i + 1]):
            u = item_users[p]
            here = item_positions[p]  # rows are sorted by item: later items follow
            begin = here + 1 if only_later else user_indptr[u]
            add_pair_sums(residuals[here], begin, user_indptr[u + 1], user_items, residuals, sums[block])


@njit(nogil=True, cache=True)
def finish_similarities(part: int, n_parts: int, sims: Array, sums: Array, shrinkage: float, min_support: int) -> None:
    """Write `finish_similarity` of `(n, n_items, 4)` sums to `sims`, `(n, n_items)`."""
    for block in range(part, len(sums), n_parts):
        for j in range(sums.shape[1]):
            sims[block, j] = finish_similarity(sums[block, j], shrinkage, min_support)


@njit(cache=True)
def _is_better(sim: float, j: int, other_sim: float, other_j: int) -> bool:
    return sim > other_sim or (sim == other_sim and j < other_j)


@njit(cache=True)
def offer(sims: Float64s, items: Array, size: int, sim: float, j: int) -> int:
    """Add a neighbour to a heap whose root is the worst one, unless the heap is full of better ones.

    Of equal similarities the lower `j` is better. `j` may be any integer that identifies the neighbour.

    Returns:
        New size of the heap.
    """
    if size == len(sims):
        if not _is_better(sim, j, sims[0], items[0]):
            return size
        at = 0
        while True:  # sift down from the root
            child = 2 * at + 1
            if child >= size:
                break
            if child + 1 < size and _is_better(sims[child], items[child], sims[child + 1], items[child + 1]):
                child += 1
            if not _is_better(sim, j, sims[child], items[child]):
                break
            sims[at], items[at] = sims[child], items[child]
            at = child
    else:
        at = size
        size += 1
        while at > 0:  # sift up from the end
            parent = (at - 1) // 2
            if not _is_better(sims[parent], items[parent], sim, j):
                break
            sims[at], items[at] = sims[parent], items[parent]
            at = parent
    sims[at], items[at] = sim, j
    return size


@njit(cache=True)
def offer_pairs(
    i: int,
    sums: Float64s,
    raters: Int32s,
    shrinkage: float,
    min_support: int,
    series: Int64s,
    siblings: float,
    heap_sims: Array,
    heap_labels: Array,
    heap_sizes: Array,
) -> None:
    """Offer each positive similarity of an item with itself and later ones, with these sums, to the heaps of both.

    Similarities within a series, `(n_items,)`, are shrunk towards `siblings`, all others towards 0. Only items that
    someone scored have any. Of `sums`, `(n_items - i, 4)`, the first row is the item's own, which is not used.
    """
    prior = siblings * shrinkage
    for j in range(i + 1, i + len(sums)):
        sibling = prior > 0.0 and series[j] == series[i] and raters[i] > 0 and raters[j] > 0
        if sums[j - i, PRODUCTS] > 0.0 or sibling:
            sim = finish_similarity(sums[j - i], shrinkage, min_support)
            if sibling:
                sim += prior / (max(sums[j - i, SUPPORT] - 1.0, 0.0) + shrinkage)
            if sim > 0.0:
                for one, other in ((i, j), (j, i)):
                    label = (other << SUPPORT_BITS) + int(sums[j - i, SUPPORT])
                    heap_sizes[one] = offer(heap_sims[one], heap_labels[one], heap_sizes[one], sim, label)


@njit(nogil=True, cache=True)
def find_neighbours(
    part: int,
    n_parts: int,
    first: int,
    last: int,
    item_indptr: Int64s,
    item_users: Int32s,
    item_positions: Array,
    user_indptr: Int64s,
    user_items: Array,
    residuals: Float64s,
    raters: Int32s,
    shrinkage: float,
    min_support: int,
    series: Int64s,
    siblings: float,
    heap_sims: Array,
    heap_labels: Array,
    heap_sizes: Array,
) -> None:
    """Compare items first..last with all later ones, see `offer_pairs`.

    Each thread has its own heaps, `heap_*[part]`, and sums that fit its cache. Threads take items in turn, so that
    popular items, which are most of the work, are spread over them.
    """
    n_items = len(item_indptr) - 1
    sums = np.empty((n_items, N_SUMS))
    heaps = heap_sims[part], heap_labels[part], heap_sizes[part]
    for i in range(first + part, last, n_parts):
        sums[i:] = 0.0
        for p in range(item_indptr[i], item_indptr[i + 1]):
            u = item_users[p]
            here = item_positions[p]  # rows are sorted by item: later items follow
            add_pair_sums(residuals[here], here + 1, user_indptr[u + 1], user_items, residuals, sums)
        offer_pairs(i, sums[i:], raters, shrinkage, min_support, series, siblings, *heaps)


@njit(nogil=True, cache=True)
def offer_rows(
    sums: Array,
    first: int,
    raters: Int32s,
    shrinkage: float,
    min_support: int,
    series: Int64s,
    siblings: float,
    heap_sims: Array,
    heap_labels: Array,
    heap_sizes: Array,
) -> None:
    """Do what `find_neighbours` does, from sums that are there: `(n, n_items - first, 4)`, of items from `first` on."""
    for row in range(len(sums)):
        offer_pairs(
            first + row,
            sums[row, row:],
            raters,
            shrinkage,
            min_support,
            series,
            siblings,
            heap_sims,
            heap_labels,
            heap_sizes,
        )


@njit(nogil=True, cache=True)
def sort_neighbours(
    part: int,
    n_parts: int,
    heap_sims: Array,
    heap_labels: Array,
    heap_sizes: Array,
    counts: Int32s,
    neighbours: Array,
    sims: Array,
    support: Array,
) -> None:
    """Merge the threads' heaps.

    Written are counts `(n_items,)` int32; and `(n_items, k_stored)`, neighbours `j` int32, `sim_ij` float64 and `n_ij`
    int32, by descending similarity, then ascending `j`; what is behind `counts` stays as it was.
    """
    n_heaps, n_items, k_stored = heap_sims.shape
    for i in range(part, n_items, n_parts):
        negated, labels = np.empty(n_heaps * k_stored), np.empty(n_heaps * k_stored, dtype=np.int64)
        found = 0
        for heap in range(n_heaps):
            for n in range(heap_sizes[heap, i]):
                negated[found], labels[found] = -heap_sims[heap, i, n], heap_labels[heap, i, n]
                found += 1
        by_item = np.argsort(labels[:found])
        order = by_item[np.argsort(negated[by_item], kind="mergesort")]  # the lower j of equal ones stays first
        counts[i] = min(found, k_stored)
        for rank in range(counts[i]):
            label = labels[order[rank]]
            neighbours[i, rank], support[i, rank] = label >> SUPPORT_BITS, label & (2**SUPPORT_BITS - 1)
            sims[i, rank] = -negated[order[rank]]


@njit(nogil=True, cache=True)
def add_co_watching(
    part: int,
    n_parts: int,
    first: int,
    last: int,
    item_indptr: Int64s,
    item_users: Int32s,
    item_positions: Array,
    user_indptr: Array,
    user_items: Array,
    liking: Float64s,
    gram: Float64s,
) -> None:
    """Add Σ_u x_ui x_uj to `gram`, rows first..last of G, for every j ≥ i; threads take items in turn.

    The arguments are as in `hakken.training.matrix.ScoreMatrix`, `liking` being `x_ui` in the order of the users.
    """
    for i in range(first + part, last, n_parts):
        row = gram[i - first]
        for p in range(item_indptr[i], item_indptr[i + 1]):
            here = item_positions[p]  # rows are sorted by item: later items follow
            x = liking[here]
            for q in range(here, user_indptr[item_users[p] + 1]):
                row[user_items[q]] += x * liking[q]


@njit(nogil=True, cache=True)
def interpolate(
    part: int,
    n_parts: int,
    added: Float64s,
    counts: Int64s,
    users: Int64s,
    wanted: Int64s,
    user_indptr: Int64s,
    items: Array,
    residuals: Float64s,
    sim: Array,
    k: int,
    min_k: int,
    amplification: float,
    prior: float,
) -> None:
    """Compute the contribution of a user's rated items to a prediction, for pairs of a user and an item.

    Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij),  w_ij = sim_ij^amplification

    `users` and `wanted`, `(n_pairs,)`, are the pairs; if the items ascend, similarities are read from the cache. The
    entries of each user are `items` and `residuals`, `r_uj − b_uj` in score points, from `user_indptr` on. Of
    equal similarities the earlier entry is kept, as Surprise does; with fewer than `min_k` neighbours the contribution
    is 0.

    Written are the contributions `added`, `(n_pairs,)`, score points, and how many neighbours there were, `counts`.
    """
    n_pairs = len(users)
    heap_sims, heap_positions = np.empty(k), np.empty(k, dtype=np.int32)
    for n in range(n_pairs * part // n_parts, n_pairs * (part + 1) // n_parts):
        begin, size = user_indptr[users[n]], 0
        if k > 0:
            for q in range(begin, user_indptr[users[n] + 1]):
                similarity = sim[wanted[n], items[q]]
                if similarity > 0.0:
                    size = offer(heap_sims, heap_positions, size, similarity, q - begin)
        counts[n], added[n] = size, 0.0
        weighted = total = 0.0
        for m in range(size):
            weight = heap_sims[m] if amplification == 1.0 else heap_sims[m] ** amplification
            weighted += weight * residuals[begin + heap_positions[m]]
            total += weight
        if size >= min_k and total > 0.0:
            added[n] = weighted / (prior + total)
