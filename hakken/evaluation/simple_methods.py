"""Simple rules: popularity, means, baselines, and the rule of the original Hakken."""

from collections.abc import Callable

import numpy as np

from hakken.evaluation.methods import Scores, scoring
from hakken.evaluation.protocol import Split, TestUser
from hakken.model import TEXTBOOK
from hakken.model.arrays import Float64s, Int64s
from hakken.training.matrix import ScoreMatrix, als_baselines
from hakken.training.similarities import all_similarities


@scoring("popularity", "popularity", "how many training users have the title on their lists; the same for everyone")
def popularity(split: Split) -> Scores:
    """Entries of each item, scored or not."""
    counts = np.bincount(split.training.items, minlength=split.n_items).astype(np.float64)
    return lambda _: counts


@scoring("item-mean", "item mean", "the mean of the title's scores; the same for everyone", predicts=True)
def item_mean(split: Split) -> Scores:
    """Mean score of each item; that of all scores for one that nobody scored."""
    scored = split.training.scores > 0
    items, given = split.training.items[scored], split.training.scores[scored]
    counts = np.bincount(items, minlength=split.n_items)
    sums = np.bincount(items, given, minlength=split.n_items)
    means: Float64s = np.divide(sums, counts, out=np.full(split.n_items, given.mean()), where=counts > 0)
    return lambda _: means


@scoring(
    "baseline",
    "baseline",
    "`mu + b_u + b_i`, regularised by 15 and 10: KNN-with-baseline without neighbours",
    predicts=True,
)
def baseline(split: Split) -> Scores:
    """Baseline of each item; it ranks by `b_i`."""
    fold_in, *_ = _biases(split)
    return lambda user: fold_in(user)[0]


@scoring(
    "original",
    "original Hakken's rule",
    "the highest rating that KNN-with-baseline predicts, with the original's settings (k 20, shrinkage 100) and all "
    "neighbours; the user's own bias is folded in",
    predicts=True,
)
def original(split: Split) -> Scores:
    """`r_hat` of each item."""
    fold_in, matrix, of_training = _biases(split)
    sims = all_similarities(matrix, of_training, TEXTBOOK.shrinkage, TEXTBOOK.min_support)
    np.fill_diagonal(sims, 0)  # an item is not its own neighbour

    def scores(user: TestUser) -> Float64s:
        b_ui, items, residuals = fold_in(user)
        # The matrix is symmetric, and rows are contiguous.
        return b_ui + interpolated(sims[items].T, residuals, TEXTBOOK.k)

    return scores


def _biases(
    split: Split,
) -> tuple[Callable[[TestUser], tuple[Float64s, Int64s, Float64s]], ScoreMatrix, Float64s]:
    """Fit the biases.

    Returns:
        What folds in a user's bias, and returns `b_ui` of each training item, `(n_items,)`, the items that the user
        scored, `(n_rated,)`, and `r_uj − b_uj` of these, `(n_rated,)`, score points; the matrix; and its residuals.
    """
    matrix = ScoreMatrix.of(split.training)
    of_users, b_i = als_baselines(matrix, TEXTBOOK.reg_u, TEXTBOOK.reg_i, TEXTBOOK.n_epochs)
    known = set(split.training.anime_ids.tolist())

    def fold_in(user: TestUser) -> tuple[Float64s, Int64s, Float64s]:
        scored = [one for one in user.given.scored if one.anime_id in known]
        items, scores = split.items_of(scored), np.array([one.score for one in scored], dtype=np.int64)
        from_item = scores - matrix.mu - b_i[items]
        b_u = from_item.sum() / (TEXTBOOK.reg_u + len(items))
        return matrix.mu + b_u + b_i, items, from_item - b_u

    return fold_in, matrix, matrix.residuals(of_users, b_i)


def interpolated(sims: Float64s, residuals: Float64s, k: int) -> Float64s:
    """`Σ sim_ij (r_uj − b_uj) / Σ sim_ij` over the k most similar rated items, of positive similarities only.

    `sims` is `(n_items, n_rated)`; of equal similarities the earlier rating is taken, as Surprise does.

    Returns:
        `(n_items,)` float64, score points; 0 for an item without a neighbour.
    """
    sims = sims.clip(min=0)
    near = np.broadcast_to(residuals, sims.shape)
    if sims.shape[1] > k:
        nearest = np.argsort(-sims, axis=1, kind="stable")[:, :k]
        sims, near = np.take_along_axis(sims, nearest, axis=1), residuals[nearest]
    total = sims.sum(axis=1)
    added: Float64s = np.divide((sims * near).sum(axis=1), total, out=np.zeros(len(sims)), where=total > 0)
    return added
