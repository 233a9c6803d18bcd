"""The scored entries as a sparse matrix, by user and by item, and their biases."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hakken.errors import TableError
from hakken.model.arrays import Array, Float64s, Int32s, Int64s
from hakken.training.kernels import sum_deviations
from hakken.training.progress import SILENT, Progress
from hakken.training.tables import RatingTable
from hakken.training.threads import in_parts


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """All scored entries, sorted by user and item (CSR) and, transposed, by item and user (CSC).

    Attributes:
        mu: mean score.
        user_indptr: `(n_users + 1,)` int64, where each user's row begins.
        user_items: `(n_scored,)` uint16, or uint32 where there are more than 65,536 items: item of each entry.
        user_scores: `(n_scored,)` int8, score points; or float64, of other entries than a rating table's.
        item_indptr: `(n_items + 1,)` int64, where each item's column begins.
        item_users: `(n_scored,)` int32, user of each entry, transposed.
        item_positions: `(n_scored,)` uint32, index of each transposed entry in the user order.
    """

    mu: float
    user_indptr: Int64s
    user_items: Array
    user_scores: Array
    item_indptr: Int64s
    item_users: Int32s
    item_positions: Array

    @property
    def both_orders(self) -> tuple[Int64s, Int32s, Array, Int64s, Array]:
        """What kernels need to go from an item to its users and from each to their items, in their order."""
        return self.item_indptr, self.item_users, self.item_positions, self.user_indptr, self.user_items

    @classmethod
    def of(cls, *tables: RatingTable) -> "ScoreMatrix":
        """Build the matrix of the scored entries of tables of different users, who are put one table after the other.

        Predictions do not use the other entries. The tables have the same items.

        Raises:
            TableError: there are too many for 32-bit positions.
        """
        chosen = [table.scores > 0 for table in tables]
        first = np.cumsum([0, *(table.n_users for table in tables)]).astype(np.int32)
        each = list(zip(tables, chosen, strict=True))
        users = np.concatenate(
            [begin + table.users[scored] for begin, (table, scored) in zip(first, each, strict=False)]
        )
        if len(users) > np.iinfo(np.uint32).max:
            raise TableError("The rating table is too large: positions of scores have 32 bits.")
        items = np.concatenate([table.items[scored] for table, scored in each])
        scores = np.concatenate([table.scores[scored] for table, scored in each])
        return cls.of_entries(users, items, scores, int(first[-1]), len(tables[0].anime_ids))

    @classmethod
    def of_entries(cls, users: Int32s, items: Array, scores: Array, n_users: int, n_items: int) -> "ScoreMatrix":
        """Build the matrix of entries that are sorted by user, then item."""
        items = items.astype(np.uint16 if n_items <= np.iinfo(np.uint16).max + 1 else np.uint32)
        positions = np.argsort(items, kind="stable").astype(np.uint32)
        return cls(
            mu=float(scores.mean(dtype=np.float64)) if len(scores) else 0.0,
            user_indptr=indptr_of(users, n_users),
            user_items=items,
            user_scores=scores,
            item_indptr=indptr_of(items, n_items),
            item_users=users[positions],
            item_positions=positions,
        )

    @property
    def n_users(self) -> int:
        """Number of rows; some may be empty."""
        return len(self.user_indptr) - 1

    @property
    def n_items(self) -> int:
        """Number of columns; some may be empty."""
        return len(self.item_indptr) - 1

    @property
    def raters(self) -> Int32s:
        """`(n_items,)` int32: number of users who scored each item."""
        return np.diff(self.item_indptr).astype(np.int32)

    @cached_property
    def _item_scores(self) -> Array:
        return self.user_scores[self.item_positions]

    def item_deviations(self, b_u: Float64s) -> Float64s:
        """Σ_u (r_ui − mu − b_u) of each item, `(n_items,)` float64, which is additive over users."""
        sums = np.empty(self.n_items)
        in_parts(sum_deviations, sums, self.item_indptr, self.item_users, self._item_scores, b_u, self.mu)
        return sums

    def user_biases(self, b_i: Float64s, reg_u: float) -> Float64s:
        """The users' biases with the items' fixed, `(n_users,)` float64: a half-step of `als_baselines`."""
        sums = np.empty(self.n_users)
        in_parts(sum_deviations, sums, self.user_indptr, self.user_items, self.user_scores, b_i, self.mu)
        return solved(sums, np.diff(self.user_indptr), reg_u)

    def residuals(self, b_u: Float64s, b_i: Float64s) -> Float64s:
        """`r_ui − b_ui` of each entry in the user order, `(n_scored,)` float64, score points."""
        per_entry = np.repeat(self.mu + b_u, np.diff(self.user_indptr))
        per_entry += b_i[self.user_items]
        return np.subtract(self.user_scores, per_entry, out=per_entry)


def indptr_of(rows: Array, n_rows: int) -> Int64s:
    """Where each row begins, `(n_rows + 1,)`, if the entries with these rows, `(n,)`, are sorted by them."""
    return np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=n_rows)))).astype(np.int64)


def solved(deviations: Float64s, counts: Array, reg: float) -> Float64s:
    """Biases from sums over their entries: b_r = Σ_c (r_rc − mu − b_c) / (reg + |R(r)|); 0 for a row without any."""
    weights = reg + counts
    return np.divide(deviations, weights, out=np.zeros(len(deviations)), where=weights > 0)


def als_baselines(
    matrix: ScoreMatrix, reg_u: float, reg_i: float, n_epochs: int, progress: Progress = SILENT
) -> tuple[Float64s, Float64s]:
    """Estimate the biases of users and items by alternating least squares.

        min Σ (r_ui − mu − b_u − b_i)² + reg_u Σ b_u² + reg_i Σ b_i²

    Koren, "Factor in the neighbors" (TKDD 2010), section 2.1; the steps have Surprise's order: items, then users, so
    that folding in a training user gives exactly that user's bias.

    Returns:
        `b_u` `(n_users,)` and `b_i` `(n_items,)`, float64, score points; 0 for a row without a score.
    """
    b_u, b_i = np.zeros(matrix.n_users), np.zeros(matrix.n_items)
    with progress.stage("biases", n_epochs, "rounds") as advance:
        for _ in range(n_epochs):
            b_i = solved(matrix.item_deviations(b_u), matrix.raters, reg_i)
            b_u = matrix.user_biases(b_i, reg_u)
            advance(1)
    return b_u, b_i
