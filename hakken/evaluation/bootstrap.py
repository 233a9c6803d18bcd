"""Percentile intervals of a bootstrap over people."""

from collections.abc import Callable

import numpy as np

from hakken.model.arrays import Int64s

CONFIDENCE, SEED = 0.95, 0


def interval(statistic: Callable[[Int64s], float], n_people: int, n_resamples: int) -> tuple[float, float, float]:
    """Value of a statistic and the ends of its percentile interval.

    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

    Args:
        statistic: of some people, `(n,)` int64 numbers, repeated ones too; NaN if nobody of them counts.
        n_people: how many there are.
        n_resamples: how many are drawn; those without a statistic are left out.

    Returns:
        The value; and the ends, NaN without resamples, with fewer than two people, and where the value is NaN.
    """
    value = statistic(np.arange(n_people))
    if not n_resamples or n_people < 2 or np.isnan(value):  # noqa: PLR2004  # one person cannot be resampled
        return value, np.nan, np.nan
    rng = np.random.default_rng(SEED)
    drawn = np.array([statistic(rng.integers(n_people, size=n_people)) for _ in range(n_resamples)])
    low, high = np.quantile(drawn[~np.isnan(drawn)], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return value, float(low), float(high)
