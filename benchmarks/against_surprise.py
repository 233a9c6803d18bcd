"""Hakken's KNN-with-baseline held against scikit-surprise's on a whole rating table, in time and in numbers.

python -m benchmarks.against_surprise --ratings ratings.csv
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import msgspec
import surprise

from benchmarks import machine
from benchmarks.surprise_reference import UNLIMITED, compare, fit_surprise, trainset_of
from hakken.model import TEXTBOOK
from hakken.training.knn_baseline import HakkenKNNBaseline
from hakken.training.pipeline import fit_scores
from hakken.training.tables import RatingTable, read_ratings

T = TypeVar("T")


@click.command()
@click.option("--ratings", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--pairs", default=10_000, show_default=True, help="How many predictions to compare.")
def main(ratings: Path, pairs: int) -> None:
    """Compare on the table RATINGS."""
    print(machine.describe("numpy", "numba", "scikit-surprise"))
    table = read_ratings(ratings)
    compare_scores(table, pairs)
    _speed_of_the_drop_in(table)


def compare_scores(table: RatingTable, pairs: int) -> None:
    """Print how long both take for biases and similarities, and how far apart these and some predictions are."""
    ours, _ = _timed(lambda: fit_scores(table, TEXTBOOK), warm_up=True)
    theirs, algorithm = _timed(lambda: fit_surprise(table, TEXTBOOK))
    scored, n_items = (table.scores > 0).sum(), len(table.anime_ids)
    print(f"biases and similarities of {scored:,} scores, {table.n_users:,} users, {n_items:,} anime")
    print(f"Hakken {ours:.2f} s, Surprise {theirs:.2f} s (its table conversion included), ratio {theirs / ours:.0f}")
    found = compare(table, msgspec.structs.replace(TEXTBOOK, k_stored=UNLIMITED), pairs, algorithm=algorithm)
    print(f"largest difference of a bias        {found.biases:.2e} score points")
    print(f"largest difference of a similarity  {found.similarities:.2e}")
    print(f"largest difference of a prediction  {found.predictions:.2e} score points, over {found.compared:,} pairs")
    print(f"counted apart, k-th and next similarity alike: {found.tied:,} pairs")


def _speed_of_the_drop_in(table: RatingTable) -> None:
    """Both fit the same Trainset, and both keep all similarities in a square array."""
    trainset = trainset_of(table)
    ours, _ = _timed(lambda: HakkenKNNBaseline(verbose=False).fit(trainset), warm_up=True)
    options = {"name": "pearson_baseline", "user_based": False}
    theirs, _ = _timed(lambda: surprise.KNNBaseline(sim_options=options, verbose=False).fit(trainset))
    print(f"fit of a Trainset: HakkenKNNBaseline {ours:.2f} s, KNNBaseline {theirs:.2f} s, ratio {theirs / ours:.0f}")


def _timed(action: Callable[[], T], *, warm_up: bool = False) -> tuple[float, T]:
    if warm_up:
        action()  # compiles
    begin = time.perf_counter()
    result = action()
    return time.perf_counter() - begin, result


if __name__ == "__main__":
    main()
