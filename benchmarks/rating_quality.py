"""Rating quality for people who were not in training: RMSE and MAE of `r_hat`, as a new visitor would meet them.

    python -m benchmarks.rating_quality --ratings ratings.csv --params params.json

The split is `hakken.evaluation.protocol`'s; `python -m hakken evaluate` has what is measured beside ratings.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from benchmarks import machine
from hakken.evaluation.protocol import TestUser, split
from hakken.model import Model, Parameters, fold_in, predict
from hakken.model.arrays import Float64s
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.training import fit
from hakken.training.parameters import read_parameters
from hakken.training.tables import read_ratings


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
def main(ratings: Path, params: Path | None, salt: str) -> None:
    """Measure on the table RATINGS."""
    divided = split(read_ratings(ratings), salt)
    print(machine.describe("numpy", "numba"))
    parameters = read_parameters(params) if params else Parameters()
    fitted = fit(divided.training, parameters)
    found = errors(Model(fitted.arrays, fitted.manifest, "unsaved"), divided.users)
    print(f"salt {salt}: {len(divided.users)} test users, {len(found):,} scores held out, {parameters}")
    print(f"RMSE {np.sqrt((found**2).mean()):.4f}, MAE {np.abs(found).mean():.4f}")


if __name__ == "__main__":
    main()
