"""Run all methods on all splits of one table."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hakken.catalogue import Catalogue
from hakken.evaluation.comparison_methods import COMPARISON_METHODS
from hakken.evaluation.hakken_method import Hakken
from hakken.evaluation.method import Method
from hakken.evaluation.outcomes import Outcome, evaluate_method
from hakken.evaluation.protocol import split
from hakken.evaluation.report import Evaluation
from hakken.evaluation.result_table import tabulate
from hakken.evaluation.series_keys import SeriesKeys, keys_of, read_keys, with_shows
from hakken.model import Parameters
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import RatingTable, in_series, read_anime_table, read_ratings

Makers = Mapping[str, Callable[[], Method]]


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


def makers(parameters: Parameters, catalogue: Catalogue) -> Makers:
    """Return how each method is made, by name. The catalogue may be empty."""
    return {Hakken.name: partial(Hakken, parameters, catalogue), **{one.name: one for one in COMPARISON_METHODS}}


def evaluate(
    sources: Sources,
    salts: Sequence[str],
    names: Sequence[str],
    parameters: Parameters,
    *,
    n_resamples: int = 1000,
    progress: Progress = SILENT,
) -> Evaluation:
    """Read tables and compare methods.

    Salts must be distinct; `n_resamples` are those of the bootstrap.

    Raises:
        HakkenError: a table can't be read or split, or a method can't be fitted.
    """
    keys, catalogue = None, read_catalogue(sources, progress)
    if sources.anime:
        keys = with_shows(read_keys(sources.keys) if sources.keys else keys_of(catalogue), catalogue)
    table = read_ratings(sources.ratings, progress=progress)
    made = makers(parameters, catalogue)
    outcomes = compare(table, salts, {name: made[name] for name in names}, keys, progress)
    with progress.stage("resampling"):
        methods = {name: made[name]() for name in names}
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


def compare(
    table: RatingTable,
    salts: Sequence[str],
    made: Makers,
    keys: SeriesKeys | None,
    progress: Progress = SILENT,
) -> Mapping[str, Sequence[Outcome]]:
    """Evaluate methods on splits, one for each salt; each is freed before the next is made, because some are large."""
    splits = [split(table, salt) for salt in salts]  # all of them first: a salt that cannot be used fails at once
    outcomes: dict[str, list[Outcome]] = {name: [] for name in made}
    for one in splits:
        reported = _SplitProgress(progress, one.salt) if len(splits) > 1 else progress
        for name, make in made.items():
            outcomes[name].append(evaluate_method(make(), one, keys, reported))
    return outcomes


class _SplitProgress:
    """Adds the salt of a split to the names of its stages."""

    def __init__(self, progress: Progress, salt: str) -> None:
        self._progress, self._salt = progress, salt

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Begin a stage."""
        return self._progress.stage(f"{self._salt}: {name}", total, unit)
