"""Similarities of items: shrunk Pearson-baseline correlation; each item keeps its strongest.

    sim_ij = ((n_ij − 1) · Σ x_ui x_uj / √(Σ x_ui² · Σ x_uj²) + λ s_ij) / (n_ij − 1 + λ),  x_ui = r_ui − b_ui

Sums run over the users who rated both. s_ij is what few ratings are shrunk towards: `siblings` if both items are of one
series, else 0. One common user or none says nothing: n_ij − 1 is at least 0. With s_ij = 0 this
is Surprise's `pearson_baseline`: Koren, "Factor in the neighbors" (TKDD 2010), section 2.2. A sequel is rated like what
it continues, which its own ratings say only once there are many.
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import QUANTA, UNPACK_POWER, Array, Float64s, Int32s, Int64s, index_type, unpack
from hakken.model.hyperparameters import Parameters
from hakken.training import threads
from hakken.training.kernels import N_SUMS, find_neighbours, finish_similarities, pair_sums, sort_neighbours
from hakken.training.matrix import ScoreMatrix, indptr_of
from hakken.training.progress import SILENT, Progress

ITEMS_AT_ONCE = 256
"""Compiled code does not react to Ctrl-C: it returns after so many items."""
ALWAYS_STORED = 20
"""Neighbours that are kept even if their similarity is low, because pages show the nearest."""


class Neighbours(NamedTuple):
    """Each item's strongest positive neighbours: CSR rows by descending similarity, then ascending `j`.

    Attributes:
        indptr: `(n_items + 1,)` int64.
        indices: `(n_neighbours,)` int32, inner index `j`.
        sims: `(n_neighbours,)` float64, `sim_ij` in (0, 1].
        support: `(n_neighbours,)` int32, n_ij, users who rated both.
    """

    indptr: Int64s
    indices: Int32s
    sims: Float64s
    support: Int32s


class Heaps(NamedTuple):
    """The strongest neighbours found so far; each thread that finds some has its own heaps.

    Attributes:
        sims: `(n_heaps, n_items, k_stored)` float64, `sim_ij`.
        labels: the same shape, int64, see `hakken.training.kernels.SUPPORT_BITS`.
        sizes: `(n_heaps, n_items)` int32.
    """

    sims: Array
    labels: Array
    sizes: Array

    @classmethod
    def empty(cls, n_heaps: int, n_items: int, k_stored: int) -> "Heaps":
        """Heaps for at most `k_stored` neighbours of each item."""
        shape = n_heaps, n_items, max(1, min(k_stored, n_items - 1))
        return cls(np.empty(shape), np.empty(shape, dtype=np.int64), np.zeros(shape[:2], dtype=np.int32))

    def neighbours(self, min_similarity: float) -> Neighbours:
        """Merge the heaps; less similar neighbours are kept only among the `ALWAYS_STORED` nearest."""
        _, n_items, k_stored = self.sims.shape
        counts = np.zeros(n_items, dtype=np.int32)
        found, support = np.zeros((2, n_items, k_stored), dtype=np.int32)
        sims = np.zeros((n_items, k_stored))
        threads.in_parts(sort_neighbours, *self, counts, found, sims, support)
        rank = np.arange(k_stored)
        stored = (rank < counts[:, np.newaxis]) & ((rank < ALWAYS_STORED) | (sims >= min_similarity))
        return Neighbours(indptr_of(np.nonzero(stored)[0], n_items), found[stored], sims[stored], support[stored])


def pearson_baseline(
    matrix: ScoreMatrix,
    residuals: Float64s,
    parameters: Parameters,
    series: Int64s | None = None,
    progress: Progress = SILENT,
) -> Neighbours:
    """Compute the similarities of all pairs; only the strongest of each item are kept in memory.

    The residuals, `(n_scored,)`, are `r_ui − b_ui` in the matrix's user order; the series, `(n_items,)`, are ids; None:
    each item is alone in its own.
    """
    n_items = matrix.n_items
    series = np.arange(n_items) if series is None else series
    finishing = parameters.shrinkage, parameters.min_support, series, parameters.siblings
    heaps = Heaps.empty(threads.N_THREADS, n_items, parameters.k_stored)
    fixed = *matrix.both_orders, residuals, matrix.raters, *finishing, *heaps
    with progress.stage("similarities", n_items, "anime") as advance:
        for first in range(0, n_items, ITEMS_AT_ONCE):
            last = min(first + ITEMS_AT_ONCE, n_items)
            threads.in_parts(find_neighbours, first, last, *fixed)
            advance(last - first)
        return heaps.neighbours(parameters.min_similarity)


def later_pair_sums(matrix: ScoreMatrix, residuals: Float64s, first: int) -> Array:
    """The four sums of `ITEMS_AT_ONCE` items from `first` on with items from `first` on, 0 but with later ones.

    Returns:
        `(n, n_items - first, 4)` float64, see `hakken.training.kernels`; they are additive over users.
    """
    items = np.arange(first, min(first + ITEMS_AT_ONCE, matrix.n_items))
    sums = np.zeros((len(items), matrix.n_items, N_SUMS))
    threads.in_parts(pair_sums, sums, items, *matrix.both_orders, residuals, True)
    return np.ascontiguousarray(sums[:, first:])


def all_similarities(matrix: ScoreMatrix, residuals: Float64s, shrinkage: float, min_support: int) -> Float64s:
    """Compute the similarities of all pairs of items, which `hakken train` never does.

    Returns:
        `(n_items, n_items)` float64, symmetric, in [-1, 1]; an item's with itself is 1.
    """
    sim = np.zeros((matrix.n_items, matrix.n_items))
    for first in range(0, matrix.n_items, ITEMS_AT_ONCE):
        sums = later_pair_sums(matrix, residuals, first)
        later = np.empty(sums.shape[:2])
        threads.in_parts(finish_similarities, later, sums, shrinkage, min_support)
        last = first + len(sums)
        sim[first:last, first:] += later
        sim[first:, first:last] += later.T
    np.fill_diagonal(sim, 1.0)
    return sim


def quantise(neighbours: Neighbours, most_raters: int) -> dict[str, Array]:
    """Pack similarities into 16 bits: `q = round((sim_ij / sim_scale_i)^(4/5))`, the inverse of `unpack`.

    The error is below 1e-5, and every positive similarity stays positive: even a weak neighbour determines the
    prediction if it is the only one. No pair has more support than `most_raters`.

    Returns:
        The arrays `sim_*` of `hakken.model.arrays.Arrays`, by name.
    """
    indptr, indices, sims, support = neighbours
    n_items = len(indptr) - 1
    lengths = np.diff(indptr)
    strongest = np.zeros(n_items)
    strongest[lengths > 0] = sims[indptr[:-1][lengths > 0]]  # rows are sorted by descending similarity
    scale = (strongest / unpack(np.array([QUANTA], dtype=np.uint16))).astype(np.float32)
    quanta = (sims / np.repeat(scale.astype(np.float64), lengths)) ** (1 / UNPACK_POWER)
    values = np.rint(quanta).clip(1, QUANTA).astype(np.uint16)
    return {
        "sim_indptr": indptr,
        "sim_indices": indices.astype(index_type(n_items)),
        "sim_values": values,
        "sim_scale": scale,
        "sim_support": support.astype(index_type(most_raters + 1)),
    }
