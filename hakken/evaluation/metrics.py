"""Metrics, some of them by series. NDCG and recall are computed by ir-measures, that is by trec_eval.

A metric is stored as two sums per user, so that it can be computed for any subset of users: it is the sum of `total`
over the sum of `weight`, or the root of that.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import ir_measures
import numpy as np
import pandas as pd
import scipy.sparse
from ir_measures import R, nDCG

from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError
from hakken.evaluation.methods import Answer
from hakken.evaluation.protocol import TestUser
from hakken.model.arrays import Array, Float64s
from hakken.ratings import MAX_SCORE, MIN_SCORE, Status

TOP, RECALLED = 10, 20
CLEARLY = 0.5
"""A title is disliked if its predicted rating is so many score points below someone's mean, or more."""
ALONE = "anime {}"
"""Key of an anime without a key in the table."""
MIN_EPISODES = 6
"""An ONA with at least so many episodes is a show."""
MID_YEAR = 7
"""Month of a title with a year only."""


class SeriesKeys(NamedTuple):
    """Which titles belong together.

    Attributes:
        of_anime: anime id → key.
        source: description of their origin, for the page.
        shows: key → ids of its shows, by date; see `with_shows`.
    """

    of_anime: Mapping[int, str]
    source: str
    shows: Mapping[str, Sequence[int]] = MappingProxyType({})

    def key(self, anime_id: int) -> str:
        """Key of a title; one that is not in the table is a series of its own."""
        return self.of_anime.get(anime_id) or ALONE.format(anime_id)


def series_keys(catalogue: Catalogue, path: Path | None = None) -> SeriesKeys:
    """Keys of a table, a CSV file with the columns `anime_id` and `key`, with the shows of a catalogue.

    Without a table they are the catalogue's own series: Hakken is then measured by its own series.

    Raises:
        TableError: the table can't be read, or lacks a column.
    """
    if path is None:
        of_anime = {anime_id: ALONE.format(catalogue.series_of(anime_id)) for anime_id in catalogue}
        source = "the catalogue's own series, which the default list also uses"
        return with_shows(SeriesKeys(of_anime, source), catalogue)
    try:
        rows = pd.read_csv(path, dtype={"key": str}, usecols=["anime_id", "key"], keep_default_na=False)
        of_anime = dict(zip(rows["anime_id"].astype(int).tolist(), rows["key"].tolist(), strict=True))
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise TableError(f"The keys in {path} can't be read: {error}.") from error
    return with_shows(SeriesKeys(of_anime, f"the keys of {path.name}"), catalogue)


def with_shows(keys: SeriesKeys, catalogue: Catalogue) -> SeriesKeys:
    """Add the shows of each series in the order of their dates; Hakken's viewing order is what is measured by it.

    Films are left out, because dates do not tell whether a film continues a story; so are shows without a year.
    """

    def began(anime: Anime) -> tuple[str, int]:
        """Date of the first episode, or first month of its season; both sort as text."""
        return anime.start_date or f"{anime.year}-{anime.first_month or MID_YEAR:02}", anime.anime_id

    shows = defaultdict(list)
    for one in sorted(catalogue.values(), key=began):
        if one.year and (one.type == "TV" or (one.type == "ONA" and (one.episodes or 0) >= MIN_EPISODES)):
            shows[keys.key(one.anime_id)].append(one.anime_id)
    return keys._replace(shows=shows)


class Sums(NamedTuple):
    """A metric, by user.

    Attributes:
        total: `(n_users,)` float64.
        weight: `(n_users,)` float64; 0 for users who are left out.
    """

    total: Float64s
    weight: Float64s

    @classmethod
    def of(cls, rows: Iterable[tuple[float, float]]) -> "Sums":
        """Build it from each user's total and weight."""
        return cls(*np.array(list(rows), dtype=np.float64).reshape(-1, 2).T)

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
    Measure("disliked", "disliked"),
    Measure("alike", "alike"),
    Measure("rmse", "RMSE", root=True),
    Measure("mae", "MAE"),
)
"""All metrics; which of them a method has depends on what it answers, and on whether there are keys."""

Items = Sequence[int] | Sequence[str]


def ndcg(shown: Sequence[Items], relevant: Sequence[Iterable[object]]) -> Sums:
    """NDCG@10 with gains of 1, discounts `log2(rank + 1)`, and an ideal list of at most 10 hits.

    Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (ACM TOIS 2002).

    Args:
        shown: for each user the ranking, best first, without duplicates; only the first ten count.
        relevant: for each user the relevant items; users without any are left out.
    """
    return _per_user(nDCG @ TOP, shown, relevant)


def recall(shown: Sequence[Items], relevant: Sequence[Collection[object]]) -> Sums:
    """Hits among the first 20, as a share of the most that 20 ranks can hold: the protocol's Recall@20."""
    of_all, weight = _per_user(R @ RECALLED, shown, relevant)
    sizes = np.array([len(one) for one in relevant], dtype=np.float64)
    return Sums(of_all * sizes / sizes.clip(1, RECALLED), weight)


def _per_user(measure: ir_measures.Measure, shown: Sequence[Items], relevant: Sequence[Iterable[object]]) -> Sums:
    values, weight = np.zeros(len(shown)), np.array([bool(one) for one in relevant], dtype=np.float64)
    gains = {str(n): dict.fromkeys(map(str, one), 1) for n, one in enumerate(relevant) if one}
    ranked = {str(n): {str(what): -float(rank) for rank, what in enumerate(one)} for n, one in enumerate(shown)}
    for found in ir_measures.iter_calc([measure], gains, ranked) if gains else ():
        values[int(found.query_id)] = found.value
    return Sums(values, weight)


def lift(ranking: Sequence[int], user: TestUser) -> tuple[float, float]:
    """Scored hits among the first 10: difference to the mean of the user's given scores, score points."""
    own_mean = mean_given(user)
    hits = [score for score in map(user.held_out.get, ranking[:TOP]) if score]
    return sum(hits) - len(hits) * own_mean, len(hits)


def mean_given(user: TestUser) -> float:
    """Mean of a user's given scores, score points."""
    return float(np.mean([rating.score for rating in user.given.scored]))


def disliked(shown: Sequence[int], r_hat: Float64s, user: TestUser, items: Mapping[int, int]) -> tuple[float, float]:
    """Of the first 10, those that are predicted to be rated clearly below the user's mean, and how many there are.

    Args:
        shown: anime ids, best first.
        r_hat: `(n_items,)`, score points.
        user: the test user.
        items: anime id → training item, of those with a predicted rating.
    """
    known = [items[one] for one in shown[:TOP] if one in items]
    below = r_hat[known].clip(MIN_SCORE, MAX_SCORE) <= mean_given(user) - CLEARLY
    return float(np.count_nonzero(below)), len(shown[:TOP])


def alike(shown: Sequence[int], lists: scipy.sparse.csr_matrix, items: Mapping[int, int]) -> tuple[float, float]:
    """Intra-list similarity: Ziegler et al., "Improving recommendation lists through topic diversification" (WWW 2005).

    Args:
        shown: anime ids, best first.
        lists: `(n_items, n_users)`, 1 where a training user has an item on their list.
        items: anime id → training item.

    Returns:
        Sum of the cosines between all pairs of the first 10, of who has them on their lists, 0 for a title that nobody
        has; and the number of pairs.
    """
    top = shown[:TOP]
    rows = lists[[items[one] for one in top if one in items]].toarray()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    total = np.square(rows.sum(axis=0)).sum()  # of all pairs twice, and of each title with itself
    return (total - len(rows)) / 2, len(top) * (len(top) - 1) / 2


def rating_errors(r_hat: Float64s, user: TestUser, items: Mapping[int, int]) -> tuple[float, float, float]:
    """Squared and absolute errors of `r_hat`, clipped to 1-10, score points, and how many held-out scores there are.

    Args:
        r_hat: `(n_items,)`.
        user: the test user.
        items: anime id → training item, of those that some training user scored; others do not count.
    """
    wanted = {items[one]: score for one, score in user.held_out.items() if score and one in items}
    differences = r_hat[list(wanted)].clip(MIN_SCORE, MAX_SCORE) - np.array(list(wanted.values()))
    return np.square(differences).sum(), np.abs(differences).sum(), len(differences)


def continued(default_list: Sequence[int], user: TestUser, keys: SeriesKeys) -> tuple[float, float]:
    """Share of the first 10 of the default list that belongs to a series that the user has begun; 0 of an empty list.

    A planned title does not begin a series, and may be shown: planned titles, and titles of series of which only
    planned titles are listed, are removed before the 10 are counted.
    """
    begun = {keys.key(rating.anime_id) for rating in user.given.seen}
    planned = {rating.anime_id for rating in user.given.ratings if not rating.seen}
    unclear = set(map(keys.key, planned)) - begun
    asked = [keys.key(anime_id) for anime_id in default_list if anime_id not in planned]
    top = [key for key in asked if key not in unclear][:TOP]
    return sum(key in begun for key in top) / max(1, len(top)), 1


def next_found(continues: Sequence[int], user: TestUser, keys: SeriesKeys) -> tuple[float, float]:
    """Share of the held-out titles that are the next part of a begun series which the method shows as such.

    The next part is the earliest show of a series that the user has not seen, if all earlier ones, and at least one,
    were seen. Series with a dropped entry have no next part.
    """
    seen = {rating.anime_id for rating in user.given.seen}
    dropped = {keys.key(rating.anime_id) for rating in user.given.ratings if rating.status is Status.DROPPED}
    following = set()
    for key in set(map(keys.key, seen)) - dropped:
        shows = keys.shows.get(key, ())
        following |= {next((anime_id for anime_id in shows if anime_id not in seen), None)} - {*shows[:1]}
    wanted = following & user.held_out.keys()
    return len(wanted.intersection(continues)), len(wanted)


def discoveries(answer: Answer, user: TestUser, keys: SeriesKeys) -> list[str]:
    """The first ten different series that a user is shown.

    The default list is measured as it is. If a method has none, series that the user has an entry of are removed from
    its ranking, which is the best that could be done for it.
    """
    shown, begun = answer.default_list, set[str]()
    if shown is None:
        shown, begun = answer.ranking, begun_by(user, keys)
    found: list[str] = []
    for key in map(keys.key, shown):
        if key not in begun and key not in found:
            found.append(key)
            if len(found) == TOP:
                break
    return found


def new_series(anime_ids: Iterable[int], user: TestUser, keys: SeriesKeys) -> set[str]:
    """Keys of some anime, without series that the user has an entry of in the given list."""
    return {keys.key(anime_id) for anime_id in anime_ids} - begun_by(user, keys)


def begun_by(user: TestUser, keys: SeriesKeys) -> set[str]:
    """Keys of the given list."""
    return {keys.key(rating.anime_id) for rating in user.given.ratings}
