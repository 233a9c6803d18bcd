"""Run all methods on all splits of one table."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from hakken.catalogue import Catalogue
from hakken.evaluation import implicit_methods, simple_methods, surprise_methods
from hakken.evaluation.methods import Method, hakken_method
from hakken.evaluation.outcomes import Outcome, evaluate_method
from hakken.evaluation.protocol import split
from hakken.evaluation.report import Evaluation, tabulate
from hakken.evaluation.series_keys import series_keys
from hakken.model import Parameters
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import in_series, read_anime_table, read_ratings

COMPARISON_METHODS = (
    simple_methods.popularity,
    simple_methods.item_mean,
    simple_methods.baseline,
    simple_methods.original,
    implicit_methods.item_knn,
    implicit_methods.als,
    implicit_methods.ease,
    implicit_methods.ease_200,
    surprise_methods.knn_baseline,
    surprise_methods.svd,
    surprise_methods.svdpp,
)
"""Methods that Hakken is compared with, in the order in which they are run and shown."""


class Sources(NamedTuple):
    """Paths of the tables.

    Without anime there is no catalogue, and discovery is not measured; without relations series are derived from
    titles; without series keys the catalogue's own series are used to measure discovery.
    """

    ratings: Path
    anime: Path | None = None
    titles: Path | None = None
    relations: Path | None = None
    keys: Path | None = None


def all_methods(parameters: Parameters, catalogue: Catalogue) -> dict[str, Method]:
    """All methods by name, Hakken first; its catalogue may be empty."""
    return {one.name: one for one in (hakken_method(parameters, catalogue), *COMPARISON_METHODS)}


def evaluate(
    sources: Sources,
    salts: Sequence[str],
    parameters: Parameters,
    names: Sequence[str],
    *,
    n_resamples: int = 1000,
    progress: Progress = SILENT,
) -> Evaluation:
    """Read tables and compare methods.

    Salts must be distinct; `n_resamples` are those of the bootstrap.

    Raises:
        HakkenError: a table can't be read or split, or a method can't be fitted.
    """
    catalogue = read_catalogue(sources, progress)
    keys = series_keys(catalogue, sources.keys) if sources.anime else None
    table = read_ratings(sources.ratings, progress=progress)
    made = all_methods(parameters, catalogue)
    methods = {name: made[name] for name in names}
    splits = [split(table, salt) for salt in salts]  # all of them first: a salt that cannot be used fails at once
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for one in splits:
        reported = _SplitProgress(progress, one.salt) if len(splits) > 1 else progress
        for name, method in methods.items():
            outcomes[name].append(evaluate_method(method, one, keys, reported))
    with progress.stage("resampling"):
        results = tabulate(outcomes, methods, n_resamples)
    return Evaluation(results, outcomes, methods, salts, f"`{sources.ratings.name}`", keys, n_resamples)


def read_catalogue(sources: Sources, progress: Progress) -> Catalogue:
    """Read the anime of the tables, with series and relations; none without an anime table.

    Raises:
        TableError: a table can't be read.
    """
    if sources.anime is None:
        return Catalogue([])
    with progress.stage("reading anime"):
        return in_series(read_anime_table(sources.anime, sources.titles), sources.relations).catalogue


class _SplitProgress(NamedTuple):
    """Adds the salt of a split to the names of its stages."""

    progress: Progress
    salt: str

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Begin a stage."""
        return self.progress.stage(f"{self.salt}: {name}", total, unit)
