"""From a list to recommendations. Pure: no file, no network, no clock.

list ─► filters (candidates) ─► franchise rules ─► scoring ─► the best n ─► reasons
"""

import msgspec
import numpy as np

from hakken.knowledge import Knowledge, Mask
from hakken.model import top_n
from hakken.model.arrays import Float64s
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
from hakken.recommend.scoring import Scored, Scorer

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
    candidates, taken = find_candidates(user_list, knowledge, preferences)
    following = np.zeros_like(candidates)
    if preferences.franchise is FranchiseRule.NEW:
        following[next_entries(user_list, knowledge, candidates)] = True
        fresh = new_only(user_list, knowledge, candidates)
        if more := int(candidates.sum() - fresh.sum()):
            taken["franchise rules"] = more
        candidates = fresh
    scorer = Scorer(knowledge.model, evidence, preferences)
    best, continues = (_best(scorer, mask, preferences.n) for mask in (candidates, following))
    both = Scored(np.concatenate((best.rows, continues.rows)), np.concatenate((best.score, continues.score)))
    described = _described(evidence, knowledge, scorer, both)
    found = described[: len(best.rows)]
    notes = notes_on(evidence, scorer.visitor)
    if len(found) < preferences.n:
        notes.append(what_is_left(len(found), taken))
    personal = len(scorer.visitor.taste.rows) > 0
    return Recommendations(found, tuple(notes), personal, described[len(best.rows) :])


def _without(user_list: UserList, ignored: tuple[int, ...]) -> UserList:
    if not ignored:
        return user_list
    kept = tuple(rating for rating in user_list.ratings if rating.anime_id not in ignored)
    return msgspec.structs.replace(user_list, ratings=kept)


def _best(scorer: Scorer, candidates: Mask, n: int) -> Scored:
    scored = scorer.score(candidates)
    best = top_n(scored.score, np.ones(len(scored.rows), dtype=np.bool_), n)
    return Scored(scored.rows[best], scored.score[best])


def _described(user_list: UserList, knowledge: Knowledge, scorer: Scorer, chosen: Scored) -> tuple[Recommendation, ...]:
    """Write recommendations, with their reasons, from titles and their scores."""
    model, catalogue = knowledge.model, knowledge.catalogue
    r_hat = scorer.predicted(chosen.rows).clip(MIN_SCORE, MAX_SCORE)
    parts = scorer.shares(chosen.rows)
    scores = {rating.anime_id: max(rating.score, 0) for rating in user_list.ratings}
    watched = model.arrays.anime_ids[scorer.visitor.taste.rows].tolist()
    return tuple(
        Recommendation(
            anime_id=anime_id,
            title=catalogue.title(anime_id),
            predicted_rating=round(rating, 2),
            match=match,
            support=support,
            neighbours=neighbours,
            reasons=tuple(
                Reason(watched[entry], catalogue.title(watched[entry]), scores[watched[entry]], share)
                for entry, share in largest
            ),
        )
        for anime_id, rating, match, support, neighbours, largest in zip(
            model.arrays.anime_ids[chosen.rows].tolist(),
            r_hat.tolist(),
            chosen.score.tolist(),
            model.arrays.raters[chosen.rows].tolist(),
            parts.neighbours.tolist(),
            _largest(parts.of_entry),
            strict=True,
        )
    )


def _largest(of_entry: Float64s) -> list[list[tuple[int, float]]]:
    """For each title, the up to three entries that say most, for or against, and their shares."""
    size = -np.abs(of_entry)
    n = min(N_REASONS, size.shape[1])
    if n < size.shape[1]:
        few = np.sort(np.argpartition(size, n - 1, axis=1)[:, :n], axis=1)
    else:
        few = np.tile(np.arange(n), (len(size), 1))
    order = np.take_along_axis(few, np.argsort(np.take_along_axis(size, few, axis=1), axis=1, kind="stable"), axis=1)
    shares = np.take_along_axis(of_entry, order, axis=1)
    return [
        [(entry, share) for entry, share in zip(entries, parts, strict=True) if share]
        for entries, parts in zip(order.tolist(), shares.tolist(), strict=True)
    ]
