"""The score that a list is ordered by, and what each entry of the visitor's list contributes to it.

    match_ui = (p_ui + everyone · q_i) · q_i^(0.4 · popularity − novelty) · exp(quality · b_i) · order_ui
               · exp(pull · near_ui) · exp(T(x_ui) − aversion_ui · max(m_u − r_hat_ui, 0)²)

p_ui is the preference, q_i the part of those who could have watched the title that did, `popularity` the visitor's
choice from -1 to 1, b_i the title's bias, order_ui the factor of the watching order
(`hakken.recommend.series_rules`), and near_ui the neighbour term of `hakken.model.prediction`. T are the trees
(`hakken.model.trees`) and x_ui their features; m_u is the mean of the visitor's scores as in
`hakken.model.preference`, and aversion_ui is 0 for a title of a begun series: people go on with what they began, but
nobody wants to begin what they would rate lower than most. An empty list has p_ui = 0, b_u = 0 and
T = 0, and gets what many people watch and like. In p_ui, and nowhere else, a title of which the visitor wants more
counts like many entries.

The factors of the second line are costly. They are computed for a shortlist, the best by all others.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, Model, fold_in, preference, top_n
from hakken.model.arrays import Bools, Float64s, Int64s
from hakken.model.prediction import IMPLICIT_RANGE, neighbour_parts, neighbour_term, ratings_of
from hakken.model.preference import Taste, mean_score, parts_of
from hakken.model.trees import RATING, Trees
from hakken.ratings import Effect, FranchiseRule, Order, Preferences
from hakken.recommend.effects import by_subject, effects
from hakken.recommend.features import BEGUN, Features
from hakken.recommend.series_rules import order_factor
from hakken.recommend.variety import Alike, varied

SHORTLIST = 200
"""Number of titles for which the full match is computed, whatever the length of the list, so that a longer list begins
like a shorter one."""
SLIDER = 0.4
"""Exponent of a title's popularity at the ends of the slider."""
LEAST_MATCH = 1e-9
"""Of what has a lower match, or a negative one, the trees see this one's logarithm."""
BOOST = 0.1
"""Added to the liking of a title of which more is wanted, as a share of the sum of all liking…"""
MIN_BOOST = 8.0
"""… and at least this much."""


class Scored(NamedTuple):
    """Titles with their scores, and what these come from.

    Attributes:
        rows: `(n,)` int64, inner indices.
        score: `(n,)` float64, what the list is ordered by.
        r_hat: `(n,)` float64, predicted ratings, neither rounded nor clipped.
        by_neighbours: `(n,)` float64, the neighbour term of each predicted rating.
        neighbours: `(n,)` int64, how many scored entries that is based on.
        features: `(n, n_features)` float64, what the trees know; no columns where they aren't asked.
    """

    rows: Int64s
    score: Float64s
    r_hat: Float64s
    by_neighbours: Float64s
    neighbours: Int64s
    features: Float64s

    def at(self, positions: Int64s | slice) -> Self:
        """Some of the titles, in the order of the positions."""
        return type(self)._make(column[positions] for column in self)

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """The titles of several lists, one after another."""
        return cls._make(np.concatenate(columns) for columns in zip(*several, strict=True))


class Explained(NamedTuple):
    """What the scores of some titles come from, beside what `Scored` has.

    Attributes:
        shares: `(n, n_entries)` float64, what each entry of the taste contributes, in units of the score; the rest of
            the score is popularity, or baseline and trend.
        effects: of each title, what else moved its match.
    """

    shares: Float64s
    effects: tuple[tuple[Effect, ...], ...]


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
        self._bundle = bundle
        self._variety = preferences.variety
        self._new_only = preferences.franchise is not FranchiseRule.ALL
        parameters = model.manifest.parameters
        self.visitor = fold_in(model, columns)
        self._order = preferences.order
        self.prescore = model.popularity
        self._wanted = self._liked = preference(model, self.visitor.taste)
        self.taste = self.visitor.taste
        self._slider = SLIDER * preferences.popularity
        self._mean = mean_score(model, self.taste.scores, self.taste.planned)
        if self._order is Order.MATCH:
            if preferences.like:
                self.taste = boosted_taste(model, self.visitor.taste, preferences.like)
                self._liked = preference(model, self.taste)
            self._seen, series = bundle.facts.anime_index.of(columns.seen_ids), bundle.facts.series
            self._begun, self._last = series.any_of(self._seen), series.last_part(self._seen)
            order = order_factor(self._begun, self._last, series, parameters.skipped, parameters.ahead)
            self._factor: Float64s = order * model.standing
            if self._slider:
                self._factor *= np.exp(self._slider * model.log_popularity)
            self.prescore = (self._liked + parameters.everyone * model.popularity) * self._factor

    @property
    def personal(self) -> bool:
        """Whether the visitor's list influences the order, rather than only what many people watch and like."""
        if self._order is Order.MATCH:
            return len(self.taste.rows) > 0
        # Ratings are predicted from scores and watched titles, not from plans.
        return self.visitor.taste.n_watched > 0 or len(self.visitor.rows) > 0

    def best(self, lists: Sequence[Bools], n: int) -> list[Scored]:
        """The best `n` of the candidates of each list, `(n_items,)` bool; fewer only when there are no more.

        Best first; of equal scores the lower row first. By match, the first list is varied too; others are next parts
        of begun series, which the visitor chose. All lists are scored together: much of the time of `neighbour_term`
        does not depend on the number of titles.
        """
        # Ascending, so that of equal scores the lower row comes first.
        shortlist = self.shortlist if self._order is Order.MATCH else np.flatnonzero
        shortlists = [shortlist(candidates) for candidates in lists]
        scored = self.scored(np.concatenate(shortlists))
        ends = np.cumsum([len(rows) for rows in shortlists]).tolist()
        found: list[Scored] = []
        for rows, end in zip(shortlists, ends, strict=True):
            one = slice(end - len(rows), end)
            if self._variety and self._order is Order.MATCH and not found:
                best = varied(scored.score[one], Alike(self._bundle, rows).to, self._variety, n)
            else:
                best = top_n(scored.score[one], np.ones(len(rows), dtype=np.bool_), n)
            found.append(scored.at(one.start + best))
        return found

    def shortlist(self, candidates: Bools) -> Int64s:
        """Of some candidates, `(n_items,)`, the best by all but the costly factors: inner indices, ascending."""
        return np.sort(top_n(self.prescore, candidates, SHORTLIST))

    def scored(self, rows: Int64s) -> Scored:
        """Score some titles, `(n,)` inner indices."""
        by_neighbours, neighbours = neighbour_term(self._model, self.visitor, rows)
        r_hat = self._predicted(rows, by_neighbours)
        features = np.zeros((len(rows), 0))
        if self._order is Order.PREDICTED_RATING:
            return Scored(rows, r_hat, r_hat, by_neighbours, neighbours, features)
        costly = self._model.manifest.parameters.pull * by_neighbours - self._disliked(rows, r_hat)
        if self.asks_trees:
            features = self._features_of(rows, by_neighbours, r_hat)
            for trees, titles in self._trees_of(features):
                costly[titles] += trees.evaluate(features[:, titles])
            features = features.T
        return Scored(rows, self.prescore[rows] * np.exp(costly), r_hat, by_neighbours, neighbours, features)

    @property
    def asks_trees(self) -> bool:
        """Whether trees have a say: there are some, and something of the list was watched."""
        return self.visitor.taste.n_watched > 0 and self._model.arrays.tree_features.size > 0

    def features(self, rows: Int64s) -> Float64s:
        """What trees may know of some titles, `(n,)` inner indices: see `hakken.recommend.features`."""
        by_neighbours, _ = neighbour_term(self._model, self.visitor, rows)
        return self._features_of(rows, by_neighbours, self._predicted(rows, by_neighbours))

    def _predicted(self, rows: Int64s, by_neighbours: Float64s) -> Float64s:
        """r_hat of some titles, from their neighbour terms."""
        return ratings_of(self._model, self.visitor, rows, by_neighbours, self._wanted[rows])

    def _features_of(self, rows: Int64s, by_neighbours: Float64s, r_hat: Float64s) -> Float64s:
        before = np.log(self.prescore[rows].clip(LEAST_MATCH)) + self._model.manifest.parameters.pull * by_neighbours
        log_match = before - self._slider * self._model.log_popularity[rows]
        return self._features.of(rows, log_match, self._liked[rows], r_hat - self._mean, by_neighbours)

    @cached_property
    def _features(self) -> Features:
        universes = self._bundle.facts.universes.any_of(self._seen)
        return Features(self._bundle, self.visitor, self._begun, self._last, universes)

    def _trees_of(self, features: Float64s) -> Iterator[tuple[Trees, Int64s]]:
        """The trees that each title of some features is given to, with positions of titles.

        In a list without begun series, titles of new ones have trees of their own: what speaks for an unseen title is
        else mostly that its series was begun.
        """
        new = (features[BEGUN] == 0) & self._new_only
        for trees, titles in zip(self._model.trees, (np.flatnonzero(~new), np.flatnonzero(new)), strict=True):
            if len(titles):
                yield trees, titles

    def _disliked(self, rows: Int64s, r_hat: Float64s) -> Float64s:
        """What lowers the match of some titles: aversion · max(m_u − r_hat, 0)² where the series is new, else 0."""
        series_begun = self._begun[self._bundle.facts.series.of_row[rows]]
        aversion = self._model.manifest.parameters.aversion
        return np.where(series_begun, 0.0, aversion * np.square((r_hat - self._mean).clip(max=0.0)))

    def explained(self, chosen: Scored) -> Explained:
        """Split scores into what they come from."""
        model, visitor, rows = self._model, self.visitor, chosen.rows
        shares = parts_of(model, self.taste, rows)
        told: tuple[tuple[Effect, ...], ...] = ((),) * len(rows)
        if self._order is Order.MATCH:
            disliked = self._disliked(rows, chosen.r_hat)
            costly = model.manifest.parameters.pull * chosen.by_neighbours - disliked
            if self.asks_trees:
                features = chosen.features.T
                contributions = np.zeros_like(features)
                for trees, titles in self._trees_of(features):
                    contributions[:, titles] = trees.contributions(features[:, titles])
                costly += contributions.sum(axis=0)
                added = by_subject(contributions)
                added[RATING] -= disliked
                told = tuple(effects(features, added))
            shares *= (self._factor[rows] * np.exp(costly))[:, np.newaxis]
        else:  # an entry may contribute by being watched and by its score
            # A preference outside the range is clipped: all its parts are scaled by the same factor.
            total = shares.sum(axis=1)
            cut = np.divide(total.clip(*IMPLICIT_RANGE), total, out=np.ones(len(rows)), where=total != 0)
            slope = model.manifest.parameters.implicit_slope if visitor.taste.n_watched else 0.0
            shares *= (cut * slope)[:, np.newaxis]
            title, rated, amount = neighbour_parts(model, visitor, rows)
            position = np.full(model.n_items, -1)
            position[self.taste.rows] = np.arange(len(self.taste.rows))
            entry = position[visitor.rows[rated]]
            listed = entry >= 0  # a scored title that is only planned may be missing from the taste
            shares[title[listed], entry[listed]] += amount[listed]
        return Explained(shares, told)


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
