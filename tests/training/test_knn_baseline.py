"""HakkenKNNBaseline stands where surprise.KNNBaseline does. The cases are those of Surprise's own tests, and more."""

import itertools
import pickle
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import surprise
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hakken.training import threads
from hakken.training.knn_baseline import HakkenKNNBaseline
from hakken.training.tables import RatingTable
from tests import oracle

Entries = list[tuple[Any, Any, float]]
"""User, item and rating, by raw ids."""

SIM = {"name": "pearson_baseline", "user_based": False}
HAND_ROWS: list[dict[int, float]] = [
    {0: 3, 1: 3, 2: 3, 5: 1, 6: 1.5, 7: 3},
    {0: 4, 1: 4, 2: 4},
    {2: 5, 3: 2, 4: 3},
    {1: 1, 2: 4, 3: 2, 4: 3, 5: 3, 6: 3.5, 7: 2},
    {1: 5, 2: 1, 5: 2, 6: 2.5, 7: 2.5},
]
HAND: Entries = [(user, item, rating) for user, row in enumerate(HAND_ROWS) for item, rating in row.items()]
"""The table of Surprise's tests of similarities: items 0 and 3 share no user; only 1 and 2 share four."""


def trainset_of(entries: Entries, scale: tuple[int, int] = (1, 10)) -> surprise.Trainset:
    frame = pd.DataFrame(entries, columns=["user", "item", "rating"])
    return surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=scale)).build_full_trainset()


def ours(trainset: surprise.Trainset, **options: Any) -> HakkenKNNBaseline:
    arguments: dict[str, Any] = {"sim_options": SIM, "verbose": False}
    return HakkenKNNBaseline(**arguments | options).fit(trainset)


def theirs(trainset: surprise.Trainset, **options: Any) -> surprise.KNNBaseline:
    return surprise.KNNBaseline(**{"sim_options": dict(SIM), "verbose": False} | options).fit(trainset)


def all_pairs(trainset: surprise.Trainset) -> Entries:
    users = [trainset.to_raw_uid(u) for u in trainset.all_users()]
    items = [trainset.to_raw_iid(i) for i in trainset.all_items()]
    return [(u, i, 7.0) for u, i in itertools.product([*users, "nobody"], [*items, "nothing"])]


@pytest.fixture(scope="session")
def shuffled(table: RatingTable) -> Entries:
    """Some users' scores, as from a file that is in no order."""
    shown = (table.scores > 0) & (table.users < 80) & (table.items < 120)
    columns = (table.users[shown].tolist(), table.items[shown].tolist(), table.scores[shown].tolist())
    rows = [(f"u{u}", f"i{i}", float(r)) for u, i, r in zip(*columns, strict=True)]
    random.Random(1).shuffle(rows)
    return rows


@st.composite
def shuffled_entries(draw: st.DrawFn) -> Entries:
    """A small table in any order; a pair may be repeated, which Surprise lets stand."""
    rating = draw(st.sampled_from([st.integers(1, 10), st.sampled_from([0.5, 3, 9.5]), st.integers(-10, 10)]))
    pair = st.tuples(st.integers(0, 7), st.integers(0, 6))
    return [(u, i, float(r)) for (u, i), r in draw(st.lists(st.tuples(pair, rating), min_size=2, max_size=45))]


def tied(algorithm: surprise.KNNBaseline, pair: tuple[Any, Any]) -> bool:
    """Whether the k-th similarity is so near to the next, or one so near to 0, that rounding decides."""
    trainset, k = algorithm.trainset, algorithm.k
    if pair[0] == "nobody" or pair[1] == "nothing":
        return False
    u, i = trainset.to_inner_uid(pair[0]), trainset.to_inner_iid(pair[1])
    nearest = sorted((algorithm.sim[i, j] for j, _ in trainset.ur[u]), reverse=True)
    near = len(nearest) > k and nearest[k] > 0 and nearest[k - 1] - nearest[k] < 1e-9
    return near or any(0 < abs(sim) < 1e-9 for sim in nearest)


@settings(max_examples=60)
@given(
    rows=shuffled_entries(),
    k=st.sampled_from([0, 1, 2, 40]),
    min_k=st.integers(0, 3),
    shrinkage=st.sampled_from([0, 1.5, 100]),
    min_support=st.integers(0, 4),
    reg=st.sampled_from([(15, 10), (2.5, 1)]),
    n_epochs=st.integers(0, 4),
)
@example(rows=HAND, k=2, min_k=1, shrinkage=100, min_support=1, reg=(15, 10), n_epochs=10)
def test_everything_is_as_surprise_has_it(
    rows: Entries, k: int, min_k: int, shrinkage: float, min_support: int, reg: tuple[float, float], n_epochs: int
) -> None:
    trainset = trainset_of(rows, (-10, 10))
    options = {
        "k": k,
        "min_k": min_k,
        "sim_options": SIM | {"shrinkage": shrinkage, "min_support": min_support},
        "bsl_options": {"method": "als", "reg_u": reg[0], "reg_i": reg[1], "n_epochs": n_epochs},
    }
    found = ours(trainset, **options)
    residuals = [r - trainset.global_mean - found.bu[u] - found.bi[i] for u, i, r in trainset.all_ratings()]
    assume(min(map(abs, residuals)) > 1e-6)  # Surprise divides by their squares
    expected = theirs(trainset, **options)

    for name in ("bu", "bi", "bx", "by"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12)
    np.testing.assert_allclose(found.sim, expected.sim, atol=1e-9)
    assert found.sim.dtype == expected.sim.dtype
    for name in ("n_x", "n_y", "xr", "yr"):
        assert getattr(found, name) == getattr(expected, name)
    pairs = all_pairs(trainset)
    for one, other in zip(found.test(pairs), expected.test(pairs), strict=True):
        if not tied(expected, other[:2]):
            assert one[:3] == other[:3]
            assert one.est == pytest.approx(other.est, abs=1e-9)
            assert one.details == other.details


@pytest.mark.parametrize("options", [{}, {"k": 3, "min_k": 2}, {"amplification": 2.5, "prior": 0.1}])
def test_a_batch_predicts_what_predict_does_to_the_last_bit_pickled_and_on_any_number_of_threads(
    shuffled: Entries, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainset = trainset_of(shuffled)
    pairs = all_pairs(trainset)[::7]
    found = []
    for n_threads in (1, 3):
        monkeypatch.setattr(threads, "N_THREADS", n_threads)
        algorithm = ours(trainset, **options)
        found.append((algorithm.sim.tobytes(), algorithm.test(pairs)))
    assert found[0] == found[-1]
    copy = pickle.loads(pickle.dumps(algorithm))  # noqa: S301 - our own
    assert found[0][1] == copy.test(pairs) == [algorithm.predict(u, i, r_ui) for u, i, r_ui in pairs]
    assert algorithm.test([]) == []


def test_of_equal_similarities_the_one_rated_first_is_taken() -> None:
    # Items a and b have the same scores from the same users, so they are equally similar to x.
    # The last user rated both, but differently, and only one fits into k.
    common = [(u, i, r) for u, r in enumerate([2.0, 9.0, 4.0, 8.0]) for i in "abx"]
    for last in ([("z", "a", 9.0), ("z", "b", 2.0)], [("z", "b", 2.0), ("z", "a", 9.0)]):
        mirrored = [("y", "a", 2.0), ("y", "b", 9.0)]  # keeps a and b alike
        trainset = trainset_of([*common, *last, *mirrored])
        found, expected = ours(trainset, k=1), theirs(trainset, k=1)
        a, b, x = (trainset.to_inner_iid(i) for i in "abx")
        assert found.sim[x, a] == found.sim[x, b] > 0
        assert found.predict("z", "x").est == pytest.approx(expected.predict("z", "x").est, abs=1e-12)
        assert found.get_neighbors(x, 2) == expected.get_neighbors(x, 2)


@settings(max_examples=40)
@given(
    rows=shuffled_entries(),
    k=st.integers(1, 5),
    amplification=st.sampled_from([0.5, 1, 2.5]),
    prior=st.sampled_from([0, 0.01, 3]),
)
def test_amplification_and_prior_are_those_of_the_formula(
    rows: Entries, k: int, amplification: float, prior: float
) -> None:
    rows = [(u, i, r) for (u, i), r in {(u, i): r for u, i, r in rows}.items()]
    trainset = trainset_of(rows, (-10, 10))
    algorithm = ours(trainset, k=k, amplification=amplification, prior=prior, sim_options={"shrinkage": 1})
    mu = trainset.global_mean
    for u, i in itertools.product(trainset.all_users(), trainset.all_items()):
        deviations = {j: r - mu - algorithm.bu[u] - algorithm.bi[j] for j, r in trainset.ur[u]}
        sims = sorted((algorithm.sim[i, j] for j in deviations), reverse=True)
        if len(sims) > k and sims[k - 1] == sims[k]:
            continue
        baseline = mu + algorithm.bu[u] + algorithm.bi[i]
        neighbours = dict(enumerate(algorithm.sim[i].tolist()))
        expected = oracle.prediction(baseline, neighbours, deviations, k, amplification, prior)
        raw = trainset.to_raw_uid(u), trainset.to_raw_iid(i)
        assert algorithm.predict(*raw, clip=False).est == pytest.approx(expected, abs=1e-9)


def test_without_any_deviation_similarities_are_0_where_surprise_divides_by_it() -> None:
    trainset = trainset_of([(u, i, 7.0) for u in range(3) for i in range(3)])
    with pytest.raises(ZeroDivisionError):
        theirs(trainset)
    algorithm = ours(trainset)
    assert algorithm.sim.tolist() == np.eye(3).tolist()
    assert algorithm.predict(0, 1).est == 7


def test_the_ratings_are_read_whatever_else_stands_in_the_trainset_and_there_must_be_one() -> None:
    trainset = trainset_of(HAND)
    before = ours(trainset).sim
    assert trainset.ur[99] == []  # asking a defaultdict adds to it
    trainset.ur = dict(reversed(trainset.ur.items()))
    assert (ours(trainset).sim == before).all()
    empty = surprise.Trainset({}, {}, 0, 0, 0, (1, 10), {}, {})
    with pytest.raises(ValueError, match="nothing to train from"):
        HakkenKNNBaseline(verbose=False).fit(empty)


def test_the_defaults_are_surprises_but_for_what_it_can_be_and_verbose_says_what_surprise_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found, expected = HakkenKNNBaseline(), surprise.KNNBaseline(sim_options=dict(SIM))
    assert (found.k, found.min_k, found.verbose) == (expected.k, expected.min_k, expected.verbose)
    assert expected.sim_options.items() <= found.sim_options.items()
    said = []
    for kind in (HakkenKNNBaseline, surprise.KNNBaseline):
        algorithm = kind(sim_options=dict(SIM)).fit(trainset_of(HAND))
        algorithm.test([(0, 3, 4.0), ("nobody", 3, 4.0)], verbose=True)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != ""


REFUSED: list[dict[str, Any]] = [
    *({"sim_options": one} for one in ({"name": "msd"}, {"name": 3}, {"user_based": True}, {"shrinkge": 1})),
    *({"sim_options": one} for one in ({"shrinkage": float("nan")}, {"shrinkage": None}, {"min_support": True})),
    *({"bsl_options": one} for one in ({"method": "sgd"}, {"learning_rate": 0.1}, {"reg_u": -1})),
    *({"bsl_options": one} for one in ({"reg_i": "10"}, {"n_epochs": 2.5})),
    *({"k": one} for one in (-1, 2.0)),
    {"min_k": "1"},
    {"prior": float("inf")},
    {"amplification": 0},
]


@pytest.mark.parametrize("arguments", REFUSED, ids=str)
def test_an_option_that_it_does_not_have_is_refused_by_name(arguments: dict[str, Any]) -> None:
    [(name, value)] = arguments.items()
    if isinstance(value, dict):
        [name] = value
    with pytest.raises(ValueError, match=name):
        HakkenKNNBaseline(**arguments)


def test_options_are_copied_and_numbers_of_numpy_are_numbers() -> None:
    options = {"name": "Pearson_Baseline", "shrinkage": np.float32(50), "min_support": np.int64(2)}
    before = dict(options)
    k: Any = np.int64(4)
    algorithm = HakkenKNNBaseline(k=k, sim_options=options, verbose=False).fit(trainset_of(HAND))
    assert options == before
    assert algorithm.predict(0, 3).details["actual_k"] <= 4
