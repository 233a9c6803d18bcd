"""Deviations from what would be expected of someone: leanings by genre and by years, and unusual opinions.

    lean_g = Σ_{i ∈ R(u) ∩ g} (r_ui − b_ui) / (|R(u) ∩ g| + 30)

A mean shrunk towards 0, the more the fewer titles there are: the usual estimate of a group's mean where groups differ
less than titles within one do (Efron & Morris, "Data analysis using Stein's estimator", JASA 1975). 30 predicted best,
for the public ratings with each list halved at random, one half's residuals from the other's leanings: the mean squared
error was 1.353, against 1.384 with 0 for all and 1.427 without shrinkage.
"""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, Visitor
from hakken.model.arrays import Array
from hakken.model.prediction import baseline
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.taste.profile import Leaning, Opinion, Span

LEAN_PRIOR = 30.0
"""Titles with a residual of 0 that are added to each group."""
MIN_TITLES = 3
"""Least number of scored titles of a group that is shown."""
SPREAD = 1.18
"""Standard deviation of a residual, score points, measured on the public ratings."""
CLEAR = 2.0
"""Standard errors by which a clear leaning differs from 0."""
SPAN = 5
"""Years."""
FIRST_SPAN = 1980
"""Earlier years are one span: most lists have few titles of them."""
N_OPINIONS = 5
"""Most opinions that are named, above and below."""
UNUSUAL = 1.0
"""Least difference of an unusual opinion, score points."""


def genre_leanings(visitor: Visitor, bundle: ModelBundle) -> tuple[Leaning, ...]:
    """The leanings of all genres with enough titles, by falling lean, of equal ones by name."""
    facts, found = bundle.facts, []
    for name, mask in facts.genres.items():
        has = mask[visitor.rows]
        if (titles := int(np.count_nonzero(has))) >= MIN_TITLES:
            lean, clear = shrunk(visitor.residuals[has])
            found.append(Leaning(facts.genre_names[name], titles, float(visitor.scores[has].mean()), lean, clear))
    return tuple(sorted(found, key=lambda one: (-one.lean, one.name)))


def year_spans(
    columns: ListColumns, visitor: Visitor, bundle: ModelBundle, *, scores_differ: bool
) -> tuple[tuple[Span, ...], int]:
    """Watched titles by years, from the first span with any to the last, and how many have no known year.

    Args:
        columns: the list.
        visitor: the same, folded in.
        bundle: model and catalogue.
        scores_differ: whether its scores differ, so that residuals are meaningful.
    """
    rows, known = bundle.model.learnt_rows_of(columns.anime_ids)
    year = np.zeros(len(rows), dtype=np.int64)
    year[known] = bundle.facts.year[rows[known]]
    for at in np.flatnonzero(~known):  # newer than the model, but perhaps in the catalogue
        year[at] = bundle.catalogue.anime(int(columns.anime_ids[at])).year or 0
    residual = np.full(len(rows), np.nan)
    residual[known & columns.scored] = visitor.residuals
    dated, number = ~columns.planned & (year > 0), np.maximum((year - FIRST_SPAN) // SPAN, -1)
    spans = []
    for span in range(number[dated].min(), number[dated].max() + 1) if dated.any() else ():
        within, first = dated & (number == span), FIRST_SPAN + SPAN * span
        given, compared = columns.scores[within & columns.scored], residual[within & ~np.isnan(residual)]
        lean, clear = shrunk(compared) if scores_differ and len(compared) >= MIN_TITLES else (None, False)
        mean = float(given.mean()) if len(given) else None
        watched = int(np.count_nonzero(within))
        spans.append(Span(first if span >= 0 else None, first + SPAN - 1, watched, len(given), mean, lean, clear))
    return tuple(spans), int(np.count_nonzero(~columns.planned & (year == 0)))


def shrunk(residuals: Array) -> tuple[float, bool]:
    """The lean of a group with these residuals, `(n,)`, score points, and whether it is clear.

    With the prior's variance of leans, the standard error is √(SPREAD² / (n + LEAN_PRIOR)).
    """
    weight = len(residuals) + LEAN_PRIOR
    lean = float(residuals.sum()) / weight
    return lean, abs(lean) >= CLEAR * SPREAD / weight**0.5


def unusual_opinions(visitor: Visitor, bundle: ModelBundle) -> tuple[tuple[Opinion, ...], tuple[Opinion, ...]]:
    """The scores that differ most from b_ui, above and below it, largest difference first.

    They are compared with b_ui = mu + b_u + b_i, the rating of people in general adjusted for this person's generosity;
    the predicted rating knows the person's taste, so no score of a fan would be unusual. Titles with fewer raters than
    `min_raters` are left out, since their bias says little of people in general.
    """
    arrays, rows, scores = bundle.model.arrays, visitor.rows, visitor.scores
    expected = baseline(bundle.model, visitor, rows).clip(MIN_SCORE, MAX_SCORE)
    difference = scores - expected
    judged = arrays.raters[rows] >= bundle.model.manifest.parameters.min_raters

    def named(sign: int) -> tuple[Opinion, ...]:
        order = np.argsort(-difference, kind="stable")[::sign]
        order = order[judged[order] & (sign * difference[order] >= UNUSUAL)][:N_OPINIONS]
        columns = (arrays.anime_ids[rows], scores, expected, difference)
        each = zip(*(column[order].tolist() for column in columns), strict=True)
        return tuple(Opinion(one, bundle.catalogue.title(one), *numbers) for one, *numbers in each)

    return named(1), named(-1)
