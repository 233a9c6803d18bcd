"""The score that a list is ordered by, and what each entry of the visitor's list adds to it.

    match_ui = (p_ui + everyone · q_i) · q_i^(0.4 · popularity − novelty) · exp(quality · b_i) · order_ui
               · exp(pull · (r_hat_ui − b_ui))

p_ui is the preference, q_i the part of those who could have watched the title that did, `popularity` the visitor's
choice from -1 to 1, b_i the title's bias, order_ui what the watching order makes of it
(`hakken.recommend.series_rules`), and r_hat − b_ui what the scores of similar titles say beyond the baseline. An empty
list has p_ui = 0 and b_u = 0, and gets what many people watch and like. In p_ui, and nowhere else, a title of which
the visitor wants more counts as if it were many entries.

Only the last factor is costly. It is made for a shortlist, the best by all others: for 300 lists of the public ratings
each of the best 20 was among the first 99 by those, and for 99 lists of 100 among the first 52.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hakken.bundle import Mask, ModelBundle
from hakken.model import ListColumns, Model, fold_in, predict, preference, top_n
from hakken.model.arrays import Float64s, Int64s
from hakken.model.prediction import IMPLICIT_RANGE, Neighbourhood, implicit_term, neighbour_term, neighbourhood
from hakken.model.preference import Parts, Taste, parts_of
from hakken.ratings import Order, Preferences
from hakken.recommend.series_rules import Watched, order_factor

SHORTLIST = 250
"""Titles, at least, that the match is made for in full."""
SLIDER = 0.4
"""Exponent of a title's popularity at the ends of the slider."""


LEANING = 0.1
"""How much a title counts of which more is wanted: this part of all that was liked, on top of its own, and at least…"""
LEANING_LEAST = 8.0
"""… as much as so many liked entries."""


class Scored(NamedTuple):
    """Titles and their scores.

    Attributes:
        rows: `(n,)` int64, inner indices, best first; of equal scores the lower one first.
        score: `(n,)` float64, what the list is ordered by.
    """

    rows: Int64s
    score: Float64s


class Contributions(NamedTuple):
    """What a visitor's entries add to the scores of some titles; one part for each title and entry that has any.

    Attributes:
        title: `(n_parts,)` int64, position within the titles asked for; ascending.
        entry: `(n_parts,)` int64, position within the visitor's taste.
        amount: `(n_parts,)` float64, units of the score.
        rest: `(n,)` float64, what no entry of the list adds: popularity, or the baseline.
        neighbours: `(n,)` int64, how many scored entries the predicted rating rests on.
        r_hat: `(n,)` float64, the predicted rating, neither rounded nor clipped, score points.
    """

    title: Int64s
    entry: Int64s
    amount: Float64s
    rest: Float64s
    neighbours: Int64s
    r_hat: Float64s


class Scorer:
    """Scores titles for one visitor, and says what of their own list a score is made of.

    Args:
        bundle: model and catalogue.
        columns: the visitor's list, without the entries that are to say nothing.
        preferences: order, popularity and what more is wanted of.

    Attributes:
        visitor: the list, folded in.
        taste: what the match goes by: the visitor's, leaning towards what more is wanted of.
        before: `(n_items,)` float64, the match but for its costly factor or, where no list by match is wanted, how
            popular each title is.
    """

    def __init__(self, bundle: ModelBundle, columns: ListColumns, preferences: Preferences) -> None:
        model = self._model = bundle.model
        parameters = model.manifest.parameters
        self.visitor = fold_in(model, columns)
        self._order = preferences.order
        self.before = model.popularity
        self._wanted = preference(model, self.visitor.taste)
        self.taste = self.visitor.taste
        if self._order is Order.MATCH:
            liked = self._wanted
            if preferences.like:
                self.taste = leaning(model, self.visitor.taste, preferences.like)
                liked = preference(model, self.taste)
            watched = Watched.of(columns, bundle.facts.anime_index)
            factor = order_factor(watched, bundle.facts.series, parameters.skipped, parameters.ahead)
            factor *= model.standing
            if preferences.popularity:
                factor *= np.exp(SLIDER * preferences.popularity * model.log_popularity)
            self._factor: Float64s = factor
            self._everyone: Float64s = parameters.everyone * model.popularity
            self.before = (liked + self._everyone) * factor

    @property
    def personal(self) -> bool:
        """Whether anything of the visitor's orders the list, rather than what many people watch and like."""
        if self._order is Order.MATCH:
            return len(self.taste.rows) > 0
        # A rating is predicted from scores and from what was watched, not from plans.
        return self.visitor.taste.n_watched > 0 or len(self.visitor.rows) > 0

    def best(self, lists: Sequence[Mask], n: int) -> list[Scored]:
        """The best `n` of each list's candidates, `(n_items,)` bool; fewer only when there are no more.

        What the scores of neighbours say is found for all lists at once: much of that time is the same for few titles.
        """
        score_of = self._ratings if self._order is Order.PREDICTED_RATING else self._matches
        shortlists = [self._shortlist(candidates, n) for candidates in lists]
        scores = np.split(score_of(np.concatenate(shortlists)), np.cumsum([len(rows) for rows in shortlists])[:-1])
        return [_best(rows, score, n) for rows, score in zip(shortlists, scores, strict=True)]

    def _shortlist(self, candidates: Mask, n: int) -> Int64s:
        """Those that are worth a score, ascending, so that of equal ones the lower comes first."""
        if self._order is Order.PREDICTED_RATING:
            return np.flatnonzero(candidates)
        return np.sort(top_n(self.before, candidates, max(SHORTLIST, 5 * n)))

    def _ratings(self, rows: Int64s) -> Float64s:
        return predict(self._model, self.visitor, rows, self._wanted)

    def _matches(self, rows: Int64s) -> Float64s:
        pull = self._model.manifest.parameters.pull
        matches: Float64s = self.before[rows] * np.exp(pull * neighbour_term(self._model, self.visitor, rows))
        return matches

    def contributions(self, rows: Int64s) -> Contributions:
        """Take the scores of some titles apart; the amounts of each title and its rest add up to its score."""
        model, n = self._model, len(rows)
        near = neighbourhood(model, self.visitor, rows)
        parts = parts_of(model, self.taste, rows)
        say = np.bincount(near.title, near.amount, minlength=n)
        r_hat = near.baseline + say + implicit_term(model, self.visitor, self._wanted[rows])
        spoke = np.bincount(near.title, minlength=n)
        if self._order is Order.PREDICTED_RATING:
            parts, rest = self._parts_of_rating(near, parts)
        else:
            factor = self._factor[rows] * np.exp(model.manifest.parameters.pull * say)
            parts, rest = parts._replace(amount=parts.amount * factor[parts.title]), self._everyone[rows] * factor
        return Contributions(parts.title, parts.entry, parts.amount, rest, spoke, r_hat)

    def _parts_of_rating(self, near: Neighbourhood, parts: Parts) -> tuple[Parts, Float64s]:
        """Parts and rest of predicted ratings, where an entry may speak by its score and by having been watched."""
        model, taste, n = self._model, self.visitor.taste, len(near.baseline)
        # Beyond the range in which a preference counts, all its parts count less by the same factor.
        total = np.bincount(parts.title, parts.amount, minlength=n)
        cut = np.divide(total.clip(*IMPLICIT_RANGE), total, out=np.ones(n), where=total != 0)
        slope = model.manifest.parameters.implicit_slope if taste.n_watched else 0.0
        watching = parts.amount * cut[parts.title] * slope
        place = np.full(model.n_items, -1)
        place[taste.rows] = np.arange(len(taste.rows))
        entry = place[self.visitor.rows[near.rated]]
        listed = entry >= 0
        # A scored title that is only planned may be no entry of the taste: what it says is in the rest.
        planned = np.bincount(near.title[~listed], near.amount[~listed], minlength=n)
        rest = near.baseline + planned + implicit_term(model, self.visitor, np.zeros(n))
        titles = np.concatenate((parts.title, near.title[listed]))
        entries = np.concatenate((parts.entry, entry[listed]))
        amounts = np.concatenate((watching, near.amount[listed]))
        width = max(1, len(taste.rows))
        both, which = np.unique(titles * width + entries, return_inverse=True)
        amount = np.bincount(which, amounts, minlength=len(both)).astype(np.float64)
        return Parts(both % width, both // width, amount), rest


def _best(rows: Int64s, score: Float64s, n: int) -> Scored:
    chosen = top_n(score, np.ones(len(score), dtype=np.bool_), n)
    return Scored(rows[chosen], score[chosen])


def leaning(model: Model, taste: Taste, anime_ids: Sequence[int]) -> Taste:
    """A taste in which some titles count as if they were many entries.

    x_uj of each grows by max(LEANING_LEAST, LEANING · Σ max(x_uk, 0)), the sum being over the taste's own entries.

    Args:
        model: the model.
        taste: a visitor's.
        anime_ids: `(n,)` MyAnimeList ids; those that say nothing of other titles do nothing.

    Returns:
        The taste's entries, and after them, by ascending row, those titles that are none of them, without a score.
    """
    rows, telling = model.telling_rows_of(anime_ids)
    wanted = np.unique(rows[telling])
    new = wanted[~np.isin(wanted, taste.rows)]
    leant = Taste(
        np.concatenate((taste.rows, new)),
        np.concatenate((taste.scores, np.zeros(len(new), dtype=np.int64))),
        np.concatenate((taste.liking, np.zeros(len(new)))),
        np.concatenate((taste.planned, np.ones(len(new), dtype=np.bool_))),
    )
    much = max(LEANING_LEAST, LEANING * float(taste.liking.clip(0).sum()))
    leant.liking[np.isin(leant.rows, wanted)] += much
    return leant
