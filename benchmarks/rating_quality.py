"""Rating quality for people who were not in training: RMSE and MAE of `r_hat`, as a new visitor would meet them.

    python -m benchmarks.rating_quality --ratings ratings.csv --params params.json

The protocol, for a salt: users fall into five buckets by `crc32(f"{salt}:{user_id}") % 5`; those of bucket 0 with 20
scores or more are test users, all others train. Of a test user's entries, those with
`crc32(f"{salt}:{user_id}:{anime_id}") % 5 == 0` are held out and the rest are the list that is given; users with fewer
than 5 scores given, or nothing held out, are left out. Held-out scores of anime that some training user scored are
predicted. `--split-only` writes the training users' table, so that parameters can be tuned without the test users.
"""

import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd

from benchmarks import machine
from hakken.model import Model, Parameters, fold_in, predict
from hakken.model.arrays import Float64s
from hakken.ratings import MAX_SCORE, MIN_SCORE, Rating, UserList
from hakken.training import fit
from hakken.training.parameters import read_parameters
from hakken.training.tables import read_ratings

BUCKETS = 5
MIN_SCORED, MIN_GIVEN = 20, 5


class TestUser(NamedTuple):
    """Someone the model has never seen: the list that is given, and the scores that are held out."""

    given: UserList
    held_out: dict[int, int]


def bucket(salt: str, what: str) -> int:
    """One of five, for good."""
    return zlib.crc32(f"{salt}:{what}".encode()) % BUCKETS


def split(entries: pd.DataFrame, salt: str) -> tuple[pd.DataFrame, list[TestUser]]:
    """Divide a table `user_id, anime_id, rating` into the training users' rows and the test users."""
    scored = entries[entries["rating"] >= MIN_SCORE]
    counts = scored.groupby("user_id").size()
    test_ids = {user for user, count in counts.items() if count >= MIN_SCORED and bucket(salt, f"{user}") == 0}
    is_test = entries["user_id"].isin(test_ids)
    return entries[~is_test], list(_test_users(entries[is_test], salt))


def _test_users(entries: pd.DataFrame, salt: str) -> Iterator[TestUser]:
    for user, theirs in entries.groupby("user_id"):
        given, held_out, anything = [], {}, False
        for anime_id, rating in zip(theirs["anime_id"].tolist(), theirs["rating"].tolist(), strict=True):
            if bucket(salt, f"{user}:{anime_id}"):
                given.append(Rating(anime_id, rating))
            else:
                anything = True
                if rating >= MIN_SCORE:
                    held_out[anime_id] = rating
        user_list = UserList.of(given)
        if anything and sum(1 for _ in user_list.scored) >= MIN_GIVEN:
            yield TestUser(user_list, held_out)


def errors(model: Model, users: list[TestUser]) -> Float64s:
    """Difference between clipped prediction and score, for each held-out score of an anime with a training score."""
    differences = []
    for user in users:
        rows, known = model.rows_of(list(user.held_out))
        known &= model.arrays.raters[rows] > 0
        r_hat = predict(model, fold_in(model, user.given), rows[known]).clip(MIN_SCORE, MAX_SCORE)
        differences.append(r_hat - np.array(list(user.held_out.values()), dtype=np.float64)[known])
    return np.concatenate(differences)


@click.command()
@click.option("--ratings", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--params", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="From `hakken tune`.")
@click.option("--salt", default="hakken", show_default=True)
@click.option("--split-only", type=click.Path(dir_okay=False, path_type=Path), help="Write the training table; stop.")
def main(ratings: Path, params: Path | None, salt: str, split_only: Path | None) -> None:
    """Measure on the table RATINGS, or only split it."""
    training, users = split(pd.read_csv(ratings), salt)
    if split_only:
        training.to_csv(split_only, index=False)
        return
    print(machine.describe("numpy", "numba"))
    parameters = read_parameters(params) if params else Parameters()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "training.csv"
        training.to_csv(table, index=False)
        arrays, manifest, _ = fit(read_ratings(table), parameters)
    found = errors(Model(arrays, manifest, "unsaved"), users)
    print(f"salt {salt}: {len(users)} test users, {len(found):,} scores held out, {parameters}")
    print(f"RMSE {np.sqrt((found**2).mean()):.4f}, MAE {np.abs(found).mean():.4f}")


if __name__ == "__main__":
    main()
