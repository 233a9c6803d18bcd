"""The trees of the match: packed as LightGBM made them, and learnt from lists of people whom no model has seen."""

import builtins
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import lightgbm
import msgspec
import numpy as np
import pytest

import hakken.training.threads
from benchmarks.synthetic import synthetic_entries
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError
from hakken.model import Model, Parameters
from hakken.model.arrays import Int64s
from hakken.model.trees import FEATURES, N_LISTS, Trees
from hakken.recommend.scoring import Scorer
from hakken.training import fit, ranking
from hakken.training.factors import item_factors
from hakken.training.progress import SILENT
from hakken.training.tables import UNKNOWN_STATUS, RatingTable

N_TITLES, N_TREES = 100, 6
PARAMETERS = Parameters(k_stored=20, trees=N_TREES, min_watchers=3)
WITHOUT_TREES = msgspec.structs.replace(PARAMETERS, trees=0)
COMPLETED, PLANNED, DROPPED = 2, 6, 4


@pytest.fixture(scope="module")
def titles() -> Catalogue:
    """Titles of which each third begins a series of three."""

    def one(i: int) -> Anime:
        begins = i - (i - 1) % 3
        return Anime(anime_id=i, title=f"Anime {i}", type="TV", year=1990 + i % 30, series=begins, part=i - begins + 1)

    return Catalogue(map(one, range(1, N_TITLES + 1)))


@pytest.fixture(scope="module")
def people() -> RatingTable:
    """People of whom most gave twenty scores, with plans, drops and entries of unknown status."""
    entries = synthetic_entries(260, N_TITLES, 9_000, seed=4)
    ids, items = np.unique(entries.anime_id, return_inverse=True)
    users = np.unique(entries.user_id, return_inverse=True)[1]
    scores = entries.rating.clip(0)
    statuses = np.random.default_rng(4).choice([COMPLETED, COMPLETED, COMPLETED, DROPPED, PLANNED], len(users))
    statuses[(scores == 0) & (users % 3 == 0)] = UNKNOWN_STATUS
    columns = users.astype(np.int32), items.astype(np.int32), scores.astype(np.int8)
    return RatingTable(ids.astype(np.int32), 260, *columns, len(users), statuses=statuses.astype(np.int8))


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "FEWEST_PEOPLE", 20)


def inner(titles: Catalogue) -> Callable[[RatingTable], ModelBundle]:
    def fit_inner(table: RatingTable) -> ModelBundle:
        made = fit(table, WITHOUT_TREES, titles)
        return ModelBundle(Model(made.arrays, made.manifest, "inner"), titles)

    return fit_inner


# Packing


@pytest.mark.parametrize("num_leaves", [2, 3, 4])
@pytest.mark.parametrize("min_data_in_leaf", [5, 120])
def test_packed_trees_predict_what_the_library_does(num_leaves: int, min_data_in_leaf: int) -> None:
    """Trees that stop early, too, since no more than two leaves of 120 can be had from 300 titles."""
    rng = np.random.default_rng(num_leaves)
    features = np.round(rng.normal(size=(300, len(FEATURES))), 1)  # often equal to a border
    features[:, 3] = rng.integers(0, 2, 300)
    wanted = features[:, 0] * features[:, 3] + np.abs(features[:, 5]) + rng.normal(size=300)
    settings = {
        "objective": "regression",
        "num_leaves": num_leaves,
        "min_data_in_leaf": min_data_in_leaf,
        "boost_from_average": False,
        "seed": 1,
        "num_threads": 1,
        "verbose": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(features, wanted, params=settings), 30)
    roots = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    arrays = ranking.packed(roots, 35)
    n_splits = np.isfinite(arrays["tree_borders"]).sum(axis=1)
    assert len(n_splits) == 35
    assert n_splits[:30].max() == (1 if min_data_in_leaf == 120 else num_leaves - 1)
    assert not n_splits[30:].any()
    found = Trees.of(arrays["tree_features"], arrays["tree_borders"], arrays["tree_parts"]).evaluate(features.T)
    expected = np.asarray(booster.predict(features, raw_score=True)) / ranking.WEIGHT_OF_MATCH
    np.testing.assert_allclose(found, expected, atol=1e-6)


# Learning


class Made(NamedTuple):
    """A list that trees were to be learnt from, and what it was made of."""

    people: RatingTable
    given: Int64s
    asked: Int64s
    bundle: ModelBundle
    new_only: bool
    rows: Int64s
    lists: ranking.Lists | None
    columns: Any


class Recorded(NamedTuple):
    """All lists, the table of the inner model, and what was learnt."""

    made: list[Made]
    others: RatingTable
    stage: ranking.SecondStage


@pytest.fixture
def recorded(people: RatingTable, titles: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    made: list[Made] = []
    tables: list[RatingTable] = []
    shortlists: list[Int64s] = []
    given_columns: list[Any] = []
    list_of = ranking._list_of  # noqa: SLF001  # what it makes is seen nowhere else

    class Spy(Scorer):
        def __init__(self, bundle: ModelBundle, columns: Any, preferences: Any) -> None:
            given_columns.append(columns)
            super().__init__(bundle, columns, preferences)

        def features(self, rows: Int64s) -> Any:
            found = super().features(rows)
            best = np.argsort(-found[ranking.LOG_MATCH], kind="stable")[: ranking.LEARNT]
            shortlists.append(rows[best])
            return found

    def record(
        people: RatingTable, given: Int64s, asked: Int64s, bundle: ModelBundle, *, new_only: bool
    ) -> ranking.Lists | None:
        found = list_of(people, given, asked, bundle, new_only=new_only)
        rows = shortlists[-1] if found is not None else np.zeros(0, dtype=np.int64)
        made.append(Made(people, given, asked, bundle, new_only, rows, found, given_columns[-1]))
        return found

    def fit_inner(table: RatingTable) -> ModelBundle:
        tables.append(table)
        return inner(titles)(table)

    monkeypatch.setattr(ranking, "Scorer", Spy)
    monkeypatch.setattr(ranking, "_list_of", record)
    named = dataclasses.replace(people, user_ids=list(range(people.n_users)))
    stage = ranking.second_stage(ranking.material_of(named, fit_inner, SILENT), N_TREES, SILENT)
    [others] = tables
    return Recorded(made, others, stage)


def test_nobody_who_is_set_aside_is_in_the_inner_model(recorded: Recorded) -> None:
    aside = set(recorded.made[0].people.user_ids)
    assert len(aside) >= 20
    assert not aside & set(recorded.others.user_ids)
    assert recorded.stage.trees["tree_features"].shape == (N_LISTS, N_TREES, 3)
    assert np.isfinite(recorded.stage.trees["tree_borders"]).any(axis=(1, 2)).all()


def test_a_list_is_made_from_what_is_not_hidden(recorded: Recorded) -> None:
    """Each person's titles are hidden twice, a fifth of what they watched, and no list holds what was given."""
    n_asked = n_watched = 0
    for one in recorded.made:
        theirs = np.concatenate((one.given, one.asked))
        assert len(set(theirs.tolist())) == len(theirs)
        assert len(set(one.people.users[theirs].tolist())) == 1
        assert np.count_nonzero(one.people.users == one.people.users[theirs[0]]) == len(theirs)
        ids = one.people.anime_ids[one.people.items]
        assert one.columns.anime_ids.tolist() == ids[one.given].tolist()
        assert one.columns.planned.tolist() == [
            status in {PLANNED, UNKNOWN_STATUS} for status in one.people.statuses[one.given].tolist()
        ]
        assert not set(one.bundle.model.arrays.anime_ids[one.rows].tolist()) & set(ids[one.given].tolist())
        watched = ~np.isin(one.people.statuses[theirs], [PLANNED, UNKNOWN_STATUS])
        n_asked, n_watched = n_asked + len(one.asked), n_watched + int(watched.sum())
    assert len(recorded.made) == 4 * recorded.made[0].people.n_users
    assert n_asked / n_watched == pytest.approx(0.2, abs=0.03)


def test_what_was_hidden_is_labelled_by_whether_it_was_liked(recorded: Recorded, titles: Catalogue) -> None:
    """2 if liked, 1 if watched; in a list of new series any title of the series counts. Plans have no label."""
    seen = set()
    for one in recorded.made:
        if one.lists is None:
            continue
        ids, scores, statuses = one.people.anime_ids[one.people.items], one.people.scores, one.people.statuses
        assert not set(statuses[one.asked].tolist()) & {PLANNED, UNKNOWN_STATUS}
        labels = {int(ids[at]): 2 if scores[at] >= 8 else 1 for at in one.asked.tolist()}
        found = dict(zip(one.bundle.model.arrays.anime_ids[one.rows].tolist(), one.lists.labels.tolist(), strict=True))
        for anime_id, label in found.items():
            series = [other for other in labels if titles[other].series == titles[anime_id].series]
            of_series = max((labels[other] for other in series), default=0)
            assert label == (of_series if one.new_only else labels.get(anime_id, 0))
        if one.new_only:
            listed = {titles[other].series for other in ids[one.given].tolist()}
            assert not listed & {titles[other].series for other in found}
            assert len({titles[other].series for other in found}) == len(found)
        assert one.lists.lengths.tolist() == [len(one.rows)]
        seen |= {(one.new_only, label) for label in one.lists.labels.tolist()}
    assert seen == {(new_only, label) for new_only in (False, True) for label in range(3)}


def test_equal_tables_give_equal_trees_on_any_number_of_threads(
    people: RatingTable, titles: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(hakken.training.threads, "N_THREADS", threads)
        material = ranking.material_of(people, inner(titles), SILENT)
        stage = ranking.second_stage(material, N_TREES, SILENT)
        found.append(stage.trees | {"factors": stage.factors.values})
    one, other = found
    assert {name: array.tobytes() for name, array in one.items()} == {
        name: array.tobytes() for name, array in other.items()
    }
    assert one["tree_parts"].any()


def test_lists_are_made_with_the_factors_that_the_model_gets(recorded: Recorded, people: RatingTable) -> None:
    """They are learnt from those whom the inner model is trained on, and from what they watched."""
    factors = recorded.stage.factors
    watched = ~np.isin(recorded.others.statuses, [PLANNED, UNKNOWN_STATUS])
    assert factors.values.tobytes() == item_factors(recorded.others, watched).values.tobytes()
    inner = recorded.made[0].bundle.model.arrays
    for name, array in factors.packed(inner.anime_ids).items():
        assert getattr(inner, name).tobytes() == array.tobytes()
    assert factors.values.any()


def test_a_model_gets_factors_with_its_trees(people: RatingTable, titles: Catalogue) -> None:
    fitted = fit(people, PARAMETERS, titles)
    stage = ranking.second_stage(ranking.material_of(people, inner(titles), SILENT), N_TREES, SILENT)
    for name, array in stage.factors.packed(fitted.arrays.anime_ids).items():
        assert getattr(fitted.arrays, name).tobytes() == array.tobytes()


# None


def test_lists_of_one_kind_only_give_neither_trees_nor_factors(people: RatingTable, titles: Catalogue) -> None:
    material = ranking.material_of(people, inner(titles), SILENT)
    stage = ranking.second_stage(material._replace(lists=material.lists[:1]), N_TREES, SILENT)
    assert not stage.trees["tree_features"].size
    assert not stage.factors.values.size


def test_too_few_people_give_neither_trees_nor_factors(
    people: RatingTable, titles: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "FEWEST_PEOPLE", people.n_users)
    arrays = fit(people, PARAMETERS, titles).arrays
    assert not arrays.tree_features.size
    assert not arrays.factors.size


NEEDED = {"lightgbm": ("LightGBM", OSError), "implicit.als": ("implicit", ImportError)}
"""The libraries of the second stage: how each is called, and what it raises where a library it is linked with lacks."""


def without(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a library be found, but one that it is linked with be missing."""
    real = builtins.__import__

    def importing(name: str, *arguments: Any, **named: Any) -> Any:
        if name == module:
            raise NEEDED[module][1]("libgomp.so.1: cannot open shared object file: No such file or directory")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", importing)


@pytest.mark.parametrize("module", NEEDED)
def test_where_a_library_cannot_be_loaded_it_is_said_what_helps(
    people: RatingTable, titles: Catalogue, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    without(module, monkeypatch)
    with pytest.raises(TableError, match=rf"need {NEEDED[module][0]}, .*libgomp\.so\.1.*--trees 0\."):
        fit(people, PARAMETERS, titles)


def test_no_trees_are_trained_where_none_are_wanted(
    people: RatingTable, titles: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in NEEDED:
        without(module, monkeypatch)
    fitted = fit(people, WITHOUT_TREES, titles)
    assert fitted.arrays.tree_features.shape == (N_LISTS, 0, 3)
    assert fitted.arrays.factors.shape == (len(fitted.arrays.anime_ids), 0)
    assert fitted.manifest.features == ()
