"""The score that a list is ordered by, and what each entry of the visitor's list contributes to it.

    match_ui = (p_ui + everyone · q_i) · q_i^(0.4 · popularity − novelty) · exp(quality · b_i) · order_ui
               · exp(pull · (r_hat_ui − b_ui))

p_ui is the preference, q_i the part of those who could have watched the title that did, `popularity` the visitor's
choice from -1 to 1, b_i the title's bias, order_ui the factor of the watching order
(`hakken.recommend.series_rules`), and r_hat − b_ui the neighbour term of `hakken.model.prediction`. An empty list has
p_ui = 0 and b_u = 0, and gets what many people watch and like. In p_ui, and nowhere else, a title of which the visitor
wants more counts like many entries.

Only the last factor is costly. It is computed for a shortlist, the best by all others: for 300 lists of the public
ratings each of the best 20 was among the first 99 by those, and for 99 lists of 100 among the first 52.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, Model, fold_in, predict, preference, top_n
from hakken.model.arrays import Bools, Float64s, Int64s
from hakken.model.prediction import IMPLICIT_RANGE, baseline, implicit_term, neighbour_parts, neighbour_term
from hakken.model.preference import Taste, parts_of
from hakken.ratings import Order, Preferences
from hakken.recommend.series_rules import order_factor

SHORTLIST = 250
"""Least number of titles for which the full match is computed."""
SLIDER = 0.4
"""Exponent of a title's popularity at the ends of the slider."""
BOOST = 0.1
"""Added to the liking of a title of which more is wanted, as a share of the sum of all liking…"""
MIN_BOOST = 8.0
"""… and at least this much."""


class Scored(NamedTuple):
    """Titles and their scores.

    Attributes:
        rows: `(n,)` int64, inner indices, best first; of equal scores the lower one first.
        score: `(n,)` float64, what the list is ordered by.
    """

    rows: Int64s
    score: Float64s


class Scorer:
    """Scores titles for one visitor, and splits scores into the contributions of their entries.

    Args:
        bundle: model and catalogue.
        columns: the visitor's list, without ignored entries.
        preferences: order, popularity and titles of which more is wanted.

    Attributes:
        visitor: the list, folded in.
        taste: what the match is computed from: the visitor's, boosted for titles of which more is wanted.
        prescore: `(n_items,)` float64, the match without its costly factor; in the order by predicted rating, the
            popularity of each title.
    """

    def __init__(self, bundle: ModelBundle, columns: ListColumns, preferences: Preferences) -> None:
        model = self._model = bundle.model
        parameters = model.manifest.parameters
        self.visitor = fold_in(model, columns)
        self._order = preferences.order
        self.prescore = model.popularity
        self._wanted = preference(model, self.visitor.taste)
        self.taste = self.visitor.taste
        if self._order is Order.MATCH:
            liked = self._wanted
            if preferences.like:
                self.taste = boosted_taste(model, self.visitor.taste, preferences.like)
                liked = preference(model, self.taste)
            seen, series = bundle.facts.anime_index.of(columns.seen_ids), bundle.facts.series
            self._factor: Float64s = order_factor(seen, series, parameters.skipped, parameters.ahead) * model.standing
            if preferences.popularity:
                self._factor *= np.exp(SLIDER * preferences.popularity * model.log_popularity)
            self.prescore = (liked + parameters.everyone * model.popularity) * self._factor

    @property
    def personal(self) -> bool:
        """Whether the visitor's list influences the order, rather than only what many people watch and like."""
        if self._order is Order.MATCH:
            return len(self.taste.rows) > 0
        # Ratings are predicted from scores and watched titles, not from plans.
        return self.visitor.taste.n_watched > 0 or len(self.visitor.rows) > 0

    def best(self, lists: Sequence[Bools], n: int) -> list[Scored]:
        """The best `n` of the candidates of each list, `(n_items,)` bool; fewer only when there are no more.

        All lists are scored together: much of the time of `neighbour_term` does not depend on the number of titles.
        """
        # Ascending, so that of equal scores the lower row comes first.
        if self._order is Order.PREDICTED_RATING:
            shortlists = [np.flatnonzero(candidates) for candidates in lists]
            scores = predict(self._model, self.visitor, np.concatenate(shortlists), self._wanted)
        else:
            shortlists = [np.sort(top_n(self.prescore, one, max(SHORTLIST, 5 * n))) for one in lists]
            rows, pull = np.concatenate(shortlists), self._model.manifest.parameters.pull
            scores = self.prescore[rows] * np.exp(pull * neighbour_term(self._model, self.visitor, rows))
        of_each = np.split(scores, np.cumsum([len(rows) for rows in shortlists])[:-1])
        best = [top_n(score, np.ones(len(score), dtype=np.bool_), n) for score in of_each]
        return [Scored(rows[at], score[at]) for rows, score, at in zip(shortlists, of_each, best, strict=True)]

    def shares(self, rows: Int64s) -> tuple[Float64s, Float64s, Int64s]:
        """Split the scores of some titles, `(n,)` inner indices, into what the entries of the taste contribute.

        Returns:
            `(n, n_entries)` float64, in units of the score, the rest of which is popularity, or the baseline;
            `(n,)` float64, r_hat, neither rounded nor clipped; `(n,)` int64, how many scored entries it is based on.
        """
        model, visitor, n = self._model, self.visitor, len(rows)
        parameters = model.manifest.parameters
        title, rated, amount = neighbour_parts(model, visitor, rows)
        say = np.bincount(title, amount, minlength=n)
        r_hat = baseline(model, visitor, rows) + say + implicit_term(model, visitor, self._wanted[rows])
        shares = parts_of(model, self.taste, rows)
        if self._order is Order.MATCH:
            shares *= (self._factor[rows] * np.exp(parameters.pull * say))[:, np.newaxis]
        else:  # an entry may contribute by being watched and by its score
            # A preference outside the range is clipped: all its parts are scaled by the same factor.
            total = shares.sum(axis=1)
            cut = np.divide(total.clip(*IMPLICIT_RANGE), total, out=np.ones(n), where=total != 0)
            shares *= (cut * (parameters.implicit_slope if visitor.taste.n_watched else 0.0))[:, np.newaxis]
            position = np.full(model.n_items, -1)
            position[self.taste.rows] = np.arange(len(self.taste.rows))
            entry = position[visitor.rows[rated]]
            listed = entry >= 0  # a scored title that is only planned may be missing from the taste
            shares[title[listed], entry[listed]] += amount[listed]
        return shares, r_hat, np.bincount(title, minlength=n)


def boosted_taste(model: Model, taste: Taste, anime_ids: Sequence[int]) -> Taste:
    """A visitor's taste in which some titles, `(n,)` MyAnimeList ids, count like many entries.

    x_uj of each grows by max(MIN_BOOST, BOOST · Σ max(x_uk, 0)), the sum being over the taste's own entries. After
    those come, by ascending row, the titles that are not among them, without a score; but for those without weights
    for other titles.
    """
    rows, informative = model.informative_rows_of(anime_ids)
    wanted = np.unique(rows[informative])
    new = wanted[~np.isin(wanted, taste.rows)]
    boosted = Taste(
        np.concatenate((taste.rows, new)),
        np.concatenate((taste.scores, np.zeros_like(new))),
        np.concatenate((taste.liking, np.zeros(len(new)))),
        np.concatenate((taste.planned, np.zeros(len(new), dtype=np.bool_))),
    )
    boosted.liking[np.isin(boosted.rows, wanted)] += max(MIN_BOOST, BOOST * float(taste.liking.clip(0).sum()))
    return boosted
