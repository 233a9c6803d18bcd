"""Whole answers once more: slow, obvious, by plain loops over an artefact's files, sharing no code with `hakken`.

The formulas are those of docs/algorithm.md and of the docstrings of `hakken.model.prediction`,
`hakken.model.preference`, `hakken.model.trees` and `hakken.recommend`; candidates are what the default filters leave.
"""

import bisect
import gzip
import json
import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Entry = tuple[int, int, str]
"""MyAnimeList id, score (0 for none) and status."""
NO_PART = math.inf
BESIDE = {"side story", "special", "recap", "extra"}
SHORTLIST = 200
LEAST_MATCH = 1e-9
LACKING = {"aversion": 0.0, "trend_reg": 0.0}
"""Parameters that models of earlier schemas lack."""


class Tree(NamedTuple):
    """The indices of the features that three splits compare, the borders, and what each split adds, by outcome."""

    features: list[int]
    borders: list[float]
    parts: list[list[float]]


class Title(NamedTuple):
    """One recommendation; `rating` is clipped and rounded, None where fewer than 3 people rated the title."""

    anime_id: int
    rating: float | None
    match: float
    neighbours: int
    reasons: list[tuple[int, float]]


class Answer(NamedTuple):
    """The titles of a list, and those that continue what was begun."""

    recommendations: list[Title]
    continues: list[Title]


class Stored:
    """An artefact as it stands in its files; arrays are lists of Python numbers, a row of each CSR matrix is a list."""

    def __init__(self, directory: Path) -> None:
        manifest = json.loads((directory / "manifest.json").read_bytes())
        self.mu: float = manifest["mu"]
        self.parameters: dict[str, Any] = LACKING | manifest["parameters"]
        self.features: list[str] = manifest.get("features", [])
        with gzip.open(directory / "catalogue.jsonl.gz", "rt", encoding="utf-8") as lines:
            self.facts: dict[int, dict[str, Any]] = {one["anime_id"]: one for one in map(json.loads, lines)}
        self._directory = directory
        self.anime_ids = self._list("anime_ids")
        self.row_of = {anime_id: row for row, anime_id in enumerate(self.anime_ids)}
        self.b_i, self.raters, self.watchers = self._list("b_i"), self._list("raters"), self._list("watchers")
        self.popularity = self._list("popularity")
        scale = self._list("sim_scale")
        sims = self._rows("sim", self._list("sim_values"))
        self.sims = [[(j, scale[i] * value**1.25) for j, value in row] for i, row in enumerate(sims)]
        scale = self._list("pref_scale")
        rows = self._rows("pref", self._list("pref_values"))
        self.weights = [{i: scale[i] * value for i, value in row} for row in rows]
        self.share, indptr, indices = self._list("attr_share"), self._list("attr_indptr"), self._list("attr_indices")
        self.attributes = [indices[begin:end] for begin, end in pairwise(indptr)]
        self.attr_rows, self.attr_values = self._list("attr_rows"), self._list("attr_values")
        self.attr_scale = self._list("attr_scale")
        self.factors: list[list[float]] = [[] for _ in self.anime_ids]
        if (directory / "factors.npy").exists():
            both = zip(self._list("factor_scale"), self._list("factors"), strict=True)
            self.factors = [[scale * one for one in row] for scale, row in both]
        self.trees: list[list[Tree]] = [[], []]
        if (directory / "tree_parts.npy").exists():
            kinds = zip(*(self._list(f"tree_{name}") for name in ("features", "borders", "parts")), strict=True)
            self.trees = [[Tree(*tree) for tree in zip(*kind, strict=True)] for kind in kinds]

    def _list(self, name: str) -> list[Any]:
        found: list[Any] = np.load(self._directory / f"{name}.npy").tolist()
        return found

    def _rows(self, name: str, values: Sequence[int]) -> list[list[tuple[int, int]]]:
        """Column and value of each entry, row by row."""
        indptr, indices = self._list(f"{name}_indptr"), self._list(f"{name}_indices")
        cuts = pairwise(indptr)
        return [[(indices[p], values[p]) for p in range(begin, end)] for begin, end in cuts]

    def weight(self, j: int, i: int) -> float:
        """How much having watched j speaks for i ≠ j: w_ji + c_i Σ v_ja."""
        row = self.attr_rows[j]
        speaks = 0.0
        if row >= 0:
            for a in self.attributes[i]:
                speaks += self.attr_scale[a] * self.attr_values[row][a]
        return float(self.weights[j].get(i, 0.0) + self.share[i] * speaks)

    def alike(self, i: int, j: int) -> float:
        """Similarity of i to j: what j stores of it or, where that is more, half that of their genres."""
        one, other = self._genres(i), self._genres(j)
        common = len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0
        return float(max(dict(self.sims[j]).get(i, 0.0), common / 2))

    def _genres(self, i: int) -> set[str]:
        return {name.lower() for name in self.facts.get(self.anime_ids[i], {}).get("genres") or ()}

    def year(self, i: int) -> int:
        """The year of a row's title; 0 if unknown."""
        return int(self.facts.get(self.anime_ids[i], {}).get("year") or 0)

    def series(self, anime_id: int) -> int:
        """Where the series of a title begins: its own id where it stands alone."""
        return self.facts.get(anime_id, {}).get("franchise") or anime_id

    def story(self, anime_id: int) -> int:
        """The same of its story."""
        return self.facts.get(anime_id, {}).get("story") or self.series(anime_id)

    def universe(self, anime_id: int) -> int:
        """The same of its universe."""
        return self.facts.get(anime_id, {}).get("saga") or self.story(anime_id)

    def alone(self, anime_id: int) -> bool:
        """Whether the catalogue knows a title, as all that there is of its series."""
        return anime_id in self.facts and not self.facts[anime_id].get("part") and self.series(anime_id) == anime_id

    def part(self, anime_id: int) -> float:
        """Which main entry of its series a title is, 1, 2, 3 …; what is none is watched last."""
        if anime_id not in self.facts or self.alone(anime_id):
            return 1
        return self.facts[anime_id].get("part") or NO_PART

    @cached_property
    def main_entries(self) -> dict[int, list[int]]:
        """Each series → its main entries in viewing order, with or without a row."""
        found: dict[int, list[int]] = {}
        for anime_id in sorted({*self.facts, *self.anime_ids}, key=lambda one: (self.part(one), one)):
            if self.part(anime_id) < NO_PART:
                found.setdefault(self.series(anime_id), []).append(anime_id)
        return found


def _determinant(m: list[list[float]]) -> float:
    """Of a matrix of three rows, by the rule of Sarrus."""
    down = sum(m[0][k] * m[1][(k + 1) % 3] * m[2][(k + 2) % 3] for k in range(3))
    up = sum(m[2][k] * m[1][(k + 1) % 3] * m[0][(k + 2) % 3] for k in range(3))
    return down - up


class Visitor:
    """A list, and all that is told of every title to whoever has it: a number for each row.

    Attributes:
        seen: ids of the entries that are not only planned.
        dropped: ids of what was given up.
        taste: row → x_uj of what was watched or is planned.
        p: preferences p_ui.
        r_hat: predicted ratings, neither rounded nor clipped.
        mean: m_u.
        before: matches without their costly factors.
    """

    def __init__(self, stored: Stored, entries: Sequence[Entry], popularity: float = 0.0) -> None:
        self.stored = stored
        self.slider = 0.4 * popularity
        known = stored.facts.keys() | stored.row_of.keys()
        self._listed = [
            (stored.row_of[anime_id], score, status)
            for anime_id, score, status in entries
            if anime_id in stored.row_of
            and (stored.watchers[stored.row_of[anime_id]] > 0 or stored.raters[stored.row_of[anime_id]] > 0)
        ]
        self.seen = {anime_id for anime_id, _, status in entries if status != "plan_to_watch"}
        self.seen_known = self.seen & known
        self.dropped = {anime_id for anime_id, _, status in entries if status == "dropped"}
        self._fold_in()
        self._want()
        self._fold_in_factors()
        n_items = len(stored.anime_ids)
        self.near = [self._neighbours(i) for i in range(n_items)]
        self.say = [sum(amount for _, amount in near) for near in self.near]
        self.r_hat = [
            stored.mu + self.b_u + stored.b_i[i] + self.trend(i) + self.say[i] + self._implicit(self.p[i])
            for i in range(n_items)
        ]
        self.begun = {stored.series(anime_id) for anime_id in self.seen_known}
        self.worlds = {stored.universe(anime_id) for anime_id in self.seen_known}
        self.factor = [self._factor(i) for i in range(n_items)]
        everyone = stored.parameters["everyone"]
        self.before = [(self.p[i] + everyone * stored.popularity[i]) * self.factor[i] for i in range(n_items)]

    def _fold_in(self) -> None:
        """b_u, the deviations r_uj − b_uj − trend_uj, x_uj and t_u."""
        stored, parameters = self.stored, self.stored.parameters
        scores = {row: score for row, score, _ in self._listed if score >= 1}
        weight = parameters["reg_u"] + len(scores)
        deviations = {row: score - stored.mu - stored.b_i[row] for row, score in scores.items()}
        self.b_u = sum(deviations.values()) / weight if weight else 0.0
        self._fit_trend({row: deviation - self.b_u for row, deviation in deviations.items()})
        given = [score for _, score, status in self._listed if score >= 1 and status != "plan_to_watch"]
        self.mean = (sum(given) + 5 * stored.mu) / (len(given) + 5)
        self.taste: dict[int, float] = {}
        for row, score, status in self._listed:
            above = parameters["liking"] * (score - self.mean) if score >= 1 else 0.0
            if status == "plan_to_watch":
                if parameters["planned"]:
                    self.taste[row] = parameters["planned"]
            elif status == "dropped":
                self.taste[row] = min(above, 0.0) - 0.25
            else:
                self.taste[row] = max(1 + above, 0.0) if score >= 1 else parameters["unscored"]
        self.watched = [row for row, _, status in self._listed if status != "plan_to_watch"]
        self.n_watched = len(self.watched)
        self.trust = (max(1, self.n_watched) / 100) ** parameters["trust"]

    def _fit_trend(self, residuals: dict[int, float]) -> None:
        """s_u and z̄_u by Cramer's rule, and what the trend leaves of the residuals."""
        reg = self.stored.parameters["trend_reg"]
        self.slopes, self.centre = [0.0] * 3, [0.0] * 3
        if reg and residuals:
            known = {row: self._covariates(row) for row in residuals}
            self.centre = [sum(one[k] for one in known.values()) / len(known) for k in range(3)]
            z = {row: [one[k] - self.centre[k] for k in range(3)] for row, one in known.items()}
            left = [[sum(one[a] * one[b] for one in z.values()) + reg * (a == b) for b in range(3)] for a in range(3)]
            right = [sum(one[a] * residuals[row] for row, one in z.items()) for a in range(3)]
            for k in range(3):
                replaced = [[right[a] if b == k else left[a][b] for b in range(3)] for a in range(3)]
                self.slopes[k] = _determinant(replaced) / _determinant(left)
        self.deviations = {row: residual - self.trend(row) for row, residual in residuals.items()}

    def _covariates(self, i: int) -> list[float]:
        """z_i."""
        stored = self.stored
        older = bisect.bisect_left(stored.anime_ids, stored.anime_ids[i])
        return [stored.b_i[i], math.log(stored.popularity[i]) / 2, 2 * older / len(stored.anime_ids)]

    def trend(self, i: int) -> float:
        """trend_ui."""
        return sum(s * (z - c) for s, z, c in zip(self.slopes, self._covariates(i), self.centre, strict=True))

    def _want(self) -> None:
        """p_ui. What attributes say is summed by attribute first: a loop over entries and titles would take hours."""
        stored = self.stored
        self.p = [0.0] * len(stored.anime_ids)
        of_attribute = [0.0] * len(stored.attr_scale)
        for j, x in self.taste.items():
            for i, weight in stored.weights[j].items():
                if i != j:
                    self.p[i] += x * weight
            if stored.attr_rows[j] >= 0:
                for a, value in enumerate(stored.attr_values[stored.attr_rows[j]]):
                    of_attribute[a] += x * stored.attr_scale[a] * value
        for i, attributes in enumerate(stored.attributes):
            said = sum(of_attribute[a] for a in attributes)
            if i in self.taste and stored.attr_rows[i] >= 0:
                row = stored.attr_values[stored.attr_rows[i]]
                said -= self.taste[i] * sum(stored.attr_scale[a] * row[a] for a in attributes)
            self.p[i] += stored.share[i] * said

    def _fold_in_factors(self) -> None:
        """z_u, the least squares of one equation for each title and one for each factor."""
        stored, n_factors = self.stored, len(self.stored.factors[0])
        equations, wanted = [], []
        for i, factors in enumerate(stored.factors):
            weight = math.sqrt(10 * max(self.taste[i], 0.0)) if i in self.taste else 1.0
            equations.append([weight * one for one in factors])
            wanted.append(weight if i in self.taste else 0.0)
        for k in range(n_factors):
            equations.append([math.sqrt(20) * (k == at) for at in range(n_factors)])
            wanted.append(0.0)
        self.factors: list[float] = np.linalg.lstsq(np.array(equations), np.array(wanted))[0].tolist()
        self.usual_fit = sum(map(self.fit, self.taste)) / max(1, len(self.taste))

    def fit(self, i: int) -> float:
        """z_u · y_i."""
        return float(sum(z * y for z, y in zip(self.factors, self.stored.factors[i], strict=True)))

    def _neighbours(self, i: int) -> list[tuple[int, float]]:
        """N_k(i;u), and what each adds to the baseline, score points."""
        parameters = self.stored.parameters
        rated = [(j, sim ** parameters["amplification"]) for j, sim in self.stored.sims[i] if j in self.deviations]
        nearest = rated[: parameters["k"]]
        total = parameters["prior"] + sum(weight for _, weight in nearest)
        return [(j, self.trust * weight * self.deviations[j] / total) for j, weight in nearest]

    def _implicit(self, p: float) -> float:
        if not self.n_watched:
            return 0.0
        parameters = self.stored.parameters
        said = parameters["implicit_offset"] + parameters["implicit_slope"] * min(max(p, -0.2), 1.5)
        return float(said - parameters["implicit_length"] * math.log(self.n_watched / 100))

    def _factor(self, i: int) -> float:
        """What popularity, quality and the watching order make of a match."""
        stored, parameters = self.stored, self.stored.parameters
        anime_id = stored.anime_ids[i]
        series, part = stored.series(anime_id), stored.part(anime_id)
        order = 1.0
        if series not in self.begun:
            order = parameters["ahead"] if part > 1 else 1.0
        elif any(one in self.seen for one in stored.main_entries.get(series, []) if stored.part(one) > part):
            order = parameters["skipped"]
        quality = math.exp(parameters["quality"] * stored.b_i[i])
        return float(stored.popularity[i] ** (self.slider - parameters["novelty"]) * quality * order)

    def features(self, i: int) -> dict[str, float]:
        """x_ui by name, of a list with something that was watched."""
        stored = self.stored
        anime_id, series, year = stored.anime_ids[i], stored.series(stored.anime_ids[i]), stored.year(i)
        ids = sorted(stored.anime_ids[row] for row in self.watched)
        logs = [math.log(stored.popularity[row]) for row in self.watched]
        years = sorted(filter(None, map(stored.year, self.watched)))
        length = math.log(self.n_watched + 1)
        n_planned = len(self.taste) - sum(row in self.taste for row in self.watched)
        popularity, usual = math.log(stored.popularity[i]), sum(logs) / len(logs)
        seen_parts = [stored.part(one) for one in self.seen_known if stored.series(one) == series]
        last = max((part for part in seen_parts if part < NO_PART), default=0)
        part = min(stored.part(anime_id), 30)
        siblings = [x for row, x in self.taste.items() if stored.series(stored.anime_ids[row]) == series]
        match = math.log(max(self.before[i], LEAST_MATCH)) + stored.parameters["pull"] * self.say[i]
        return {
            "log match": match - self.slider * popularity,
            "preference": self.p[i],
            "preference by length": self.p[i] / length,
            "list length": length,
            "list liking": math.log(max(0.1, sum(self.taste.values()))),
            "list plans": math.log(n_planned + 1),
            "list popularity": usual,
            "popularity": popularity,
            "popularity above the list's": popularity - usual,
            "place among ids": sum(one < anime_id for one in ids) / len(ids),
            "part of the last id": anime_id / ids[-1],
            "years after the last": year - years[-1] if year and years else -100,
            "years after the late": year - years[int(0.9 * (len(years) - 1))] if year and years else -100,
            "liking of its series": sum(siblings),
            "series begun": float(series in self.begun),
            "universe begun": float(stored.universe(anime_id) in self.worlds),
            "part": part,
            "parts ahead": part - last,
            "rating above the mean": self.r_hat[i] - self.mean,
            "neighbour term": self.say[i],
            "item bias": stored.b_i[i],
            "factor score above the list's": self.fit(i) - self.usual_fit,
        }

    def trees(self, i: int, kind: int) -> float:
        """T(x_ui) of the trees for lists of all titles, 0, or for those without begun series, 1."""
        trees = self.stored.trees[kind]
        if not trees or not self.n_watched:
            return 0.0
        known = self.features(i)
        total = 0.0
        for tree in trees:
            outcome = 0
            for k in range(3):
                if known[self.stored.features[tree.features[k]]] > tree.borders[k]:
                    outcome += 2**k
            for k in range(3):
                total += tree.parts[outcome][k]
        return total

    def costly(self, i: int, franchise: str) -> float:
        """Logarithm of the costly factors of a match, in a list of a series rule."""
        parameters, new = self.stored.parameters, self.stored.series(self.stored.anime_ids[i]) not in self.begun
        below = max(self.mean - self.r_hat[i], 0.0) if new else 0.0
        said = self.trees(i, int(new and franchise != "all"))
        return float(parameters["pull"] * self.say[i] - parameters["aversion"] * below**2 + said)

    def match(self, i: int, franchise: str) -> float:
        """The match, in a list of a series rule."""
        return float(self.before[i] * math.exp(self.costly(i, franchise)))

    def candidates(self, order: str) -> set[int]:
        """Rows of what is unseen, not for adults and, by predicted rating, rated by enough people."""
        stored = self.stored
        fewest = max(3, stored.parameters["min_raters"]) if order == "predicted_rating" else 0
        return {
            row
            for anime_id, row in stored.row_of.items()
            if anime_id not in self.seen
            and not stored.facts.get(anime_id, {}).get("adult")
            and stored.raters[row] >= fewest
        }

    def answer(self, order: str, franchise: str, n: int, variety: float) -> Answer:
        """The whole answer: `order` is "match" or "predicted_rating", `franchise` is "new" or "all"."""

        def described(rows: set[int], variety: float) -> list[Title]:
            best = self.by_match(rows, franchise, n, variety) if order == "match" else self._by_rating(rows)[:n]
            return [self._described(row, order, franchise) for row in best]

        candidates = self.candidates(order)
        if franchise == "all":
            return Answer(described(candidates, variety), [])
        fresh, following = self.new_series(candidates, order), self._next(candidates)
        return Answer(described(fresh, variety), described(following, 0.0))

    def _by_rating(self, rows: set[int]) -> list[int]:
        return sorted(rows, key=lambda row: (-self.r_hat[row], row))

    def by_match(self, rows: set[int], franchise: str, n: int, variety: float) -> list[int]:
        """The best of a shortlist; with variety, each place goes to the best that is not too much like those above."""
        left = sorted(sorted(rows, key=lambda row: (-self.before[row], row))[:SHORTLIST])
        match = {row: self.match(row, franchise) for row in left}
        if not variety:
            return sorted(left, key=lambda row: (-match[row], row))[:n]
        chosen: list[int] = []
        nearest = dict.fromkeys(left, 0.0)
        while left and len(chosen) < n:
            worth = {row: math.log(max(match[row], LEAST_MATCH)) - 3 * variety * nearest[row] for row in left}
            best = max(left, key=lambda row: (worth[row], -row))
            chosen.append(best)
            left.remove(best)
            nearest = {row: max(nearest[row], self.stored.alike(row, best)) for row in left}
        return chosen

    def new_series(self, candidates: set[int], order: str) -> set[int]:
        """The first title of each series that is new; of a begun universe, and of a story, the best one."""
        stored = self.stored
        first: dict[int, tuple[float, int, int]] = {}
        for row in candidates:
            anime_id = stored.anime_ids[row]
            series = stored.series(anime_id)
            if series not in self.begun and stored.facts.get(anime_id, {}).get("kind") not in BESIDE:
                place = (stored.part(anime_id), -stored.watchers[row], row)
                first[series] = min(first.get(series, place), place)
        score = self.before if order == "match" else stored.popularity
        told = {stored.story(one) for one in self.seen_known}
        in_world: dict[int, list[int]] = {}
        by_story: dict[int, list[int]] = {}
        for _, _, row in first.values():
            anime_id = stored.anime_ids[row]
            film = stored.alone(anime_id) and (stored.facts[anime_id].get("type") or "").lower() == "movie"
            if film and stored.story(anime_id) in told:
                continue
            if stored.universe(anime_id) in self.worlds:
                in_world.setdefault(stored.universe(anime_id), []).append(row)
            else:
                by_story.setdefault(stored.story(anime_id), []).append(row)
        for rows in in_world.values():
            best = min(rows, key=lambda row: (-score[row], row))
            by_story.setdefault(stored.story(stored.anime_ids[best]), []).append(best)
        return {min(rows, key=lambda row: (-score[row], row)) for rows in by_story.values()}

    def _next(self, candidates: set[int]) -> set[int]:
        """The next unseen main entry of each series that was begun, and of which nothing was dropped."""
        stored = self.stored
        stopped = {stored.series(one) for one in self.dropped if one in self.seen_known}
        found = set()
        for series in self.begun - stopped:
            unseen = [one for one in stored.main_entries.get(series, []) if one not in self.seen]
            if unseen and unseen[0] in stored.row_of:
                found.add(stored.row_of[unseen[0]])
        return found & candidates

    def _described(self, row: int, order: str, franchise: str) -> Title:
        stored, parameters = self.stored, self.stored.parameters
        shares = {j: x * stored.weight(j, row) for j, x in self.taste.items() if j != row}
        if order == "match":
            factor = self.factor[row] * math.exp(self.costly(row, franchise))
            shares = {j: share * factor for j, share in shares.items()}
        else:
            p = sum(shares.values())
            cut = min(max(p, -0.2), 1.5) / p if p else 1.0
            slope = parameters["implicit_slope"] if self.n_watched else 0.0
            shares = {j: share * cut * slope for j, share in shares.items()}
            for j, amount in self.near[row]:
                if j in self.taste:
                    shares[j] = shares.get(j, 0.0) + amount
        place = {j: at for at, j in enumerate(self.taste)}
        largest = sorted((j for j in shares if shares[j]), key=lambda j: (-abs(shares[j]), place[j]))[:3]
        rating = round(min(max(self.r_hat[row], 1.0), 10.0), 2) if stored.raters[row] >= 3 else None
        score = self.match(row, franchise) if order == "match" else self.r_hat[row]
        reasons = [(stored.anime_ids[j], shares[j]) for j in largest]
        return Title(stored.anime_ids[row], rating, score, len(self.near[row]), reasons)
