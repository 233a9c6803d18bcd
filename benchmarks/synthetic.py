"""Synthetic ratings with the long tails of the real table: a few titles and a few people hold most of the entries.

    python -m benchmarks.synthetic --entries 45000000 --users 108000 --items 14000 --out ratings.csv

The shape was fitted to the shared table: popularity ∝ (rank + s)^−1.5, activity log-normal with sigma 1.05.
"""

from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from numba import njit, prange

from hakken.model.arrays import Array, Float64s, Int8s, Int32s, Int64s
from hakken.training.tables import NOT_SCORED

POPULARITY_POWER, POPULARITY_SHIFT = -1.5, 0.027
"""The shift is this share of the items."""
ACTIVITY_SIGMA = 1.05
LARGEST_SHARE = 0.5
"""Nobody has more than this share of all anime on their list."""
UNSCORED_SHARE = 0.2
MEAN, USER_SPREAD, ITEM_SPREAD, TASTE_SPREAD, NOISE = 7.6, 0.7, 0.6, 0.5, 1.1
N_TASTES = 8


class Entries(NamedTuple):
    """A rating table's columns, each `(n,)`, sorted by user, then anime; no pair repeats."""

    user_id: Int32s
    anime_id: Int32s
    rating: Int8s

    def frame(self) -> pd.DataFrame:
        """The same as a table."""
        return pd.DataFrame(self._asdict())

    def write_csv(self, path: Path) -> None:
        """Write `user_id,anime_id,rating`, as the real table has it."""
        pyarrow.csv.write_csv(pa.table(self._asdict()), path, pyarrow.csv.WriteOptions(quoting_style="none"))


def synthetic_entries(n_users: int, n_items: int, n_entries: int, seed: int) -> Entries:
    """Draw a table.

    Scores are whole points 1-10 around `mean + user + item + taste · taste`; a fifth of the entries has none.

    Args:
        n_users: users 1..n_users, each with an entry or more.
        n_items: anime 1..n_items, in no order of popularity; the least popular may end up without an entry.
        n_entries: about how many entries to draw.
        seed: the same seed gives the same table on any number of threads.
    """
    rng = np.random.default_rng(seed)
    indptr = np.concatenate(([0], np.cumsum(_activity(rng, n_users, n_items, n_entries))))
    ranks = rng.permutation(np.arange(1.0, n_items + 1))
    popularity = (ranks + POPULARITY_SHIFT * n_items) ** POPULARITY_POWER
    edges = np.cumsum(popularity / popularity.sum())
    anime_ids, ratings = _fill(
        indptr,
        edges,
        rng.normal(scale=USER_SPREAD, size=n_users),
        rng.normal(scale=ITEM_SPREAD, size=n_items),
        rng.normal(scale=TASTE_SPREAD, size=(n_users, N_TASTES)),
        rng.normal(scale=TASTE_SPREAD, size=(n_items, N_TASTES)),
        np.uint64(seed),
    )
    user_ids = np.repeat(np.arange(1, n_users + 1, dtype=np.int32), np.diff(indptr))
    return Entries(user_ids, anime_ids, ratings)


def _activity(rng: np.random.Generator, n_users: int, n_items: int, n_entries: int) -> Int64s:
    weight = rng.lognormal(sigma=ACTIVITY_SIGMA, size=n_users)
    wanted: Float64s = weight * n_entries / weight.sum()
    return wanted.clip(1, max(1, LARGEST_SHARE * n_items)).astype(np.int64)


@njit(cache=True)
def _uniform(state: Array) -> float:
    """Next of a SplitMix64 sequence (Steele, Lea & Flood, OOPSLA 2014), in [0, 1): each user has a sequence."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(parallel=True, cache=True)
def _fill(
    indptr: Int64s,
    edges: Float64s,
    user_bias: Float64s,
    item_bias: Float64s,
    user_taste: Array,
    item_taste: Array,
    seed: np.uint64,
) -> tuple[Int32s, Int8s]:
    anime_ids = np.empty(indptr[-1], dtype=np.int32)
    ratings = np.empty(indptr[-1], dtype=np.int8)
    for u in prange(len(indptr) - 1):
        state = np.array([(seed + np.uint64(1)) * np.uint64(0xD1342543DE82EF95) + np.uint64(u) * np.uint64(2**33 + 1)])
        taken = np.zeros(len(edges), dtype=np.bool_)
        left = indptr[u + 1] - indptr[u]
        while left > 0:
            i = np.searchsorted(edges[:-1], _uniform(state))
            if not taken[i]:
                taken[i] = True
                left -= 1
        at = indptr[u]
        for i in np.flatnonzero(taken):
            # Twelve uniforms less six: near enough to a normal, and the same on every machine.
            noise = -6.0
            for _ in range(12):
                noise += _uniform(state)
            liking = MEAN + user_bias[u] + item_bias[i] + NOISE * noise + np.sum(user_taste[u] * item_taste[i])
            anime_ids[at] = i + 1
            ratings[at] = NOT_SCORED if _uniform(state) < UNSCORED_SHARE else min(max(round(liking), 1), 10)
            at += 1
    return anime_ids, ratings


@click.command()
@click.option("--entries", default=5_000_000, show_default=True)
@click.option("--users", default=20_000, show_default=True)
@click.option("--items", default=6_000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(entries: int, users: int, items: int, seed: int, out: Path) -> None:
    """Write a synthetic rating table."""
    synthetic_entries(users, items, entries, seed).write_csv(out)


if __name__ == "__main__":
    main()
