"""Learn the trees of the match (`hakken.model.trees`) by LambdaMART, from what people watched and liked.

Some people are set aside. A model of others, the *inner* one, is trained as any model is, but for its trees. A fifth of
what each of those set aside watched is hidden; the inner model makes a list from the rest, and the trees learn to move
the hidden titles up in it:

    score = 2 ln match + tree 1 + tree 2 + …

What is optimised is NDCG with gains of 4 for a liked title, 1 for another watched one and 0 for all others, and a
discount of 1 / log2(position + 1). A title that was watched and disliked counts as watched, since
`hakken.recommend.scoring` lowers what would be disliked. Nobody's own list is in the model that their titles are ranked
with, as no visitor's is; the factors that trees know (`hakken.training.factors`) are learnt from the same others.
Burges, "From RankNet to LambdaRank to LambdaMART: an overview" (Microsoft Research 2010); LightGBM's `lambdarank`.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, top_n
from hakken.model.arrays import Array, Bools, Float64s, Int64s
from hakken.model.trees import FEATURES, MAX_TREES, N_LISTS, N_SPLITS, SERIES, no_trees
from hakken.ratings import CODE_OF_STATUS, FranchiseRule, Planned, Preferences, Status
from hakken.recommend import series_rules
from hakken.recommend.filters import candidates
from hakken.recommend.scoring import Scorer
from hakken.training.factors import ItemFactors, item_factors, needing, no_factors
from hakken.training.matrix import indptr_of
from hakken.training.progress import Progress
from hakken.training.tables import UNKNOWN_STATUS, RatingTable

FEWEST_PEOPLE, MOST_PEOPLE, OF_ALL = 100, 1600, 5
"""How many people are set aside, and at most one of how many."""
MOST_ENTRIES = 2_500_000
"""About as many entries of others are enough for the inner model."""
FEWEST_SCORES = 20
"""Least number of scores of a person who is set aside."""
HIDDEN = 0.2
LEARNT = 100
"""Titles of a list that are learnt from, the best by match: what is further down is seldom moved to where it counts."""
N_DRAWS = 2
"""How often each person's titles are hidden anew."""
LIKED_SCORE = 8
WATCHED, LIKED = 1, 2
ALLOWED = Preferences(franchise=FranchiseRule.ALL, adult=True, planned=Planned.HIDE), Preferences(planned=Planned.HIDE)
"""What the two kinds of lists may hold."""
NOT_WATCHED = (UNKNOWN_STATUS, CODE_OF_STATUS[Status.PLAN_TO_WATCH])
WEIGHT_OF_MATCH = 2.0
"""Of ln match, to which trees are added; it keeps the choices of a visitor, who can move the match anywhere."""
SETTINGS = {
    "objective": "lambdarank",
    "num_leaves": N_SPLITS + 1,
    "label_gain": [0, 1, 4],
    "min_data_in_leaf": 50,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.7,
    "seed": 1,
    "deterministic": True,
    "force_col_wise": True,  # one thread sums each feature: row by row, sums would differ with the number of threads
    "num_threads": 1,  # several wait for each other, spinning: ten times as long where cores are shared
    "verbose": -1,
}
OF_KINDS: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.15, "lambdarank_truncation_level": LEARNT},
    {"learning_rate": 0.08, "lambdarank_truncation_level": 15},
)
"""Settings of the trees for each kind of list. Those for new series have less to learn, from pairs with one of the
first 15 titles; where begun series count, pairs further down say something too."""
LOG_MATCH = [*FEATURES].index("log match")
OF_SERIES = [subject == SERIES for subject in FEATURES.values()]
Node = dict[str, Any]
"""A split or leaf as LightGBM describes it."""


class Lists(NamedTuple):
    """Ranked lists to learn from.

    Attributes:
        features: `(n, n_features)` float64, of each title of each list.
        log_match: `(n,)` float64.
        labels: `(n,)` int64: 0, `WATCHED` or `LIKED`.
        lengths: `(n_lists,)` int64, titles of each list.
    """

    features: Float64s
    log_match: Float64s
    labels: Int64s
    lengths: Int64s


class Material(NamedTuple):
    """What trees are learnt from.

    Attributes:
        factors: of titles, learnt from those whom the inner model is trained on.
        lists: of those who are set aside, of each kind; none if too few people have scores.
    """

    factors: ItemFactors
    lists: tuple[Lists, ...]


class SecondStage(NamedTuple):
    """What the second stage adds to a model.

    Attributes:
        factors: what trees know of titles.
        trees: the arrays `tree_*` of `hakken.model.arrays.Arrays`, by name.
    """

    factors: ItemFactors
    trees: dict[str, Array]


NO_SECOND_STAGE = SecondStage(no_factors(), no_trees())


def material_of(table: RatingTable, fit_inner: Callable[[RatingTable], ModelBundle], progress: Progress) -> Material:
    """Make of a table what trees are learnt from, with `fit_inner`, which trains a model without trees."""
    rng = draws()
    chosen = choose_people(table.scored, np.bincount(table.users, minlength=table.n_users), rng)
    if not chosen:
        return Material(no_factors(), ())
    aside, others = map(table.of_users, chosen)
    return material_with(aside, others, fit_inner, rng, progress)


def draws() -> np.random.Generator:
    """What people and hidden titles are drawn with, in that order."""
    return np.random.default_rng(0)


class Chosen(NamedTuple):
    """Who is set aside, and who the inner model is trained on; `(n_users,)` bool each."""

    aside: Bools
    inner: Bools


def choose_people(scored: Int64s, lengths: Int64s, rng: np.random.Generator) -> Chosen | None:
    """Choose people by how many scores and entries each has, `(n_users,)`; None if too few have enough scores."""
    possible = rng.permutation(np.flatnonzero(scored >= FEWEST_SCORES))
    chosen = possible[: min(MOST_PEOPLE, len(possible) // OF_ALL)]
    if len(chosen) < FEWEST_PEOPLE:
        return None
    everyone = np.arange(len(scored))
    aside = np.isin(everyone, chosen)
    others = rng.permutation(np.flatnonzero(~aside))
    enough = others[: np.searchsorted(np.cumsum(lengths[others]), MOST_ENTRIES) + 1]
    return Chosen(aside, np.isin(everyone, enough))


def material_with(
    aside: RatingTable,
    others: RatingTable,
    fit_inner: Callable[[RatingTable], ModelBundle],
    rng: np.random.Generator,
    progress: Progress,
) -> Material:
    """The same, of those who are set aside and of the others, whom the inner model is trained on."""
    inner = fit_inner(others)
    with progress.stage("factors"):
        factors = item_factors(others, ~np.isin(others.statuses, NOT_WATCHED))
    arrays = dataclasses.replace(inner.model.arrays, **factors.packed(inner.model.arrays.anime_ids))
    bundle = ModelBundle(dataclasses.replace(inner.model, arrays=arrays), inner.catalogue)
    with progress.stage("lists", aside.n_users, "people") as advance:
        return Material(factors, tuple(_lists(aside, bundle, rng, advance)))


def second_stage(material: Material, n_trees: int, progress: Progress) -> SecondStage:
    """Learn trees; no tree if nothing that was hidden is in the lists of one kind.

    Raises:
        TableError: LightGBM can't be loaded.
    """
    if len(material.lists) < N_LISTS:
        return NO_SECOND_STAGE
    with progress.stage("trees", N_LISTS, "kinds of lists") as advance:
        made = []
        for one, settings in zip(material.lists, OF_KINDS, strict=True):
            made.append(packed(_boosted(one, n_trees, SETTINGS | settings), n_trees))
            advance(1)
    return SecondStage(material.factors, stacked(made))


def _lists(
    people: RatingTable, bundle: ModelBundle, rng: np.random.Generator, advance: Callable[[int], None]
) -> list[Lists]:
    """Make two lists for each person, of all titles and without begun series, with what was hidden from them."""
    watched = ~np.isin(people.statuses, NOT_WATCHED)
    cuts = indptr_of(people.users, people.n_users)
    found: list[list[Lists]] = [[], []]
    for begin, end in pairwise(cuts.tolist()):
        theirs = np.arange(begin, end)
        for _ in range(N_DRAWS):
            hidden = watched[theirs] & (rng.random(len(theirs)) < HIDDEN)
            for new_only, made in enumerate(found):
                one = _list_of(people, theirs[~hidden], theirs[hidden], bundle, new_only=bool(new_only))
                if one is not None and one.labels.any():
                    made.append(one)
        advance(1)
    return [Lists(*(np.concatenate(column) for column in zip(*made, strict=True))) for made in found if made]


def _list_of(people: RatingTable, given: Int64s, asked: Int64s, bundle: ModelBundle, *, new_only: bool) -> Lists | None:
    """The list that someone gets for some of their entries, `(n,)` positions in the table; None if none is learnt from.

    A list without begun series has one title of each. It is relevant if any title of its series is asked for; series
    that only planned titles are of are left out, since nobody knows whether they were begun.
    """
    model, facts = bundle.model, bundle.facts
    statuses = people.statuses[given]
    planned, dropped = np.isin(statuses, NOT_WATCHED), statuses == CODE_OF_STATUS[Status.DROPPED]
    columns = ListColumns(
        people.anime_ids[people.items[given]].astype(np.int64), people.scores[given].astype(np.int64), planned, dropped
    )
    scorer = Scorer(bundle, columns, ALLOWED[new_only])
    if not scorer.visitor.taste.n_watched:
        return None
    labels = np.zeros(model.n_items, dtype=np.int64)
    rows, known = model.rows_of(people.anime_ids[people.items[asked]])
    labels[rows[known]] = np.where(people.scores[asked][known] >= LIKED_SCORE, LIKED, WATCHED)
    allowed, _ = candidates(columns, bundle, ALLOWED[new_only])
    if new_only:
        series, listed = facts.series, facts.anime_index.of(columns.anime_ids)
        best = np.zeros(len(series), dtype=np.int64)
        np.maximum.at(best, series.of_row, labels)
        labels = best[series.of_row]
        allowed &= ~series.any_of(listed)[series.of_row]
        seen = facts.anime_index.of(columns.seen_ids)
        allowed = series_rules.new_only(seen, listed[:0], facts, allowed, scorer.prescore, unrelated=False, asked=False)
    rows = scorer.shortlist(allowed)
    features = scorer.features(rows)
    if new_only:  # of a series that is new, plans and universes would tell trees what is in fact a begun one
        features[OF_SERIES] = 0.0
    best = top_n(features[LOG_MATCH], np.ones(len(rows), dtype=np.bool_), LEARNT)
    rows, features = rows[best], features[:, best]
    return Lists(features.T, features[LOG_MATCH], labels[rows], np.array([len(rows)]))


def _boosted(lists: Lists, n_trees: int, settings: dict[str, Any]) -> list[Node]:
    """Train trees, and give the root of each."""
    with needing("LightGBM"):
        import lightgbm  # noqa: PLC0415  # see `needing`
    # Lists that are told apart at a glance would else make leaves without bounds.
    settings = settings | {"max_delta_step": WEIGHT_OF_MATCH * MAX_TREES / (n_trees * settings["learning_rate"])}
    started = WEIGHT_OF_MATCH * lists.log_match
    data = lightgbm.Dataset(lists.features, lists.labels, group=lists.lengths, init_score=started, params=settings)
    booster = lightgbm.train(settings, data, n_trees)
    return [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]


def stacked(of_lists: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Put the arrays of trees for each kind of list together."""
    return {name: np.stack([one[name] for one in of_lists]) for name in of_lists[0]}


def packed(trees: Sequence[Node], n_trees: int = 0) -> dict[str, Array]:
    """The arrays `tree_*` of `hakken.model.arrays.Arrays`, by name, for one kind of list.

    Args:
        trees: their roots.
        n_trees: length of the arrays, if there may be fewer trees: LightGBM stops when no split gains anything.
    """
    n_trees = max(n_trees, len(trees))
    features = np.zeros((n_trees, N_SPLITS), dtype=np.uint8)
    borders = np.full((n_trees, N_SPLITS), np.inf)
    parts = np.zeros((n_trees, 2**N_SPLITS, N_SPLITS))
    outcomes = np.arange(2**N_SPLITS)
    for number, root in enumerate(trees):
        for node, reached, value in _splits(root, np.ones(len(outcomes), dtype=np.bool_), 0.0):
            split = node["split_index"]
            features[number, split], borders[number, split] = node["split_feature"], node["threshold"]
            for child, outcome in (("left_child", 0), ("right_child", 1)):
                took = reached & ((outcomes >> split & 1) == outcome)
                parts[number, took, split] = (_value(node[child]) - value) / WEIGHT_OF_MATCH
    return {"tree_features": features, "tree_borders": borders, "tree_parts": parts}


def _splits(node: Node, reached: Bools, value: float) -> Iterator[tuple[Node, Bools, float]]:
    """The splits below a node, with the outcomes that reach each, `(8,)` bool, and its value."""
    if "split_index" not in node:
        return
    yield node, reached, value
    above = (np.arange(len(reached)) >> node["split_index"] & 1).astype(np.bool_)
    for child, took in (("left_child", ~above), ("right_child", above)):
        yield from _splits(node[child], reached & took, _value(node[child]))


def _value(node: Node) -> float:
    return float(node["leaf_value"] if "leaf_value" in node else node["internal_value"])
