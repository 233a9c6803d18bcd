"""Series rules: one title of each series that is new to the visitor, and the next entries of series they began.

Anime that were seen, dropped or hidden are given as positions in `hakken.bundle.AnimeIndex`, `(n,)` int64.
"""

import numpy as np

from hakken.bundle import Facts, SeriesIndex, firsts
from hakken.model.arrays import Bools, Float64s, Int32s, Int64s


def new_only(
    seen: Int64s, hidden: Int64s, facts: Facts, candidates: Bools, scores: Float64s, *, unrelated: bool, asked: bool
) -> Bools:
    """Keep the candidates that are first in a series that is new to the visitor.

    Of each series, the first candidate in viewing order; of a begun universe, and of a story with retellings, the best
    one. A series with a hidden title is left out, or its next title would appear instead of the hidden one.

    Args:
        seen: what the visitor has seen.
        hidden: titles that must not be recommended.
        facts: series, stories and universes.
        candidates: `(n_items,)`.
        scores: `(n_items,)`, by which the best is chosen.
        unrelated: keep nothing of a begun universe, and one title of each other.
        asked: types were chosen, so that specials, recaps and the like may be recommended.
    """
    series, stories, universes = facts.series, facts.stories, facts.universes
    begun = series.any_of(seen) | series.any_of(hidden)
    rows = series.first_rows(candidates if asked else candidates & ~facts.beside, ~begun)
    known = universes.any_of(seen)[universes.of_row[rows]]
    if unrelated:
        rows = _best(rows[~known], universes, scores)
    else:
        # A retelling of a known story may be recommended, but not a lone film, which would only shorten it.
        retold = stories.any_of(seen)[stories.of_row[rows]] & facts.lone_films[rows]
        rows, known = rows[~retold], known[~retold]
        rows = _best(np.concatenate((_best(rows[known], universes, scores), rows[~known])), stories, scores)
    chosen = np.zeros_like(candidates)
    chosen[rows] = True
    return chosen


def _best(rows: Int64s, groups: SeriesIndex, scores: Float64s) -> Int64s:
    """The best of some rows in each group; most are alone in theirs, and need not be sorted."""
    group = groups.of_row[rows]
    crowded = np.bincount(group, minlength=len(groups))[group] > 1
    several = rows[crowded]
    several = several[np.lexsort((several, -scores[several], groups.of_row[several]))]
    return np.concatenate((rows[~crowded], several[firsts(groups.of_row[several])]))


def next_entries(seen: Int64s, stopped: Int64s, groups: SeriesIndex, candidates: Bools) -> Bools:
    """Keep, of the candidates, `(n_items,)`, the next unseen main entry of each begun group.

    A group of which an entry is `stopped`, dropped or hidden, is not continued.
    """
    chosen = np.zeros_like(candidates)
    chosen[groups.next_rows(seen, groups.any_of(seen) & ~groups.any_of(stopped))] = True
    return chosen & candidates


def order_factor(begun: Bools, last: Int32s, series: SeriesIndex, skipped: float, ahead: float) -> Float64s:
    """order_ui: the factor of the watching order on each title's match, `(n_items,)` float64.

    It is `skipped` for an entry of which a later one was seen, `ahead` for one, not the first, of a series of which
    nothing was seen, else 1. What was seen of each series, `(n_series,)`: anything, and the latest part.
    """
    factor = np.where(series.part_of_row > 1, ahead, 1.0)
    rows = np.flatnonzero(begun[series.of_row])  # of a few series
    factor[rows] = np.where(series.part_of_row[rows] < last[series.of_row[rows]], skipped, 1.0)
    return factor
