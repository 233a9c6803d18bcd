"""Ranking of titles that nobody has rated: all entries of some years' titles are hidden from training, then ranked.

The test users are those of `hakken.evaluation.protocol`; the relevant titles are the titles of those years that were
held out of their lists. Hakken can use only the attributes of these titles and the site's count of their members, which
is also all that the method it is compared with uses. The count is today's for both; a title's first count would tell
less.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec
import numpy as np
import pandas as pd

from hakken.catalogue import Catalogue
from hakken.errors import TableError
from hakken.evaluation import metrics
from hakken.evaluation.comparison import Sources, read_catalogue
from hakken.evaluation.hakken_method import RANKING, ranked_ids, unsaved
from hakken.evaluation.protocol import TestUser, split
from hakken.model import Parameters
from hakken.training import fit
from hakken.training.progress import SILENT, Progress
from hakken.training.tables import RatingTable, read_ratings

MEASURES = ("NDCG@10 liked", "NDCG@10")
Ask = Callable[[TestUser], list[int]]
"""Ranks the hidden titles for a user: anime ids, best first."""


def hide_years(
    sources: Sources,
    years: tuple[int, int],
    salts: Sequence[str],
    parameters: Parameters,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Compare Hakken with an order by members, on titles of the first to the last of two years, hidden from training.

    The sources must have an anime table.

    Returns:
        A row for each method, in columns `method`, those of `MEASURES`, means over people and then over the salts, and
        `people`, users with a held-out hidden title, over all salts.

    Raises:
        TableError: a table can't be read or split, or no test user has a title of these years held out.
    """
    catalogue = read_catalogue(sources, progress)
    table = read_ratings(sources.ratings, progress=progress)
    first, last = years
    hidden = {one.anime_id for one in catalogue.values() if one.year and first <= one.year <= last}
    without_members = Catalogue(msgspec.structs.replace(one, members=None) for one in catalogue.values())
    by_members = sorted(hidden, key=lambda anime_id: (-(catalogue[anime_id].members or 0), anime_id))
    rows = []
    for divided in [split(table, salt) for salt in salts]:
        users = [user for user in divided.users if hidden & user.held_out.keys()]
        if not users:
            raise TableError(f'No test user of the salt "{divided.salt}" has a title of these years held out.')
        training = without_anime(divided.training, hidden)
        methods: dict[str, Ask] = {
            "Hakken": _asking(training, catalogue, parameters, years, progress),
            "Hakken without members": _asking(training, without_members, parameters, years, progress),
            "members": partial(_unlisted, by_members),
        }
        rows += [{"method": name, **_measured(ask, users, hidden)} for name, ask in methods.items()]
    by_method = pd.DataFrame(rows).groupby("method", sort=False)
    return by_method[list(MEASURES)].mean().join(by_method["people"].sum()).reset_index()


def without_anime(table: RatingTable, anime_ids: Iterable[int]) -> RatingTable:
    """Remove all entries of some anime, which stay among the items."""
    left = ~np.isin(table.anime_ids, np.fromiter(anime_ids, dtype=np.int64))[table.items]
    columns = {name: getattr(table, name)[left] for name in ("users", "items", "scores", "statuses")}
    return dataclasses.replace(table, **columns)


def _asking(
    training: RatingTable, catalogue: Catalogue, parameters: Parameters, years: tuple[int, int], progress: Progress
) -> Ask:
    bundle = unsaved(fit(training, parameters, catalogue, progress), catalogue)
    preferences = msgspec.structs.replace(RANKING, n=metrics.TOP, year_from=years[0], year_to=years[1])
    return partial(ranked_ids, bundle=bundle, preferences=preferences)


def _unlisted(ranking: Sequence[int], user: TestUser) -> list[int]:
    listed = {rating.anime_id for rating in user.given.ratings}
    return [anime_id for anime_id in ranking if anime_id not in listed][: metrics.TOP]


def _measured(ask: Ask, users: Sequence[TestUser], hidden: set[int]) -> dict[str, float]:
    shown = [ask(user) for user in users]
    liked, watched = (
        metrics.ndcg(shown, [hidden.intersection(ids) for ids in relevant]).mean
        for relevant in ([user.liked for user in users], [user.held_out for user in users])
    )
    return dict(zip(MEASURES, (liked, watched), strict=True)) | {"people": len(users)}
