"""Who could have watched which titles: a list of 2016 cannot contain a title of 2021.

    T_u = date of the last change of u's list or, without one, the year of its third newest watched title
    N_i = |{u : T_u ≥ year_i}|, at least as many as watched i
    q_i = (n_i + m · q̂_i) / (N_i + m),  log q̂_i = c + d · log(members_i + 10)

n_i are the people who watched title i, `members` is the site's own count. c and d are fitted to (n_i + 1) / (N_i + 1)
over titles that many watched: d is the ratio of the standard deviations of the two logarithms, the reduced major
axis, since both are noisy. Members dominate if few people could have watched a title, and have no effect if many could.
The manifest keeps c, d and the number of lists by T_u: q_i of a title that comes after training needs no more.
The derivation is in docs/time.md.
"""

import numpy as np

from hakken.model.arrays import Array, Float32s, Int32s, Int64s
from hakken.model.manifest import PopularityLine
from hakken.training.tables import RatingTable

NEWEST = 3
"""The third newest title dates a list: one or two may be errors."""
FEW_ENTRIES = 20
"""A list with fewer dated titles is dated by its newest."""
PRIOR_PEOPLE = 20.0
"""m: number of people who could have watched a title at which its own count and its members have equal weight."""
MANY_WATCHERS = 20
"""The relation of popularity and members is fitted to titles that at least so many people watched."""
MEMBERS_OFFSET = 10.0
EPOCH_YEAR = 1970
STEEPEST = 2.0
"""Upper bound of the slope: a few similar titles could give any."""
ROUNDED = 1e-9
"""Standard deviation of the logarithms up to which sizes are equal but for rounding."""


def list_years(table: RatingTable, watched: Array, years: Int64s) -> Int32s:
    """Year that each list reaches, T_u.

    Only `watched` entries count, `(n,)` bool; the year of an item is 0 if unknown.

    Returns:
        `(n_users,)` int32; 0 for a list without any date, which reaches undated titles only.
    """
    dated = watched & (years[table.items] > 0)
    users, entry_years = table.users[dated], years[table.items[dated]]
    order = np.lexsort((-entry_years, users))
    counts = np.bincount(users, minlength=table.n_users)
    begins = np.cumsum(counts) - counts
    reached = np.zeros(table.n_users, dtype=np.int32)
    some = counts > 0
    chosen = begins[some] + np.where(counts[some] >= FEW_ENTRIES, NEWEST - 1, 0)
    reached[some] = entry_years[order[chosen]]
    has_update = table.updated > 0
    days = table.updated[has_update].astype("datetime64[D]")
    reached[has_update] = EPOCH_YEAR + days.astype("datetime64[Y]").astype(np.int32)
    return reached


def lists_by_year(reached: Int32s) -> Int64s:
    """Years that lists reach, T_u, ascending, and how many lists reach each and no later one, `(2, n_years)` int64."""
    return np.array(np.unique(reached, return_counts=True), dtype=np.int64)


def reach(by_year: Int64s, years: Int64s, watchers: Int32s) -> Int32s:
    """Number of people who could have watched each item, N_i, `(n_items,)` int32, by `lists_by_year`.

    n_i, the watchers, are a lower bound; everyone could have watched a title of unknown year, 0.
    """
    ends, counts = by_year
    before = np.concatenate(([0], np.cumsum(counts)))
    below = before[np.searchsorted(ends, years, side="left")]
    reachable: Int32s = np.maximum(before[-1] - below, watchers).astype(np.int32)
    return reachable


def popularity_line(watchers: Int32s, reachable: Int32s, members: Int64s) -> PopularityLine:
    """Fit q̂_i to items, `(n_items,)` each. Members are 0 if unknown: such an item's q̂_i is the mean."""
    known = members > 0
    well_known = known & (watchers >= MANY_WATCHERS)
    observed = np.log((watchers + 1.0) / (reachable + 1.0))
    if not well_known.any():
        mean = float(observed.mean())
        return PopularityLine(mean, 0.0, mean)
    size, share = np.log(members[well_known] + MEMBERS_OFFSET), observed[well_known]
    spread = float(size.std())
    # The mean of equal sizes is rounded, so that their deviation is not exactly 0.
    slope = min(float(share.std()) / spread, STEEPEST) if spread > ROUNDED else 0.0
    return PopularityLine(float(share.mean() - slope * size.mean()), slope, float(observed[known].mean()))


def popularity(watchers: Int32s, reachable: Int32s, members: Int64s, line: PopularityLine) -> Float32s:
    """Share of the people who could have watched each item and did, q_i, `(n_items,)` float32, in (0, 1]."""
    by_members = line.level + line.slope * np.log(members.clip(0) + MEMBERS_OFFSET)
    expected = np.exp(np.minimum(np.where(members > 0, by_members, line.unknown), 0.0))
    popular: Float32s = ((watchers + PRIOR_PEOPLE * expected) / (reachable + PRIOR_PEOPLE)).astype(np.float32)
    return popular
