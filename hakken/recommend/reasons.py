"""Recommendations in words: titles, predicted ratings, and what of the visitor's own list speaks for and against."""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model.arrays import Float64s, Int64s
from hakken.ratings import FEWEST_RATERS, MAX_SCORE, MIN_SCORE, Reason, Recommendation
from hakken.recommend.scoring import Contributions, Scored, Scorer

N_REASONS = 3


def described(bundle: ModelBundle, scorer: Scorer, chosen: Scored) -> tuple[Recommendation, ...]:
    """Write recommendations, with their reasons, from titles and their scores."""
    model, catalogue = bundle.model, bundle.catalogue
    arrays = model.arrays
    contributions = scorer.contributions(chosen.rows)
    taste = scorer.taste
    # What follows the visitor's own entries is what more is wanted of, which is no plan of theirs.
    planned = np.zeros(len(taste.rows), dtype=np.bool_)
    planned[: len(scorer.visitor.taste.rows)] = scorer.visitor.taste.planned
    title, entry, share = largest(contributions)
    told = zip(
        title.tolist(),
        arrays.anime_ids[taste.rows[entry]].tolist(),
        taste.scores[entry].clip(0).tolist(),
        share.tolist(),
        planned[entry].tolist(),
        strict=True,
    )
    reasons: list[list[Reason]] = [[] for _ in chosen.rows]
    for place, anime_id, score, part, is_planned in told:
        reasons[place].append(Reason(anime_id, catalogue.title(anime_id), score, part, is_planned))
    return tuple(
        Recommendation(
            anime_id=anime_id,
            title=catalogue.title(anime_id),
            predicted_rating=round(rating, 2) if support >= FEWEST_RATERS else None,
            match=match,
            support=support,
            neighbours=neighbours,
            reasons=tuple(why),
            by_attributes=by_attributes,
        )
        for anime_id, rating, match, support, neighbours, why, by_attributes in zip(
            arrays.anime_ids[chosen.rows].tolist(),
            contributions.r_hat.clip(MIN_SCORE, MAX_SCORE).tolist(),
            chosen.score.tolist(),
            arrays.raters[chosen.rows].tolist(),
            contributions.neighbours.tolist(),
            reasons,
            model.mostly_by_attributes[chosen.rows].tolist(),
            strict=True,
        )
    )


def largest(contributions: Contributions) -> tuple[Int64s, Int64s, Float64s]:
    """The up to three contributions of each title that are largest in absolute value, by falling value.

    Returns:
        Positions of titles, positions of entries, and amounts: `(n,)` each.
    """
    strength = np.abs(contributions.amount)
    # Where attributes count, each entry speaks for each title: most are left out before any are sorted.
    of_entry = np.zeros((len(contributions.rest), max(N_REASONS, contributions.entry.max(initial=0) + 1)))
    of_entry[contributions.title, contributions.entry] = strength
    least = np.partition(of_entry, -N_REASONS, axis=1)[:, -N_REASONS]
    chosen = np.flatnonzero((strength > 0) & (strength >= least[contributions.title]))
    order = chosen[np.lexsort((contributions.entry[chosen], -strength[chosen], contributions.title[chosen]))]
    titles = contributions.title[order]
    place = np.arange(len(order)) - np.searchsorted(titles, titles)
    order = order[place < N_REASONS]
    return contributions.title[order], contributions.entry[order], contributions.amount[order]
