"""The scored entries as a sparse matrix, by user and by item, and their biases."""

from dataclasses import dataclass

import numpy as np

from hakken.errors import TableError
from hakken.model.arrays import Array, Float64s, Int32s, Int64s
from hakken.training.kernels import update_biases
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
    def of(cls, table: RatingTable) -> "ScoreMatrix":
        """Build the matrix of a table's scored entries; predictions do not use the others.

        Raises:
            TableError: there are none, or too many for 32-bit positions.
        """
        scored = table.scores > 0
        users, scores = table.users[scored], table.scores[scored]
        if not len(users):
            raise TableError("No entry of the rating table has a score: there is nothing to train from.")
        if len(users) > np.iinfo(np.uint32).max:
            raise TableError("The rating table is too large: positions of scores have 32 bits.")
        return cls.of_entries(users, table.items[scored], scores, table.n_users, len(table.anime_ids))

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

    def residuals(self, b_u: Float64s, b_i: Float64s) -> Float64s:
        """`r_ui − b_ui` of each entry in the user order, `(n_scored,)` float64, score points."""
        per_entry = np.repeat(self.mu + b_u, np.diff(self.user_indptr))
        per_entry += b_i[self.user_items]
        return np.subtract(self.user_scores, per_entry, out=per_entry)


def indptr_of(rows: Array, n_rows: int) -> Int64s:
    """Where each row begins, `(n_rows + 1,)`, if the entries with these rows, `(n,)`, are sorted by them."""
    return np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=n_rows)))).astype(np.int64)


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
    m, item_scores = matrix, matrix.user_scores[matrix.item_positions]
    with progress.stage("biases", n_epochs, "rounds") as advance:
        for _ in range(n_epochs):
            in_parts(update_biases, b_i, m.item_indptr, m.item_users, item_scores, b_u, m.mu, reg_i)
            in_parts(update_biases, b_u, m.user_indptr, m.user_items, m.user_scores, b_i, m.mu, reg_u)
            advance(1)
    return b_u, b_i
