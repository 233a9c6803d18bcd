"""Taste profile of a list. Pure: no file, no network, no clock.

list ─► columns ─► fold-in (b_u, residuals) ─► genres and years ─► profile
                                           └─► opinions, generosity

A residual, r_ui − b_ui, is what someone thinks of a title beyond their own generosity and the title's general rating.
"""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, fold_in
from hakken.model.arrays import Int64s
from hakken.ratings import MAX_SCORE, MIN_SCORE, Status, UserList
from hakken.taste.leanings import genre_leanings, unusual_opinions, year_spans
from hakken.taste.profile import Counts, Generosity, Leaning, Opinion, Profile, ScoreShare, Span
from hakken.taste.sentences import generosity_in_words, notes_on

__all__ = ["Counts", "Generosity", "Leaning", "Opinion", "Profile", "ScoreShare", "Span", "profile"]


def profile(user_list: UserList, bundle: ModelBundle) -> Profile:
    """Compute a taste profile.

    Args:
        user_list: their list; planned titles count nowhere but among the statuses, unless they have a score.
        bundle: model and catalogue.
    """
    columns = ListColumns.of(user_list)
    visitor = fold_in(bundle.model, columns)
    scores = columns.scores[columns.scored]
    # If all scores are the same, residuals only tell which titles others like.
    scores_differ = len(np.unique(visitor.scores)) > 1
    above, below = unusual_opinions(visitor, bundle) if scores_differ else ((), ())
    years, undated = year_spans(columns, visitor, bundle, scores_differ=scores_differ)
    statuses = [one.status for one in user_list.ratings]
    counts = Counts(
        entries=len(statuses),
        **{status.value: statuses.count(status) for status in Status},
        known=int(np.count_nonzero(bundle.model.learnt_rows_of(columns.anime_ids)[1])),
        scored=len(scores),
        compared=len(visitor.rows),
    )
    quantiles = bundle.model.manifest.people.b_u
    share = float(np.interp(visitor.b_u, quantiles, np.linspace(0.0, 1.0, len(quantiles))))
    generosity = Generosity(visitor.b_u, share, generosity_in_words(visitor.b_u, share, counts.compared))
    return Profile(
        counts=counts,
        mean=float(scores.mean()) if len(scores) else None,
        scores=_score_shares(scores, bundle),
        generosity=generosity if counts.compared else None,
        genres=genre_leanings(visitor, bundle) if scores_differ else (),
        years=years,
        undated=undated,
        above=above,
        below=below,
        notes=tuple(notes_on(user_list, counts, scores_differ=scores_differ)),
    )


def _score_shares(scores: Int64s, bundle: ModelBundle) -> tuple[ScoreShare, ...]:
    """The histogram of scores, `(n_scored,)`, 1-10, beside everyone's."""
    counts = np.bincount(scores, minlength=MAX_SCORE + 1)[MIN_SCORE:].tolist()
    everyone = bundle.model.manifest.people.scores
    own, others = max(1, sum(counts)), max(1, sum(everyone))
    return tuple(
        ScoreShare(score, count, count / own, theirs / others)
        for score, (count, theirs) in enumerate(zip(counts, everyone, strict=True), start=MIN_SCORE)
    )
