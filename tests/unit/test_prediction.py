"""Fold-in, prediction and ranking, against the formulas written out."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.bundle import ModelBundle
from hakken.model import Model, fold_in, predict, preference, top_n
from hakken.model.arrays import unpack
from hakken.model.prediction import implicit_term, neighbour_term
from hakken.ratings import Rating, Status, UserList
from tests import oracle
from tests.models import N_ITEMS
from tests.strategies import user_lists

some_ids = [*range(1, N_ITEMS + 1, 3), 99_999]


def expected_prediction(model: Model, user_list: UserList, row: int) -> float:
    arrays, parameters = model.arrays, model.manifest.parameters
    row_of = {
        anime_id: i
        for i, anime_id in enumerate(arrays.anime_ids.tolist())
        if arrays.raters[i] or arrays.watchers[i]  # what nobody had says nothing
    }
    scores = {row_of[r.anime_id]: r.score for r in user_list.ratings if r.score > 0 and r.anime_id in row_of}
    b_u = sum(r - model.mu - arrays.b_i[j] for j, r in scores.items()) / (parameters.reg_u + len(scores))
    entries = range(int(arrays.sim_indptr[row]), int(arrays.sim_indptr[row + 1]))
    scale = float(arrays.sim_scale[row])
    neighbours = {int(arrays.sim_indices[p]): scale * float(arrays.sim_values[p]) ** 1.25 for p in entries}
    deviations = {j: r - (model.mu + b_u + arrays.b_i[j]) for j, r in scores.items()}
    implicit = 0.0
    taste = fold_in(model, user_list).taste
    n_watched = sum(rating.anime_id in row_of for rating in user_list.seen)
    trust = (max(1, n_watched) / 100) ** parameters.trust
    if n_watched:
        p_ui = float(taste.liking @ oracle.weights(arrays)[taste.rows, row])
        implicit = parameters.implicit_offset + parameters.implicit_slope * min(max(p_ui, -0.2), 1.5)
        implicit -= parameters.implicit_length * math.log(n_watched / 100)
    baseline = model.mu + b_u + arrays.b_i[row]
    from_neighbours = oracle.prediction(
        baseline,
        neighbours,
        deviations,
        parameters.k,
        parameters.amplification,
        parameters.prior,
    )
    return float(baseline + trust * (from_neighbours - baseline) + implicit)


@settings(max_examples=60)
@given(
    user_list=user_lists(some_ids),
    k=st.sampled_from([1, 3, 20]),
    amplification=st.sampled_from([1.0, 0.5, 2.5]),
    prior=st.sampled_from([0.0, 0.02, 1.0]),
)
def test_predictions_are_those_of_the_formula(
    bundle: ModelBundle, user_list: UserList, k: int, amplification: float, prior: float
) -> None:
    parameters = msgspec.structs.replace(
        bundle.model.manifest.parameters, k=k, amplification=amplification, prior=prior
    )
    manifest = msgspec.structs.replace(bundle.model.manifest, parameters=parameters)
    model = Model(bundle.model.arrays, manifest, "with other parameters")
    r_hat = predict(model, fold_in(model, user_list))
    for row in range(0, model.n_items, 7):
        assert r_hat[row] == pytest.approx(expected_prediction(model, user_list, row), abs=1e-6)


@settings(max_examples=40)
@given(user_list=user_lists(some_ids), rows=st.lists(st.integers(0, 200), max_size=30))
def test_predicting_some_is_predicting_all_and_choosing(
    bundle: ModelBundle, user_list: UserList, rows: list[int]
) -> None:
    model = bundle.model
    visitor = fold_in(model, user_list)
    chosen = np.array(rows, dtype=np.int64)
    np.testing.assert_allclose(predict(model, visitor, chosen), predict(model, visitor)[chosen], rtol=1e-12)


def test_the_baseline_is_not_rounded(bundle: ModelBundle) -> None:
    """The original app rounded b_ui to whole points."""
    model = bundle.model
    r_hat = predict(model, fold_in(model, UserList()))
    np.testing.assert_array_equal(r_hat, model.mu + model.arrays.b_i)
    assert len(np.unique(r_hat)) > 100


def test_entries_without_a_score_do_not_feed_the_neighbours(bundle: ModelBundle) -> None:
    model = bundle.model
    scored = [Rating(10, 9), Rating(20, 4)]
    unscored = [Rating(30, 0), Rating(40, -1, Status.DROPPED), Rating(50, 0, Status.PLAN_TO_WATCH)]
    one, other = (fold_in(model, UserList.of(entries)) for entries in (scored, scored + unscored))
    assert one.trust < other.trust  # a longer list is trusted more, whatever it holds
    np.testing.assert_allclose(neighbour_term(model, one) / one.trust, neighbour_term(model, other) / other.trust)


def with_planned(model: Model, planned: float) -> Model:
    parameters = msgspec.structs.replace(model.manifest.parameters, planned=planned)
    return Model(model.arrays, msgspec.structs.replace(model.manifest, parameters=parameters), "other")


@settings(max_examples=60)
@given(user_list=user_lists(some_ids), planned=st.sampled_from([0.0, 0.2, 3.0]))
def test_planned_entries_tell_an_interest_and_nothing_about_ratings(
    bundle: ModelBundle, user_list: UserList, planned: float
) -> None:
    model = with_planned(bundle.model, planned)
    watched = UserList.of(user_list.seen)
    only = UserList.of(rating for rating in user_list.ratings if not rating.seen)
    taste, without = fold_in(model, user_list).taste, fold_in(model, watched).taste
    assert taste.n_watched == without.n_watched == len(without.rows)
    assert taste.planned.sum() == len(taste.rows) - taste.n_watched
    assert not without.planned.any()
    np.testing.assert_array_equal(taste.liking[~taste.planned], without.liking)
    assert (taste.liking[taste.planned] == planned).all()
    assert planned or not taste.planned.any()
    rows, learnt = model.learnt_rows_of([rating.anime_id for rating in only.ratings])
    assert set(taste.rows[taste.planned].tolist()) == set(rows[learnt].tolist() if planned else [])
    interest = planned * oracle.weights(model.arrays)[rows[learnt]].sum(axis=0)
    np.testing.assert_allclose(preference(model, taste) - preference(model, without), interest, atol=1e-5)


def test_a_list_of_planned_titles_alone_tells_no_rating(bundle: ModelBundle) -> None:
    """It is folded in, its scores count, and its preference moves no predicted rating."""
    model = with_planned(bundle.model, 0.5)
    visitor = fold_in(model, UserList.of(Rating(i, 0, Status.PLAN_TO_WATCH) for i in (10, 20, 30)))
    assert visitor.taste.n_watched == 0
    assert visitor.taste.liking.tolist() == [0.5, 0.5, 0.5]
    assert not len(visitor.rows)
    assert not len(visitor.new)
    wanted = preference(model, visitor.taste)
    assert np.abs(wanted).max() > 0.01
    assert not implicit_term(model, visitor, wanted).any()
    np.testing.assert_array_equal(predict(model, visitor), model.mu + model.arrays.b_i)


def test_a_planned_title_lengthens_no_list(bundle: ModelBundle) -> None:
    model = with_planned(bundle.model, 0.5)
    watched = [Rating(10, 9), Rating(20, 4), Rating(30)]
    planned = [Rating(i, 0, Status.PLAN_TO_WATCH) for i in range(40, 60)]
    one, other = (fold_in(model, UserList.of(entries)) for entries in (watched, watched + planned))
    assert (one.b_u, one.trust, one.rows.tolist()) == (other.b_u, other.trust, other.rows.tolist())
    wanted = np.linspace(-1, 2, 20)
    np.testing.assert_array_equal(implicit_term(model, one, wanted), implicit_term(model, other, wanted))


def test_rows_are_ordered_by_falling_similarity(bundle: ModelBundle) -> None:
    arrays = bundle.model.arrays
    sims = unpack(arrays.sim_values)
    for begin, end in zip(arrays.sim_indptr, arrays.sim_indptr[1:], strict=False):
        assert (np.diff(sims[begin:end]) <= 0).all()


@settings(max_examples=200)
@given(
    scored=st.lists(st.tuples(st.sampled_from([1.0, 2.0, 2.5, 3.0]), st.booleans()), max_size=30), n=st.integers(1, 40)
)
def test_the_best_n_are_those_of_a_full_sort(scored: list[tuple[float, bool]], n: int) -> None:
    score = np.array([value for value, _ in scored])
    allowed = np.array([ok for _, ok in scored], dtype=np.bool_)
    expected = sorted((i for i, (_, ok) in enumerate(scored) if ok), key=lambda i: (-scored[i][0], i))[:n]
    assert top_n(score, allowed, n).tolist() == expected
