"""Simple rules: popularity, means, baselines, and the rule of the original Hakken."""

import numpy as np

from hakken.evaluation.method import ComparisonMethod
from hakken.evaluation.protocol import Split, TestUser
from hakken.model import TEXTBOOK
from hakken.model.arrays import Float64s, Int64s
from hakken.training.matrix import ScoreMatrix, als_baselines
from hakken.training.similarities import all_similarities


class Popularity(ComparisonMethod):
    """How many training users have a title on their lists, for every user the same."""

    name = "popularity"
    title = "popularity"
    note = "how many training users have the title on their lists; the same for everyone"

    def _fit(self, split: Split) -> None:
        self._counts = np.bincount(split.training.items, minlength=split.n_items).astype(np.float64)

    def scores(self, user: TestUser) -> Float64s:  # noqa: ARG002  # interface
        """Entries of each item, scored or not."""
        return self._counts


class ItemMean(ComparisonMethod):
    """The mean of a title's scores, for every user the same."""

    name = "item-mean"
    title = "item mean"
    note = "the mean of the title's scores; the same for everyone"
    predicts = True

    def _fit(self, split: Split) -> None:
        scored = split.training.scores > 0
        items, given = split.training.items[scored], split.training.scores[scored]
        counts = np.bincount(items, minlength=split.n_items)
        sums = np.bincount(items, given, minlength=split.n_items)
        self._means: Float64s = np.divide(sums, counts, out=np.full(split.n_items, given.mean()), where=counts > 0)

    def scores(self, user: TestUser) -> Float64s:  # noqa: ARG002  # interface
        """Mean score of each item; that of all scores for one that nobody scored."""
        return self._means


class Baseline(ComparisonMethod):
    """`mu + b_u + b_i`: the prediction without neighbours. It ranks by `b_i`."""

    name = "baseline"
    title = "baseline"
    note = "`mu + b_u + b_i`, regularised by 15 and 10: KNN-with-baseline without neighbours"
    predicts = True

    def _fit(self, split: Split) -> None:
        self._fit_biases(split)

    def scores(self, user: TestUser) -> Float64s:
        """Baseline of each item."""
        return self._fold_in(user)[0]

    def _fit_biases(self, split: Split) -> tuple[ScoreMatrix, Float64s]:
        """Fit the biases; return the matrix and its residuals."""
        matrix = ScoreMatrix.of(split.training)
        self._mu = matrix.mu
        b_u, self._b_i = als_baselines(matrix, TEXTBOOK.reg_u, TEXTBOOK.reg_i, TEXTBOOK.n_epochs)
        return matrix, matrix.residuals(b_u, self._b_i)

    def _fold_in(self, user: TestUser) -> tuple[Float64s, Int64s, Float64s]:
        """Fold in a user's bias.

        Returns:
            `b_ui` of each training item, `(n_items,)`; the items that the user scored, `(n_rated,)`; and `r_uj − b_uj`
            of these, `(n_rated,)`; score points.
        """
        known = set(self._split.training.anime_ids.tolist())
        scored = [one for one in user.given.scored if one.anime_id in known]
        items, scores = self._split.items_of(scored), np.array([one.score for one in scored], dtype=np.int64)
        from_item = scores - self._mu - self._b_i[items]
        b_u = from_item.sum() / (TEXTBOOK.reg_u + len(items))
        return self._mu + b_u + self._b_i, items, from_item - b_u


class Original(Baseline):
    """Order by predicted rating, by KNN-with-baseline as in the original Hakken."""

    name = "original"
    title = "original Hakken's rule"
    note = (
        "the highest rating that KNN-with-baseline predicts, with the original's settings (k 20, shrinkage 100) and "
        "all neighbours; the user's own bias is folded in"
    )

    def _fit(self, split: Split) -> None:
        self._sims = all_similarities(*self._fit_biases(split), TEXTBOOK.shrinkage, TEXTBOOK.min_support)
        np.fill_diagonal(self._sims, 0)  # an item is not its own neighbour

    def scores(self, user: TestUser) -> Float64s:
        """`r_hat` of each item."""
        baseline, items, residuals = self._fold_in(user)
        # The matrix is symmetric, and rows are contiguous.
        return baseline + interpolated(self._sims[items].T, residuals, TEXTBOOK.k)


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
