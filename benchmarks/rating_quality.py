"""Rating quality for people who were not in training: RMSE and MAE of `r_hat`, as a new visitor would meet them.

    python -m benchmarks.rating_quality --ratings ratings.csv --params params.json

The split is `hakken.evaluation.protocol`'s. `--split-only` writes the training users' table, so that parameters can be
tuned without the test users; `python -m hakken evaluate` has what is measured beside ratings.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks import machine
from hakken.evaluation.protocol import Split, TestUser, split
from hakken.model import Model, Parameters, fold_in, predict
from hakken.model.arrays import Float64s
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.training import fit
from hakken.training.parameters import read_parameters
from hakken.training.tables import COMPLETED, NOT_SCORED, read_ratings


def training_frame(divided: Split) -> pd.DataFrame:
    """The training users' table, `user_id, anime_id, rating`, and `watching_status` where any is not completed."""
    table = divided.training
    frame = pd.DataFrame(
        {
            "user_id": np.array(divided.training.user_names)[table.users],
            "anime_id": table.anime_ids[table.items],
            "rating": np.where(table.scores > 0, table.scores, NOT_SCORED),
        }
    )
    return frame.assign(watching_status=table.statuses) if np.any(table.statuses != COMPLETED) else frame


def errors(model: Model, users: Sequence[TestUser]) -> Float64s:
    """Difference between clipped prediction and score, for each held-out score of an anime with a training score."""
    differences = []
    for user in users:
        scores = {anime_id: score for anime_id, score in user.held_out.items() if score}
        rows, known = model.rows_of(list(scores))
        known &= model.arrays.raters[rows] > 0
        r_hat = predict(model, fold_in(model, user.given), rows[known]).clip(MIN_SCORE, MAX_SCORE)
        differences.append(r_hat - np.array(list(scores.values()), dtype=np.float64)[known])
    return np.concatenate(differences)


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--params", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="From `hakken tune`.")
@click.option("--salt", default="hakken", show_default=True)
@click.option("--split-only", type=click.Path(dir_okay=False, path_type=Path), help="Write the training table; stop.")
def main(ratings: Path, params: Path | None, salt: str, split_only: Path | None) -> None:
    """Measure on the table RATINGS, or only split it."""
    divided = split(read_ratings(ratings), salt)
    if split_only:
        training_frame(divided).to_csv(split_only, index=False)
        return
    print(machine.describe("numpy", "numba"))
    parameters = read_parameters(params) if params else Parameters()
    fitted = fit(divided.training, parameters)
    found = errors(Model(fitted.arrays, fitted.manifest, "unsaved"), divided.users)
    print(f"salt {salt}: {len(divided.users)} test users, {len(found):,} scores held out, {parameters}")
    print(f"RMSE {np.sqrt((found**2).mean()):.4f}, MAE {np.abs(found).mean():.4f}")


if __name__ == "__main__":
    main()
