"""Fold-in, prediction and ranking, against the formulas written out."""

from copy import copy

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.bundle import ModelBundle
from hakken.model import Model, fold_in, predict, preference, top_n
from hakken.ratings import UserList
from tests.golden import entries_of
from tests.golden.oracle import Stored, Visitor
from tests.models import N_ITEMS, SMALL
from tests.strategies import user_lists

some_ids = [*range(1, N_ITEMS + 1, 3), 99_999]
SLOW = Stored(SMALL)


def with_parameters(model: Model, **parameters: float) -> Model:
    changed = msgspec.structs.replace(model.manifest.parameters, **parameters)
    return Model(model.arrays, msgspec.structs.replace(model.manifest, parameters=changed), "changed")


@settings(max_examples=40)
@given(
    user_list=user_lists(some_ids),
    k=st.sampled_from([1, 3, 20]),
    amplification=st.sampled_from([1.0, 0.5, 2.5]),
    prior=st.sampled_from([0.0, 0.02, 1.0]),
    planned=st.sampled_from([0.0, 0.45]),
)
def test_predictions_are_those_of_the_formula(bundle: ModelBundle, user_list: UserList, **parameters: float) -> None:
    slow = copy(SLOW)
    slow.parameters = SLOW.parameters | parameters
    expected = Visitor(slow, entries_of(user_list))
    model = with_parameters(bundle.model, **parameters)
    visitor = fold_in(model, user_list)
    np.testing.assert_allclose(preference(model, visitor.taste), expected.p, atol=1e-6)
    np.testing.assert_allclose(predict(model, visitor), expected.r_hat, atol=1e-6)


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


@settings(max_examples=200)
@given(
    scored=st.lists(st.tuples(st.sampled_from([1.0, 2.0, 2.5, 3.0]), st.booleans()), max_size=30), n=st.integers(1, 40)
)
def test_the_best_n_are_those_of_a_full_sort(scored: list[tuple[float, bool]], n: int) -> None:
    score = np.array([value for value, _ in scored])
    allowed = np.array([ok for _, ok in scored], dtype=np.bool_)
    expected = sorted((i for i, (_, ok) in enumerate(scored) if ok), key=lambda i: (-scored[i][0], i))[:n]
    assert top_n(score, allowed, n).tolist() == expected
