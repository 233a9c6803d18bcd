"""Titles that nobody has rated yet: all entries of some years' titles are hidden from training, and only those ranked.

People who were not trained on are asked, by the splits of `hakken.evaluation.protocol`; what they should find are the
titles of those years that were held out of their lists. Hakken has nothing but the attributes of these titles to go by,
and their members, the site's count, which is also all that the method it is compared with has. The count is of today,
as both have it: of a title's first weeks it would say less.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError
from hakken.evaluation import metrics
from hakken.evaluation.protocol import TestUser, split
from hakken.model import Model, Parameters
from hakken.ratings import FranchiseRule, Planned, Preferences
from hakken.recommend import rank
from hakken.training import fit
from hakken.training.progress import SILENT, Progress
from hakken.training.tables import RatingTable

MEASURES = ("NDCG@10 liked", "NDCG@10")
Ask = Callable[[TestUser], list[int]]
"""Ranks the hidden titles for a person: anime ids, best first."""


class Years(NamedTuple):
    """The years that are hidden, both included."""

    first: int
    last: int

    def have(self, anime: Anime) -> bool:
        """Whether a title is of these years."""
        return anime.year is not None and self.first <= anime.year <= self.last


def hide_years(
    table: RatingTable,
    catalogue: Catalogue,
    years: Years,
    salts: Sequence[str],
    parameters: Parameters,
    *,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Compare Hakken on titles hidden from training with ordering them by members.

    Args:
        table: the ratings, with user ids.
        catalogue: of its titles.
        years: of the titles to hide.
        salts: what to split by.
        parameters: Hakken's hyper-parameters.
        progress: told of the stages.

    Returns:
        A row for each method, in columns `method`, those of `MEASURES`, means over people and then over the salts, and
        `people`, how many had a hidden title to be found, over all salts.

    Raises:
        TableError: the table can't be split, or nobody has a title of these years held out.
    """
    hidden = {one.anime_id for one in catalogue.values() if years.have(one)}
    by_members = sorted(hidden, key=lambda anime_id: (-(catalogue[anime_id].members or 0), anime_id))
    rows = []
    for divided in [split(table, salt) for salt in salts]:
        users = [user for user in divided.users if hidden & user.held_out.keys()]
        if not users:
            raise TableError(f'Nobody whom the salt "{divided.salt}" tests with has a title of these years held out.')
        training = without_anime(divided.training, hidden)
        methods: dict[str, Ask] = {
            "Hakken": _asking(training, catalogue, parameters, years, progress),
            "Hakken without members": _asking(training, _without_members(catalogue), parameters, years, progress),
            "members": lambda user: _unlisted(by_members, user),
        }
        rows += [{"method": name, **_measured(ask, users, hidden)} for name, ask in methods.items()]
    by_method = pd.DataFrame(rows).groupby("method", sort=False)
    return by_method[list(MEASURES)].mean().join(by_method["people"].sum()).reset_index()


def without_anime(table: RatingTable, anime_ids: Iterable[int]) -> RatingTable:
    """The same table without any entry of some anime, which stay among its items."""
    left = ~np.isin(table.anime_ids, np.fromiter(anime_ids, dtype=np.int64))[table.items]
    columns = {name: getattr(table, name)[left] for name in ("users", "items", "scores", "statuses")}
    return dataclasses.replace(table, **columns)


def _asking(
    training: RatingTable, catalogue: Catalogue, parameters: Parameters, years: Years, progress: Progress
) -> Ask:
    fitted = fit(training, parameters, catalogue, progress)
    bundle = ModelBundle(Model(fitted.arrays, fitted.manifest, "unsaved"), catalogue)
    preferences = Preferences(
        n=metrics.TOP,
        franchise=FranchiseRule.ALL,
        adult=True,
        planned=Planned.HIDE,
        year_from=years.first,
        year_to=years.last,
    )

    def ask(user: TestUser) -> list[int]:
        found: list[int] = fitted.arrays.anime_ids[rank(user.given, bundle, preferences).best.rows].tolist()
        return found

    return ask


def _unlisted(ranking: Sequence[int], user: TestUser) -> list[int]:
    listed = {rating.anime_id for rating in user.given.ratings}
    return [anime_id for anime_id in ranking if anime_id not in listed][: metrics.TOP]


def _without_members(catalogue: Catalogue) -> Catalogue:
    return Catalogue(msgspec.structs.replace(one, members=None) for one in catalogue.values())


def _measured(ask: Ask, users: Sequence[TestUser], hidden: set[int]) -> dict[str, float]:
    shown = [list(map(str, ask(user))) for user in users]
    liked, watched = (
        metrics.ndcg(shown, [[str(one) for one in ids if one in hidden] for ids in relevant])
        for relevant in ([user.liked for user in users], [list(user.held_out) for user in users])
    )
    means = [float(sums.total.sum() / max(1.0, sums.weight.sum())) for sums in (liked, watched)]
    return dict(zip(MEASURES, means, strict=True)) | {"people": len(users)}
