"""scikit-surprise's SVD, SVD++ and KNNBaseline, none of which can fold in a user.

They are also trained on the given lists of the test users, which tell them more about the titles too. Surprise
predicts pair by pair and takes minutes for a whole catalogue, so scores are computed here from its fitted arrays, for
one user at a time; they equal its `estimate`.
"""

import math
import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import TextIOBase

import numpy as np
import surprise

from hakken.evaluation.comparison_methods.simple import interpolated
from hakken.evaluation.method import ComparisonMethod
from hakken.evaluation.protocol import Split, TestUser
from hakken.model.arrays import Float64s, Int64s
from hakken.model.manifest import TEXTBOOK
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.training.progress import SILENT, Advance, Progress

SEED = 0
EPOCHS = 20
NEIGHBOURS = 40
"""Both are Surprise's defaults."""


class SurpriseMethod(ComparisonMethod):
    """Base of these methods: the trainset, and items that are not in it."""

    folds_in = False
    predicts = True
    epochs: int | None = None
    """Epochs of a fit that are reported as progress."""

    def fit(self, split: Split, progress: Progress = SILENT) -> None:
        """Train on a split and the given lists; each epoch is reported, and may stop the run."""
        self._split = split
        with (
            progress.stage(f"fitting {self.title}", self.epochs, "epochs") as advance,
            redirect_stdout(_Epochs(advance)),
        ):
            self._fit(split)

    def _fit(self, split: Split) -> None:
        self._trainset = trainset = trainset_of(split)
        algorithm = self._algorithm()
        algorithm.fit(trainset)
        known = {trainset.to_raw_iid(i): i for i in trainset.all_items()}
        inner = np.array([known.get(anime_id, -1) for anime_id in split.training.anime_ids.tolist()], dtype=np.int64)
        self._known = inner >= 0
        self._inner = inner[self._known]
        self._fitted = algorithm

    def scores(self, user: TestUser) -> Float64s:
        """`r_hat` of each item; mean and user bias for an item that nobody scored."""
        u = self._trainset.to_inner_uid(user.name)
        r_hat = np.full(self._split.n_items, self._trainset.global_mean + self._fitted.bu[u])
        r_hat[self._known] += self._fitted.bi[self._inner] + self._beyond_biases(u, self._inner)
        return r_hat

    @abstractmethod
    def _algorithm(self) -> surprise.AlgoBase:
        """Create Surprise's algorithm, not yet fitted."""

    @abstractmethod
    def _beyond_biases(self, u: int, items: Int64s) -> Float64s:
        """Difference of `r_hat` to the baseline, `(len(items),)`, score points; inner ids."""


class SurpriseKnnBaseline(SurpriseMethod):
    """Item-based KNN-with-baseline."""

    name = "knn-baseline"
    title = "Surprise KNNBaseline"
    note = f"item-based, `pearson_baseline` with its defaults, k {NEIGHBOURS}; the highest predicted rating first"

    def _algorithm(self) -> surprise.AlgoBase:
        sim_options = {"name": "pearson_baseline", "user_based": False, "shrinkage": TEXTBOOK.shrinkage}
        return surprise.KNNBaseline(k=NEIGHBOURS, sim_options=sim_options, verbose=False)

    def _beyond_biases(self, u: int, items: Int64s) -> Float64s:
        fitted = self._fitted
        rated, ratings = (np.array(column) for column in zip(*self._trainset.ur[u], strict=True))
        residuals = ratings - self._trainset.global_mean - fitted.bu[u] - fitted.bi[rated]
        # NaN if all residuals of a pair are 0: such a pair is not a neighbour.
        return interpolated(np.nan_to_num(fitted.sim[np.ix_(items, rated)]), residuals, NEIGHBOURS)


class SurpriseSvd(SurpriseMethod):
    """Matrix factorisation with biases, by stochastic gradient descent."""

    name = "svd"
    title = "Surprise SVD"
    note = "its defaults: 100 factors, 20 epochs; the highest predicted rating first"
    epochs = EPOCHS

    def _algorithm(self) -> surprise.AlgoBase:
        return surprise.SVD(n_epochs=EPOCHS, random_state=SEED, verbose=True)

    def _beyond_biases(self, u: int, items: Int64s) -> Float64s:
        return np.asarray(self._fitted.qi[items] @ self._factors(u))

    def _factors(self, u: int) -> Float64s:
        return np.asarray(self._fitted.pu[u])


class SurpriseSvdpp(SurpriseSvd):
    """SVD++: which items were rated counts too."""

    name = "svdpp"
    title = "Surprise SVD++"
    note = "its defaults: 20 factors, 20 epochs; the highest predicted rating first"

    def _algorithm(self) -> surprise.AlgoBase:
        return surprise.SVDpp(n_epochs=EPOCHS, random_state=SEED, verbose=True, cache_ratings=True)

    def _factors(self, u: int) -> Float64s:
        rated = [j for j, _ in self._trainset.ur[u]]
        return np.asarray(self._fitted.pu[u] + self._fitted.yj[rated].sum(axis=0) / math.sqrt(len(rated)))


def trainset_of(split: Split) -> surprise.Trainset:
    """The training scores and the given scores of test users; raw ids are users' names and anime ids."""
    reader = surprise.Reader(rating_scale=(MIN_SCORE, MAX_SCORE))
    return surprise.Dataset(reader).construct_trainset(list(_scores(split)))


def _scores(split: Split) -> Iterator[tuple[str, int, float, None]]:
    table, names = split.training, split.training.user_names
    columns = table.users.tolist(), table.anime_ids[table.items].tolist(), table.scores.tolist()
    for u, anime_id, score in zip(*columns, strict=True):
        if score > 0:
            yield names[u], anime_id, float(score), None
    for user in split.users:
        for rating in user.given.scored:
            yield user.name, rating.anime_id, float(rating.score), None


class _Epochs(TextIOBase):
    """Reads what a verbose fit prints: the only way to get the progress of its compiled code, and to stop it."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def write(self, text: str, /) -> int:
        """Receive a printed part of a line."""
        if re.search(r"processing epoch (\d+)", text, re.IGNORECASE):
            self._advance(1)
        return len(text)
