"""Metrics. NDCG and recall are computed by ir-measures, that is by trec_eval.

A metric is stored as two sums per user, so that it can be computed for any subset of users: it is the sum of `total`
over the sum of `weight`, or the root of that.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import ir_measures
import numpy as np
from ir_measures import R, nDCG

from hakken.evaluation.method import Answer
from hakken.evaluation.protocol import TestUser
from hakken.evaluation.series_keys import SeriesKeys
from hakken.model.arrays import Array, Float64s
from hakken.ratings import MAX_SCORE, MIN_SCORE, Status

TOP, RECALLED = 10, 20
NDCG_TOP, RECALL = nDCG @ TOP, R @ RECALLED


class Sums(NamedTuple):
    """A metric, by user.

    Attributes:
        total: `(n_users,)` float64.
        weight: `(n_users,)` float64; 0 for users who are left out.
    """

    total: Float64s
    weight: Float64s

    @property
    def mean(self) -> float:
        """Mean over users; 0 if all are left out."""
        return float(self.total.sum() / max(1.0, self.weight.sum()))


class Measure(NamedTuple):
    """How a metric is shown.

    Attributes:
        name: column in `table.csv`.
        title: column on the page.
        digits: decimals.
        root: whether it is the root of a mean.
        signed: whether to show a plus sign.
    """

    name: str
    title: str
    digits: int = 3
    root: bool = False
    signed: bool = False

    def of(self, total: Array, weight: Array) -> Array:
        """Compute the metric from sums over users, shape as given; NaN where all users are left out."""
        mean: Array = np.divide(total, weight, out=np.full(np.shape(total), np.nan), where=np.asarray(weight) > 0)
        return np.asarray(np.sqrt(mean)) if self.root else mean


MEASURES = (
    Measure("ndcg", "NDCG@10"),
    Measure("ndcg_liked", "NDCG@10 liked"),
    Measure("recall", "Recall@20"),
    Measure("lift", "lift", digits=2, signed=True),
    Measure("discovery", "discovery NDCG@10"),
    Measure("discovery_liked", "discovery liked"),
    Measure("continues", "continues"),
    Measure("next_found", "next found"),
    Measure("rmse", "RMSE", root=True),
    Measure("mae", "MAE"),
)
"""All metrics; which of them a method has depends on what it answers, and on whether there are keys."""


def ndcg(shown: Sequence[Sequence[str]], relevant: Sequence[Iterable[str]]) -> Sums:
    """NDCG@10 with gains of 1, discounts `log2(rank + 1)`, and an ideal list of at most 10 hits.

    Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (ACM TOIS 2002).

    Args:
        shown: for each user the ranking, best first, without duplicates; only the first ten count.
        relevant: for each user the relevant items; users without any are left out.
    """
    values = _per_user(NDCG_TOP, shown, relevant)
    return Sums(np.nan_to_num(values), (~np.isnan(values)).astype(np.float64))


def recall(shown: Sequence[Sequence[str]], relevant: Sequence[Iterable[str]]) -> Sums:
    """Hits among the first 20, as a share of the most that 20 ranks can hold: the protocol's Recall@20."""
    wanted = [set(one) for one in relevant]
    values = _per_user(RECALL, shown, wanted)
    sizes = np.array([len(one) for one in wanted], dtype=np.float64)
    found = np.nan_to_num(values) * sizes / sizes.clip(1, RECALLED)
    return Sums(found, (~np.isnan(values)).astype(np.float64))


def lift(shown: Sequence[Sequence[int]], users: Sequence[TestUser]) -> Sums:
    """Scored hits among the first 10: difference to the mean of the user's given scores, score points."""
    total, weight = np.zeros(len(users)), np.zeros(len(users))
    for n, (anime_ids, user) in enumerate(zip(shown, users, strict=True)):
        own_mean = np.mean([rating.score for rating in user.given.scored])
        hits = [score for score in map(user.held_out.get, anime_ids[:TOP]) if score]
        total[n], weight[n] = sum(hits) - len(hits) * own_mean, len(hits)
    return Sums(total, weight)


def rating_errors(
    answers: Sequence[Answer], users: Sequence[TestUser], items: Mapping[int, int]
) -> tuple[Sums, Sums] | None:
    """Errors of `r_hat`, clipped to 1-10, over the held-out scores of anime that some training user scored.

    Args:
        answers: one for each user.
        users: the test users.
        items: anime id → training item, of those that some training user scored.

    Returns:
        Squared and absolute errors, score points; None if the method predicts no ratings.
    """
    squared, absolute, weight = np.zeros(len(users)), np.zeros(len(users)), np.zeros(len(users))
    for n, (answer, user) in enumerate(zip(answers, users, strict=True)):
        if answer.r_hat is None:
            return None
        wanted = {items[one]: score for one, score in user.held_out.items() if score and one in items}
        differences = answer.r_hat[list(wanted)].clip(MIN_SCORE, MAX_SCORE) - np.array(list(wanted.values()))
        squared[n], absolute[n], weight[n] = np.square(differences).sum(), np.abs(differences).sum(), len(differences)
    return Sums(squared, weight), Sums(absolute, weight)


def discoveries(answer: Answer, user: TestUser, keys: SeriesKeys) -> list[str]:
    """The first ten different series that a user is shown.

    The default list is measured as it is. If a method has none, series that the user has an entry of are removed from
    its ranking, which is the best that could be done for it.
    """
    if answer.default_list is not None:
        shown = (keys.key(anime_id) for anime_id in answer.default_list)
    else:
        begun = begun_by(user, keys)
        shown = (key for key in map(keys.key, answer.ranking) if key not in begun)
    found: dict[str, None] = {}
    for key in shown:
        found[key] = None
        if len(found) == TOP:
            break
    return list(found)


def new_series(anime_ids: Iterable[int], user: TestUser, keys: SeriesKeys) -> set[str]:
    """Keys of some anime, without series that the user has an entry of in the given list."""
    return {keys.key(anime_id) for anime_id in anime_ids} - begun_by(user, keys)


def begun_by(user: TestUser, keys: SeriesKeys) -> set[str]:
    """Keys of the given list."""
    return {keys.key(rating.anime_id) for rating in user.given.ratings}


def continued(answers: Sequence[Answer], users: Sequence[TestUser], keys: SeriesKeys) -> Sums | None:
    """Share of the first 10 of the default list that belongs to a series that the user has begun; 0 of an empty list.

    A planned title does not begin a series, and may be shown: planned titles, and titles of series of which only
    planned titles are listed, are removed before the 10 are counted.

    Returns:
        None if the method has no default list.
    """
    total = np.zeros(len(users))
    for n, (answer, user) in enumerate(zip(answers, users, strict=True)):
        if answer.default_list is None:
            return None
        begun = {keys.key(rating.anime_id) for rating in user.given.seen}
        planned = {rating.anime_id for rating in user.given.ratings if not rating.seen}
        unclear = set(map(keys.key, planned)) - begun
        asked = [keys.key(anime_id) for anime_id in answer.default_list if anime_id not in planned]
        top = [key for key in asked if key not in unclear][:TOP]
        total[n] = sum(key in begun for key in top) / max(1, len(top))
    return Sums(total, np.ones(len(users)))


def next_found(answers: Sequence[Answer], users: Sequence[TestUser], keys: SeriesKeys) -> Sums | None:
    """Share of the held-out titles that are the next part of a begun series which the method shows as such.

    Returns:
        None if the method does not show continuations.
    """
    total, weight = np.zeros(len(users)), np.zeros(len(users))
    for n, (answer, user) in enumerate(zip(answers, users, strict=True)):
        if answer.continues is None:
            return None
        wanted = next_parts(user, keys)
        total[n], weight[n] = len(wanted.intersection(answer.continues)), len(wanted)
    return Sums(total, weight)


def next_parts(user: TestUser, keys: SeriesKeys) -> set[int]:
    """Held-out titles that are the next part of a begun series.

    That is the earliest show of a series that the user has not seen, if all earlier ones, and at least one, were seen.
    Series with a dropped entry have no next part.
    """
    seen = {rating.anime_id for rating in user.given.seen}
    dropped = {keys.key(rating.anime_id) for rating in user.given.ratings if rating.status is Status.DROPPED}
    found = set()
    for key in set(map(keys.key, seen)) - dropped:
        shows = keys.shows.get(key, ())
        following = next((anime_id for anime_id in shows if anime_id not in seen), None)
        if following is not None and following != shows[0]:
            found.add(following)
    return found & user.held_out.keys()


def _per_user(
    measure: ir_measures.Measure, shown: Sequence[Sequence[str]], relevant: Sequence[Iterable[str]]
) -> Float64s:
    """`(n_users,)` float64; NaN for users without relevant items."""
    values = np.full(len(shown), np.nan)
    gains = {str(n): dict.fromkeys(one, 1) for n, one in enumerate(relevant)}
    gains = {n: one for n, one in gains.items() if one}
    ranked = {str(n): {what: -float(rank) for rank, what in enumerate(one)} for n, one in enumerate(shown)}
    for found in ir_measures.iter_calc([measure], gains, ranked) if gains else ():
        values[int(found.query_id)] = found.value
    return values
