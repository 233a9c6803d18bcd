"""Latent factors: how well a title fits someone's list as a whole, by matrix factorisation of implicit feedback.

    f_ui = z_u · (y_i − Σ_{j ∈ L(u)} y_j / |L(u)|)
    z_u = (Σ_i y_i y_iᵀ + Σ_{j ∈ L(u)} (c_uj − 1) y_j y_jᵀ + λ I)⁻¹ Σ_{j ∈ L(u)} c_uj y_j

z_u minimises Σ_i c_ui (l_ui − z_u · y_i)² + λ |z_u|², where l_ui is 1 for an entry of the list and else 0. The
confidence c_ui is 1 for what is not on the list, and `CONFIDENCE` · max(x_uj, 0) for an entry, x_uj being its liking as
in `hakken.model.preference`: who disliked a title says nothing for or against it. Hu, Koren & Volinsky, "Collaborative
filtering for implicit feedback datasets" (ICDM 2008). The mean over the entries is subtracted because z_u · y_i grows
with the length of a list. The y_i are learnt by `hakken.training.factors`; only the trees (`hakken.model.trees`) know
of f_ui.
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Float64s, Int64s, Model
from hakken.model.preference import Taste

CONFIDENCE, REGULARISER = 10.0, 20.0
"""Of an entry with a liking of 1, and λ."""
ENTRIES_AT_ONCE = 64
"""With more, OpenBLAS would use several threads for a product, which wait for each other where cores are shared."""


class VisitorFactors(NamedTuple):
    """A visitor's factors.

    Attributes:
        values: `(n_factors,)` float64, z_u.
        mean: `(n_factors,)` float64, the mean of y_j over the entries of the list.
    """

    values: Float64s
    mean: Float64s


def fold_in_factors(model: Model, taste: Taste) -> VisitorFactors:
    """Compute z_u from the entries of a taste, of which there is one at least."""
    confidence = CONFIDENCE * taste.liking.clip(0.0)
    left, right, total = model.factor_products.copy(), *np.zeros((2, len(model.factor_products)))
    left.flat[:: len(left) + 1] += REGULARISER
    for first in range(0, len(confidence), ENTRIES_AT_ONCE):
        some = slice(first, first + ENTRIES_AT_ONCE)
        entries = model.factors_of(taste.rows[some])
        left += (entries.T * (confidence[some] - 1.0)) @ entries
        right += confidence[some] @ entries
        total += entries.sum(axis=0)
    return VisitorFactors(np.asarray(np.linalg.solve(left, right)), total / len(confidence))


def factor_scores(model: Model, visitor: VisitorFactors, rows: Int64s) -> Float64s:
    """f_ui of some titles, `(n,)` inner indices: `(n,)` float64."""
    # Title by title: a product with a matrix would round differently with the number of titles.
    return np.asarray(((model.factors_of(rows) - visitor.mean) * visitor.values).sum(axis=1))
