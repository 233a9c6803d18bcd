"""One list for two people, ranked by the match of the less happy one. Pure, as `recommend` is.

    score_i = min over both people u of match_ui / max_k match_uk

i and k are titles that neither has seen and that pass the filters. A person's matches are divided by their largest
because they grow with the length of a list: the score would else be that of whoever has the shorter one.

The full match is costly. It is computed for the best 200 of each person and the best 200 for both, all by matches
without their costly factors.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from hakken.bundle import ModelBundle
from hakken.errors import BadOption
from hakken.model import ListColumns, top_n
from hakken.model.arrays import Bools, Float64s, Int64s
from hakken.ratings import CHOICES, FranchiseRule, Preferences, Recommendation, UserList
from hakken.recommend import described, scoring
from hakken.recommend.filters import candidates as find_candidates
from hakken.recommend.notes import BY_PLANS, POPULAR, notes_on, shortage
from hakken.recommend.scoring import Scored, Scorer
from hakken.recommend.series_notes import SeriesNotes
from hakken.recommend.series_rules import new_only

FOR_ONE = ("order", "variety", "planned", "seen", "ignored", "like")
"""Fields of `Preferences` that a list for two does not take."""


class ForBoth(NamedTuple):
    """One title of a list for two.

    Attributes:
        each: what it is to each person; `match` is the person's own.
        relative: `match` of each beside that person's largest, which is 1.
    """

    each: tuple[Recommendation, ...]
    relative: tuple[float, ...]


class Together(NamedTuple):
    """A list for two.

    Attributes:
        titles: best first.
        notes: plain sentences on each person's list.
        shortage: a sentence on why there are fewer titles than were asked for; empty where there are enough.
    """

    titles: tuple[ForBoth, ...]
    notes: tuple[tuple[str, ...], ...]
    shortage: str


class JointRanking(NamedTuple):
    """A list for two before titles, reasons and notes are added.

    Attributes:
        rows: `(n,)` int64, inner indices, best first; of equal scores the lower one first.
        each: each person's scores of the titles.
        relative: `(2, n)` float64, the matches beside the person's largest.
        scorers: each person's.
        passed: `(n_items,)` bool, what passed the filters.
        removed: how many titles each filter removed.
    """

    rows: Int64s
    each: tuple[Scored, ...]
    relative: Float64s
    scorers: tuple[Scorer, ...]
    passed: Bools
    removed: dict[str, int]


def recommend_together(
    lists: Sequence[UserList], bundle: ModelBundle, preferences: Preferences, today: date | None = None
) -> Together:
    """Rank the anime that neither of two people has seen.

    Unless the series rule is ALL, the list has one title of each series that is new to both.

    Args:
        lists: both people's.
        bundle: model and catalogue.
        preferences: what was chosen for both.
        today: as for `recommend`.

    Returns:
        At most `preferences.n` titles; fewer only when there are no more candidates. The same for the lists in the
        other order, with the two people exchanged.

    Raises:
        BadOption: the catalogue knows no such type, genre, studio or title, or a preference of `FOR_ONE` is chosen.
    """
    columns = [ListColumns.of(one) for one in lists]
    found = rank_together(columns, bundle, preferences)
    each = [
        tuple(described(bundle, scorer, scored, SeriesNotes(own, bundle, found.passed, found.rows, today)))
        for scorer, scored, own in zip(found.scorers, found.each, columns, strict=True)
    ]
    pairs, relative = zip(*each, strict=True), found.relative.T.tolist()
    titles = tuple(ForBoth(pair, tuple(part)) for pair, part in zip(pairs, relative, strict=True))
    notes = tuple(
        tuple(notes_on(one, scorer.visitor, bundle, BY_PLANS if scorer.personal else POPULAR, ignoring=False))
        for one, scorer in zip(lists, found.scorers, strict=True)
    )
    return Together(titles, notes, shortage(len(titles), found.removed) if len(titles) < preferences.n else "")


def rank_together(columns: Sequence[ListColumns], bundle: ModelBundle, preferences: Preferences) -> JointRanking:
    """Rank like `recommend_together`, without titles, reasons and notes; same errors."""
    for field in FOR_ONE:
        if getattr(preferences, field) != CHOICES[field].default:
            raise BadOption(f"A list for two people doesn't accept `{CHOICES[field].name}`.")
    both = ListColumns(*(np.concatenate(pair) for pair in zip(*columns, strict=True)))
    passed, removed = find_candidates(both, bundle, preferences)
    scorers = tuple(Scorer(bundle, own, preferences) for own in columns)
    prescores = np.stack([scorer.prescore for scorer in scorers])
    least = np.full(bundle.model.n_items, -np.inf)
    least[passed] = beside_largest(prescores[:, passed]).min(axis=0)
    candidates = passed
    if preferences.franchise is not FranchiseRule.ALL:
        facts = bundle.facts
        seen, hidden = map(facts.anime_index.of, (both.seen_ids, np.array(preferences.hidden, dtype=np.int64)))
        unrelated, asked = preferences.franchise is FranchiseRule.UNRELATED, bool(preferences.types)
        candidates = new_only(seen, hidden, facts, passed, least, unrelated=unrelated, asked=asked)
        if more := int(np.count_nonzero(passed & ~candidates)):
            removed["series rules"] = more
    shortlists = [top_n(score, candidates, scoring.SHORTLIST) for score in (least, *prescores)]
    rows = np.unique(np.concatenate(shortlists))
    scored = [scorer.scored(rows) for scorer in scorers]
    relative = beside_largest(np.stack([one.score for one in scored]))
    best = top_n(relative.min(axis=0), np.ones(len(rows), dtype=np.bool_), preferences.n)
    each = tuple(one.at(best) for one in scored)
    return JointRanking(rows[best], each, relative[:, best], scorers, passed, removed)


def beside_largest(scores: Float64s) -> Float64s:
    """Each person's scores, `(2, n)`, divided by the largest of them, where that is positive."""
    largest = scores.max(axis=1, initial=0.0, keepdims=True)
    return np.asarray(scores / np.where(largest > 0, largest, 1.0))
