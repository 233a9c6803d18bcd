"""What is learnt of titles once more: slow, obvious, from the formulas in the docstrings, sharing no code with them.

Only which titles may be judged by attributes is taken from there: that has a test of its own.
"""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from hakken.catalogue import Anime, Catalogue
from hakken.model import Parameters
from hakken.model.arrays import Float64s
from hakken.training.attributes import judged_by_attributes
from hakken.training.tables import RatingTable

UNKNOWN, DROPPED, PLANNED = 0, 4, 6


def list_year(years: Sequence[int], updated: int) -> int:
    """T_u, of the years of what someone watched, 0 being unknown, and the day of their newest update."""
    if updated:
        return (date(1970, 1, 1) + timedelta(days=updated)).year
    known = sorted((year for year in years if year), reverse=True)
    return known[2 if len(known) >= 20 else 0] if known else 0


def popularity(watchers: Sequence[int], reachable: Sequence[int], members: Sequence[int]) -> list[float]:
    """q_i, by the reduced major axis of logarithms."""
    observed = [math.log((n + 1) / (reached + 1)) for n, reached in zip(watchers, reachable, strict=True)]
    told = [i for i in range(len(watchers)) if members[i] > 0 and watchers[i] >= 20]
    if told:
        sizes = [math.log(members[i] + 10) for i in told]
        shares = [observed[i] for i in told]
        alike = max(sizes) == min(sizes)
        slope = 0.0 if alike else min(2.0, statistics.pstdev(shares) / statistics.pstdev(sizes))
        level = statistics.fmean(shares) - slope * statistics.fmean(sizes)
        usual = statistics.fmean(observed[i] for i in range(len(watchers)) if members[i] > 0)
        line = [level + slope * math.log(m + 10) if m > 0 else usual for m in members]
    else:
        line = [statistics.fmean(observed)] * len(observed)
    expected = [math.exp(min(one, 0.0)) for one in line]
    return [(n + 20 * q) / (reached + 20) for n, q, reached in zip(watchers, expected, reachable, strict=True)]


def entries(table: RatingTable, user: int) -> list[tuple[int, int, int]]:
    """Item, score and status of each of someone's entries."""
    columns = (table.users, table.items, table.scores, table.statuses)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(item, score, status) for who, item, score, status in rows if who == user]


def watching(table: RatingTable, facts: Sequence[Anime]) -> tuple[list[int], list[int]]:
    """n_i and N_i of each item."""
    everyone = [entries(table, user) for user in range(table.n_users)]
    seen = [[item for item, _, status in mine if status not in {UNKNOWN, PLANNED}] for mine in everyone]
    watchers = [sum(item in mine for mine in seen) for item in range(len(facts))]
    years = [one.year or 0 for one in facts]
    updated = table.updated.tolist()
    reached = [list_year([years[i] for i in mine], day) for mine, day in zip(seen, updated, strict=True)]
    return watchers, [max(sum(one >= years[i] for one in reached), watchers[i]) for i in range(len(facts))]


def liked(table: RatingTable, mu: float, parameters: Parameters) -> Float64s:
    """X, dense."""
    found = np.zeros((table.n_users, len(table.anime_ids)))
    for user in range(table.n_users):
        mine = entries(table, user)
        scores = [score for _, score, status in mine if score > 0 and status not in {UNKNOWN, PLANNED}]
        mean = (sum(scores) + 5 * mu) / (len(scores) + 5)
        length = sum(status not in {UNKNOWN, PLANNED} for _, _, status in mine)
        for item, score, status in mine:
            above = parameters.liking * (score - mean) if score > 0 else 0.0
            watched = max(1.0 + above, 0.0) if score > 0 else parameters.unscored
            others = {UNKNOWN: parameters.unknown, PLANNED: parameters.planned, DROPPED: min(above, 0.0) - 0.25}
            found[user, item] = others.get(status, watched) * (max(1, length) / 100) ** -parameters.activity
    return found


def own_weights(x: Float64s, parameters: Parameters) -> Float64s:
    """W transposed, `[i, j]`: how much having watched j speaks for i."""
    gram = x.T @ x
    delta = parameters.dropout / (1 - parameters.dropout)
    inverse = np.linalg.inv(gram + np.diag(parameters.pref_reg + delta * np.diag(gram)))
    full = -inverse / np.diag(inverse)  # [j, i]
    np.fill_diagonal(full, 0.0)
    return full.T


def attributes(one: Anime) -> set[str]:
    """What a title is like."""
    found = {"any"}
    found |= {f"genre {name}" for name in one.genres} | {f"tag {name}" for name in one.tags}
    found |= {f"studio {name}" for name in one.studios}
    found |= {f"made from {one.made_from}"} if one.made_from else set()
    found |= {f"type {one.type}"} if one.type else set()
    return found | ({f"years {one.year // 3}"} if one.year else set())


def ridge(
    a: Float64s, weights: Float64s, watchers: Sequence[int], popular: Sequence[float], regulariser: float
) -> Float64s:
    """V, `(n_attributes, n)`, by least squares over the stacked system; row i of `weights` is what speaks for i."""
    root = np.sqrt(np.array(watchers, dtype=np.float64))[:, None]
    relative = weights / np.array(popular)[:, None]
    left = np.vstack((root * a, math.sqrt(regulariser) * np.eye(a.shape[1])))
    right = np.vstack((root * relative, np.zeros((a.shape[1], weights.shape[1]))))
    found: Float64s = np.linalg.lstsq(left, right, rcond=None)[0]
    return found


class Learnt(NamedTuple):
    """What should be learnt; `weights` and `speaks` have a row for each title i and a column for each watched j."""

    watchers: list[int]
    popularity: list[float]
    weights: Float64s
    share: list[float]
    attributes: list[set[str]]
    speaks: dict[str, Float64s]


def learn(table: RatingTable, mu: float, catalogue: Catalogue, parameters: Parameters) -> Learnt:
    """All of `hakken.training.preferences`, densely."""
    ids = table.anime_ids.tolist()
    n_items = len(ids)
    facts = [catalogue.get(anime_id) or Anime(anime_id=anime_id, title="") for anime_id in ids]
    watchers, reachable = watching(table, facts)
    popular = popularity(watchers, reachable, [one.members or 0 for one in facts])
    kept = [i for i in range(n_items) if watchers[i] >= parameters.min_watchers]
    own = own_weights(liked(table, mu, parameters)[:, kept], parameters)

    named = [attributes(one) for one in facts]
    frequent = sorted(name for name in set().union(*named) if sum(name in named[i] for i in kept) >= 60)
    a = np.array([[float(name in named[i]) for name in frequent] for i in kept]).reshape(len(kept), len(frequent))
    solved = ridge(a, own, [watchers[i] for i in kept], [popular[i] for i in kept], parameters.attribute_reg)

    series = [one.series or one.anime_id for one in facts]
    others = [Counter(series)[one] - 1 for one in series]
    same = np.equal.outer([series[i] for i in kept], [series[i] for i in kept]) & ~np.eye(len(kept), dtype=bool)
    n, m = (np.array([[column[i]] for i in kept]).reshape(-1, 1) for column in (watchers, others))
    e = own / np.array([popular[i] for i in kept]).reshape(-1, 1) - a @ solved
    below = (same * n / m.clip(1)).sum()
    g = max(0.0, (same * n * e / np.sqrt(m.clip(1))).sum() / below) if below else 0.0

    allowed = judged_by_attributes(catalogue).tolist()
    weights, share = np.zeros((n_items, n_items)), [0.0] * n_items
    for i in range(n_items):
        mixed = watchers[i] / (watchers[i] + parameters.attribute_support)
        if ids[i] not in allowed or 1 - mixed < 0.02:
            mixed = 1.0
        share[i] = (1 - mixed) * popular[i]
        if i in kept:
            p, many = kept.index(i), max(30, reachable[i])
            strongest = np.argsort(-np.abs(own[p]), kind="stable").tolist()
            for q in strongest[: min(parameters.pref_stored, 20 + watchers[i])]:
                weights[i, kept[q]] = mixed * (many + parameters.late) / many * own[p, q]
        for j in kept:
            if j != i and series[j] == series[i]:
                weights[i, j] += share[i] * g / math.sqrt(others[i])
    speaks = {name: np.zeros(n_items) for name in frequent}
    for place, name in enumerate(frequent):
        speaks[name][kept] = solved[place]
    return Learnt(watchers, popular, weights, share, [set(frequent) & one for one in named], speaks)
