"""Summarise outcomes: means over salts, and their confidence intervals."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.stats

from hakken.evaluation.method import Method
from hakken.evaluation.metrics import MEASURES, Measure, Sums
from hakken.evaluation.outcomes import Outcome
from hakken.model.arrays import Float64s, Int64s

CONFIDENCE = 0.95
RESAMPLES_AT_ONCE = 50
SEED = 0
DIGITS = 6


class Figure(NamedTuple):
    """Mean of a metric over salts, and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def tabulate(
    outcomes: Mapping[str, Sequence[Outcome]], methods: Mapping[str, Method], n_resamples: int
) -> pd.DataFrame:
    """One row for each method.

    Returns:
        Columns: `method`, `title`; `folds_in`, whether it can answer for someone who was not in training; for each of
        `MEASURES` its value, and with `_low` and `_high` the ends of its interval, empty where it was not measured;
        `items`, different titles in all top tens; `people`, test users, both means over salts; `fit_seconds` and
        `answer_ms`, milliseconds a user.
    """
    rows = []
    for name, each in outcomes.items():
        row: dict[str, object] = {"method": name, "title": methods[name].title, "folds_in": methods[name].folds_in}
        for measure in MEASURES:
            figure = figure_of(measure, each, n_resamples)
            row |= {measure.name: figure.value, f"{measure.name}_low": figure.low, f"{measure.name}_high": figure.high}
        row["items"] = np.mean([outcome.items for outcome in each])
        row["people"] = np.mean([len(outcome.people) for outcome in each])
        row["fit_seconds"] = np.mean([outcome.fit_seconds for outcome in each])
        row["answer_ms"] = 1000 * np.mean([outcome.answer_seconds for outcome in each])
        rows.append(row)
    return pd.DataFrame(rows).round(DIGITS)  # so that a file holds the values exactly


def figure_of(measure: Measure, outcomes: Sequence[Outcome], n_resamples: int) -> Figure:
    """Mean of a metric over the salts, with the percentile interval of a bootstrap over people.

    Someone who is a test user under several salts is resampled with all of their lists, which are not independent. 0
    resamples leave the interval out.
    """
    found = [outcome.sums.get(measure.name) for outcome in outcomes]
    sums = [one for one in found if one is not None]
    if len(sums) < len(outcomes):
        return Figure(np.nan, np.nan, np.nan)
    total, weight = _by_person([outcome.people for outcome in outcomes], sums)

    def mean_of(people: Int64s, axis: int = -1) -> Float64s:
        del axis  # SciPy passes the last one
        return np.asarray(measure.of(total[people].sum(axis=-2), weight[people].sum(axis=-2)).mean(axis=-1))

    everyone = np.arange(len(total))
    value = float(mean_of(everyone))
    if not n_resamples or len(everyone) < 2 or np.isnan(value):  # noqa: PLR2004  # one person cannot be resampled
        return Figure(value, np.nan, np.nan)
    return Figure(value, *_interval(mean_of, len(everyone), n_resamples))


def _interval(mean_of: Callable[..., Float64s], n_people: int, n_resamples: int) -> tuple[float, float]:
    with warnings.catch_warnings():
        # With few people, resamples may hold only people who are left out: they are skipped, and SciPy warns of them.
        warnings.simplefilter("ignore", RuntimeWarning)
        drawn = scipy.stats.bootstrap(
            (np.arange(n_people),),
            mean_of,
            vectorized=True,
            n_resamples=n_resamples,
            batch=RESAMPLES_AT_ONCE,
            method="percentile",
            rng=np.random.default_rng(SEED),
        ).bootstrap_distribution
        low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _by_person(people: Sequence[Sequence[str]], sums: Sequence[Sums]) -> tuple[Float64s, Float64s]:
    """`(n_people, n_salts)` totals and weights; 0 where someone is not a test user of a salt."""
    rows_of = {name: n for n, name in enumerate(dict.fromkeys(name for names in people for name in names))}
    total, weight = np.zeros((len(rows_of), len(sums))), np.zeros((len(rows_of), len(sums)))
    for salt, (names, one) in enumerate(zip(people, sums, strict=True)):
        rows = [rows_of[name] for name in names]
        total[rows, salt], weight[rows, salt] = one
    return total, weight
