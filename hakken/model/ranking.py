"""Ranking: the best few of many, always in the same order."""

import numpy as np
import numpy.typing as npt

from hakken.model.arrays import Float64s, Int64s


def top_n(score: Float64s, allowed: npt.NDArray[np.bool_], n: int) -> Int64s:
    """Find the best candidates.

    Args:
        score: `(n_items,)`, higher is better.
        allowed: `(n_items,)`, False for items that may not be in the list.
        n: how many to find.

    Returns:
        `(min(n, candidates),)` inner indices, best first; of equal scores the lower index comes first.
    """
    candidates = np.flatnonzero(allowed)
    if len(candidates) > n:
        # The n-th best score lets in its ties too; the sort below then decides among them.
        threshold = -np.partition(-score[candidates], n - 1)[n - 1]
        candidates = candidates[score[candidates] >= threshold]
    return candidates[np.argsort(-score[candidates], kind="stable")][:n]
