"""Combine rating tables into one, in which everyone has one list."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hakken.training.tables.rating_reader import OLDER_LIST, RatingTable
from hakken.training.tables.rejected_rows import N_EXAMPLES


def combined(tables: Sequence[RatingTable]) -> RatingTable:
    """Combine tables that were read from files.

    Users of the same id or name are one person. The list with the newest update counts; of equal ones and of those of
    unknown time, that of the last table.
    """
    if len(tables) == 1:
        return tables[0]
    newest: dict[str, tuple[int, int]] = {}
    for nth, table in enumerate(tables):
        for name, day in zip(table.user_names, table.updated.tolist(), strict=True):
            newest[name] = max(newest.get(name, (0, 0)), (day, nth))
    parts = [
        table.of_users(np.array([newest[name][1] == nth for name in table.user_names], dtype=np.bool_))
        for nth, table in enumerate(tables)
    ]
    n_entries, n_kept = sum(map(len, tables)), sum(map(len, parts))
    dropped = sum((table.dropped for table in tables), Counter[str]())
    dropped[OLDER_LIST] += n_entries - n_kept
    examples = {
        reason: tuple(one for table in tables for one in table.examples.get(reason, ()))[:N_EXAMPLES]
        for reason in +dropped
    }
    anime_ids = np.unique(np.concatenate([part.anime_ids for part in parts]))
    names = [name.encode() for part in parts for name in part.user_names]
    in_order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int32)
    rank[in_order] = np.arange(len(names), dtype=np.int32)
    first = np.cumsum([0, *(part.n_users for part in parts)])
    users = np.concatenate([rank[begin + part.users] for begin, part in zip(first, parts, strict=False)])
    items = np.concatenate([np.searchsorted(anime_ids, part.anime_ids)[part.items] for part in parts])
    order = np.lexsort((items, users))
    return RatingTable(
        anime_ids=anime_ids,
        n_users=len(names),
        users=users[order],
        items=items[order].astype(np.int32),
        scores=np.concatenate([part.scores for part in parts])[order],
        rows=sum(table.rows for table in tables),
        dropped=+dropped,
        examples=examples,
        statuses=np.concatenate([part.statuses for part in parts])[order],
        updated=np.concatenate([part.updated for part in parts])[in_order],
        user_ids=[names[one] for one in in_order],
        hundred_points=any(table.hundred_points for table in tables),
        listed=max(table.listed for table in tables),
    )
