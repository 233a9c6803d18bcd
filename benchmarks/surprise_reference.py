"""Scikit-surprise's KNNBaseline on one of our tables, and how far Hakken is from it. Tests and a benchmark share this.

Hakken is taken the whole way: trained with all neighbours kept, packed into the artefact's 16-bit arrays, and asked
through the serving code.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import surprise

from hakken.model import Model, Parameters, fold_in, predict
from hakken.model.arrays import unpack
from hakken.ratings import Rating, UserList
from hakken.training import fit
from hakken.training.tables import RatingTable

UNLIMITED = 10**6
"""More neighbours than any item can have."""
TIE = 1e-6
"""Where the k-th and the next similarity differ by less, either may be taken: such pairs are counted apart."""


class Differences(NamedTuple):
    """Largest absolute differences between Hakken and Surprise.

    Attributes:
        biases: over all `b_u` and `b_i`, score points.
        similarities: over all positive similarities, packed and unpacked again.
        predictions: over the compared pairs, score points.
        compared: pairs compared.
        tied: pairs counted apart, see `TIE`.
    """

    biases: float
    similarities: float
    predictions: float
    compared: int
    tied: int


def fit_surprise(table: RatingTable, parameters: Parameters) -> surprise.KNNBaseline:
    """Fit KNNBaseline (pearson_baseline, item-based) on the scored entries; raw ids are our inner indices."""
    of_biases = {name: getattr(parameters, name) for name in ("reg_u", "reg_i", "n_epochs")}
    of_similarities = {name: getattr(parameters, name) for name in ("shrinkage", "min_support")}
    algorithm = surprise.KNNBaseline(
        k=parameters.k,
        sim_options={"name": "pearson_baseline", "user_based": False, **of_similarities},
        bsl_options={"method": "als", **of_biases},
        verbose=False,
    )
    return algorithm.fit(trainset_of(table))


def trainset_of(table: RatingTable) -> surprise.Trainset:
    """The scored entries as Surprise wants them."""
    scored = table.scores > 0
    users, items = table.users[scored].tolist(), table.items[scored].tolist()
    entries = [(u, i, float(r), None) for u, i, r in zip(users, items, table.scores[scored].tolist(), strict=True)]
    return surprise.Dataset(surprise.Reader(rating_scale=(1, 10))).construct_trainset(entries)


def compare(
    table: RatingTable,
    parameters: Parameters,
    n_pairs: int,
    algorithm: surprise.KNNBaseline | None = None,
    seed: int = 0,
) -> Differences:
    """Train both on the same table and compare; pairs are drawn among those that no user has scored.

    Args:
        table: what both are trained on.
        parameters: of both; `UNLIMITED` neighbours must be kept for all to be equal.
        n_pairs: predictions to compare.
        algorithm: Surprise's, where it is fitted already.
        seed: of the pairs.
    """
    algorithm = algorithm or fit_surprise(table, parameters)
    arrays, manifest, b_u = fit(table, parameters)

    trainset = algorithm.trainset
    users = [trainset.to_raw_uid(u) for u in trainset.all_users()]
    items = np.array([trainset.to_raw_iid(i) for i in trainset.all_items()])
    biases = max(np.abs(algorithm.bu - b_u[users]).max(), np.abs(algorithm.bi - arrays.b_i[items]).max())

    n_items = len(arrays.anime_ids)
    ours = np.zeros((n_items, n_items))
    rows = np.repeat(np.arange(n_items), np.diff(arrays.sim_indptr))
    ours[rows, arrays.sim_indices] = arrays.sim_scale[rows] * unpack(arrays.sim_values)
    theirs = algorithm.sim.clip(min=0)
    np.fill_diagonal(theirs, 0)  # an item is no neighbour of its own
    similarities = np.abs(ours[np.ix_(items, items)] - theirs).max()

    return Differences(
        biases, similarities, *_compare_predictions(algorithm, table, Model(arrays, manifest, ""), n_pairs, seed)
    )


def _compare_predictions(
    algorithm: surprise.KNNBaseline, table: RatingTable, model: Model, n_pairs: int, seed: int
) -> tuple[float, int, int]:
    trainset = algorithm.trainset
    largest, compared, tied = 0.0, 0, 0
    for u, others in _unscored_pairs(trainset, seed):
        raw_items = np.array([trainset.to_raw_iid(i) for i in others])
        ours = predict(model, fold_in(model, _list_of(trainset, u, table)), raw_items)
        for i, raw_i, r_hat in zip(others, raw_items.tolist(), ours.tolist(), strict=True):
            if compared == n_pairs:
                return largest, compared, tied
            if _is_tied(algorithm, u, i):
                tied += 1
                continue
            theirs = algorithm.predict(trainset.to_raw_uid(u), raw_i, clip=False).est
            largest = max(largest, abs(theirs - r_hat))
            compared += 1
    return largest, compared, tied


def _unscored_pairs(trainset: surprise.Trainset, seed: int, per_user: int = 20) -> Iterator[tuple[int, list[int]]]:
    """For users in random order, some items each that the user has not scored; inner ids."""
    rng = np.random.default_rng(seed)
    for u in rng.permutation(trainset.n_users).tolist():
        scored = {i for i, _ in trainset.ur[u]}
        drawn = rng.permutation(trainset.n_items)[: 2 * per_user].tolist()
        yield u, [i for i in drawn if i not in scored][:per_user]


def _list_of(trainset: surprise.Trainset, u: int, table: RatingTable) -> UserList:
    return UserList.of(Rating(int(table.anime_ids[trainset.to_raw_iid(i)]), int(score)) for i, score in trainset.ur[u])


def _is_tied(algorithm: surprise.KNNBaseline, u: int, i: int) -> bool:
    nearest = sorted((algorithm.sim[i, j] for j, _ in algorithm.trainset.ur[u]), reverse=True)
    k = algorithm.k
    return bool(len(nearest) > k and nearest[k] > 0 and nearest[k - 1] - nearest[k] < TIE)
