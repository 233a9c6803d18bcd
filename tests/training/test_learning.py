"""All that is learnt of what people chose to watch: against a dense, slow version of the whole."""

import dataclasses
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.model import Model, Parameters, fold_in, predict, preference
from hakken.model.arrays import Array, Arrays, Float64s
from hakken.ratings import FranchiseRule, Preferences, Rating, UserList
from hakken.recommend import recommend
from hakken.training import attributes, fit, preferences
from hakken.training.pipeline import Fitted, with_anime, with_preference_weights
from hakken.training.preferences import preference_weights
from hakken.training.tables import RatingTable
from tests.training import learning
from tests.training import learning_oracle as expected_of
from tests.training.strategies import rating_tables

NOTHING = Catalogue([])
FEW = Parameters(pref_reg=3.0, min_watchers=3, attribute_reg=4.0, pref_stored=14)
EVERYTHING_KEPT = msgspec.structs.replace(FEW, pref_stored=10**6)


def stored(found: SimpleNamespace) -> tuple[Float64s, Float64s]:
    """The stored weights without attributes, `(n_items, n_items)`, a row being a title; and a step of each, packed."""
    n_items = len(found.watchers)
    weights = np.zeros((n_items, n_items))
    scale = found.pref_scale.astype(np.float64)
    strongest = [0] * n_items
    for j in range(n_items):
        for at in range(found.pref_indptr[j], found.pref_indptr[j + 1]):
            i = int(found.pref_indices[at])
            assert weights[i, j] == 0
            weights[i, j] = scale[i] * int(found.pref_values[at])
            strongest[i] = max(strongest[i], abs(int(found.pref_values[at])))
    assert set(strongest) <= {0, 2**15 - 1}, "each title's strongest weight takes all 16 bits"
    return weights, scale


def is_learnt(arrays: dict[str, Array], wanted: expected_of.Learnt) -> None:
    """Hold all arrays against what they should be, within half a step of 16 or of 8 bits."""
    found = SimpleNamespace(**arrays)
    assert found.watchers.tolist() == wanted.watchers
    np.testing.assert_allclose(found.popularity, wanted.popularity, rtol=1e-4)
    weights, scale = stored(found)
    assert (np.abs(weights - wanted.weights) <= 0.51 * scale[:, None] + 1e-9).all()
    np.testing.assert_allclose(found.attr_share, wanted.share, rtol=1e-4)
    frequent = sorted(wanted.speaks)
    assert len(found.attr_scale) == len(frequent)
    for i, names in enumerate(wanted.attributes):
        said = {frequent[at] for at in found.attr_indices[found.attr_indptr[i] : found.attr_indptr[i + 1]].tolist()}
        assert said == (names if wanted.share[i] else set())
    strongest = np.abs(found.attr_values.astype(int)).max(axis=0, initial=0)
    assert set(strongest.tolist()) <= {0, 127}, "each attribute's strongest weight takes all 8 bits"
    for at, name in enumerate(frequent):
        unpacked = np.zeros(len(found.watchers))
        speaks = found.attr_rows >= 0
        step = float(found.attr_scale[at])
        unpacked[speaks] = step * found.attr_values[found.attr_rows[speaks], at]
        assert (np.abs(unpacked - wanted.speaks[name]) <= 0.51 * step).all()


@settings(max_examples=60, deadline=None)
@given(table=rating_tables(), late=st.sampled_from([0.0, 40.0]), data=st.data())
def test_weights_are_those_of_the_formula(table: RatingTable, late: float, data: st.DataObject) -> None:
    statuses = st.lists(st.sampled_from([0, 1, 2, 3, 4, 6]), min_size=len(table), max_size=len(table))
    known = dataclasses.replace(table, statuses=np.array(data.draw(statuses), dtype=np.int8))
    unknown, planned = data.draw(st.sampled_from([0.0, 0.4])), data.draw(st.sampled_from([0.0, 0.3]))
    parameters = Parameters(pref_reg=0.7, min_watchers=2, late=late, unknown=unknown, planned=planned, liking=0.6)
    found, _ = preference_weights(known, 7.0, NOTHING, parameters)
    is_learnt(found, expected_of.learn(known, 7.0, NOTHING, parameters))
    assert not found["attr_share"].any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("parameters", [FEW, EVERYTHING_KEPT, Parameters()], ids=["few", "all", "default"])
def test_all_that_is_learnt_is_that_of_the_formulas(
    seed: int, parameters: Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one block, and in several."""
    if parameters is not EVERYTHING_KEPT:
        monkeypatch.setattr(preferences, "ITEMS_AT_ONCE", 40)
        monkeypatch.setattr(attributes, "PAIRS_AT_ONCE", 7)
    catalogue = learning.titles(seed)
    table = with_anime(learning.lists(seed), np.array(list(catalogue), dtype=np.int32))
    wanted = expected_of.learn(table, 7.0, catalogue, parameters)
    assert len(wanted.speaks) >= 5
    assert 0 in wanted.watchers
    assert max(wanted.watchers) > 20
    if parameters.min_watchers == 3:
        own = wanted.weights[np.array(wanted.watchers) == 0]
        assert own.any(), "a title that nobody watched has weights by its series"
    is_learnt(preference_weights(table, 7.0, catalogue, parameters)[0], wanted)


# Titles that nobody watched, and more of them


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return learning.titles()


@pytest.fixture(scope="module")
def fitted(catalogue: Catalogue) -> Fitted:
    return fit(learning.lists(), FEW, catalogue)


def test_what_nobody_watched_is_judged_by_its_attributes_and_recommended(fitted: Fitted, catalogue: Catalogue) -> None:
    listed = set(learning.lists().anime_ids.tolist())
    arrays, model = fitted.arrays, Model(fitted.arrays, fitted.manifest, "unsaved")
    judged = set(attributes.judged_by_attributes(catalogue).tolist())
    new = (set(catalogue) & judged) - listed
    assert len(new) > 5
    assert set(catalogue) - judged - listed
    assert set(arrays.anime_ids.tolist()) == listed | new
    assert fitted.manifest.sizes.items == len(listed), "who describes a model counts what people listed"
    rows, known = model.rows_of(sorted(new))
    assert known.all()
    assert not arrays.raters[rows].any()
    assert not arrays.watchers[rows].any()
    assert (arrays.attr_rows[rows] == -1).all(), "it says nothing of others"
    assert not np.diff(arrays.pref_indptr)[rows].any()
    np.testing.assert_allclose(arrays.attr_share[rows], arrays.popularity[rows])

    visitor = fold_in(model, UserList.of([*(Rating(i, 8) for i in range(1, 30)), Rating(min(new), 9)]))
    assert min(new) in visitor.new.tolist()
    assert preference(model, visitor.taste)[rows].any()
    assert np.isfinite(predict(model, visitor)).all()

    bundle = ModelBundle(model, catalogue)
    chosen = Preferences(n=100, franchise=FranchiseRule.ALL)
    found = recommend(UserList.of(Rating(i, 8) for i in sorted(listed)[:60]), bundle, chosen).recommendations
    shown = {one.anime_id: one for one in found}
    assert len(shown.keys() & new) > 5
    assert all(shown[one].support == 0 and len(shown[one].reasons) == 3 for one in shown.keys() & new)
    alike = recommend(UserList(), bundle, Preferences(like=(min(new),)))
    assert any("too few people we learnt from have watched it" in note for note in alike.notes)
    assert not alike.personal


def test_weights_learnt_anew_are_those_of_a_new_model(fitted: Fitted, catalogue: Catalogue) -> None:
    other = msgspec.structs.replace(FEW, pref_reg=50.0, planned=0.0, attribute_support=9.0)
    again = with_preference_weights(fitted, learning.lists(), other, catalogue)
    whole = fit(learning.lists(), other, catalogue)
    for name in Arrays.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again.arrays, name), getattr(whole.arrays, name), err_msg=name)
    assert again.manifest.sizes == whole.manifest.sizes
    assert again.manifest.unwatched == whole.manifest.unwatched
    assert again.manifest.parameters == other
    assert (again.arrays.pref_values[:50] != fitted.arrays.pref_values[:50]).any()


def test_more_anime_change_nothing_about_the_entries() -> None:
    table = learning.lists()
    more = with_anime(table, np.array([5, 141, 9_000], dtype=np.int32))
    assert more.anime_ids.tolist() == sorted({*table.anime_ids.tolist(), 5, 9_000})
    np.testing.assert_array_equal(more.anime_ids[more.items], table.anime_ids[table.items])
    assert with_anime(table, table.anime_ids[:3]) is table
