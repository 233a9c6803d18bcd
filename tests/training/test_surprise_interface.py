"""HakkenKNNBaseline as scikit-surprise is used: in processes, threads and searches, copied, saved, asked anything."""

import copy
import itertools
import math
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import surprise
from numba.core.compiler_lock import global_compiler_lock
from surprise.model_selection import GridSearchCV, RandomizedSearchCV, cross_validate

from hakken.training.knn_baseline import HakkenKNNBaseline

PATIENCE = 60
"""Seconds after which a process hangs."""
SIM = {"name": "pearson_baseline", "user_based": False}
Kind = type[HakkenKNNBaseline] | type[surprise.KNNBaseline]
KINDS: tuple[Kind, Kind] = HakkenKNNBaseline, surprise.KNNBaseline
ROWS = [(u, i, float(1 + (u * i + u // 3) % 10)) for u, i in itertools.product(range(30), range(20)) if (u + i) % 3]
PAIRS = [(u, i, 7.0) for u, i in itertools.product([*range(30), "nobody"], [*range(20), "nothing"])]


def data_of(rows: Iterable[tuple[Any, Any, float]], scale: tuple[int, int] = (1, 10)) -> surprise.Dataset:
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    return surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=scale))


DATA = data_of(ROWS)
TRAINSET = DATA.build_full_trainset()


def made(kind: Kind, **options: Any) -> Any:
    arguments: dict[str, Any] = {"sim_options": dict(SIM), "verbose": False}
    return kind(**arguments | options)


def fitted(kind: Kind, **options: Any) -> Any:
    return made(kind, **options).fit(TRAINSET)


def rounded(predictions: Iterable[surprise.Prediction]) -> list[Any]:
    return [(u, i, r_ui, pytest.approx(est, abs=1e-9), details) for u, i, r_ui, est, details in predictions]


def fit_and_predict(expected: list[surprise.Prediction]) -> None:
    """What a child does; it ends with status 0 if it predicts what its parent does."""
    algorithm = fitted(HakkenKNNBaseline)
    assert algorithm.test(PAIRS) == expected
    algorithm.sim = algorithm.sim.astype(np.float32)  # which its parent has not compiled anything for
    assert len(algorithm.test(PAIRS)) == len(PAIRS)


def in_a_child(expected: list[surprise.Prediction]) -> int | None:
    """Fork this process; the status of the child, None if it hangs."""
    child = multiprocessing.get_context("fork").Process(target=fit_and_predict, args=(expected,))
    child.start()
    child.join(PATIENCE)
    child.kill()
    return child.exitcode if child.exitcode != -9 else None


def forked_by_a_thread(expected: list[surprise.Prediction]) -> int | None:
    found: list[int | None] = []
    thread = threading.Thread(target=lambda: found.append(in_a_child(expected)))
    thread.start()
    thread.join()
    return found[0]


def forked_while_a_thread_compiles(expected: list[surprise.Prediction]) -> int | None:
    compiling, forking = threading.Event(), threading.Event()

    def compile_something() -> None:
        with global_compiler_lock:
            compiling.set()
            forking.wait(0.5)  # the fork itself waits for the lock, so that this never comes

    thread = threading.Thread(target=compile_something)
    thread.start()
    compiling.wait(PATIENCE)
    try:
        return in_a_child(expected)
    finally:
        thread.join()


def forked_while_a_thread_trains(expected: list[surprise.Prediction]) -> int | None:
    enough = threading.Event()

    def train() -> None:
        while not enough.is_set():
            fitted(HakkenKNNBaseline)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        return in_a_child(expected)
    finally:
        enough.set()
        thread.join()


FORKS = [in_a_child, forked_by_a_thread, forked_while_a_thread_compiles, forked_while_a_thread_trains]


@pytest.mark.parametrize("fork", FORKS)
def test_a_process_that_is_forked_after_training_trains(fork: Callable[..., int | None]) -> None:
    assert fork(fitted(HakkenKNNBaseline).test(PAIRS)) == 0


@pytest.mark.parametrize("backend", ["multiprocessing", "loky"])
def test_two_jobs_measure_what_one_does(backend: str) -> None:
    folds = surprise.model_selection.KFold(2, random_state=0)
    alone = cross_validate(fitted(HakkenKNNBaseline), DATA, cv=folds)["test_rmse"]
    with joblib.parallel_config(backend):
        both = cross_validate(made(HakkenKNNBaseline), DATA, cv=folds, n_jobs=2)["test_rmse"]
    assert both.tolist() == alone.tolist()


@pytest.mark.parametrize("backend", ["multiprocessing", "threading"])
@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
def test_a_search_by_two_jobs_finds_what_surprise_finds(search: Any, backend: str) -> None:
    space: dict[str, Any] = {
        "k": [2, np.int64(4), 10**12],
        "sim_options": {"name": ["pearson_baseline"], "user_based": [False], "shrinkage": [0, 100]},
        "bsl_options": {"method": ["als"], "n_epochs": [5]},
        "verbose": [False],
    }
    found = []
    for kind in KINDS:
        folds = surprise.model_selection.KFold(2, random_state=0)
        options = {"n_iter": 6, "random_state": 0} if search is RandomizedSearchCV else {}
        with joblib.parallel_config(backend):
            tried = search(kind, copy.deepcopy(space), measures=["rmse"], cv=folds, refit=True, n_jobs=2, **options)
            tried.fit(DATA)
        found.append((tried.best_params, rounded(tried.test(PAIRS))))
    assert found[0] == found[1]


HUGE = 10**30
NUMBERS: list[dict[str, Any]] = [
    *({"k": k} for k in (0, 10**12, HUGE, np.int32(3), np.int64(5))),
    *({"min_k": min_k} for min_k in (10**12, HUGE, np.int64(2))),
    {"sim_options": SIM | {"min_support": 10**9}},
]


@pytest.mark.parametrize("options", NUMBERS, ids=str)
def test_numbers_of_any_size_and_kind_are_those_of_surprise(options: dict[str, Any]) -> None:
    found, expected = (rounded(fitted(kind, **options).test(PAIRS)) for kind in KINDS)
    assert found == expected


def test_whatever_support_is_asked_for_nothing_has_it() -> None:
    algorithm = fitted(HakkenKNNBaseline, sim_options=SIM | {"min_support": HUGE})
    assert algorithm.sim.tolist() == np.eye(20).tolist()


TESTSETS: dict[str, Callable[[], Any]] = {
    "a generator": lambda: ((u, i, None) for u, i, _ in PAIRS),
    "an iterator": lambda: iter(PAIRS),
    "nothing": lambda: iter(()),
    "an empty list": list,
    "columns": lambda: zip(range(5), np.arange(5), np.ones(5), strict=True),
    "rows of a table": lambda: pd.DataFrame(ROWS).itertuples(index=False),
    "an array": lambda: np.array(ROWS)[::-2],
    "lists": lambda: [[1, 2, 3.0]],
    "a set": lambda: {(1, 2, 3.0)},
    "other raw ids": lambda: [("nobody", 2, 3), (1, "nothing", 3), (1.0, np.int64(2), 3), (True, math.nan, 3)],
}


@pytest.mark.parametrize("testset", TESTSETS.values(), ids=TESTSETS.keys())
def test_a_testset_may_be_any_iterable(testset: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers, printed = [], []
    for kind in KINDS:
        answers.append(rounded(fitted(kind).test(testset(), verbose=True)))
        printed.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert printed[0] == printed[1]


@pytest.mark.parametrize("testset", [None, [(1, 2)], [1], [([1], 2, 3.0)]], ids=str)
def test_what_is_no_testset_is_refused_as_surprise_does(testset: Any) -> None:
    refusals = []
    for kind in KINDS:
        with pytest.raises((TypeError, ValueError)) as refusal:
            fitted(kind).test(testset)
        refusals.append(refusal.type)
    assert refusals[0] == refusals[1]


def test_everything_else_that_is_asked_is_answered_as_surprise_does() -> None:
    ours, theirs = map(fitted, KINDS)
    for u, i, clip in itertools.product((1, "x", None, 1.5), (2, "y", ("a",)), (True, False)):
        assert rounded([ours.predict(u, i, clip=clip)]) == rounded([theirs.predict(u, i, clip=clip)])
    assert ours.default_prediction() == theirs.default_prediction()
    for k in (0, 3, 10**12):
        assert ours.get_neighbors(np.int64(2), k) == theirs.get_neighbors(2, k)
    for one, other in zip(ours.compute_baselines(), theirs.compute_baselines(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


SMALL: dict[str, list[tuple[Any, Any, float]]] = {
    "one user": [("a", 1, 5.0), ("a", 2, 7.0), ("a", 3, 9.0)],
    "one item": [("a", 1, 5.0), ("b", 1, 7.0), ("c", 1, 9.0)],
    "one rating": [("a", 1, 5.0)],
    "one pair twice": [("a", 1, 5.0), ("a", 1, 7.0), ("b", 2, 9.0)],
}


@pytest.mark.parametrize("rows", SMALL.values(), ids=SMALL.keys())
def test_a_small_trainset_is_no_special_case(rows: list[tuple[Any, Any, float]]) -> None:
    trainset = data_of(rows).build_full_trainset()
    pairs = [(u, i, None) for u, i in itertools.product(["a", "b", "z"], [1, 2, 9])]
    ours, theirs = (made(kind).fit(trainset) for kind in KINDS)
    assert rounded(ours.test(pairs)) == rounded(theirs.test(pairs))
    np.testing.assert_allclose(ours.sim, theirs.sim, atol=1e-12)


def dumped(algorithm: Any, tmp_path: Path) -> Any:
    surprise.dump.dump(str(tmp_path / "file"), algo=algorithm)
    return surprise.dump.load(str(tmp_path / "file"))[1]


def mapped(algorithm: Any, tmp_path: Path) -> Any:
    joblib.dump(algorithm, tmp_path / "file")
    return joblib.load(tmp_path / "file", mmap_mode="r")


def refitted(algorithm: Any, _: Path) -> Any:
    algorithm.fit(data_of(SMALL["one user"], (1, 5)).build_full_trainset())
    return algorithm.fit(TRAINSET)


def with_other_strides(algorithm: Any, _: Path) -> Any:
    algorithm.sim = np.repeat(algorithm.sim, 2, axis=1)[:, ::2]
    return algorithm


COPIES: dict[str, Callable[[Any, Path], Any]] = {
    "deepcopy": lambda algorithm, _: copy.deepcopy(algorithm),
    "pickle": lambda algorithm, _: pickle.loads(pickle.dumps(algorithm)),  # noqa: S301  # our own
    "dump": dumped,
    "joblib, mapped": mapped,
    "fitted twice": refitted,
    "other strides": with_other_strides,
}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Surprise leaves what it loads open
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES.keys())
def test_a_copy_predicts_and_trains_as_the_original(copied: Callable[[Any, Path], Any], tmp_path: Path) -> None:
    expected = fitted(HakkenKNNBaseline).test(PAIRS)
    algorithm = copied(fitted(HakkenKNNBaseline), tmp_path)
    assert algorithm.test(PAIRS) == [algorithm.predict(*pair) for pair in PAIRS] == expected
    assert algorithm.fit(TRAINSET).test(PAIRS) == expected


def test_a_subclass_that_predicts_otherwise_is_asked() -> None:
    answers = []
    for kind in KINDS:

        class Odd(kind):  # type: ignore[misc,valid-type]  # each of the two kinds
            def estimate(self, u: Any, i: Any) -> Any:
                if i == 3:
                    raise surprise.PredictionImpossible("3 is not predicted.")
                return super().estimate(u, i)

            def default_prediction(self) -> float:
                return 2.5

        answers.append(rounded(fitted(Odd).test(iter(PAIRS))))
    assert answers[0] == answers[1]
    assert any(details["was_impossible"] for *_, details in answers[0])
