"""Combine rating tables into one, in which everyone has one list."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

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
    named = [dataclasses.replace(part, user_ids=[name.encode() for name in part.user_names]) for part in parts]
    return dataclasses.replace(
        joined(named),
        rows=sum(table.rows for table in tables),
        dropped=+dropped,
        examples=first_examples(+dropped, [table.examples for table in tables]),
    )


def first_examples(
    reasons: Iterable[str], of_tables: Sequence[Mapping[str, tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    """Reason → locations of the first few rows of several tables."""
    return {
        reason: tuple(one for examples in of_tables for one in examples.get(reason, ()))[:N_EXAMPLES]
        for reason in reasons
    }


def joined(tables: Sequence[RatingTable]) -> RatingTable:
    """Join tables of different people, who have the order of their ids; what was left out is not joined."""
    anime_ids = np.unique(np.concatenate([table.anime_ids for table in tables]))
    ids = [one for table in tables for one in table.user_ids]
    in_order = sorted(range(len(ids)), key=ids.__getitem__)
    rank = np.empty(len(ids), dtype=np.int32)
    rank[in_order] = np.arange(len(ids), dtype=np.int32)
    first = np.cumsum([0, *(table.n_users for table in tables)])
    users = np.concatenate([rank[begin + table.users] for begin, table in zip(first, tables, strict=False)])
    items = np.concatenate([np.searchsorted(anime_ids, table.anime_ids)[table.items] for table in tables])
    order = np.lexsort((items, users))
    return RatingTable(
        anime_ids=anime_ids,
        n_users=len(ids),
        users=users[order],
        items=items[order].astype(np.int32),
        scores=np.concatenate([table.scores for table in tables])[order],
        rows=len(users),
        statuses=np.concatenate([table.statuses for table in tables])[order],
        updated=np.concatenate([table.updated for table in tables])[in_order],
        user_ids=[ids[one] for one in in_order],
        hundred_points=any(table.hundred_points for table in tables),
        listed=max(table.listed for table in tables),
    )
