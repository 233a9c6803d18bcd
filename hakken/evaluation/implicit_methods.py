"""Methods that learn from the entries of lists, not from scores: item-kNN, RP3beta, ALS and EASE."""

from functools import partial

import numpy as np
import scipy.linalg
import scipy.sparse
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from threadpoolctl import threadpool_limits

from hakken.errors import TableError
from hakken.evaluation.methods import Scores, scoring
from hakken.evaluation.protocol import Split, TestUser
from hakken.model.arrays import Array, Float64s
from hakken.training.factors import implicit_settings, list_matrix

NEIGHBOURS = 50
ALPHA, BETA, RP3_WEIGHTS = 0.8, 0.2, 5
FACTORS, REGULARISATION, ITERATIONS = 128, 0.1, 15
EASE_REGULARISER = 200.0
SEED = 0
ITEMS_AT_ONCE = 1000
"""Columns of a square matrix that are dense at the same time."""


def _row(split: Split, user: TestUser) -> scipy.sparse.csr_matrix:
    items = split.items_of(user.given.ratings)
    return list_matrix(np.zeros_like(items), items, (1, split.n_items))


@scoring(
    "item-knn", "item-kNN", f"the library `implicit`: cosine between titles' rows, the {NEIGHBOURS} nearest of each"
)
def item_knn(split: Split) -> Scores:
    """`score_i = Σ_{j on the list} cos_ij` over the 50 items that are nearest to each."""
    model = CosineRecommender(K=NEIGHBOURS + 1)  # an item is its own nearest neighbour
    with implicit_settings():
        model.fit(split.lists(), show_progress=False)
    similarities = model.similarity.tocsr()
    return lambda user: np.asarray((_row(split, user) @ similarities.T).toarray(), dtype=np.float64).ravel()


@scoring(
    "rp3beta",
    "RP3beta",
    f"random walks of three steps, alpha {ALPHA:g}, beta {BETA:g}, the {RP3_WEIGHTS} largest weights of each title: by "
    "a small grid, on a split of the training users of the salt `hakken`",
)
def rp3beta(split: Split) -> Scores:
    """`score = x W`, see `rp3beta_weights`."""
    weights = rp3beta_weights(split.lists(), ALPHA, BETA, RP3_WEIGHTS)
    return lambda user: np.asarray((_row(split, user) @ weights).toarray(), dtype=np.float64).ravel()


def rp3beta_weights(lists: scipy.sparse.csr_matrix, alpha: float, beta: float, keep: int) -> scipy.sparse.csr_matrix:
    """`w_ji = Σ_u (x_uj / n_j)^a (x_ui / n_u)^a / n_i^b`: a walk from title j to who has it, and on to title i.

    Paudel, Christoffel, Newell & Bernstein, "Updatable, accurate, diverse, and scalable recommendations for interactive
    applications" (ACM TiiS 2017). Only the `keep` largest weights on each title i are kept.

    Args:
        lists: `(n_users, n_items)` float32, x_ui: 1 where a user has an item on their list; each has one at least.
        alpha: a, exponent of the probabilities of a step.
        beta: b, exponent by which widely watched titles are lowered.
        keep: how many weights each column keeps.

    Returns:
        `(n_items, n_items)` float32 CSR; 0 on the diagonal.
    """
    of_user, of_item = (np.ravel(lists.sum(axis=axis)) for axis in (1, 0))
    to_users = scipy.sparse.diags(of_item**-alpha) @ lists.T.tocsr()
    to_items = (scipy.sparse.diags(of_user**-alpha) @ lists @ scipy.sparse.diags(of_item**-beta)).tocsc()
    parts = []
    for first in range(0, lists.shape[1], ITEMS_AT_ONCE):
        part = (to_users @ to_items[:, first : first + ITEMS_AT_ONCE]).toarray(order="F")
        np.fill_diagonal(part[first:], 0)
        cut(part, keep)
        parts.append(scipy.sparse.csr_matrix(part))
    return scipy.sparse.hstack(parts, format="csr")


@scoring("als", "ALS", f"the library `implicit`: matrix factorisation, {FACTORS} factors; it folds in users")
def als(split: Split) -> Scores:
    """`x_u · y_i`, the user's factors, computed with the items' fixed: Hu, Koren & Volinsky (ICDM 2008)."""
    with implicit_settings():
        model = AlternatingLeastSquares(
            factors=FACTORS, regularization=REGULARISATION, iterations=ITERATIONS, random_state=SEED
        )
        model.fit(split.lists(), show_progress=False)

    def scores(user: TestUser) -> Float64s:
        with threadpool_limits(1, "blas"):  # twice as fast for so small a matrix
            factors = np.ravel(model.recalculate_user(0, _row(split, user)))
        return np.asarray(model.item_factors @ factors, dtype=np.float64)

    return scores


def ease_scores(split: Split, keep: int | None = None) -> Scores:
    """`score = x B` with `B = I − P / diag(P)`, `P = (XᵀX + λI)⁻¹`: Steck (WWW 2019), equation 8.

    `keep` is the number of weights to keep for each scored item, the largest by absolute value; None: all.
    """
    matrix = split.lists()
    weights = ease_weights((matrix.T @ matrix).toarray(order="C"), EASE_REGULARISER)
    if keep is not None:
        cut(weights, keep)
    return lambda user: np.asarray(weights[split.items_of(user.given.ratings)].sum(axis=0, dtype=np.float64))


ease = scoring("ease", "EASE", f"closed form, λ {EASE_REGULARISER:g}, with all weights")(ease_scores)
ease_200 = scoring(
    "ease-200",
    "EASE, top 200",
    "the same with only the 200 largest weights of each title, as many as an artefact could hold",
)(partial(ease_scores, keep=200))


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
