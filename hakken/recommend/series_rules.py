"""The series rules: one title of each series that is new to the visitor, and what follows what they began."""

from typing import NamedTuple, Self

import numpy as np

from hakken.bundle import AnimeIndex, Facts, Mask, SeriesIndex, firsts
from hakken.model import ListColumns
from hakken.model.arrays import Float64s, Int64s


class Watched(NamedTuple):
    """What a visitor has seen, by `hakken.bundle.AnimeIndex`.

    Attributes:
        seen: `(n_seen,)` int64.
        dropped: `(n_dropped,)` int64, which of them they gave up.
        hidden: `(n_hidden,)` int64, what they do not want to be shown.
    """

    seen: Int64s
    dropped: Int64s
    hidden: Int64s

    @classmethod
    def of(cls, columns: ListColumns, places: AnimeIndex, hidden: tuple[int, ...] = ()) -> Self:
        """Look a list's anime up, and what is hidden by its id."""
        return cls(
            places.of(columns.seen_ids),
            places.of(columns.anime_ids[columns.dropped]),
            places.of(np.array(hidden, dtype=np.int64)),
        )


def new_only(
    watched: Watched, facts: Facts, candidates: Mask, scores: Float64s, *, unrelated: bool, asked: bool
) -> Mask:
    """Leave, of the candidates, what begins a series that is new to the visitor.

    Of each series that is the first of the candidates in viewing order; of a begun universe, and of a story that is
    told several times, the best one. Of a series of which something is hidden nothing is left, or its next title would
    come up in the hidden one's place.

    Args:
        watched: what the visitor has seen.
        facts: what belongs together.
        candidates: `(n_items,)`.
        scores: `(n_items,)`, by which the best is chosen.
        unrelated: leave nothing of a begun universe, and one title of each other.
        asked: types are chosen, so that specials, recaps and the like may be recommended.
    """
    series, stories, universes = facts.series, facts.stories, facts.universes
    begun = series.any_of(watched.seen) | series.any_of(watched.hidden)
    rows = series.first_rows(candidates if asked else candidates & ~facts.beside, ~begun)
    known = universes.any_of(watched.seen)[universes.of_row[rows]]
    if unrelated:
        rows = _best(rows[~known], universes, scores)
    else:
        # A story may be told anew for who knows the other telling; a lone film would only tell it shorter.
        retold = stories.any_of(watched.seen)[stories.of_row[rows]] & facts.lone_films[rows]
        rows, known = rows[~retold], known[~retold]
        rows = _best(np.concatenate((_best(rows[known], universes, scores), rows[~known])), stories, scores)
    chosen = np.zeros_like(candidates)
    chosen[rows] = True
    return chosen


def _best(rows: Int64s, groups: SeriesIndex, scores: Float64s) -> Int64s:
    """Of some rows the best of each group; most are the only one of theirs, and need not be sorted."""
    group = groups.of_row[rows]
    crowded = np.bincount(group, minlength=len(groups))[group] > 1
    several = rows[crowded]
    several = several[np.lexsort((several, -scores[several], groups.of_row[several]))]
    return np.concatenate((rows[~crowded], several[firsts(groups.of_row[several])]))


def next_entries(watched: Watched, groups: SeriesIndex, candidates: Mask) -> Mask:
    """Leave, of the candidates, `(n_items,)`, the next unseen main entry of each started group.

    A group of which something was dropped, or is hidden, is not gone on with.
    """
    stopped = groups.any_of(watched.dropped) | groups.any_of(watched.hidden)
    rows = groups.next_rows(watched.seen, groups.any_of(watched.seen) & ~stopped)
    chosen = np.zeros_like(candidates)
    chosen[rows] = True
    return chosen & candidates


def order_factor(watched: Watched, series: SeriesIndex, skipped: float, ahead: float) -> Float64s:
    """What the watching order makes of each title's match, `(n_items,)` float64: 1, `skipped` or `ahead`.

    Args:
        watched: what the visitor has seen.
        series: in whose order things are watched.
        skipped: factor for an entry of which a later one was seen.
        ahead: factor for what is not the entry point of a series of which nothing was seen.
    """
    unbegun = ~series.any_of(watched.seen)
    factor = np.where(unbegun[series.of_row] & series.comes_later, ahead, 1.0)
    factor[series.part_of_row < series.last_part(watched.seen)[series.of_row]] = skipped
    return factor
