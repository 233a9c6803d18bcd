"""The franchise rules: one title of each franchise that is new to the visitor, and what follows what they started."""

import numpy as np

from hakken.knowledge import Knowledge, Mask
from hakken.model.arrays import Int64s
from hakken.ratings import Status, UserList


def new_only(user_list: UserList, knowledge: Knowledge, candidates: Mask) -> Mask:
    """Leave, of each franchise that is new to the visitor, the first of its candidates in watching order."""
    facts = knowledge.facts
    started = {knowledge.catalogue.franchise_of(rating.anime_id) for rating in user_list.seen}
    rows = facts.watching_order[candidates[facts.watching_order]]
    franchise = facts.franchise[rows]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = franchise[1:] != franchise[:-1]
    first &= ~np.isin(franchise, np.fromiter(started, dtype=np.int64))
    chosen = np.zeros_like(candidates)
    chosen[rows[first]] = True
    return chosen


def next_entries(user_list: UserList, knowledge: Knowledge, candidates: Mask) -> Int64s:
    """Inner indices of the next unseen main entry of each started franchise of which nothing was dropped."""
    catalogue = knowledge.catalogue
    seen = {rating.anime_id for rating in user_list.seen}
    dropped = {catalogue.franchise_of(one.anime_id) for one in user_list.seen if one.status is Status.DROPPED}
    started = {catalogue.franchise_of(anime_id) for anime_id in seen} - dropped
    unseen = (next((one for one in catalogue.main_entries(main) if one not in seen), None) for main in started)
    rows, known = knowledge.model.rows_of([anime_id for anime_id in unseen if anime_id is not None])
    rows = rows[known]
    return np.sort(rows[candidates[rows]])
