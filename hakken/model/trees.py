"""Gradient-boosted trees of at most four leaves, evaluated with NumPy: all trees and titles at once.

    T(x) = Σ_t Σ_k parts[t, c_t(x), k],  c_t(x) = Σ_k 2^k · [x_f > border_f],  f = features[t, k]

A tree has three splits, k = 0, 1, 2, whose outcomes make a number from 0 to 7; where a tree has fewer, the others'
borders are infinite. A part is what a split of the path adds: the value of the node below less that of the node above.
So the parts of a tree add up to the value of the leaf, and those of a feature over all trees are what it adds to T.
Friedman, "Greedy function approximation: a gradient boosting machine" (Annals of Statistics 2001); contributions along
paths: Saabas, "Interpreting random forests" (blog.datadive.net, 2014).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

N_SPLITS = 3
N_LISTS = 2
"""Kinds of lists with trees of their own."""
PREFERENCE, POPULARITY, TIME, SERIES, RATING, FACTORS = (
    "preference",
    "popularity",
    "time",
    "series",
    "rating",
    "factors",
)
"""What features are about."""
FEATURES = {
    "log match": PREFERENCE,  # without the visitor's choice of popularity
    "preference": PREFERENCE,  # p_ui
    "preference by length": PREFERENCE,  # p_ui / ln(|L(u)| + 1)
    "list length": PREFERENCE,  # ln(|L(u)| + 1)
    "list liking": PREFERENCE,  # ln Σ_j x_uj
    "list plans": PREFERENCE,  # ln(number of planned entries + 1)
    "list popularity": PREFERENCE,  # mean of ln q_j over L(u)
    "popularity": POPULARITY,  # ln q_i
    "popularity above the list's": POPULARITY,  # their difference
    "place among ids": TIME,  # part of L(u) with a lower id: ids grow with time, and a list ends somewhere
    "part of the last id": TIME,  # id / largest id of L(u)
    "years after the last": TIME,  # year − latest year of L(u)
    "years after the late": TIME,  # year − 90% quantile of the years of L(u)
    "liking of its series": SERIES,  # Σ x_uj over entries of the title's series
    "series begun": SERIES,  # 0 or 1
    "universe begun": SERIES,  # 0 or 1
    "part": SERIES,  # in viewing order, at most 30, which what is beside a series has too
    "parts ahead": SERIES,  # part − latest part on the list
    "rating above the mean": RATING,  # r_hat − m_u, see hakken.model.preference
    "neighbour term": RATING,  # r_hat − b_ui without trend and implicit term
    "item bias": RATING,  # b_i
    "factor score above the list's": FACTORS,  # f_ui, see hakken.model.factors; 0 in a model without factors
}
"""Each feature, in the order of the rows that trees read, and what it is about; `hakken.recommend.features` computes
them, and L(u) is as there. A name stands for one definition: what is computed in another way gets another name, since
trained trees name what they read."""
MAX_TREES = 300.0
"""Trees never add up to more, or to less than its opposite: then the match stays a number."""


def no_trees() -> dict[str, npt.NDArray[Any]]:
    """The arrays `tree_*` of `hakken.model.arrays.Arrays`, by name, of a match without trees."""
    return {
        "tree_features": np.zeros((N_LISTS, 0, N_SPLITS), dtype=np.uint8),
        "tree_borders": np.zeros((N_LISTS, 0, N_SPLITS)),
        "tree_parts": np.zeros((N_LISTS, 0, 2**N_SPLITS, N_SPLITS)),
    }


class Trees(NamedTuple):
    """Trees, in the layout in which they are evaluated.

    Attributes:
        feature: `(3 · n_trees,)` int64, index of the feature that a split compares: of all first splits, all second
            and all third ones.
        border: `(3 · n_trees, 1)` float64: the outcome is 1 above it.
        first: `(n_trees, 1)` int64, where the eight values of a tree begin.
        value: `(8 · n_trees,)` float64, of the leaf that three outcomes lead to.
        parts: `(8 · n_trees, 3)` float64, what each split adds.
        by_feature: the splits of all trees ordered by their feature, `(3 · n_trees,)` int64, and where each feature's
            begin, `(n_used,)` int64.
    """

    feature: Int64s
    border: Float64s
    first: Int64s
    value: Float64s
    parts: Float64s
    by_feature: tuple[Int64s, Int64s]

    @classmethod
    def of(cls, features: npt.NDArray[np.uint8], borders: Float64s, parts: Float64s) -> "Trees":
        """Rearrange a model's arrays: `(n_trees, 3)`, `(n_trees, 3)` and `(n_trees, 8, 3)`."""
        parts, feature = parts.reshape(-1, N_SPLITS), features.T.astype(np.int64).ravel()
        order = np.argsort(feature, kind="stable")
        return cls(
            feature=feature,
            border=borders.T.ravel()[:, np.newaxis],
            first=(2**N_SPLITS * np.arange(len(features)))[:, np.newaxis],
            value=parts.sum(axis=1),
            parts=parts,
            by_feature=(order, np.flatnonzero(np.diff(feature[order], prepend=-1))),
        )

    def evaluate(self, features: Float64s) -> Float64s:
        """T of some titles, `(n_titles,)` float64, from their features, `(n_features, n_titles)` float64."""
        return np.asarray(self.value.take(self._reached(features)).sum(axis=0))

    def contributions(self, features: Float64s) -> Float64s:
        """What each feature adds to T of each title, of the shape of `features`; their sum is T."""
        added = np.zeros_like(features)
        parts = self.parts[self._reached(features)].transpose(2, 0, 1).reshape(self.feature.size, features.shape[1])
        order, begins = self.by_feature
        if len(order):
            added[self.feature[order[begins]]] = np.add.reduceat(parts[order], begins)
        return added

    def _reached(self, features: Float64s) -> Int64s:
        """Positions in `value`, `(n_trees, n_titles)`."""
        above = features.take(self.feature, axis=0) > self.border
        first, second, third = above.view(np.uint8).reshape(N_SPLITS, len(self.first), features.shape[1])
        return np.asarray(self.first + (first | second << 1 | third << 2))
