"""Opinions: the titles that someone scored most unlike others.

A score is held against b_ui = mu + b_u + b_i, what people in general gave the title, moved by how generous this person
is. Not against the predicted rating: that already knows the person's taste, and finds nothing unusual about a fan.
"""

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import Visitor
from hakken.model.arrays import Int64s
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.taste.leanings import Listed
from hakken.taste.profile import Opinion

N_OPINIONS = 5
"""How many are named, at most, above and below."""
UNUSUAL = 1.0
"""Score points that an unusual opinion differs by, at least."""


def unusual_opinions(
    visitor: Visitor, listed: Listed, bundle: ModelBundle
) -> tuple[tuple[Opinion, ...], tuple[Opinion, ...]]:
    """The most unusual opinions, above and below what was expected, each with the largest difference first.

    Titles with fewer raters than `min_raters` are left out: what three people gave is not what people in general gave.
    """
    model = bundle.model
    scores = listed.compared
    expected = (model.mu + visitor.b_u + model.arrays.b_i[visitor.rows]).clip(MIN_SCORE, MAX_SCORE)
    difference = scores - expected
    judged = model.arrays.raters[visitor.rows] >= model.manifest.parameters.min_raters

    def named(places: Int64s) -> tuple[Opinion, ...]:
        ids = model.arrays.anime_ids[visitor.rows[places]].tolist()
        return tuple(
            Opinion(one, bundle.catalogue.title(one), int(scores[at]), float(expected[at]), float(difference[at]))
            for one, at in zip(ids, places.tolist(), strict=True)
        )

    order = np.argsort(-difference, kind="stable")
    order = order[judged[order]]
    above = order[difference[order] >= UNUSUAL][:N_OPINIONS]
    below = order[::-1][difference[order[::-1]] <= -UNUSUAL][:N_OPINIONS]
    return named(above), named(below)
