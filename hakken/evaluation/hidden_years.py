"""Ranking of titles that nobody has rated: all entries of some years' titles are hidden from training, then ranked.

The test users are those of `hakken.evaluation.protocol`; the relevant titles are the titles of those years that were
held out of their lists. Hakken can use only the attributes of these titles and the site's count of their members, which
is also all that the method it is compared with uses. The count is today's for both; a title's first count would tell
less.
"""

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from hakken.catalogue import Catalogue
from hakken.errors import TableError
from hakken.evaluation import metrics
from hakken.evaluation.comparison import Sources, read_catalogue
from hakken.evaluation.methods import RANKING, ranked_ids, unsaved
from hakken.evaluation.protocol import split
from hakken.model import Parameters
from hakken.training import fit
from hakken.training.progress import SILENT, Progress
from hakken.training.tables import RatingTable, read_ratings

MEASURES = ("NDCG@10 liked", "NDCG@10")


def hide_years(
    sources: Sources,
    salts: Sequence[str],
    parameters: Parameters,
    years: tuple[int, int],
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
        relevant = (
            [hidden.intersection(user.liked) for user in users],
            [hidden & user.held_out.keys() for user in users],
        )
        for name, rankings in shown.items():
            rows.append((name, *(metrics.ndcg(rankings, wanted).mean for wanted in relevant), len(users)))
    by_method = pd.DataFrame(rows, columns=["method", *MEASURES, "people"]).groupby("method", sort=False)
    return by_method[list(MEASURES)].mean().join(by_method["people"].sum()).reset_index()


def _without(table: RatingTable, anime_ids: set[int]) -> RatingTable:
    """Remove all entries of some anime, which stay among the items."""
    left = ~np.isin(table.anime_ids, list(anime_ids))[table.items]
    columns = {name: getattr(table, name)[left] for name in ("users", "items", "scores", "statuses")}
    return dataclasses.replace(table, **columns)
