"""Synthetic ratings with the long tails of the real table: a few titles and a few people hold most of the entries."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from hakken.model.arrays import Float64s, Int32s
from hakken.training.tables import NOT_SCORED

MEAN, USER_SPREAD, ITEM_SPREAD, TASTE_SPREAD, NOISE = 7.4, 0.7, 0.6, 0.7, 0.9
N_TASTES = 8
UNSCORED_SHARE = 0.2


class Entries(NamedTuple):
    """A rating table's columns, each `(n,)`, sorted by user, then anime; no pair repeats."""

    user_id: Int32s
    anime_id: Int32s
    rating: Int32s

    def frame(self) -> pd.DataFrame:
        """The same as a table."""
        return pd.DataFrame(self._asdict())


def synthetic_entries(n_users: int, n_items: int, n_entries: int, seed: int) -> Entries:
    """Draw a table.

    Scores are whole points 1-10 around `mean + user + item + taste · taste`; a fifth of the entries has none.

    Args:
        n_users: users 1..n_users; the least active may end up without an entry.
        n_items: anime 1..n_items, in no order of popularity; the least popular may end up without an entry.
        n_entries: about how many entries to draw; fewer remain where a pair is drawn twice.
        seed: the same seed gives the same table.
    """
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(sigma=1.2, size=n_users)
    popularity = rng.permutation(np.arange(1, n_items + 1, dtype=np.float64) ** -0.9)
    pairs = np.unique(_draw(rng, activity, n_entries) * n_items + _draw(rng, popularity, n_entries))
    users, items = np.divmod(pairs, n_items)

    user_taste = rng.normal(scale=TASTE_SPREAD, size=(n_users, N_TASTES))
    item_taste = rng.normal(scale=TASTE_SPREAD, size=(n_items, N_TASTES))
    liking = (
        MEAN
        + rng.normal(scale=USER_SPREAD, size=n_users)[users]
        + rng.normal(scale=ITEM_SPREAD, size=n_items)[items]
        + np.einsum("nt,nt->n", user_taste[users], item_taste[items])
        + rng.normal(scale=NOISE, size=len(pairs))
    )
    scores = np.rint(liking).clip(1, 10).astype(np.int32)
    scores[rng.random(len(pairs)) < UNSCORED_SHARE] = NOT_SCORED
    return Entries((users + 1).astype(np.int32), (items + 1).astype(np.int32), scores)


def _draw(rng: np.random.Generator, weight: Float64s, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    edges = np.cumsum(weight / weight.sum())
    return np.searchsorted(edges[:-1], rng.random(n)).astype(np.int64)
