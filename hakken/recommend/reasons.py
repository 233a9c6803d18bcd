"""Descriptions of recommendations: names, predicted ratings, and the entries that contribute most to the score."""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model.arrays import Float64s, Int64s
from hakken.ratings import FEWEST_RATERS, MAX_SCORE, MIN_SCORE, Reason, Recommendation
from hakken.recommend.scoring import Contributions, Scored, Scorer

N_REASONS = 3


def described(bundle: ModelBundle, scorer: Scorer, chosen: Scored) -> tuple[Recommendation, ...]:
    """Describe scored titles: names, predicted ratings and reasons."""
    model, catalogue, taste = bundle.model, bundle.catalogue, scorer.taste
    ids, raters = model.arrays.anime_ids, model.arrays.raters[chosen.rows].tolist()
    found = scorer.contributions(chosen.rows)
    # After the visitor's own entries come titles of which more is wanted, which are not planned.
    planned = np.zeros(len(taste.rows), dtype=np.bool_)
    planned[: len(scorer.visitor.taste.rows)] = scorer.visitor.taste.planned
    title, entry, share = largest(found)
    columns = (title, ids[taste.rows[entry]], taste.scores[entry].clip(0), share, planned[entry])
    reasons: list[list[Reason]] = [[] for _ in chosen.rows]
    for at, anime_id, score, part, is_planned in zip(*(column.tolist() for column in columns), strict=True):
        reasons[at].append(Reason(anime_id, catalogue.title(anime_id), score, part, is_planned))
    ratings = found.r_hat.clip(MIN_SCORE, MAX_SCORE).tolist()
    matches, neighbours = chosen.score.tolist(), found.neighbours.tolist()
    by_attributes = model.mostly_by_attributes[chosen.rows].tolist()
    return tuple(
        Recommendation(
            anime_id=anime_id,
            title=catalogue.title(anime_id),
            predicted_rating=round(ratings[at], 2) if raters[at] >= FEWEST_RATERS else None,
            match=matches[at],
            support=raters[at],
            neighbours=neighbours[at],
            reasons=tuple(reasons[at]),
            by_attributes=by_attributes[at],
        )
        for at, anime_id in enumerate(ids[chosen.rows].tolist())
    )


def largest(contributions: Contributions) -> tuple[Int64s, Int64s, Float64s]:
    """The up to three contributions of each title that are largest in absolute value, by falling value.

    Returns:
        Positions of titles, positions of entries, and amounts: `(n,)` each.
    """
    strength = np.abs(contributions.amount)
    # With attributes, every entry contributes to every title: most are dropped before sorting.
    of_entry = np.zeros((len(contributions.rest), max(N_REASONS, contributions.entry.max(initial=0) + 1)))
    of_entry[contributions.title, contributions.entry] = strength
    least = np.partition(of_entry, -N_REASONS, axis=1)[:, -N_REASONS]
    chosen = np.flatnonzero((strength > 0) & (strength >= least[contributions.title]))
    order = chosen[np.lexsort((contributions.entry[chosen], -strength[chosen], contributions.title[chosen]))]
    titles = contributions.title[order]
    order = order[np.arange(len(order)) - np.searchsorted(titles, titles) < N_REASONS]
    return contributions.title[order], contributions.entry[order], contributions.amount[order]
