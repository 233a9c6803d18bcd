"""Recommendations against golden answers, which the slow oracle computed: see tests/golden/README.md."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, fold_in, predict, preference
from hakken.model.store import open_artefact
from hakken.model.trees import FEATURES
from hakken.ratings import FranchiseRule, Order, Preferences, Recommendation, UserList
from hakken.recommend import recommend
from hakken.recommend.scoring import LEAST_MATCH, Scorer
from tests import models
from tests.golden import HERE, MODELS, N, entries_of, lists, questions, read, written
from tests.golden.oracle import Stored, Title, Visitor

LISTS = lists()
WITH_EMPTY = LISTS | {"empty": UserList()}
NEAR = 1e-6


@cache
def bundle_of(model: str) -> ModelBundle:
    return ModelBundle.read(open_artefact(MODELS[model]))


def with_parameters(**parameters: float) -> tuple[ModelBundle, Stored]:
    """The small model with some parameters changed, for us and for the oracle."""
    slow = Stored(MODELS["small"])
    slow.parameters |= parameters
    return models.with_parameters(bundle_of("small"), **parameters), slow


def assert_same(found: Sequence[Recommendation], expected: list[Title]) -> None:
    assert [one.anime_id for one in found] == [one.anime_id for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.predicted_rating, ours.neighbours) == (theirs.rating, theirs.neighbours), ours.anime_id
        assert [why.anime_id for why in ours.reasons] == [one for one, _ in theirs.reasons], ours.anime_id
        figures = [theirs.match, *(share for _, share in theirs.reasons)]
        assert [ours.match, *(why.share for why in ours.reasons)] == pytest.approx(figures, rel=NEAR, abs=NEAR)


@pytest.mark.parametrize("model", MODELS)
def test_the_golden_answers_are_of_the_model_that_is_there(model: str) -> None:
    assert read(model)[0] == open_artefact(MODELS[model]).version, "another model is there now: run `make golden`"


@pytest.mark.parametrize(("name", "who", "order", "franchise"), list(questions()), ids=[one[0] for one in questions()])
@pytest.mark.parametrize("model", MODELS)
def test_recommendations_are_the_golden_ones(model: str, name: str, who: str, order: str, franchise: str) -> None:
    preferences = Preferences(n=N, order=Order(order), franchise=FranchiseRule(franchise))
    found = recommend(LISTS[who], bundle_of(model), preferences)
    expected = read(model)[1][name]
    assert_same(found.recommendations, expected.recommendations)
    assert_same(found.continues, expected.continues)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"k": 2},
        {"liking": 3.0, "planned": 3.0},
        {"planned": 0.0},
        {"prior": 0.0, "trust": 0.5, "amplification": 1.0},
        {"trend_reg": 2.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("who", WITH_EMPTY)
def test_every_title_has_the_oracles_preference_and_rating(who: str, parameters: dict[str, float]) -> None:
    """Rows of each length, to the last of all: a neighbour of the next row, or one that is missed, shows here."""
    bundle, slow = with_parameters(**parameters)
    expected = Visitor(slow, entries_of(WITH_EMPTY[who]))
    visitor = fold_in(bundle.model, WITH_EMPTY[who])
    assert preference(bundle.model, visitor.taste).tolist() == pytest.approx(expected.p, rel=0, abs=NEAR)
    assert predict(bundle.model, visitor).tolist() == pytest.approx(expected.r_hat, rel=0, abs=NEAR)


def test_the_small_model_has_rows_that_a_window_reaches_beyond() -> None:
    """Or the test above would show nothing: short rows among longer ones, empty ones, and a short one at the end."""
    lengths = np.diff(bundle_of("small").model.arrays.sim_indptr)
    assert np.count_nonzero(lengths == 0) > 10
    assert np.count_nonzero((lengths > 0) & (lengths < lengths.max())) > 100
    assert 0 < lengths[np.flatnonzero(lengths)[-1]] < lengths.max()


@pytest.mark.parametrize("who", LISTS)
def test_every_title_has_the_oracles_features(who: str) -> None:
    bundle, slow = with_parameters(trend_reg=5.0)
    assert slow.features == [*FEATURES][: len(slow.features)]
    expected = Visitor(slow, entries_of(LISTS[who]), popularity=0.7)
    rows = np.arange(len(slow.anime_ids))
    scorer = Scorer(bundle, ListColumns.of(LISTS[who]), Preferences(popularity=0.7))
    found = scorer.features(rows)
    wanted = [expected.features(row) for row in rows.tolist()]
    for name, values in zip(FEATURES, found.tolist(), strict=True):
        either, near = np.array([values, [one[name] for one in wanted]]), NEAR
        if name == "log match":  # of a match near 0, a sum of 32-bit numbers, the logarithm is less exact
            either, near = np.exp(either), LEAST_MATCH
        np.testing.assert_allclose(either[0], either[1], rtol=1e-6, atol=near, err_msg=name)


@pytest.mark.parametrize("popularity", [-1.0, 0.5])
@pytest.mark.parametrize("variety", [0.0, 1.0])
@pytest.mark.parametrize("franchise", ["new", "all"])
@pytest.mark.parametrize("who", WITH_EMPTY)
def test_what_a_visitor_chooses_moves_titles_as_the_oracles(
    who: str, franchise: str, variety: float, popularity: float
) -> None:
    """Where neighbours and aversion say much, so that titles move far: the shortlist has to be as long as it is."""
    bundle, slow = with_parameters(pull=3.0, aversion=2.0)
    n = 100
    expected = Visitor(slow, entries_of(WITH_EMPTY[who]), popularity).answer("match", franchise, n, variety)
    chosen = Preferences(n=n, franchise=FranchiseRule(franchise), popularity=popularity, variety=variety)
    found = recommend(WITH_EMPTY[who], bundle, chosen)
    assert_same(found.recommendations, expected.recommendations)
    assert_same(found.continues, expected.continues)


def test_the_small_models_trees_read_every_feature_and_have_one_to_three_splits() -> None:
    """Or the tests above would hold less than they say."""
    arrays = bundle_of("small").model.arrays
    for features, borders in zip(arrays.tree_features, arrays.tree_borders, strict=True):
        split = np.isfinite(borders)
        assert set(features[split].tolist()) == set(range(len(bundle_of("small").model.manifest.features)))
        assert set(split.sum(axis=1).tolist()) == {1, 2, 3}


def test_golden_answers_are_read_as_they_were_written() -> None:
    for model in MODELS:
        version, answers = read(model)
        assert written(version, answers) == (HERE / f"{model}.json").read_text()
