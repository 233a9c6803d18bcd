"""Methods that learn from the entries of lists, not from scores: item-kNN, ALS and EASE."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.linalg
import scipy.sparse
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from implicit.utils import ParameterWarning
from threadpoolctl import threadpool_limits

from hakken.errors import TableError
from hakken.evaluation.method import ComparisonMethod
from hakken.evaluation.protocol import Split, TestUser
from hakken.model.arrays import Array, Float64s

NEIGHBOURS = 50
FACTORS, REGULARISATION, ITERATIONS = 128, 0.1, 15
EASE_REGULARISER = 200.0
SEED = 0


class _OnLists(ComparisonMethod):
    """Base of these methods: a list is a row of ones."""

    def _matrix(self, split: Split) -> scipy.sparse.csr_matrix:
        """`(n_users, n_items)` float32 CSR: 1 where the training user has the item on their list."""
        table = split.training
        ones = np.ones(len(table), dtype=np.float32)
        return scipy.sparse.csr_matrix((ones, (table.users, table.items)), (table.n_users, split.n_items))

    def _row(self, user: TestUser) -> scipy.sparse.csr_matrix:
        """`(1, n_items)` float32 CSR: the same for the given list."""
        items = self._split.items_of(user.given.ratings)
        ones = np.ones(len(items), dtype=np.float32)
        return scipy.sparse.csr_matrix((ones, (np.zeros(len(items), dtype=np.int32), items)), (1, self._split.n_items))


class ItemKnn(_OnLists):
    """`score_i = Σ_{j on the list} cos_ij` over the 50 items that are nearest to each."""

    name = "item-knn"
    title = "item-kNN"
    note = f"the library `implicit`: cosine between titles' rows, the {NEIGHBOURS} nearest of each"

    def _fit(self, split: Split) -> None:
        model = CosineRecommender(K=NEIGHBOURS + 1)  # an item is its own nearest neighbour
        with _implicit_settings():
            model.fit(self._matrix(split), show_progress=False)
        self._similarities = model.similarity.tocsr()

    def scores(self, user: TestUser) -> Float64s:
        """Sum of each item's similarities to the items on the list."""
        return np.asarray((self._row(user) @ self._similarities.T).toarray(), dtype=np.float64).ravel()


class Als(_OnLists):
    """Alternating least squares on implicit feedback: Hu, Koren & Volinsky (ICDM 2008)."""

    name = "als"
    title = "ALS"
    note = f"the library `implicit`: matrix factorisation, {FACTORS} factors; it folds in users"

    def _fit(self, split: Split) -> None:
        with _implicit_settings():
            self._model = AlternatingLeastSquares(
                factors=FACTORS, regularization=REGULARISATION, iterations=ITERATIONS, random_state=SEED
            )
            self._model.fit(self._matrix(split), show_progress=False)

    def scores(self, user: TestUser) -> Float64s:
        """`x_u · y_i`, the user's factors, computed with the items' fixed."""
        with threadpool_limits(1, "blas"):  # twice as fast for so small a matrix
            factors = np.ravel(self._model.recalculate_user(0, self._row(user)))
        return np.asarray(self._model.item_factors @ factors, dtype=np.float64)


class Ease(_OnLists):
    """`score = x B` with `B = I − P / diag(P)`, `P = (XᵀX + λI)⁻¹`: Steck (WWW 2019), equation 8."""

    name = "ease"
    title = "EASE"
    note = f"closed form, λ {EASE_REGULARISER:g}, with all weights"
    keep: int | None = None
    """Weights to keep for each scored item, the largest by absolute value; None: all."""

    def _fit(self, split: Split) -> None:
        matrix = self._matrix(split)
        self._weights = ease_weights((matrix.T @ matrix).toarray(order="C"), EASE_REGULARISER)
        if self.keep is not None:
            cut(self._weights, self.keep)

    def scores(self, user: TestUser) -> Float64s:
        """Sum of the weights from the items on the list to each item."""
        items = self._split.items_of(user.given.ratings)
        return np.asarray(self._weights[items].sum(axis=0, dtype=np.float64))


class Ease200(Ease):
    """EASE, reduced to the size of an artefact."""

    name = "ease-200"
    title = "EASE, top 200"
    note = "the same with only the 200 largest weights of each title, as many as an artefact could hold"
    keep = 200


def ease_weights(gram: Array, reg: float) -> Array:
    """Solve EASE; float32 is precise enough, and halves the memory of the square matrix.

    Args:
        gram: `(n_items, n_items)` float32, XᵀX in C order; it is overwritten.
        reg: λ.

    Returns:
        `(n_items, n_items)` float32: the weight of column i's score on row j; 0 on the diagonal.

    Raises:
        TableError: the sums are too large for 32 bits.
    """
    diagonal = np.diag_indices_from(gram)
    gram[diagonal] += reg
    # LAPACK works on columns, in place; the matrix is symmetric, so its columns are its rows.
    factor, failed = scipy.linalg.lapack.spotrf(gram.T, lower=0, overwrite_a=1)
    if failed:
        raise TableError("EASE can't be solved for this table: its sums of products are not positive definite.")
    inverse, _ = scipy.linalg.lapack.spotri(factor, lower=0, overwrite_c=1)
    for i in range(1, len(inverse)):  # LAPACK computes only one half
        inverse[i, :i] = inverse[:i, i]
    inverse /= -inverse[diagonal].copy()
    inverse[diagonal] = 0
    return np.ascontiguousarray(inverse)


def cut(weights: Array, keep: int) -> None:
    """Set all but the `keep` largest weights of each column, by size, to 0, in place."""
    for column in weights.T:
        if keep < len(column):
            column[np.argpartition(-np.abs(column), keep)[keep:]] = 0


@contextmanager
def _implicit_settings() -> Iterator[None]:
    """Limit BLAS to one thread, as `implicit` requires, and ignore its warning about a matrix that it made itself."""
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)
        yield
