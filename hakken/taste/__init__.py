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

__all__ = ["Counts", "Generosity", "Leaning", "Opinion", "Profile", "ScoreShare", "Span", "profile"]

FEW = 10
"""With fewer scored titles, a note says so."""
SAME = 0.05
"""Smaller differences, in score points, would be written as 0.0 and count as none."""


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


def generosity_in_words(b_u: float, share: float, compared: int) -> str:
    """A sentence on how someone scores.

    Args:
        b_u: user bias, score points.
        share: the part of people, 0-1, who score lower.
        compared: number of scores; with few, the comparison with other people is left out.
    """
    # b_u is an estimate, shrunk towards 0 where there are few scores.
    begin = "So far, you seem to" if compared < FEW else "You seem to"
    if abs(b_u) < SAME:
        return f"{begin} rate titles about the same as other people do on average."
    how, others, manner = ("higher", share, "generously") if b_u > 0 else ("lower", 1 - share, "strictly")
    size = f"{abs(b_u):.1f}"
    points = f"{size} point{'' if size == '1.0' else 's'}"
    difference = f"{begin} rate titles {points} {how} than other people do on average"
    return f"{difference}." if compared < FEW else f"{difference}: more {manner} than {percent(others)}."


def percent(share: float) -> str:
    """A share of people, 0-1, in words; never "nobody" or "everyone"."""
    whole = round(100 * share)
    if whole < 1:
        return "under 1% of them"
    return "nearly everyone" if whole > 99 else f"{whole}% of them"  # noqa: PLR2004  # of a hundred


def notes_on(user_list: UserList, counts: Counts, *, scores_differ: bool) -> list[str]:
    """Notes on what the profile lacks.

    Args:
        user_list: the list.
        counts: what it holds.
        scores_differ: whether the compared scores differ.
    """
    if not counts.entries:
        why = "Nothing on the list could be read" if user_list.skipped else "The list is empty"
        return [f"{why}, so it can't show a taste yet."]
    if not counts.compared:
        which = "that we know has a score on the list" if counts.scored else "on the list has a score"
        return [f"No title {which}, so there is nothing to compare with other people's scores."]
    notes = []
    if not scores_differ and counts.compared > 1:
        notes.append(
            "All scores that can be compared are the same, so they don't show what is liked more than the rest."
        )
    elif counts.compared < FEW:
        count = "one scored title" if counts.compared == 1 else f"{counts.compared} scored titles"
        notes.append(f"This is based on {count}: with more, there will be more to say, with more certainty.")
    if unknown := counts.scored - counts.compared:
        which = "1 scored title is" if unknown == 1 else f"{unknown:,} scored titles are"
        notes.append(f"{which} new to the model and left out of the comparison.")
    return notes
