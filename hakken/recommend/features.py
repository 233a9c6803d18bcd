"""What the trees of the match know of a title for a visitor.

A feature is computed from the visitor's list and the title alone: not from other candidates, so that no filter changes
a title's match. `L(u)` are the watched entries of the list.
"""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import Visitor
from hakken.model.arrays import Bools, Float64s, Int32s, Int64s
from hakken.model.factors import factor_scores, fold_in_factors
from hakken.model.trees import FEATURES

BEGUN = [*FEATURES].index("series begun")
MAX_PART = 30
LATE = 0.9
UNKNOWN_YEARS = -100
"""Years after the list's, of a title whose year is unknown, or if no year of the list is known."""
LEAST_LIKING = 0.1


class Features:
    """Computes the features of titles for one visitor, who has watched at least one title that the model knows.

    Args:
        bundle: model and catalogue.
        visitor: the list, folded in.
        begun: `(n_series,)` bool, of which series anything was seen.
        last: `(n_series,)` int32, the latest part of each that was seen, 0 where there is none.
        universes: `(n_universes,)` bool, of which universes anything was seen.
    """

    def __init__(self, bundle: ModelBundle, visitor: Visitor, begun: Bools, last: Int32s, universes: Bools) -> None:
        model, facts, taste = bundle.model, bundle.facts, visitor.taste
        self._model, self._facts = model, facts
        watched = taste.rows[~taste.planned]
        self._ids = np.sort(model.arrays.anime_ids[watched])
        self._popularity = float(model.log_popularity[watched].mean())
        years = np.sort(facts.year[watched])
        years = years[np.searchsorted(years, 1) :]
        self._years = (int(years[-1]), int(years[int(LATE * (len(years) - 1))])) if len(years) else None
        self._begun, self._last, self._universes = begun, last, universes
        self._liking = np.bincount(facts.series.of_row[taste.rows], taste.liking, minlength=len(facts.series))
        self._length = np.log(len(watched) + 1.0)
        self._sum = np.log(max(LEAST_LIKING, float(taste.liking.sum())))
        self._plans = np.log(len(taste.rows) - len(watched) + 1.0)
        self._factors = fold_in_factors(model, taste)

    def of(
        self, rows: Int64s, log_match: Float64s, preference: Float64s, above_mean: Float64s, neighbour_term: Float64s
    ) -> Float64s:
        """The features of some titles, `(n,)` inner indices, from what is at hand of each, `(n,)`.

        Returns:
            `(n_features, n)` float64.
        """
        model, facts, arrays = self._model, self._facts, self._model.arrays
        ids, year, popularity = arrays.anime_ids[rows], facts.year[rows], model.log_popularity[rows]
        series, part = facts.series.of_row[rows], np.minimum(facts.series.part_of_row[rows], MAX_PART)
        dated = year > 0 if self._years else np.zeros(len(rows), dtype=np.bool_)
        after = [np.where(dated, year - of_list, UNKNOWN_YEARS) for of_list in self._years or (0, 0)]
        found = np.empty((len(FEATURES), len(rows)))
        columns = (
            log_match,
            preference,
            preference / self._length,
            self._length,
            self._sum,
            self._plans,
            self._popularity,
            popularity,
            popularity - self._popularity,
            np.searchsorted(self._ids, ids) / len(self._ids),
            ids / self._ids[-1],
            *after,
            self._liking[series],
            self._begun[series],
            self._universes[facts.universes.of_row[rows]],
            part,
            part - self._last[series],
            above_mean,
            neighbour_term,
            arrays.b_i[rows],
            factor_scores(model, self._factors, rows),
        )
        for row, column in zip(found, columns, strict=True):
            row[:] = column
        return found
