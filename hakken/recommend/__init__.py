"""From a list to recommendations. Pure: no file, no network, no clock.

list ─► filters (candidates) ─► franchise rules ─► scoring ─► the best n ─► reasons
"""

import msgspec
import numpy as np

from hakken.knowledge import Knowledge, Mask
from hakken.model import Visitor, fold_in, predict, preference, top_n
from hakken.model.arrays import Float64s, Int64s
from hakken.ratings import (
    MAX_SCORE,
    MIN_SCORE,
    FranchiseRule,
    Preferences,
    Reason,
    Recommendation,
    Recommendations,
    UserList,
)
from hakken.recommend.filters import candidates as find_candidates
from hakken.recommend.franchise import new_only, next_entries
from hakken.recommend.notes import list_notes, notes_on, what_is_left
from hakken.recommend.scoring import Scored, score, shares

__all__ = ["list_notes", "recommend"]

N_REASONS = 3


def recommend(user_list: UserList, knowledge: Knowledge, preferences: Preferences) -> Recommendations:
    """Rank the anime that someone has not seen.

    Args:
        user_list: the visitor's list; no seen entry is recommended.
        knowledge: model and catalogue.
        preferences: what the visitor chose.

    Returns:
        At most `preferences.n` recommendations, best first; fewer only when there are no more candidates, with a note
        that says which filter took how many. By the franchise rule NEW, also what continues started franchises.

    Raises:
        BadOption: the catalogue knows no such type or genre.
    """
    evidence = _without(user_list, preferences.ignored)
    visitor = fold_in(knowledge.model, evidence)
    candidates, taken = find_candidates(user_list, knowledge, preferences)
    continues: tuple[Recommendation, ...] = ()
    if preferences.franchise is FranchiseRule.NEW:
        following = np.zeros_like(candidates)
        following[next_entries(user_list, knowledge, candidates)] = True
        continues = _best(evidence, visitor, knowledge, following, preferences)
        fresh = new_only(user_list, knowledge, candidates)
        if more := int(candidates.sum() - fresh.sum()):
            taken["franchise rules"] = more
        candidates = fresh
    found = _best(evidence, visitor, knowledge, candidates, preferences)
    notes = notes_on(evidence, visitor)
    if len(found) < preferences.n:
        notes.append(what_is_left(len(found), taken))
    return Recommendations(found, tuple(notes), len(visitor.taste.rows) > 0, continues)


def _without(user_list: UserList, ignored: tuple[int, ...]) -> UserList:
    if not ignored:
        return user_list
    kept = tuple(rating for rating in user_list.ratings if rating.anime_id not in ignored)
    return msgspec.structs.replace(user_list, ratings=kept)


def _best(
    user_list: UserList, visitor: Visitor, knowledge: Knowledge, candidates: Mask, preferences: Preferences
) -> tuple[Recommendation, ...]:
    wanted = preference(knowledge.model, visitor.taste)
    scored = score(knowledge.model, visitor, wanted, candidates, preferences)
    by_row = np.argsort(scored.rows)
    ordered = Scored(scored.rows[by_row], scored.score[by_row])  # of equal scores the lower row comes first
    best = top_n(ordered.score, np.ones(len(ordered.rows), dtype=np.bool_), preferences.n)
    chosen = Scored(ordered.rows[best], ordered.score[best])
    return _described(user_list, visitor, knowledge, wanted=wanted, chosen=chosen, preferences=preferences)


def _described(
    user_list: UserList,
    visitor: Visitor,
    knowledge: Knowledge,
    *,
    wanted: Float64s,
    chosen: Scored,
    preferences: Preferences,
) -> tuple[Recommendation, ...]:
    model, catalogue = knowledge.model, knowledge.catalogue
    if not len(chosen.rows):
        return ()
    r_hat = predict(model, visitor, chosen.rows, wanted).clip(MIN_SCORE, MAX_SCORE)
    parts = shares(model, visitor, chosen.rows, preferences)
    scores = {rating.anime_id: max(rating.score, 0) for rating in user_list.ratings}
    watched = model.arrays.anime_ids[visitor.taste.rows]

    def reasons(place: int) -> tuple[Reason, ...]:
        of_entry = parts.of_entry[place]
        largest = _largest(of_entry)
        return tuple(
            Reason(anime_id, catalogue.title(anime_id), scores[anime_id], share)
            for anime_id, share in zip(watched[largest].tolist(), of_entry[largest].tolist(), strict=True)
        )

    return tuple(
        Recommendation(
            anime_id=anime_id,
            title=catalogue.title(anime_id),
            predicted_rating=round(float(r_hat[place]), 2),
            match=float(chosen.score[place]),
            support=int(model.arrays.raters[chosen.rows[place]]),
            neighbours=int(parts.neighbours[place]),
            reasons=reasons(place),
        )
        for place, anime_id in enumerate(model.arrays.anime_ids[chosen.rows].tolist())
    )


def _largest(of_entry: Float64s) -> Int64s:
    """The up to three entries that say most, for or against."""
    order = np.argsort(-np.abs(of_entry), kind="stable")[:N_REASONS].astype(np.int64)
    return np.extract(of_entry[order] != 0, order)
