"""The scored entries as a sparse matrix, once by user and once by item."""

from dataclasses import dataclass

import numpy as np

from hakken.errors import TableError
from hakken.model.arrays import Float64s, Int32s, Int64s
from hakken.training.tables import RatingTable


@dataclass(frozen=True, eq=False)
class Half:
    """One orientation: entries of row `r` are `indptr[r]:indptr[r + 1]`, ordered by column.

    Attributes:
        indptr: `(n_rows + 1,)` int64.
        indices: `(n_scored,)` int32, column of each entry.
        scores: `(n_scored,)` float64, score points.
    """

    indptr: Int64s
    indices: Int32s
    scores: Float64s


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """All scored entries, both ways.

    Attributes:
        by_user: rows are users, columns are items.
        by_item: rows are items, columns are users.
        mu: mean score.
    """

    by_user: Half
    by_item: Half
    mu: float

    @classmethod
    def of(cls, table: RatingTable) -> "ScoreMatrix":
        """Take the scored entries of a table; unscored ones play no part in a prediction.

        Raises:
            TableError: there is none.
        """
        scored = table.scores > 0
        if not scored.any():
            raise TableError("No entry of the rating table has a score: there is nothing to train from.")
        users, items = table.users[scored], table.items[scored]
        scores = table.scores[scored].astype(np.float64)
        turned = np.argsort(items, kind="stable")
        return cls(
            by_user=Half(_indptr(users, table.n_users), items, scores),
            by_item=Half(_indptr(items, len(table.anime_ids)), users[turned], scores[turned]),
            mu=float(scores.mean()),
        )

    @property
    def n_scored(self) -> int:
        """How many entries have a score."""
        return len(self.by_user.scores)


def _indptr(rows: Int32s, n_rows: int) -> Int64s:
    return np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=n_rows)))).astype(np.int64)
