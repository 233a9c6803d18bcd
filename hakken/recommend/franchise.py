"""The franchise rules: one title of each franchise that is new to the visitor, and what follows what they started."""

from typing import NamedTuple, Self

import numpy as np

from hakken.knowledge import Groups, Knowledge, Mask, Places
from hakken.model import Columns
from hakken.model.arrays import Float64s, Int64s
from hakken.ratings import FranchiseRule


def groups_of(knowledge: Knowledge, rule: FranchiseRule) -> Groups:
    """The circles that a rule goes by: franchises or, where even what looks related is to be left out, sagas."""
    return knowledge.facts.sagas if rule is FranchiseRule.UNRELATED else knowledge.facts.franchises


class Watched(NamedTuple):
    """What a visitor has seen, by `hakken.knowledge.Places`.

    Attributes:
        seen: `(n_seen,)` int64.
        dropped: `(n_dropped,)` int64, which of them they gave up.
        hidden: `(n_hidden,)` int64, what they do not want to be shown.
    """

    seen: Int64s
    dropped: Int64s
    hidden: Int64s

    @classmethod
    def of(cls, columns: Columns, places: Places, hidden: tuple[int, ...] = ()) -> Self:
        """Look a list's anime up, and what is hidden by its id."""
        return cls(
            places.of(columns.seen_ids),
            places.of(columns.anime_ids[columns.dropped]),
            places.of(np.array(hidden, dtype=np.int64)),
        )


def new_only(watched: Watched, groups: Groups, candidates: Mask) -> Mask:
    """Leave, of the candidates, `(n_items,)`, the first in watching order of each group that is new to the visitor.

    Of a group that something is hidden of nothing is left, or its next title would come up in the hidden one's place.
    """
    chosen = np.zeros_like(candidates)
    begun_or_hidden = groups.any_of(watched.seen) | groups.any_of(watched.hidden)
    chosen[groups.first_rows(candidates, ~begun_or_hidden)] = True
    return chosen


def next_entries(watched: Watched, groups: Groups, candidates: Mask) -> Mask:
    """Leave, of the candidates, `(n_items,)`, the next unseen main entry of each started group.

    A group of which something was dropped, or is hidden, is not gone on with.
    """
    stopped = groups.any_of(watched.dropped) | groups.any_of(watched.hidden)
    rows = groups.next_rows(watched.seen, groups.any_of(watched.seen) & ~stopped)
    chosen = np.zeros_like(candidates)
    chosen[rows] = True
    return chosen & candidates


def order_factor(watched: Watched, sagas: Groups, skipped: float, ahead: float) -> Float64s:
    """What the watching order makes of each title's match, `(n_items,)` float64: 1, `skipped` or `ahead`.

    Args:
        watched: what the visitor has seen.
        sagas: in whose order things are watched.
        skipped: factor for an entry of which a later one was seen.
        ahead: factor for what is not the entry point of a saga of which nothing was seen.
    """
    unbegun = ~sagas.any_of(watched.seen)
    factor = np.where(unbegun[sagas.of_row] & sagas.comes_later, ahead, 1.0)
    factor[sagas.part_of_row < sagas.last_part(watched.seen)[sagas.of_row]] = skipped
    return factor
