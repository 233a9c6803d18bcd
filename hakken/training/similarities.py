"""Similarities of items: shrunk Pearson-baseline correlation, of which each item keeps its strongest.

    sim_ij = (n_ij − 1) / (n_ij − 1 + λ) · Σ x_ui x_uj / √(Σ x_ui² · Σ x_uj²),  x_ui = r_ui − b_ui

Sums run over the users who rated both. Koren, "Factor in the neighbors" (TKDD 2010), section 2.2; Surprise's
`pearson_baseline`.
"""

from typing import NamedTuple

import numba
import numpy as np

from hakken.model.arrays import (
    QUANTA,
    UNPACK_POWER,
    Array,
    Float32s,
    Float64s,
    Int32s,
    Int64s,
    UInt16s,
    index_type,
    unpack,
)
from hakken.training.baselines import residuals
from hakken.training.kernels import nearest_neighbours
from hakken.training.matrix import ScoreMatrix

BLOCKS_PER_THREAD = 16


class Neighbours(NamedTuple):
    """Each item's strongest positive neighbours: CSR rows by falling similarity, of equal ones the lower `j` first.

    Attributes:
        indptr: `(n_items + 1,)` int64.
        indices: `(n_neighbours,)` int32, inner index `j`.
        sims: `(n_neighbours,)` float64, `sim_ij` in (0, 1].
    """

    indptr: Int64s
    indices: Int32s
    sims: Float64s


class Quantised(NamedTuple):
    """`Neighbours` as an artefact stores them; see `hakken.model.arrays.Arrays`."""

    indptr: Int64s
    indices: Array
    values: UInt16s
    scale: Float32s


def pearson_baseline(
    matrix: ScoreMatrix, b_u: Float64s, b_i: Float64s, *, shrinkage: float, min_support: int, k_stored: int
) -> Neighbours:
    """Compute the similarities.

    Args:
        matrix: the scored entries.
        b_u: `(n_users,)` user biases.
        b_i: `(n_items,)` item biases.
        shrinkage: λ, in users.
        min_support: pairs with fewer common users have similarity 0.
        k_stored: neighbours kept per item; more than there are items means all.
    """
    users, items = matrix.by_user, matrix.by_item
    n_items = len(b_i)
    counts, neighbours, sims = nearest_neighbours(
        items.indptr,
        items.indices,
        residuals(items, matrix.mu, b_i, b_u),
        users.indptr,
        users.indices,
        residuals(users, matrix.mu, b_u, b_i),
        shrinkage,
        min_support,
        max(1, min(k_stored, n_items - 1)),
        max(1, min(n_items, numba.get_num_threads() * BLOCKS_PER_THREAD)),
    )
    stored = np.arange(neighbours.shape[1]) < counts[:, np.newaxis]
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Neighbours(indptr, neighbours[stored], sims[stored])


def quantise(neighbours: Neighbours) -> Quantised:
    """Pack similarities into 16 bits: `q = round((sim_ij / sim_scale_i)^(4/5))`, the inverse of `unpack`.

    The error is below 1e-5, and every positive similarity stays positive: an item's only neighbour, however weak,
    carries its whole prediction.
    """
    indptr, indices, sims = neighbours
    n_items = len(indptr) - 1
    lengths = np.diff(indptr)
    strongest = np.zeros(n_items)
    strongest[lengths > 0] = sims[indptr[:-1][lengths > 0]]  # rows are ordered by falling similarity
    scale = (strongest / unpack(np.array([QUANTA], dtype=np.uint16))).astype(np.float32)
    quanta = (sims / np.repeat(scale.astype(np.float64), lengths)) ** (1 / UNPACK_POWER)
    values = np.rint(quanta).clip(1, QUANTA).astype(np.uint16)
    return Quantised(indptr, indices.astype(index_type(n_items)), values, scale)
