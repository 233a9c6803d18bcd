"""From a list to recommendations. Pure: no file, no network, no clock.

list ─► filters (candidates) ─► series rules ─► scoring ─► the best n ─► reasons and series notes
"""

from datetime import date
from typing import NamedTuple

import msgspec
import numpy as np

from hakken.bundle import Mask, ModelBundle
from hakken.model import ListColumns
from hakken.ratings import FranchiseRule, Order, Preferences, Recommendations, UserList
from hakken.recommend.filters import candidates as find_candidates
from hakken.recommend.notes import list_notes, notes_on, shortage
from hakken.recommend.reasons import described
from hakken.recommend.scoring import Scored, Scorer
from hakken.recommend.series_notes import SeriesNotes
from hakken.recommend.series_rules import Watched, new_only, next_entries

__all__ = ["list_notes", "rank", "recommend"]


class Ranking(NamedTuple):
    """A ranked list before titles, reasons and notes are added.

    Attributes:
        best: the recommendations.
        continues: the next entries of begun series, best first.
        removed: how many titles each filter removed.
        scorer: that scored them.
        candidates: `(n_items,)` bool, what passed the filters.
        columns: the visitor's list.
    """

    best: Scored
    continues: Scored
    removed: dict[str, int]
    scorer: Scorer
    candidates: Mask
    columns: ListColumns


def recommend(
    user_list: UserList, bundle: ModelBundle, preferences: Preferences, today: date | None = None
) -> Recommendations:
    """Rank the anime that someone has not seen, with reasons.

    Args:
        user_list: the visitor's list; no seen entry is recommended.
        bundle: model and catalogue.
        preferences: what the visitor chose.
        today: date for notes on announced and airing titles; None: without these notes.

    Returns:
        At most `preferences.n` recommendations, best first; fewer only when there are no more candidates, with a note
        on how many titles each filter removed. Unless the series rule is ALL, also the next entries of begun series.

    Raises:
        BadOption: the catalogue knows no such type or genre.
    """
    best, continues, removed, scorer, candidates, columns = rank(user_list, bundle, preferences)
    both = Scored(np.concatenate((best.rows, continues.rows)), np.concatenate((best.score, continues.score)))
    series_notes = SeriesNotes(columns, bundle, candidates, today)
    all_of_them = tuple(
        msgspec.structs.replace(one, series_note=series_notes.note(one.anime_id))
        for one in described(bundle, scorer, both)
    )
    found = all_of_them[: len(best.rows)]
    informative = bundle.model.informative_rows_of(preferences.like)[1]
    notes = notes_on(
        user_list,
        scorer.visitor,
        bundle.catalogue,
        personal=scorer.personal,
        leaning=preferences.order is Order.MATCH and bool(informative.any()),
        ignoring=bool(preferences.ignored),
        data_time=bundle.model.manifest.data_time,
    )
    if not informative.all():
        notes.append("More like one of those titles can't be found: too few people we learnt from have watched it.")
    if len(found) < preferences.n:
        notes.append(shortage(len(found), removed))
    return Recommendations(found, tuple(notes), scorer.personal, all_of_them[len(best.rows) :])


def rank(user_list: UserList, bundle: ModelBundle, preferences: Preferences) -> Ranking:
    """Rank like `recommend`, without titles, reasons and notes; same arguments and errors."""
    columns = ListColumns.of(user_list)
    passed, removed = find_candidates(columns, bundle, preferences)
    candidates = passed
    scorer = Scorer(bundle, columns.without(preferences.ignored), preferences)
    following = np.zeros_like(candidates)
    if preferences.franchise is not FranchiseRule.ALL:
        facts = bundle.facts
        watched = Watched.of(columns, facts.anime_index, preferences.hidden)
        following = next_entries(watched, facts.series, candidates)
        unrelated = preferences.franchise is FranchiseRule.UNRELATED
        fresh = new_only(
            watched, facts, candidates, scorer.prescore, unrelated=unrelated, asked=bool(preferences.types)
        )
        if more := int(np.count_nonzero(candidates & ~fresh)):
            removed["series rules"] = more
        candidates = fresh
    best, continues = scorer.best((candidates, following), preferences.n)
    return Ranking(best, continues, removed, scorer, passed, columns)
