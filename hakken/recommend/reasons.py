"""Descriptions of recommendations: names, predicted ratings, and the entries that contribute most to the score."""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model.arrays import Float64s, Int64s
from hakken.ratings import FEWEST_RATERS, MAX_SCORE, MIN_SCORE, Reason, Recommendation
from hakken.recommend.scoring import Scored, Scorer
from hakken.recommend.series_notes import SeriesNotes

N_REASONS = 3


def described(bundle: ModelBundle, scorer: Scorer, chosen: Scored, notes: SeriesNotes) -> list[Recommendation]:
    """Describe scored titles: names, predicted ratings, reasons and notes on their series."""
    model, catalogue, taste = bundle.model, bundle.catalogue, scorer.taste
    ids = model.arrays.anime_ids
    shares, r_hat, neighbours = scorer.shares(chosen.rows)
    # After the visitor's own entries come titles of which more is wanted, which are not planned.
    planned = np.zeros(len(taste.rows), dtype=np.bool_)
    planned[: len(scorer.visitor.taste.rows)] = scorer.visitor.taste.planned
    title, entry = largest(shares)
    columns = (title, ids[taste.rows[entry]], taste.scores[entry].clip(0), shares[title, entry], planned[entry])
    reasons: list[list[Reason]] = [[] for _ in chosen.rows]
    for at, anime_id, score, share, is_planned in zip(*(column.tolist() for column in columns), strict=True):
        reasons[at].append(Reason(anime_id, catalogue.title(anime_id), score, share, is_planned))
    found = (
        ids[chosen.rows],
        r_hat.clip(MIN_SCORE, MAX_SCORE),
        chosen.score,
        model.arrays.raters[chosen.rows],
        neighbours,
        model.mostly_by_attributes[chosen.rows],
    )
    return [
        Recommendation(
            anime_id,
            catalogue.title(anime_id),
            predicted_rating=round(rating, 2) if raters >= FEWEST_RATERS else None,
            match=match,
            support=raters,
            neighbours=near,
            reasons=tuple(why),
            by_attributes=by_attributes,
            series_note=notes.note(anime_id),
        )
        for (anime_id, rating, match, raters, near, by_attributes), why in zip(
            zip(*(column.tolist() for column in found), strict=True), reasons, strict=True
        )
    ]


def largest(shares: Float64s) -> tuple[Int64s, Int64s]:
    """The up to three shares of each title, `(n, n_entries)`, that are largest in absolute value, the largest first.

    Returns:
        Positions of titles, and positions of entries, the lower first of equal shares: `(n_reasons,)` each.
    """
    n, n_entries = shares.shape
    strength = np.zeros((n, max(N_REASONS, n_entries)))
    np.abs(shares, out=strength[:, :n_entries])
    # With attributes, every entry contributes to every title: most are dropped before sorting.
    least = np.partition(strength, -N_REASONS, axis=1)[:, -N_REASONS, np.newaxis]
    title, entry = np.nonzero((strength > 0) & (strength >= least))
    order = np.lexsort((entry, -strength[title, entry], title))
    title, entry = title[order], entry[order]
    first = np.arange(len(title)) - np.searchsorted(title, title) < N_REASONS
    return title[first], entry[first]
