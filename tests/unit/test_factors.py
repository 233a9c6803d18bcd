"""What a list as a whole says of a title: against the problem that the visitor's factors solve."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.model import Model
from hakken.model.arrays import Float64s
from hakken.model.factors import CONFIDENCE, REGULARISER, factor_scores, fold_in_factors
from hakken.model.preference import Taste
from tests.strategies import preference_models, tastes


def titles_of(model: Model) -> Float64s:
    """y_i of all titles."""
    rows = zip(model.arrays.factors.tolist(), model.arrays.factor_scale.tolist(), strict=True)
    return np.array([[scale * one for one in row] for row, scale in rows])


def solved(model: Model, taste: Taste) -> Float64s:
    """The z_u of least squared error over all titles, each an equation, and with λ as more equations."""
    factors = titles_of(model)
    confidence, wanted = np.ones(len(factors)), np.zeros(len(factors))
    for row, liking in zip(taste.rows.tolist(), taste.liking.tolist(), strict=True):
        confidence[row], wanted[row] = CONFIDENCE * max(liking, 0.0), 1.0
    weight, n_factors = np.sqrt(confidence), factors.shape[1]
    left = np.concatenate((weight[:, np.newaxis] * factors, np.sqrt(REGULARISER) * np.eye(n_factors)))
    right = np.concatenate((weight * wanted, np.zeros(n_factors)))
    return np.asarray(np.linalg.lstsq(left, right)[0])


@settings(max_examples=200)
@given(data=st.data(), model=preference_models())
def test_a_visitors_factors_are_those_of_least_squared_error(data: st.DataObject, model: Model) -> None:
    taste = data.draw(tastes(model.n_items).filter(lambda taste: len(taste.rows) > 0))
    expected = solved(model, taste)
    found = fold_in_factors(model, taste)
    np.testing.assert_allclose(found.values, expected, rtol=1e-6, atol=1e-9)
    rows = np.array(data.draw(st.lists(st.integers(0, model.n_items - 1), max_size=8)), dtype=np.int64)
    fits = [sum(z * y for z, y in zip(expected, factors, strict=True)) for factors in titles_of(model)]
    usual = sum(fits[row] for row in taste.rows) / len(taste.rows)
    scores = [fits[row] - usual for row in rows]
    np.testing.assert_allclose(factor_scores(model, found, rows), scores, rtol=1e-5, atol=1e-9)
    alone = [factor_scores(model, found, rows[at : at + 1]).item() for at in range(len(rows))]
    assert factor_scores(model, found, rows).tolist() == alone, "a title's score depends on no other title's"


@given(data=st.data(), model=preference_models())
def test_without_factors_every_score_is_0(data: st.DataObject, model: Model) -> None:
    none = dataclasses.replace(model, arrays=dataclasses.replace(model.arrays, factors=model.arrays.factors[:, :0]))
    visitor = fold_in_factors(none, data.draw(tastes(none.n_items).filter(lambda taste: len(taste.rows) > 0)))
    assert factor_scores(none, visitor, np.arange(none.n_items)).tolist() == [0.0] * none.n_items
