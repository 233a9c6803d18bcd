"""A rating table in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from hakken.model.arrays import Int8s, Int32s
from hakken.ratings import CODE_OF_STATUS, Status

UNKNOWN_STATUS = 0
"""Status of an entry without a score that was watched or planned."""
COMPLETED = CODE_OF_STATUS[Status.COMPLETED]
EPOCH = date(1970, 1, 1)
"""Day 0."""


@dataclass(frozen=True, eq=False)
class RatingTable:
    """A table of ratings with users and anime numbered from 0, in the order of their ids or names.

    Attributes:
        anime_ids: `(n_items,)` int32, ascending, MyAnimeList id of each item.
        n_users: number of users with an entry.
        users: `(n,)` int32, user of each entry; entries are sorted by user, then item.
        items: `(n,)` int32, item of each entry.
        scores: `(n,)` int8, 1-10, or 0 for an entry without a score.
        rows: number of rows that were read.
        dropped: reason why rows were left out → count.
        examples: reason why rows were left out → locations of the first few, such as "ratings.csv, line 17".
        statuses: `(n,)` int8, MyAnimeList's codes (`hakken.ratings.STATUS_OF_CODE`), or `UNKNOWN_STATUS`, which no
            entry with a score has. All are `COMPLETED` if the table has no statuses.
        updated: `(n_users,)` int32, day of each user's newest update, counted from `EPOCH`; 0 if unknown.
        user_ids: id of each user or, in UTF-8, name, ascending; empty in a table that was not read from a file.
        hundred_points: whether the scores were divided by ten.
    """

    anime_ids: Int32s
    n_users: int
    users: Int32s
    items: Int32s
    scores: Int8s
    rows: int
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    statuses: Int8s = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    updated: Int32s = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    user_ids: Sequence[int | bytes] = ()
    hundred_points: bool = False

    def __post_init__(self) -> None:
        if not len(self.statuses):
            object.__setattr__(self, "statuses", np.full(len(self.users), COMPLETED, dtype=np.int8))
        if not len(self.updated):
            object.__setattr__(self, "updated", np.zeros(self.n_users, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.users)

    @property
    def user_names(self) -> list[str]:
        """Id or name of each user, as text."""
        return [one.decode() if isinstance(one, bytes) else str(one) for one in self.user_ids]

    @property
    def newest(self) -> str | None:
        """The newest update, such as "2026-03-01"; None if no time is known."""
        day = int(self.updated.max(initial=0))
        return (EPOCH + timedelta(days=day)).isoformat() if day else None
