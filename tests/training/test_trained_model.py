"""The model that training gives, served: against the stored one, the table and the formulas written out."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.bundle import ModelBundle
from hakken.catalogue import FILE_NAME, Anime, Catalogue
from hakken.model import Model, Parameters, fold_in, predict, store
from hakken.model.arrays import Arrays, Float64s, unpack
from hakken.neighbours import nearest
from hakken.ratings import Rating, UserList
from hakken.series import relations_of, with_series
from hakken.training import fit
from hakken.training.tables import RatingTable
from tests import oracle
from tests.golden import entries_of
from tests.golden.oracle import Stored, Visitor
from tests.models import N_ITEMS, PARAMETERS, SMALL, small_catalogue
from tests.strategies import user_lists
from tests.training.learning import train
from tests.training.strategies import rating_tables


@settings(max_examples=60)
@given(data=st.data(), table=rating_tables(max_users=12, max_items=9), k_stored=st.integers(1, 9))
def test_rows_of_any_length_are_read_to_their_end_and_no_further(
    data: st.DataObject, table: RatingTable, k_stored: int
) -> None:
    """Empty ones, short ones, and the last of all."""
    fitted = fit(table, Parameters(k_stored=k_stored, k=3, min_watchers=1, shrinkage=1.0))
    model = Model(fitted.arrays, fitted.manifest, "unsaved")
    user_list = data.draw(user_lists(table.anime_ids.tolist()))
    r_hat = predict(model, fold_in(model, user_list))
    with TemporaryDirectory() as name:
        fitted.arrays.save(Path(name))
        Catalogue(()).write(Path(name) / FILE_NAME)
        store.write_manifest(Path(name), fitted.manifest)
        expected = Visitor(Stored(Path(name)), entries_of(user_list)).r_hat
    assert r_hat.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_training_users_fold_in_is_their_trained_bias(table: RatingTable) -> None:
    arrays, manifest, b_u = fit(table, Parameters(k_stored=5))
    model = Model(arrays, manifest, "unsaved")
    for user in range(0, table.n_users, 11):
        mine = table.users == user
        ids, scores = table.anime_ids[table.items[mine]].tolist(), table.scores[mine].tolist()
        listed = UserList.of(Rating(a, s) for a, s in zip(ids, scores, strict=True))
        assert fold_in(model, listed).b_u == pytest.approx(b_u[user], abs=1e-12)


def test_the_nearest_are_the_stored_neighbours_with_those_who_rated_both(
    bundle: ModelBundle, table: RatingTable
) -> None:
    arrays, scores = bundle.model.arrays, oracle.scores_of(table)
    ids = arrays.anime_ids.tolist()
    for row in range(0, N_ITEMS, 7):
        found = nearest(ids[row], bundle, N_ITEMS, adult=True)
        stored = slice(*arrays.sim_indptr[row : row + 2])
        sims = float(arrays.sim_scale[row]) * arrays.sim_values[stored].astype(np.float64) ** 1.25
        assert [one.anime_id for one in found] == [ids[j] for j in arrays.sim_indices[stored]]
        assert [one.sim for one in found] == pytest.approx(sims.tolist())
        assert sims.tolist() == sorted(sims, reverse=True)
        assert [one.support for one in found] == [oracle.support(scores, row, ids.index(one.anime_id)) for one in found]
        assert all(0 < one.sim <= 1 and one.title == bundle.catalogue.title(one.anime_id) for one in found)


def test_titles_of_a_series_that_nobody_rated_both_of_are_neighbours_but_not_shown_as_nearest() -> None:
    """Anime 1 and 2 are of one series, and nobody scored both; two people scored 2 and 3 alike."""
    entries = [(0, 1, 9), (0, 4, 5), (1, 2, 9), (1, 3, 9), (1, 4, 5), (2, 2, 3), (2, 3, 3), (2, 4, 9)]
    users, ids, scores = (np.array(column, dtype=np.int32) for column in zip(*entries, strict=True))
    known = np.arange(1, 5, dtype=np.int32)
    table = RatingTable(known, 3, users, ids - 1, scores.astype(np.int8), len(entries))
    titles = Catalogue(Anime(anime_id=i, title=f"Anime {i}", series=1 if i < 3 else None) for i in known.tolist())
    fitted = fit(table, Parameters(siblings=0.4, shrinkage=10.0), titles)
    bundle = ModelBundle(Model(fitted.arrays, fitted.manifest, "unsaved"), titles)
    first, second = similarities(fitted.arrays, 4)[:2]
    assert first[1] == second[0] == pytest.approx(0.4, abs=1e-4)
    assert first[2] == 0
    assert [one.anime_id for one in nearest(1, bundle, 10, adult=True)] == []
    assert [(one.anime_id, one.support) for one in nearest(2, bundle, 10, adult=True)] == [(3, 2)]


def test_the_stored_model_is_what_training_gives(table: RatingTable, tmp_path: Path) -> None:
    """Where a change was meant, WRITE_MODEL=1 stores what training gives now."""
    if os.environ.get("WRITE_MODEL"):
        train(table, small_catalogue(), SMALL, PARAMETERS)
    train(table, small_catalogue(), tmp_path / "model", PARAMETERS)
    here, stored = (ModelBundle.read(store.open_artefact(place)) for place in (tmp_path / "model", SMALL))
    assert here.model.manifest.sizes == stored.model.manifest.sizes
    assert here.model.manifest.parameters == stored.model.manifest.parameters
    assert here.model.manifest.mu == pytest.approx(stored.model.manifest.mu)
    assert dict(here.catalogue) == dict(stored.catalogue)
    for name in ("anime_ids", "raters", "watchers", "sim_indptr", "pref_indptr"):
        np.testing.assert_array_equal(getattr(here.model.arrays, name), getattr(stored.model.arrays, name), name)
    np.testing.assert_allclose(here.model.arrays.b_i, stored.model.arrays.b_i, atol=1e-9)
    np.testing.assert_allclose(similarities(here.model.arrays), similarities(stored.model.arrays), atol=1e-4)
    np.testing.assert_allclose(oracle.weights(here.model.arrays), oracle.weights(stored.model.arrays), atol=1e-4)


def test_the_series_of_the_embedded_catalogue_are_what_its_facts_tell(embedded: ModelBundle) -> None:
    assert with_series(embedded.catalogue, relations_of(embedded.catalogue)) == embedded.catalogue


def similarities(arrays: Arrays, n_items: int = N_ITEMS) -> Float64s:
    """Of each title, a row, to each other, `(n_items, n_items)`; 0 where none is stored."""
    found = np.zeros((n_items, n_items))
    rows = np.repeat(np.arange(n_items), np.diff(arrays.sim_indptr))
    found[rows, arrays.sim_indices] = unpack(arrays.sim_values) * arrays.sim_scale[rows]
    return found
