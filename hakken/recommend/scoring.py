"""The score that a list is ordered by, and what each entry of the visitor's list adds to it.

    match_ui = (p_ui + everyone · q_i) · q_i^(0.4 · popularity − novelty) · exp(pull · (r_hat_ui − b_ui))

p_ui is the preference, q_i the part of all people who have the title on their lists, `popularity` the visitor's choice
from -1 to 1, and r_hat − b_ui what the scores of similar titles say beyond the baseline. An empty list has p_ui = 0 and
b_u = 0, and gets what most people watch. r_hat is made for a shortlist only: the best by the first two factors.
"""

from typing import NamedTuple

import numpy as np

from hakken.knowledge import Mask
from hakken.model import Model, Visitor, predict, top_n
from hakken.model.arrays import Float64s, Int64s
from hakken.model.prediction import IMPLICIT_RANGE, implicit_term, neighbourhood, predict_from_neighbours
from hakken.model.preference import parts_of
from hakken.ratings import Order, Preferences

SHORTLIST = 500
"""Titles, at least, that the match is made for in full."""
SLIDER = 0.4
"""Exponent of a title's popularity at the ends of the slider."""


class Scored(NamedTuple):
    """Titles in the running, and their scores.

    Attributes:
        rows: `(n,)` int64, inner indices.
        score: `(n,)` float64, what the list is ordered by.
    """

    rows: Int64s
    score: Float64s


class Shares(NamedTuple):
    """What each watched entry adds to the score of some titles.

    Attributes:
        of_entry: `(n, n_watched)` float64, one column for each entry of the visitor's taste; units of the score.
        rest: `(n,)` float64, what no entry of the list adds: popularity, or the baseline.
        neighbours: `(n,)` int64, how many scored entries the predicted rating rests on.
    """

    of_entry: Float64s
    rest: Float64s
    neighbours: Int64s


def score(model: Model, visitor: Visitor, wanted: Float64s, candidates: Mask, preferences: Preferences) -> Scored:
    """Score the candidates, or as many of the best of them as are enough.

    Args:
        model: the model.
        visitor: a folded-in user.
        wanted: `(n_items,)`, their preferences p_ui.
        candidates: `(n_items,)`, which titles may be recommended.
        preferences: order, popularity and how many are wanted.
    """
    if preferences.order is Order.PREDICTED_RATING:
        return Scored(np.flatnonzero(candidates), predict(model, visitor, None, wanted)[candidates])
    before = _sum(model, wanted) * _popularity_factor(model, preferences)
    rows = top_n(before, candidates, max(SHORTLIST, 5 * preferences.n))
    return Scored(rows, before[rows] * _pull(model, visitor, rows))


def shares(model: Model, visitor: Visitor, rows: Int64s, preferences: Preferences) -> Shares:
    """Take the scores of some titles apart; each row of shares and its rest add up to the score."""
    near = neighbourhood(model, visitor, rows)
    spoke = np.bincount(near.title, minlength=len(rows))
    parts = parts_of(model, visitor.taste, rows)
    of_entry = np.zeros((len(rows), len(visitor.taste.rows)))
    of_entry[parts.title, parts.entry] = parts.amount
    if preferences.order is Order.MATCH:
        factor = _popularity_factor(model, preferences)[rows] * _pull(model, visitor, rows)
        everyone = model.manifest.parameters.everyone * model.popularity[rows]
        return Shares(of_entry * factor[:, np.newaxis], everyone * factor, spoke)
    # Beyond the range in which a preference counts, all its parts count less by the same factor.
    total = of_entry.sum(axis=1)
    cut = np.divide(total.clip(*IMPLICIT_RANGE), total, out=np.ones(len(rows)), where=total != 0)
    of_entry *= cut[:, np.newaxis] * model.manifest.parameters.implicit_slope
    place = np.full(model.n_items, -1)
    place[visitor.taste.rows] = np.arange(len(visitor.taste.rows))
    entry = place[visitor.rows[near.rated]]
    watched = entry >= 0
    np.add.at(of_entry, (near.title[watched], entry[watched]), near.amount[watched])
    # A scored title that is only planned is no entry of the taste: what it says is in the rest.
    planned = np.bincount(near.title[~watched], near.amount[~watched], minlength=len(rows))
    return Shares(of_entry, near.baseline + planned + implicit_term(model, visitor, np.zeros(len(rows))), spoke)


def _sum(model: Model, wanted: Float64s) -> Float64s:
    return wanted + model.manifest.parameters.everyone * model.popularity


def _popularity_factor(model: Model, preferences: Preferences) -> Float64s:
    exponent = SLIDER * preferences.popularity - model.manifest.parameters.novelty
    factor: Float64s = model.popularity**exponent
    return factor


def _pull(model: Model, visitor: Visitor, rows: Int64s) -> Float64s:
    beyond = predict_from_neighbours(model, visitor, rows) - (model.mu + visitor.b_u + model.arrays.b_i[rows])
    pull: Float64s = np.exp(model.manifest.parameters.pull * beyond)
    return pull
