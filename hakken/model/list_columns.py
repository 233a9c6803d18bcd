"""A list as arrays."""

from typing import NamedTuple, Self

import numpy as np

from hakken.model.arrays import Bools, Int64s
from hakken.ratings import MIN_SCORE, Status, UserList


class ListColumns(NamedTuple):
    """The entries of a list, each column `(n,)`, in the list's order.

    Attributes:
        anime_ids: int64, MyAnimeList ids.
        scores: int64, 1-10; less where there is none.
        planned: bool, plan to watch; all others are seen.
        dropped: bool.
    """

    anime_ids: Int64s
    scores: Int64s
    planned: Bools
    dropped: Bools

    @classmethod
    def of(cls, user_list: UserList) -> Self:
        """Convert a list."""
        entries = user_list.ratings
        planned, dropped = Status.PLAN_TO_WATCH, Status.DROPPED  # looked up once: an enum's members are slow to find
        return cls(
            np.array([one.anime_id for one in entries], dtype=np.int64),
            np.array([one.score for one in entries], dtype=np.int64),
            np.array([one.status is planned for one in entries], dtype=np.bool_),
            np.array([one.status is dropped for one in entries], dtype=np.bool_),
        )

    @property
    def seen_ids(self) -> Int64s:
        """`(n_seen,)` ids of seen anime, which are never recommended."""
        return self.anime_ids[~self.planned]

    @property
    def scored(self) -> Bools:
        """`(n,)` bool, which entries have a score."""
        return self.scores >= MIN_SCORE

    def without(self, anime_ids: tuple[int, ...]) -> Self:
        """A copy without the entries of some anime."""
        kept = ~np.isin(self.anime_ids, anime_ids)
        return type(self)(self.anime_ids[kept], self.scores[kept], self.planned[kept], self.dropped[kept])
