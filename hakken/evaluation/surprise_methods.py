"""scikit-surprise's SVD, SVD++ and KNNBaseline, none of which can fold in a user.

They are also trained on the given lists of the test users, which tell them more about the titles too. Surprise
predicts pair by pair and takes minutes for a whole catalogue, so scores are computed here from its fitted arrays, for
one user at a time; they equal its `estimate`.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import surprise

from hakken.evaluation.methods import Scores, scoring
from hakken.evaluation.protocol import Split, TestUser
from hakken.evaluation.simple_methods import interpolated
from hakken.model.arrays import Float64s, Int64s
from hakken.model.hyperparameters import TEXTBOOK
from hakken.ratings import MAX_SCORE, MIN_SCORE

SEED = 0
EPOCHS = 20
NEIGHBOURS = 40
"""Both are Surprise's defaults."""
_surprise = partial(scoring, predicts=True, folds_in=False)


@_surprise(
    "knn-baseline",
    "Surprise KNNBaseline",
    f"item-based, `pearson_baseline` with its defaults, k {NEIGHBOURS}; the highest predicted rating first",
)
def knn_baseline(split: Split) -> Scores:
    """Item-based KNN-with-baseline."""
    sim_options = {"name": "pearson_baseline", "user_based": False, "shrinkage": TEXTBOOK.shrinkage}

    def beyond(fitted: surprise.AlgoBase, u: int, items: Int64s) -> Float64s:
        rated, ratings = (np.array(column) for column in zip(*fitted.trainset.ur[u], strict=True))
        residuals = ratings - fitted.trainset.global_mean - fitted.bu[u] - fitted.bi[rated]
        # NaN if all residuals of a pair are 0: such a pair is not a neighbour.
        return interpolated(np.nan_to_num(fitted.sim[np.ix_(items, rated)]), residuals, NEIGHBOURS)

    return _fitted(surprise.KNNBaseline(k=NEIGHBOURS, sim_options=sim_options, verbose=False), split, beyond)


@_surprise(
    "svd", "Surprise SVD", "its defaults: 100 factors, 20 epochs; the highest predicted rating first", epochs=EPOCHS
)
def svd(split: Split) -> Scores:
    """Matrix factorisation with biases, by stochastic gradient descent."""
    algorithm = surprise.SVD(n_epochs=EPOCHS, random_state=SEED, verbose=True)
    return _fitted(algorithm, split, lambda fitted, u, items: np.asarray(fitted.qi[items] @ fitted.pu[u]))


@_surprise(
    "svdpp", "Surprise SVD++", "its defaults: 20 factors, 20 epochs; the highest predicted rating first", epochs=EPOCHS
)
def svdpp(split: Split) -> Scores:
    """SVD++: which items were rated counts too."""

    def beyond(fitted: surprise.AlgoBase, u: int, items: Int64s) -> Float64s:
        rated = [j for j, _ in fitted.trainset.ur[u]]
        return np.asarray(fitted.qi[items] @ (fitted.pu[u] + fitted.yj[rated].sum(axis=0) / math.sqrt(len(rated))))

    algorithm = surprise.SVDpp(n_epochs=EPOCHS, random_state=SEED, verbose=True, cache_ratings=True)
    return _fitted(algorithm, split, beyond)


def _fitted(
    algorithm: surprise.AlgoBase, split: Split, beyond: Callable[[surprise.AlgoBase, int, Int64s], Float64s]
) -> Scores:
    """Fit an algorithm; `r_hat` of each item, or mean and user bias for an item that nobody scored.

    `beyond` returns the difference of `r_hat` to the baseline, `(len(items),)`, score points, for inner ids.
    """
    trainset = trainset_of(split)
    algorithm.fit(trainset)
    places = {trainset.to_raw_iid(i): i for i in trainset.all_items()}
    inner = np.array([places.get(anime_id, -1) for anime_id in split.training.anime_ids.tolist()], dtype=np.int64)
    known = inner >= 0
    items = inner[known]

    def scores(user: TestUser) -> Float64s:
        u = trainset.to_inner_uid(user.name)
        r_hat = np.full(split.n_items, trainset.global_mean + algorithm.bu[u])
        r_hat[known] += algorithm.bi[items] + beyond(algorithm, u, items)
        return r_hat

    return scores


def trainset_of(split: Split) -> surprise.Trainset:
    """The training scores and the given scores of test users; raw ids are users' names and anime ids."""
    table, names = split.training, split.training.user_names
    columns = table.users.tolist(), table.anime_ids[table.items].tolist(), table.scores.tolist()
    rows = [(names[u], anime_id, float(score), None) for u, anime_id, score in zip(*columns, strict=True) if score > 0]
    rows += [(user.name, one.anime_id, float(one.score), None) for user in split.users for one in user.given.scored]
    return surprise.Dataset(surprise.Reader(rating_scale=(MIN_SCORE, MAX_SCORE))).construct_trainset(rows)
