"""Slow, obvious versions of what Hakken computes, straight from the formulas and sharing no code with it."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hakken.model.arrays import Arrays, Float64s

if TYPE_CHECKING:  # it takes compiled kernels to load
    from hakken.training.tables import RatingTable

Scores = dict[tuple[int, int], int]
"""(user, item) → score, for scored entries only."""


def scores_of(table: "RatingTable") -> Scores:
    triples = zip(table.users.tolist(), table.items.tolist(), table.scores.tolist(), strict=True)
    return {(u, i): r for u, i, r in triples if r > 0}


def mean(scores: Scores) -> float:
    return sum(scores.values()) / len(scores)


def baselines(
    scores: Scores, n_users: int, n_items: int, reg_u: float, reg_i: float, n_epochs: int
) -> tuple[list[float], list[float]]:
    mu = mean(scores)
    b_u, b_i = [0.0] * n_users, [0.0] * n_items
    for _ in range(n_epochs):
        for item in range(n_items):
            deviations = [r - mu - b_u[u] for (u, i), r in scores.items() if i == item]
            weight = reg_i + len(deviations)
            b_i[item] = sum(deviations) / weight if weight else 0.0
        for user in range(n_users):
            deviations = [r - mu - b_i[i] for (u, i), r in scores.items() if u == user]
            weight = reg_u + len(deviations)
            b_u[user] = sum(deviations) / weight if weight else 0.0
    return b_u, b_i


def similarity(
    scores: Scores, b_u: list[float], b_i: list[float], i: int, j: int, shrinkage: float, min_support: int
) -> float:
    mu = mean(scores)
    common = [u for u in range(len(b_u)) if (u, i) in scores and (u, j) in scores]
    n_ij = len(common)
    if n_ij < max(min_support, 2):
        return 0.0
    x = [scores[u, i] - (mu + b_u[u] + b_i[i]) for u in common]
    y = [scores[u, j] - (mu + b_u[u] + b_i[j]) for u in common]
    norm = math.sqrt(sum(one * one for one in x) * sum(one * one for one in y))
    if norm == 0:
        return 0.0
    return (n_ij - 1) / (n_ij - 1 + shrinkage) * sum(a * b for a, b in zip(x, y, strict=True)) / norm


def of_siblings(scores: Scores, i: int, j: int, shrinkage: float, siblings: float) -> float:
    """What is added to the similarity of two items of one series."""
    if not {i, j} <= {item for _, item in scores} or not shrinkage:
        return 0.0
    return shrinkage * siblings / (max(support(scores, i, j) - 1, 0) + shrinkage)


def support(scores: Scores, i: int, j: int) -> int:
    """n_ij."""
    return sum(1 for u, item in scores if item == i and (u, j) in scores)


def prediction(
    baseline: float,
    neighbours: dict[int, float],
    deviations: dict[int, float],
    k: int,
    amplification: float = 1.0,
    prior: float = 0.0,
) -> float:
    """r_hat from b_ui, the item's neighbours j → sim, and the visitor's r_uj − b_uj."""
    rated = sorted(((sim, j) for j, sim in neighbours.items() if j in deviations and sim > 0), reverse=True)[:k]
    if not rated:
        return baseline
    total = prior + sum(sim**amplification for sim, _ in rated)
    weighted = sum(sim**amplification * deviations[j] for sim, j in rated)
    return float(baseline + weighted / total)


@lru_cache(maxsize=4)
def weights(arrays: Arrays) -> Float64s:
    """How much having watched j speaks for i ≠ j, `(n_items, n_items)`, a row being j: its weight and attributes."""
    n_items = len(arrays.anime_ids)
    found = np.zeros((n_items, n_items))
    for j in range(n_items):
        for at in range(int(arrays.pref_indptr[j]), int(arrays.pref_indptr[j + 1])):
            i = int(arrays.pref_indices[at])
            found[j, i] += float(arrays.pref_scale[i]) * int(arrays.pref_values[at])
    scale = arrays.attr_scale.tolist()
    for i in range(n_items):
        attributes = arrays.attr_indices[arrays.attr_indptr[i] : arrays.attr_indptr[i + 1]].tolist()
        for j, row in enumerate(arrays.attr_rows.tolist()):
            if row >= 0:
                speaks = sum(scale[a] * int(arrays.attr_values[row, a]) for a in attributes)
                found[j, i] += float(arrays.attr_share[i]) * speaks
    np.fill_diagonal(found, 0.0)
    return found
