"""Preference weights: a linear item-item model of what people watch and like, in closed form.

    min ‖X − XW‖² + Σ_i (λ + δ G_ii) ‖w_i·‖²,  diag(W) = 0,  G = XᵀX
    P = (G + diag(λ + δ G_ii))⁻¹,  w_ji = −P_ji / P_ii  (j ≠ i),  δ = dropout / (1 − dropout)

X is users × anime; an entry is how much it was liked (`hakken.model.preference`), times (n_u / 100)^−activity:
the n_u entries of one list add n_u² products to G, so the longest would otherwise dominate. Steck, "Embarrassingly
shallow autoencoders for sparse data" (WWW 2019); dropout: Steck, "Autoencoders that don't overfit towards the identity"
(NeurIPS 2020). Of each title `i` the `pref_stored` strongest weights are kept, fewer where few people watched it.

Titles that fewer than `min_watchers` people watched get no weights of their own, which would not be reliable. Those of
the others are multiplied by (N_i + late) / N_i, if N_i people could have watched title i (docs/time.md). Weights of
titles that may be recommended by attributes are mixed with weights from attributes and series, the more the fewer
people watched (`hakken.training.attributes`).
"""

import mmap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_array, diags_array, vstack

from hakken.catalogue import Catalogue
from hakken.model.arrays import Array, Float64s, Int32s, Int64s, index_type
from hakken.model.hyperparameters import Parameters
from hakken.model.manifest import Unwatched
from hakken.model.preference import USUAL_LENGTH, liking_of, shrunk_mean
from hakken.ratings import CODE_OF_STATUS, Status
from hakken.training import attributes as by_attributes
from hakken.training.kernels import add_co_watching
from hakken.training.matrix import ScoreMatrix, indptr_of
from hakken.training.progress import SILENT, Progress
from hakken.training.reach import list_years, lists_by_year, popularity, popularity_line, reach
from hakken.training.similarities import ITEMS_AT_ONCE
from hakken.training.tables import UNKNOWN_STATUS, RatingTable
from hakken.training.threads import in_parts

QUANTA = 2**15 - 1
"""Stored value of a title's strongest weight."""
FEWEST_STORED = 20
"""A title keeps as many weights as people watched it, plus this number."""
FEWEST_REACHED = 30
"""Lower bound of the number of people who could have watched a title."""


class Watching(NamedTuple):
    """Who watched what, as counts that are additive over people.

    Attributes:
        watchers: `(n_items,)` int32, people who watched each item.
        by_year: `(2, n_years)` int64, see `hakken.training.reach.lists_by_year`.
    """

    watchers: Int32s
    by_year: Int64s

    @classmethod
    def of(cls, table: RatingTable, years: Int64s) -> "Watching":
        """Count a table's entries; the year of an item, `(n_items,)`, is 0 if unknown."""
        watched = is_watched(table)
        watchers = np.bincount(table.items[watched], minlength=len(table.anime_ids)).astype(np.int32)
        return cls(watchers, lists_by_year(list_years(table, watched, years)))

    @classmethod
    def merged(cls, parts: Sequence["Watching"]) -> "Watching":
        """Add the counts of parts of the people, who have the same items."""
        years, counts = np.hstack([part.by_year for part in parts])
        found, numbers = np.unique(years, return_inverse=True)
        lists = np.zeros(len(found), dtype=np.int64)
        np.add.at(lists, numbers, counts)
        return cls(sum((part.watchers for part in parts[1:]), parts[0].watchers), np.array([found, lists]))

    def kept(self, parameters: Parameters) -> Int64s:
        """Indices of the items that get weights of their own, ascending."""
        return np.flatnonzero(self.watchers >= parameters.min_watchers)


def preference_weights(
    table: RatingTable, mu: float, catalogue: Catalogue, parameters: Parameters, progress: Progress = SILENT
) -> tuple[dict[str, Array], Unwatched]:
    """Learn the weights from all entries of a table, scored or not; returns what `weights_of` does.

    The table may include titles that are on no list; the catalogue may lack any fact.
    """
    with progress.stage("liking"):
        watching = Watching.of(table, facts_of(table.anime_ids, catalogue)[0])
        liked = liking_by_title(liked_matrix(table, mu, parameters)[:, watching.kept(parameters)])
    gram = upper_triangle(liked.n_items)
    with progress.stage("co-watching", liked.n_items, "anime") as advance:
        for first in range(0, liked.n_items, ITEMS_AT_ONCE):
            rows = gram[first : first + ITEMS_AT_ONCE]
            add_co_watched(liked, first, rows)
            advance(len(rows))
    return weights_of(table.anime_ids, watching, gram, catalogue, parameters, progress=progress)


def weights_of(
    anime_ids: Int32s,
    watching: Watching,
    gram: Float64s,
    catalogue: Catalogue,
    parameters: Parameters,
    *,
    progress: Progress = SILENT,
) -> tuple[dict[str, Array], Unwatched]:
    """Compute the weights from G of the items that are kept, `(n_kept, n_kept)`, which is overwritten.

    Returns:
        The arrays `watchers`, `popularity`, `pref_*` and `attr_*` of `hakken.model.arrays.Arrays`, by name; and what
        the rows of titles that come later are computed from.
    """
    watchers, by_year = watching
    with progress.stage("attributes"):
        year, members, series = facts_of(anime_ids, catalogue)
        reachable = reach(by_year, year, watchers)
        line = popularity_line(watchers, reachable, members)
        popular = popularity(watchers, reachable, members, line)
        kept = watching.kept(parameters)
        names = by_attributes.frequent_attributes(anime_ids[kept], catalogue)
        attributes = by_attributes.attributes_of(anime_ids, catalogue, names)
        siblings = by_attributes.siblings_of(series)[:, kept]
        fit = by_attributes.AttributeFit(attributes[kept], siblings[kept], watchers[kept], popular[kept])
    with progress.stage("preferences", len(kept), "anime") as advance:
        counts = np.minimum(parameters.pref_stored, FEWEST_STORED + watchers[kept])
        strongest = _strongest(_inverse(gram, parameters), counts, fit)
        advance(len(kept))
    solved, of_siblings = fit.solve(parameters.attribute_reg)
    eligible = np.isin(anime_ids, by_attributes.judged_by_attributes(catalogue))
    own, share = by_attributes.mixing(watchers, popular, eligible, parameters.attribute_support)
    own *= 1.0 + parameters.late / reachable.clip(FEWEST_REACHED)
    own_rows = csr_array((own[kept], (kept, np.arange(len(kept)))), shape=(len(watchers), len(kept)))
    weights = own_rows @ strongest + diags_array(share * of_siblings) @ siblings
    mixed = by_attributes.packed(share.astype(np.float32), attributes, solved, kept)
    learnt = {"watchers": watchers, "popularity": popular, **packed_weights(weights.tocsr(), kept), **mixed}
    return learnt, Unwatched(names, of_siblings, line, tuple(zip(*by_year.tolist(), strict=True)))


def facts_of(anime_ids: Int32s, catalogue: Catalogue) -> Int64s:
    """Year and members of each item, 0 if unknown, and id of its series, `(3, n_items)` int64."""
    columns = catalogue.columns
    known = np.isin(anime_ids, columns.ids)
    positions = np.searchsorted(columns.ids, anime_ids[known])
    facts = np.zeros((3, len(anime_ids)), dtype=np.int64)
    facts[2] = anime_ids
    facts[:, known] = [column[positions] for column in (columns.year, columns.members, columns.series)]
    return facts


def is_watched(table: RatingTable) -> Array:
    """`(n,)` bool: which entries of a table were certainly watched."""
    return ~np.isin(table.statuses, (UNKNOWN_STATUS, CODE_OF_STATUS[Status.PLAN_TO_WATCH]))


def liked_matrix(table: RatingTable, mu: float, parameters: Parameters) -> csr_array:
    """X, `(n_users, n_items)` float64 CSR: how much each entry was liked, weighted."""
    users, scores, watched = table.users, table.scores, is_watched(table)
    scored = watched & (scores > 0)
    count = np.bincount(users[scored], minlength=table.n_users)
    total = np.bincount(users[scored], weights=scores[scored], minlength=table.n_users)
    means = np.asarray(shrunk_mean(total, count, mu))[users]
    liking = liking_of(scores, table.statuses == CODE_OF_STATUS[Status.DROPPED], means, parameters)
    liking[table.statuses == UNKNOWN_STATUS] = parameters.unknown
    liking[table.statuses == CODE_OF_STATUS[Status.PLAN_TO_WATCH]] = parameters.planned
    lengths = np.bincount(users, weights=watched, minlength=table.n_users)
    liking *= ((lengths.clip(1) / USUAL_LENGTH) ** -parameters.activity)[users]
    counts = liking != 0
    users, items, liking = users[counts], table.items[counts], liking[counts]
    indptr = indptr_of(users, table.n_users)  # entries are sorted by user
    return csr_array((liking, items, indptr), shape=(table.n_users, len(table.anime_ids)))


def liking_by_title(liked: csr_array) -> ScoreMatrix:
    """X as a matrix that can be read by title too; each user's entries ascend by item."""
    users = np.repeat(np.arange(liked.shape[0], dtype=np.int32), np.diff(liked.indptr))
    return ScoreMatrix.of_entries(users, liked.indices, liked.data, *liked.shape)


def add_co_watched(liked: ScoreMatrix, first: int, rows: Float64s) -> None:
    """Add XᵀX, which is additive over users, to rows of G from `first` on, `(n, n_items)`, in the upper triangle."""
    in_parts(add_co_watching, first, first + len(rows), *liked.both_orders, liked.user_scores, rows)


def upper_triangle(n_items: int) -> Float64s:
    """Zeros for G, `(n_items, n_items)` float64, of which a half that is never written takes no memory.

    NumPy asks the system for pages so large that each would hold some of the other half.
    """
    memory = mmap.mmap(-1, max(1, n_items**2 * np.dtype(np.float64).itemsize))
    return np.frombuffer(memory, dtype=np.float64, count=n_items**2).reshape(n_items, n_items)


def _inverse(gram: Float64s, parameters: Parameters) -> Float64s:
    """P by Cholesky decomposition, in the upper triangle; overwrites `gram`, of which only that triangle is used."""
    if not len(gram):
        return gram
    diagonal = np.einsum("ii->i", gram)
    diagonal *= 1.0 + parameters.dropout / (1.0 - parameters.dropout)
    diagonal += parameters.pref_reg
    # The transposed array has LAPACK's order, and is not copied.
    factor, failed = lapack.dpotrf(gram.T, lower=True, overwrite_a=True, clean=False)
    if not failed:
        inverse, failed = lapack.dpotri(factor, lower=True, overwrite_c=True)
    if failed:
        raise np.linalg.LinAlgError("G is not positive definite despite its regulariser")
    result: Float64s = inverse.T
    return result


def _strongest(inverse: Float64s, counts: Int32s, fit: by_attributes.AttributeFit) -> csr_array:
    """Transpose of W, `(n, n)` CSR, from P's upper triangle: of each title its `counts` strongest weights, of any sign.

    All weights are passed to `fit`, in blocks.
    """
    n_items, rows = len(counts), [csr_array((0, len(counts)))]
    for first in range(0, n_items, ITEMS_AT_ONCE):
        last = min(first + ITEMS_AT_ONCE, n_items)
        block = np.empty((last - first, n_items))
        block[:, :first] = inverse[:first, first:last].T
        block[:, first:] = inverse[first:last, first:]
        corner = block[:, first:last]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
        block /= -corner.diagonal()[:, np.newaxis]
        np.fill_diagonal(corner, 0.0)
        fit.add(first, block)
        for weights, count in zip(block, counts[first:last].tolist(), strict=True):
            k = min(count, n_items - 1)
            weights[np.argpartition(-np.abs(weights), k - 1)[k:]] = 0.0
        rows.append(csr_array(block))
    return vstack(rows, format="csr")


def packed_weights(weights: csr_array, kept: Int64s) -> dict[str, Array]:
    """Pack weights into 16 bits, each title's by its strongest, and transpose them.

    Rows of `weights` are titles, columns the watched titles `kept`.

    Returns:
        The arrays `pref_*` of `hakken.model.arrays.Arrays`, by name.
    """
    n_items = weights.shape[0]
    largest = np.abs(weights).max(axis=1).toarray().ravel() if weights.nnz else np.zeros(n_items)
    scale = np.where(largest > 0, largest / QUANTA, 1.0).astype(np.float32)
    values = np.rint(weights.data / np.repeat(scale.astype(np.float64), np.diff(weights.indptr))).astype(np.int16)
    by_watched = csr_array((values, weights.indices, weights.indptr), shape=weights.shape).T.tocsr()
    by_watched.eliminate_zeros()
    return {
        "pref_indptr": indptr_of(np.repeat(kept, np.diff(by_watched.indptr)), n_items),
        "pref_indices": by_watched.indices.astype(index_type(n_items)),
        "pref_values": by_watched.data,
        "pref_scale": scale,
    }
