"""Run all methods on all splits of one table, or Hakken on titles that it has not met in training."""

import dataclasses
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd

from hakken.catalogue import Catalogue
from hakken.errors import TableError
from hakken.evaluation import implicit_methods, metrics, simple_methods, surprise_methods
from hakken.evaluation.hakken_methods import hakken_methods
from hakken.evaluation.methods import RANKING, Method, ranked_ids, unsaved
from hakken.evaluation.metrics import series_keys
from hakken.evaluation.outcomes import Outcome, evaluate_method
from hakken.evaluation.protocol import split
from hakken.evaluation.report import Evaluation, by_group, tabulate
from hakken.model import Parameters
from hakken.training import fit
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import RatingTable, read_ratings
from hakken.training.tables import read_catalogue as read_anime

COMPARISON_METHODS = (
    simple_methods.popularity,
    simple_methods.item_mean,
    simple_methods.baseline,
    simple_methods.original,
    implicit_methods.item_knn,
    implicit_methods.rp3beta,
    implicit_methods.als,
    implicit_methods.ease,
    implicit_methods.ease_200,
    surprise_methods.knn_baseline,
    surprise_methods.svd,
    surprise_methods.svdpp,
)
"""Methods that Hakken is compared with, in the order in which they are run and shown."""
HIDDEN_MEASURES = ("NDCG@10 liked", "NDCG@10")


class Sources(NamedTuple):
    """Paths of the tables.

    Without anime there is no catalogue, and discovery is not measured; without relations series are derived from
    titles; without series keys the catalogue's own series are used to measure discovery; without people there are no
    groups of them.
    """

    ratings: Path
    anime: Path | None = None
    titles: Path | None = None
    relations: Path | None = None
    keys: Path | None = None
    people: Path | None = None


def all_methods(parameters: Parameters, catalogue: Catalogue) -> dict[str, Method]:
    """All methods by name, Hakken's first; its catalogue may be empty."""
    return hakken_methods(parameters, catalogue) | {one.name: one for one in COMPARISON_METHODS}


def evaluate(
    sources: Sources,
    salts: Sequence[str],
    parameters: Parameters,
    names: Sequence[str],
    *,
    once: Collection[str] = (),
    n_resamples: int = 1000,
    progress: Progress = SILENT,
) -> Evaluation:
    """Read tables and compare methods.

    Salts must be distinct; methods named in `once` are tried with the first only; `n_resamples` are those of the
    bootstrap.

    Raises:
        HakkenError: a table can't be read or split, or a method can't be fitted.
    """
    catalogue = read_catalogue(sources, progress)
    keys = series_keys(catalogue, sources.keys) if sources.anime else None
    groups_of = read_groups(sources.people) if sources.people else {}
    table = read_ratings(sources.ratings, progress=progress)
    made = all_methods(parameters, catalogue)
    methods = {name: made[name] for name in names}
    splits = [split(table, salt) for salt in salts]  # all of them first: a salt that cannot be used fails at once
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for one in splits:
        reported = _SplitProgress(progress, one.salt) if len(splits) > 1 else progress
        for name, method in methods.items():
            if name in once and one is not splits[0]:
                continue
            outcomes[name].append(evaluate_method(method, one, keys, reported))
    with progress.stage("resampling"):
        results = tabulate(outcomes, methods, n_resamples)
        groups = by_group(outcomes, methods, n_resamples, groups_of)
    return Evaluation(results, groups, outcomes, methods, salts, f"`{sources.ratings.name}`", keys, n_resamples)


def read_catalogue(sources: Sources, progress: Progress) -> Catalogue:
    """Read the anime of the tables, with series and relations; none without an anime table.

    Raises:
        TableError: a table can't be read.
    """
    if sources.anime is None:
        return Catalogue([])
    return read_anime(sources.anime, sources.titles, sources.relations, progress=progress).catalogue


def read_groups(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `user_id` and `group`: user → group.

    Raises:
        TableError: it can't be read, or lacks a column.
    """
    try:
        rows = pd.read_csv(path, dtype=str, usecols=["user_id", "group"], keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise TableError(f"The people in {path} can't be read: {error}.") from error
    return dict(zip(rows["user_id"].tolist(), rows["group"].tolist(), strict=True))


class _SplitProgress(NamedTuple):
    """Adds the salt of a split to the names of its stages."""

    progress: Progress
    salt: str

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Begin a stage."""
        return self.progress.stage(f"{self.salt}: {name}", total, unit)


def hide_years(
    sources: Sources, salts: Sequence[str], parameters: Parameters, years: tuple[int, int], progress: Progress
) -> pd.DataFrame:
    """Compare Hakken with an order by members, on titles of the first to the last of two years that nobody has rated.

    All entries of these titles are hidden from training; then the titles are ranked. The test users are those of
    `hakken.evaluation.protocol`; the relevant titles are the titles of those years that were held out of their lists.
    Hakken can use only the attributes of these titles and the site's count of their members, which is also all that
    the method it is compared with uses. The count is today's for both; a title's first count would tell less. The
    sources must have an anime table.

    Returns:
        A row for each method, in columns `method`, those of `HIDDEN_MEASURES`, means over people and then over the
        salts, and `people`, users with a held-out hidden title, over all salts.

    Raises:
        TableError: a table can't be read or split, or no test user has a title of these years held out.
    """
    catalogue = read_catalogue(sources, progress)
    table = read_ratings(sources.ratings, progress=progress)
    first, last = years
    preferences = msgspec.structs.replace(RANKING, n=metrics.TOP, year_from=first, year_to=last)
    hidden = {one.anime_id for one in catalogue.values() if one.year and first <= one.year <= last}
    by_members = sorted(hidden, key=lambda anime_id: (-(catalogue[anime_id].members or 0), anime_id))
    catalogues = {
        "Hakken": catalogue,
        "Hakken without members": Catalogue(msgspec.structs.replace(one, members=None) for one in catalogue.values()),
    }
    rows = []
    for divided in [split(table, salt) for salt in salts]:
        users = [user for user in divided.users if hidden & user.held_out.keys()]
        if not users:
            raise TableError(f'No test user of the salt "{divided.salt}" has a title of these years held out.')
        shown, training = {}, _without(divided.training, hidden)
        for name, known in catalogues.items():
            bundle = unsaved(fit(training, parameters, known, progress), known)
            shown[name] = [ranked_ids(user, bundle, preferences) for user in users]
        listed = [{rating.anime_id for rating in user.given.ratings} for user in users]
        shown["members"] = [[one for one in by_members if one not in own][: metrics.TOP] for own in listed]
        liked, watched = (
            [hidden.intersection(getattr(user, which)) for user in users] for which in ("liked", "held_out")
        )
        for name, ranked in shown.items():
            rows.append((name, metrics.ndcg(ranked, liked).mean, metrics.ndcg(ranked, watched).mean, len(users)))
    by_method = pd.DataFrame(rows, columns=["method", *HIDDEN_MEASURES, "people"]).groupby("method", sort=False)
    return by_method[list(HIDDEN_MEASURES)].mean().join(by_method["people"].sum()).reset_index()


def _without(table: RatingTable, anime_ids: set[int]) -> RatingTable:
    """Remove all entries of some anime, which stay among the items."""
    left = ~np.isin(table.anime_ids, list(anime_ids))[table.items]
    columns = {name: getattr(table, name)[left] for name in ("users", "items", "scores", "statuses")}
    return dataclasses.replace(table, **columns)
