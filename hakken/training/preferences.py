"""Preference weights: a linear item-item model of what people watch and like, in closed form.

    min ‖X − XW‖² + Σ_i (λ + δ G_ii) ‖w_i·‖²,  diag(W) = 0,  G = XᵀX
    P = (G + diag(λ + δ G_ii))⁻¹,  w_ji = −P_ji / P_ii  (j ≠ i),  δ = dropout / (1 − dropout)

X is users × anime; an entry says how much it was liked (`hakken.model.preference`), times (n_u / 100)^−activity:
the n_u entries of one list add n_u² products to G, so that the longest would drown the others. Steck, "Embarrassingly
shallow autoencoders for sparse data" (WWW 2019); dropout: Steck, "Autoencoders that don't overfit towards the identity"
(NeurIPS 2020). Of each title `i` the `k_stored` strongest weights are kept, which costs nothing: it regularises.

Titles that fewer than `min_watchers` people have on their lists get no weights: nothing dependable is known of them.
"""

from typing import NamedTuple

import numpy as np
from numba import get_num_threads
from scipy.linalg import lapack
from scipy.sparse import csr_array

from hakken.model.arrays import Array, Float32s, Float64s, Int64s, index_type
from hakken.model.manifest import Parameters
from hakken.model.preference import USUAL_LENGTH, liking_of, shrunk_mean
from hakken.ratings import CODE_OF_STATUS, Status
from hakken.training.kernels import add_co_watching
from hakken.training.progress import SILENT, Progress
from hakken.training.similarities import ITEMS_AT_ONCE
from hakken.training.tables import UNKNOWN_STATUS, RatingTable

QUANTA = 2**15 - 1
"""A stored value of this much is its title's strongest weight."""


class PreferenceWeights(NamedTuple):
    """Weights as an artefact stores them; see `hakken.model.arrays.Arrays`."""

    indptr: Int64s
    indices: Array
    values: Array
    scale: Float32s
    watchers: Array

    def arrays(self) -> dict[str, Array]:
        """By the names of the model's arrays."""
        return {name if name == "watchers" else f"pref_{name}": array for name, array in self._asdict().items()}


def preference_weights(
    table: RatingTable, mu: float, parameters: Parameters, progress: Progress = SILENT
) -> PreferenceWeights:
    """Learn the weights from all entries of a table, scored or not, but those planned or of unknown status.

    Args:
        table: the ratings.
        mu: mean score.
        parameters: `liking`, `unscored`, `activity`, `pref_reg`, `dropout`, `min_watchers`, `k_stored`.
        progress: told of each stage.
    """
    with progress.stage("liking"):
        liked = liked_matrix(table, mu, parameters)
        watchers = np.bincount(liked.indices, minlength=liked.shape[1]).astype(np.int32)
        kept = np.flatnonzero(watchers >= parameters.min_watchers)
        liked = liked[:, kept]
    gram = co_watching(liked, progress)
    with progress.stage("preferences", len(kept), "anime") as advance:
        inverse = _inverse(gram, parameters)
        strongest = _strongest(inverse, parameters.k_stored)
        advance(len(kept))
    return _stored(strongest, kept, watchers)


def liked_matrix(table: RatingTable, mu: float, parameters: Parameters) -> csr_array:
    """X, `(n_users, n_items)` float64 CSR: how much each entry was liked and counts.

    One that is planned, or of which nobody knows whether it is, is none.
    """
    watched = ~np.isin(table.statuses, (UNKNOWN_STATUS, CODE_OF_STATUS[Status.PLAN_TO_WATCH]))
    users, items, scores = table.users[watched], table.items[watched], table.scores[watched]
    scored = scores > 0
    count = np.bincount(users[scored], minlength=table.n_users)
    total = np.bincount(users[scored], weights=scores[scored], minlength=table.n_users)
    means = np.asarray(shrunk_mean(total, count, mu))[users]
    dropped = table.statuses[watched] == CODE_OF_STATUS[Status.DROPPED]
    liking = liking_of(scores, dropped, means, parameters)
    lengths = np.bincount(users, minlength=table.n_users)
    counts = (lengths.clip(1) / USUAL_LENGTH) ** -parameters.activity
    liking *= counts[users]
    indptr = np.concatenate(([0], np.cumsum(lengths)))  # a table is in the order of its users
    return csr_array((liking, items, indptr), shape=(table.n_users, len(table.anime_ids)))


def co_watching(liked: csr_array, progress: Progress = SILENT) -> Float64s:
    """G = XᵀX, of which that of all users is the sum of those of their parts.

    Args:
        liked: X, `(n_users, n_items)`, each user's entries by rising item.
        progress: told of each item.

    Returns:
        `(n_items, n_items)` float64, the upper triangle; zeros below.
    """
    n_users, n_items = liked.shape
    items = liked.indices.astype(np.uint32)  # compiled loops are faster over unsigned indices
    positions = np.argsort(items, kind="stable").astype(np.uint32)
    users = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(liked.indptr))[positions]
    begins = np.concatenate(([0], np.cumsum(np.bincount(items, minlength=n_items))))
    gram = np.zeros((n_items, n_items))
    with progress.stage("co-watching", n_items, "anime") as advance:
        for first in range(0, n_items, ITEMS_AT_ONCE):
            last = min(first + ITEMS_AT_ONCE, n_items)
            add_co_watching(
                first, last, get_num_threads(), begins, users, positions, liked.indptr, items, liked.data, gram
            )
            advance(last - first)
    return gram


def _inverse(gram: Float64s, parameters: Parameters) -> Float64s:
    """P by Cholesky's decomposition, in the upper triangle; takes the place of `gram`, which has but that."""
    if not len(gram):
        return gram
    diagonal = np.einsum("ii->i", gram)
    diagonal *= 1.0 + parameters.dropout / (1.0 - parameters.dropout)
    diagonal += parameters.pref_reg
    # Handed over turned, the array is in LAPACK's own order, and needs no copy.
    factor, failed = lapack.dpotrf(gram.T, lower=True, overwrite_a=True)
    if not failed:
        inverse, failed = lapack.dpotri(factor, lower=True, overwrite_c=True)
    if failed:
        raise np.linalg.LinAlgError("G is not positive definite, in spite of its regulariser")
    result: Float64s = inverse.T
    return result


def _strongest(inverse: Float64s, k_stored: int) -> csr_array:
    """W's rows turned, `(n, n)` CSR: for each title its strongest weights, whatever their sign."""
    n_items = len(inverse)
    k = min(k_stored, max(n_items - 1, 0))
    columns, weights = np.zeros((n_items, k), dtype=np.int32), np.zeros((n_items, k))
    for i in range(n_items):
        weight = np.concatenate((inverse[:i, i], inverse[i, i:])) / -inverse[i, i]
        weight[i] = 0.0
        chosen = np.sort(np.argpartition(-np.abs(weight), k - 1)[:k]) if k else np.zeros(0, dtype=np.int64)
        columns[i], weights[i] = chosen, weight[chosen]
    return csr_array((weights.ravel(), columns.ravel(), np.arange(n_items + 1) * k), shape=(n_items, n_items))


def _stored(strongest: csr_array, kept: Int64s, watchers: Array) -> PreferenceWeights:
    """Pack the weights into 16 bits, each title's by its strongest, and turn them so that rows are what was watched."""
    n_items = len(watchers)
    scale = np.ones(n_items, dtype=np.float32)
    if strongest.nnz:
        largest = np.abs(strongest).max(axis=1).toarray().ravel()
        scale[kept] = np.where(largest > 0, largest / QUANTA, 1.0)
    lengths = np.diff(strongest.indptr)
    values = np.rint(strongest.data / np.repeat(scale[kept].astype(np.float64), lengths)).astype(np.int16)
    watched, title = kept[strongest.indices], np.repeat(kept, lengths)
    watched, title, values = (column[values != 0] for column in (watched, title, values))
    order = np.lexsort((title, watched))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(watched, minlength=n_items)))).astype(np.int64)
    return PreferenceWeights(indptr, title[order].astype(index_type(n_items)), values[order], scale, watchers)
