"""Biases, similarities and their packing, against the formulas written out and against scikit-surprise."""

import dataclasses
import inspect
import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import hakken.training.kernels
import hakken.training.threads
from benchmarks.surprise_reference import compare
from hakken.errors import ConfigError, TableError
from hakken.model import TEXTBOOK, Parameters
from hakken.model.arrays import unpack
from hakken.training import fit
from hakken.training.kernels import add_pair_sums, finish_similarities, finish_similarity, pair_sums
from hakken.training.matrix import ScoreMatrix, als_baselines
from hakken.training.similarities import Neighbours, pearson_baseline, quantise
from hakken.training.tables import RatingTable
from hakken.training.threads import in_parts
from tests import oracle
from tests.models import PARAMETERS, small_catalogue
from tests.training.learning import train
from tests.training.strategies import rating_tables

EVERYTHING = 10**6
regularisers = st.sampled_from([0.0, 2.0, 15.0])


@settings(max_examples=60)
@given(table=rating_tables(), reg_u=regularisers, reg_i=regularisers, n_epochs=st.integers(1, 4))
def test_biases_are_those_of_the_formula(table: RatingTable, reg_u: float, reg_i: float, n_epochs: int) -> None:
    b_u, b_i = als_baselines(ScoreMatrix.of(table), reg_u, reg_i, n_epochs)
    expected = oracle.baselines(oracle.scores_of(table), table.n_users, len(table.anime_ids), reg_u, reg_i, n_epochs)
    assert b_u == pytest.approx(expected[0], abs=1e-9)
    assert b_i == pytest.approx(expected[1], abs=1e-9)


@settings(max_examples=60)
@given(
    table=rating_tables(),
    shrinkage=st.sampled_from([0.0, 1.0, 100.0]),
    min_support=st.integers(1, 4),
    k_stored=st.sampled_from([1, 3, EVERYTHING]),
    siblings=st.sampled_from([0.0, 0.4, 1.0]),
    drawn=st.lists(st.integers(1, 3), min_size=7, max_size=7),
)
def test_similarities_are_those_of_the_formula(
    table: RatingTable, shrinkage: float, min_support: int, k_stored: int, siblings: float, drawn: list[int]
) -> None:
    """Of pairs of one series too, with common raters or without; not of titles that nobody scored."""
    matrix = ScoreMatrix.of(table)
    b_u, b_i = als_baselines(matrix, 15, 10, 5)
    chosen = Parameters(
        shrinkage=shrinkage, siblings=siblings, min_support=min_support, k_stored=k_stored, min_similarity=0.0
    )
    series = drawn[: len(b_i)]
    found = pearson_baseline(matrix, matrix.residuals(b_u, b_i), chosen, np.array(series))
    scores = oracle.scores_of(table)
    for i in range(len(b_i)):
        row = slice(found.indptr[i], found.indptr[i + 1])
        others = set(range(len(b_i))) - {i}
        of = (scores, b_u.tolist(), b_i.tolist(), i)
        expected = {j: oracle.similarity(*of, j, shrinkage, min_support) for j in others}
        for j in others:
            if series[j] == series[i]:
                expected[j] += oracle.of_siblings(scores, i, j, shrinkage, siblings)
        strongest = sorted((sim for sim in expected.values() if sim > 1e-12), reverse=True)[:k_stored]
        stored = dict(zip(found.indices[row].tolist(), found.sims[row].tolist(), strict=True))
        support = [oracle.support(scores, i, j) for j in stored]
        assert found.support[row].tolist() == support
        assert [sim for sim in found.sims[row] if sim > 1e-12] == pytest.approx(strongest, abs=1e-9)
        assert stored == pytest.approx({j: expected[j] for j in stored}, abs=1e-9)
        assert list(stored.values()) == sorted(stored.values(), reverse=True)


@pytest.mark.parametrize("k_stored", [15, 40, EVERYTHING])
@pytest.mark.parametrize("min_similarity", [0.0, 0.05, 1.0])
def test_weak_similarities_are_stored_only_of_the_nearest(
    table: RatingTable, k_stored: int, min_similarity: float
) -> None:
    matrix = ScoreMatrix.of(table)
    residuals = matrix.residuals(*als_baselines(matrix, 15, 10, 5))
    everyone, found = (
        pearson_baseline(matrix, residuals, Parameters(shrinkage=10.0, k_stored=k_stored, min_similarity=least_similar))
        for least_similar in (0.0, min_similarity)
    )
    assert (np.diff(everyone.indptr) > 20).any() == (k_stored > 20)
    for i in range(matrix.n_items):
        row, kept = (slice(one.indptr[i], one.indptr[i + 1]) for one in (everyone, found))
        sims = everyone.sims[row].tolist()
        n_kept = sum(at < 20 or sim >= min_similarity for at, sim in enumerate(sims))
        assert found.sims[kept].tolist() == sims[:n_kept]
        assert found.indices[kept].tolist() == everyone.indices[row].tolist()[:n_kept]
        assert found.support[kept].tolist() == everyone.support[row].tolist()[:n_kept]


@settings(max_examples=40)
@given(table=rating_tables(), parts=st.integers(1, 3), min_support=st.integers(1, 3))
def test_sums_of_pairs_are_additive_over_users(table: RatingTable, parts: int, min_support: int) -> None:
    matrix = ScoreMatrix.of(table)
    b_u, b_i = als_baselines(matrix, 15, 10, 5)
    items = np.arange(matrix.n_items)
    merged = np.zeros((matrix.n_items, matrix.n_items, 4))
    for part in range(parts):
        # A part of the users, counted with the mean and the item biases of all.
        theirs = dataclasses.replace(table, scores=np.where(table.users % parts == part, table.scores, 0))
        if (theirs.scores > 0).any():
            counted = dataclasses.replace(ScoreMatrix.of(theirs), mu=matrix.mu)
            in_parts(pair_sums, merged, items, *counted.both_orders, counted.residuals(b_u, b_i), False)
    found = np.empty((matrix.n_items, matrix.n_items))
    in_parts(finish_similarities, found, merged, 10.0, min_support)
    scores = oracle.scores_of(table)
    for i, j in itertools.permutations(range(matrix.n_items), 2):
        expected = oracle.similarity(scores, b_u.tolist(), b_i.tolist(), i, j, 10.0, min_support)
        assert found[i, j] == pytest.approx(expected, abs=1e-9)


MUTATIONS = [
    (finish_similarity, "support - 1.0 + shrinkage", "support + shrinkage"),
    (finish_similarity, "(support - 1.0) /", "support /"),
    (finish_similarity, "* sums[PRODUCTS]", "* -sums[PRODUCTS]"),
    (finish_similarity, "support < max(", "support <= max("),
    (finish_similarity, "sums[SQUARES_I] * sums[SQUARES_J]", "sums[SQUARES_I] * sums[SQUARES_I]"),
    (add_pair_sums, "+= x * y", "+= x * x"),
    (add_pair_sums, "+= 1.0", "+= 2.0"),
    (add_pair_sums, "range(begin, end)", "range(begin + 1, end)"),
    (add_pair_sums, "y = residuals[q]", "y = -residuals[q]"),
]


@pytest.mark.parametrize(("kernel", "right", "wrong"), [(None, "", ""), *MUTATIONS])
def test_the_formula_tells_a_mutated_kernel_from_the_right_one(
    table: RatingTable, kernel: Any, right: str, wrong: str
) -> None:
    """So that the comparisons above can fail: the same one, with the kernels as they are and with one changed."""
    kernels: dict[str, Any] = {"add_pair_sums": add_pair_sums.py_func, "finish_similarity": finish_similarity.py_func}
    if kernel:
        name, source = kernel.py_func.__name__, inspect.getsource(kernel.py_func)
        assert right in source
        scope = dict(vars(hakken.training.kernels))
        exec(source.replace("@njit(cache=True)\n", "").replace(right, wrong), scope)  # noqa: S102  # our own kernel, broken on purpose
        kernels[name] = scope[name]
    few = dataclasses.replace(table, scores=np.where((table.users < 30) & (table.items < 30), table.scores, 0))
    matrix = ScoreMatrix.of(few)
    b_u, b_i = als_baselines(matrix, 15, 10, 5)
    residuals, scores = matrix.residuals(b_u, b_i), oracle.scores_of(few)
    largest = 0.0
    for i in range(30):
        sums = np.zeros((matrix.n_items, 4))
        for p in range(matrix.item_indptr[i], matrix.item_indptr[i + 1]):
            u = matrix.item_users[p]
            row = int(matrix.user_indptr[u]), int(matrix.user_indptr[u + 1])
            kernels["add_pair_sums"](residuals[matrix.item_positions[p]], *row, matrix.user_items, residuals, sums)
        for j in set(range(30)) - {i}:
            expected = oracle.similarity(scores, b_u.tolist(), b_i.tolist(), i, j, 10.0, 3)
            largest = max(largest, abs(kernels["finish_similarity"](sums[j], 10.0, 3) - expected))
    assert (largest > 1e-3) == bool(kernel), largest


def test_with_all_neighbours_kept_hakken_equals_scikit_surprise(table: RatingTable) -> None:
    found = compare(table, msgspec.structs.replace(TEXTBOOK, k_stored=EVERYTHING), n_pairs=2_000)
    assert found.compared == 2_000
    assert found.tied < 20
    assert found.biases < 1e-6
    assert found.similarities < 1e-5
    assert found.predictions < 1e-3


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_table_gives_the_same_bytes_on_any_number_of_threads(
    table: RatingTable, trained: Path, tmp_path: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(hakken.training.threads, "N_THREADS", threads)
    with threadpool_limits(threads, "blas"):
        artefact = train(table, small_catalogue(), tmp_path / "again", PARAMETERS)
    assert artefact.manifest.created == "2023-11-14T22:13:20Z"
    assert artefact.version.startswith("20231114T221320Z-")
    assert np.load(trained / "attr_values.npy").any()
    for path in trained.glob("*.npy"):
        assert path.read_bytes() == (artefact.directory / path.name).read_bytes(), path.name


@settings(max_examples=100)
@given(st.lists(st.floats(1e-9, 1.0), max_size=30))
def test_packing_keeps_similarities_within_a_hundred_thousandth_and_positive_and_is_narrow(sims: list[float]) -> None:
    ordered = np.array(sorted(sims, reverse=True), dtype=np.float64)
    zeros = np.zeros(len(sims), dtype=np.int32)
    neighbours = Neighbours(np.array([0, 0, len(sims)]), zeros, ordered, zeros + 7)
    for most_raters, width in ((65_535, "uint16"), (65_536, "int32")):
        packed = quantise(neighbours, most_raters)
        assert packed["sim_support"].dtype == width
        assert (packed["sim_support"] == 7).all()
    assert (packed["sim_values"] > 0).all()
    assert packed["sim_indptr"].tolist() == [0, 0, len(sims)]
    np.testing.assert_allclose(packed["sim_scale"][1] * unpack(packed["sim_values"]), ordered, atol=1e-5)


def test_raters_are_those_who_scored(table: RatingTable) -> None:
    arrays, manifest, b_u = fit(table, Parameters())
    expected = [int(((table.items == i) & (table.scores > 0)).sum()) for i in range(len(table.anime_ids))]
    assert arrays.raters.tolist() == expected
    assert manifest.sizes.scored == sum(expected)
    assert manifest.sizes.entries == len(table)
    # How they score, too.
    assert manifest.people.scores == tuple(int((table.scores == score).sum()) for score in range(1, 11))
    assert sum(manifest.people.scores) == manifest.sizes.scored
    biases = b_u[sorted(set(table.users[table.scores > 0].tolist()))]
    assert len(biases) == manifest.sizes.users
    assert manifest.people.b_u == pytest.approx(np.percentile(biases, np.arange(0, 101, 5)).tolist())


def test_a_table_without_a_score_is_refused() -> None:
    empty = np.zeros(1, dtype=np.int32)
    table = RatingTable(np.array([5], dtype=np.int32), 1, empty, empty, np.zeros(1, dtype=np.int8), 1)
    with pytest.raises(TableError, match="nothing to train from"):
        fit(table, Parameters())


@pytest.mark.parametrize("epoch", ["soon", "1e9", "99999999999999999999"])
def test_a_date_that_is_none_is_refused(table: RatingTable, monkeypatch: pytest.MonkeyPatch, epoch: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(ConfigError, match="is not a time"):
        fit(table, Parameters())
