"""The score that a list is ordered by, and what each entry of the visitor's list adds to it.

    match_ui = (p_ui + everyone · q_i) · q_i^(0.4 · popularity − novelty) · exp(pull · (r_hat_ui − b_ui))

p_ui is the preference, q_i the part of all people who have the title on their lists, `popularity` the visitor's choice
from -1 to 1, and r_hat − b_ui what the scores of similar titles say beyond the baseline. An empty list has p_ui = 0 and
b_u = 0, and gets what most people watch. r_hat is made for a shortlist only: the best by the first two factors.
"""

from typing import NamedTuple

import numpy as np

from hakken.knowledge import Mask
from hakken.model import Model, fold_in, predict, preference, top_n
from hakken.model.arrays import Float64s, Int64s
from hakken.model.prediction import IMPLICIT_RANGE, implicit_term, neighbourhood, predict_from_neighbours
from hakken.model.preference import parts_of
from hakken.ratings import Order, Preferences, UserList

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


class Scorer:
    """Scores titles for one visitor, and says what of their own list a score is made of.

    Args:
        model: the model.
        user_list: the visitor's list, without the entries that are to say nothing.
        preferences: order and popularity.
    """

    def __init__(self, model: Model, user_list: UserList, preferences: Preferences) -> None:
        self.visitor = fold_in(model, user_list)
        self._model = model
        self._order = preferences.order
        self._enough = max(SHORTLIST, 5 * preferences.n)
        self._wanted = preference(model, self.visitor.taste)
        exponent = SLIDER * preferences.popularity - model.manifest.parameters.novelty
        self._popularity_factor: Float64s = np.exp(exponent * model.log_popularity)
        self._everyone = model.manifest.parameters.everyone * model.popularity

    def score(self, candidates: Mask) -> Scored:
        """Score the candidates, `(n_items,)` bool, or as many of the best of them as make a shortlist."""
        if self._order is Order.PREDICTED_RATING:
            rows = np.flatnonzero(candidates)
            return Scored(rows, predict(self._model, self.visitor, None, self._wanted)[rows])
        before = (self._wanted + self._everyone) * self._popularity_factor
        rows = np.sort(top_n(before, candidates, self._enough))  # of equal scores the lower row is to come first
        return Scored(rows, before[rows] * self._pull(rows))

    def predicted(self, rows: Int64s) -> Float64s:
        """Predicted ratings of some titles, neither rounded nor clipped, score points."""
        return predict(self._model, self.visitor, rows, self._wanted)

    def shares(self, rows: Int64s) -> Shares:
        """Take the scores of some titles apart; each row of shares and its rest add up to the score."""
        model, visitor = self._model, self.visitor
        near = neighbourhood(model, visitor, rows)
        spoke = np.bincount(near.title, minlength=len(rows))
        parts = parts_of(model, visitor.taste, rows)
        of_entry = np.zeros((len(rows), len(visitor.taste.rows)))
        of_entry[parts.title, parts.entry] = parts.amount
        if self._order is Order.MATCH:
            factor = self._popularity_factor[rows] * self._pull(rows)
            return Shares(of_entry * factor[:, np.newaxis], self._everyone[rows] * factor, spoke)
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

    def _pull(self, rows: Int64s) -> Float64s:
        model = self._model
        baseline = model.mu + self.visitor.b_u + model.arrays.b_i[rows]
        beyond = predict_from_neighbours(model, self.visitor, rows) - baseline
        pull: Float64s = np.exp(model.manifest.parameters.pull * beyond)
        return pull
