"""Hakken's KNN-with-baseline held against scikit-surprise's on a whole rating table, in time and in numbers.

python -m benchmarks.against_surprise --ratings ratings.csv
"""

import time
from pathlib import Path

import click
import msgspec

from benchmarks import machine
from benchmarks.surprise_reference import compare, fit_surprise
from hakken.model import Parameters
from hakken.training import fit
from hakken.training.tables import RatingTable, read_ratings

UNLIMITED = 10**6


@click.command()
@click.option("--ratings", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--pairs", default=10_000, show_default=True, help="How many predictions to compare.")
def main(ratings: Path, pairs: int) -> None:
    """Compare on the table RATINGS."""
    print(machine.describe("numpy", "numba", "scikit-surprise"))
    table = read_ratings(ratings)
    parameters = Parameters()
    _speed(table, parameters)
    found = compare(table, msgspec.structs.replace(parameters, k_stored=UNLIMITED), pairs)
    print(f"largest difference of a bias        {found.biases:.2e} score points")
    print(f"largest difference of a similarity  {found.similarities:.2e}")
    print(f"largest difference of a prediction  {found.predictions:.2e} score points, over {found.compared:,} pairs")
    print(f"counted apart, k-th and next similarity alike: {found.tied:,} pairs")


def _speed(table: RatingTable, parameters: Parameters) -> None:
    fit(table, parameters)  # compiles
    begin = time.perf_counter()
    fit(table, parameters)
    ours = time.perf_counter() - begin
    begin = time.perf_counter()
    fit_surprise(table, parameters)
    theirs = time.perf_counter() - begin
    print(f"biases and similarities of {(table.scores > 0).sum():,} scores, {len(table.anime_ids):,} anime")
    print(f"Hakken {ours:.2f} s, Surprise {theirs:.2f} s (its table conversion included), ratio {theirs / ours:.0f}")


if __name__ == "__main__":
    main()
