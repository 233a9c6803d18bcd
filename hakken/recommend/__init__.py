"""From a list to recommendations. Pure: no file, no network, no clock.

list ─► filters (candidates) ─► series rules ─► scoring ─► the best n ─► reasons and series notes
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import ListColumns
from hakken.model.arrays import Bools, Float64s, Int64s
from hakken.ratings import (
    FEWEST_RATERS,
    MAX_SCORE,
    MIN_SCORE,
    FranchiseRule,
    Order,
    Preferences,
    Reason,
    Recommendation,
    Recommendations,
    UserList,
)
from hakken.recommend.filters import candidates as find_candidates
from hakken.recommend.notes import ALIKE, BY_PLANS, POPULAR, is_known, list_notes, notes_on, season_note, shortage
from hakken.recommend.scoring import Scored, Scorer
from hakken.recommend.series_notes import SeriesNotes
from hakken.recommend.series_rules import new_only, next_entries
from hakken.seasons import Season

__all__ = ["described", "list_notes", "rank", "recommend"]

N_REASONS = 3


class Ranking(NamedTuple):
    """A ranked list before titles, reasons and notes are added.

    Attributes:
        best: the recommendations.
        continues: the next entries of begun series, best first.
        scorer: that scored them.
        columns: the visitor's list.
        candidates: `(n_items,)` bool, what passed the filters.
        removed: how many titles each filter removed.
    """

    best: Scored
    continues: Scored
    scorer: Scorer
    columns: ListColumns
    candidates: Bools
    removed: dict[str, int]


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
        BadOption: the catalogue knows no such type, genre, studio or title.
    """
    user_list = user_list.with_seen(preferences.seen)
    best, continues, scorer, columns, candidates, removed = rank(user_list, bundle, preferences)
    both = Scored.joined((best, continues))
    everything = tuple(described(bundle, scorer, both, SeriesNotes(columns, bundle, candidates, both.rows, today)))
    found, following = everything[: len(best.rows)], everything[len(best.rows) :]
    informative = bundle.model.informative_rows_of(preferences.like)[1]
    leaning = preferences.order is Order.MATCH and informative.any()
    instead = ALIKE if leaning else BY_PLANS if scorer.personal else POPULAR
    notes = notes_on(user_list, scorer.visitor, bundle, instead, ignoring=bool(preferences.ignored))
    if not informative.all():
        notes.append("We can't find more like one of those titles: too few people we learnt from have watched it.")
    season = Season.of(preferences.season) if preferences.season else None
    if season and (note := season_note(season, bundle)):
        notes.append(note)
    if len(found) < preferences.n and not (season and not is_known(season, bundle)):
        notes.append(shortage(len(found), removed))
    return Recommendations(found, tuple(notes), scorer.personal, following)


def rank(user_list: UserList, bundle: ModelBundle, preferences: Preferences) -> Ranking:
    """Rank like `recommend`, without titles, reasons and notes; same arguments and errors."""
    columns, facts = ListColumns.of(user_list.with_seen(preferences.seen)), bundle.facts
    passed, removed = find_candidates(columns, bundle, preferences)
    scorer = Scorer(bundle, columns.without(preferences.ignored), preferences)
    candidates, following = passed, np.zeros_like(passed)
    if preferences.franchise is not FranchiseRule.ALL:
        lists = (columns.seen_ids, np.array(preferences.hidden, dtype=np.int64), columns.anime_ids[columns.dropped])
        seen, hidden, dropped = map(facts.anime_index.of, lists)
        following = next_entries(seen, np.concatenate((dropped, hidden)), facts.series, passed)
        unrelated, asked = preferences.franchise is FranchiseRule.UNRELATED, bool(preferences.types)
        candidates = new_only(seen, hidden, facts, passed, scorer.prescore, unrelated=unrelated, asked=asked)
        if more := int(np.count_nonzero(passed & ~candidates)):
            removed["series rules"] = more
    best, continues = scorer.best((candidates, following), preferences.n)
    return Ranking(best, continues, scorer, columns, passed, removed)


def described(bundle: ModelBundle, scorer: Scorer, chosen: Scored, notes: SeriesNotes) -> Iterator[Recommendation]:
    """Scored titles with names, predicted ratings, reasons and notes on their series."""
    model, catalogue, taste = bundle.model, bundle.catalogue, scorer.taste
    ids, raters = model.arrays.anime_ids, model.arrays.raters[chosen.rows]
    shares, effects = scorer.explained(chosen)
    title, entry = largest(shares)
    columns = (title, ids[taste.rows[entry]], taste.scores[entry].clip(0), shares[title, entry], taste.planned[entry])
    reasons: list[list[Reason]] = [[] for _ in chosen.rows]
    for at, anime_id, score, share, is_planned in zip(*(column.tolist() for column in columns), strict=True):
        reasons[at].append(Reason(anime_id, catalogue.title(anime_id), score, share, is_planned))
    by_attributes = model.mostly_by_attributes[chosen.rows]
    predicted = chosen.r_hat.clip(MIN_SCORE, MAX_SCORE)
    found = (ids[chosen.rows], predicted, chosen.score, raters, chosen.neighbours, by_attributes)
    each = zip(*(column.tolist() for column in found), map(tuple, reasons), effects, strict=True)
    for anime_id, rating, match, support, near, judged, why, moved in each:
        rounded = round(rating, 2) if support >= FEWEST_RATERS else None
        title_of, (part, note) = catalogue.title(anime_id), notes.of(anime_id)
        yield Recommendation(anime_id, title_of, rounded, match, support, near, why, moved, judged, part, note)


def largest(shares: Float64s) -> tuple[Int64s, Int64s]:
    """The up to three shares of each title, `(n, n_entries)`, that are largest in absolute value, the largest first.

    Returns:
        Positions of titles, and positions of entries, the lower first of equal shares: `(n_reasons,)` each.
    """
    strength, titles = np.abs(shares), np.arange(len(shares))
    found = np.empty((len(shares), min(N_REASONS, shares.shape[1])), dtype=np.int64)
    counts = np.empty(found.shape, dtype=np.bool_)
    for nth in range(found.shape[1]):
        found[:, nth] = at = strength.argmax(axis=1)
        counts[:, nth] = strength[titles, at] > 0
        strength[titles, at] = 0.0
    return np.nonzero(counts)[0], found[counts]
