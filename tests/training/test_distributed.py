"""Training on a cluster: a real scheduler and real workers, beside training on one machine."""

import contextlib
import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from distributed import Client

from benchmarks.synthetic import synthetic_entries
from hakken.bundle import ModelBundle
from hakken.errors import ClusterError, TableError
from hakken.model import Model, Parameters, store
from hakken.model.arrays import Array, Arrays, unpack
from hakken.ratings import Preferences, Rating, UserList
from hakken.recommend import recommend
from hakken.training import cluster, distributed, pipeline
from hakken.training.cluster import Cluster, connected
from hakken.training.pipeline import Fitted
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import RatingTable, combined, read_ratings
from tests.training import learning
from tests.training.commands import Train

PARAMETERS = Parameters(trees=5, k_stored=40, reg_u=3.0)
TITLES = learning.titles()
ROOT = Path(__file__).parents[2]
FEW_ROWS = 5_000
"""Rows that are sorted at once: several tables for each worker."""


class Programs:
    """A scheduler on a free port, and workers."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._workers: list[subprocess.Popen[bytes]] = []
        told = scratch / "scheduler.json"
        self._scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(told))
        while not (told.exists() and told.read_text().endswith("}")):
            assert self._scheduler.poll() is None
            time.sleep(0.05)
        self.address: str = json.loads(told.read_text())["address"]

    def add_worker(self, *options: str) -> None:
        self._workers.append(self._start("worker", self.address, "--nthreads", "1", "--no-nanny", *options))

    def kill_worker(self) -> None:
        one = self._workers.pop()
        one.kill()
        one.wait()

    def kill_scheduler(self) -> None:
        self._scheduler.kill()

    def close(self) -> None:
        for one in (*self._workers, self._scheduler):
            one.kill()
            one.wait()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", "--no-dashboard"]
        with (self._scratch / "log").open("ab") as log:
            return subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log)


Start = Callable[[int], Programs]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def start(n_workers: int) -> Programs:
        programs = Programs(tmp_path)
        started.append(programs)
        for _ in range(n_workers):
            programs.add_worker()
        return programs

    yield start
    for one in started:
        one.close()


@contextlib.contextmanager
def to(programs: Programs, n_workers: int) -> Iterator[Cluster]:
    """Connect once so many workers are there."""
    while True:
        with connected(programs.address, lambda _: None) as workers:
            if len(workers) == n_workers:
                yield workers
                return


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two tables in parts, with people in several of them, and rows that can't be used."""
    rng = np.random.default_rng(5)
    frame = synthetic_entries(900, learning.N_TITLES, 50_000, seed=2).frame().sample(frac=1, random_state=1)
    frame = frame.rename(columns={"rating": "my_score"}).clip(lower=0)
    frame["username"] = [f"u{one % 887}é" for one in frame.pop("user_id")]
    frame["my_status"] = rng.choice([1, 2, 2, 2, 3, 4, 6], len(frame))
    days = pd.Timestamp("2016-01-01") + pd.to_timedelta(rng.integers(0, 3_000, 887), unit="D")
    frame["updated_at"] = [days[int(name[1:-1])] for name in frame["username"]]
    bad = frame.iloc[:4].assign(my_score=[11, 5, 5, 5], anime_id=[1, 0, 2, 3])
    repeated = frame.iloc[[0, 0, 30_000]].assign(my_score=9)
    older = frame[frame["username"] < "u2"].assign(updated_at=pd.Timestamp("2011-05-05"))
    paths = []
    for name, pieces in (
        ("one", [frame.iloc[:15_000], pd.concat([bad, frame.iloc[15_000:15_010]]), frame.iloc[15_010:], repeated]),
        ("other", [older.iloc[::2], older.iloc[1::2]]),
    ):
        paths.append(tmp_path_factory.mktemp("parts") / name)
        paths[-1].mkdir()
        for number, piece in enumerate(pieces):
            piece.to_parquet(paths[-1] / f"part-{number}.parquet", index=False)
    return paths


@pytest.fixture(scope="module")
def table(parts: list[Path]) -> RatingTable:
    return combined([read_ratings(path) for path in parts])


@pytest.fixture(scope="module")
def alone(table: RatingTable) -> Fitted:
    return pipeline.fit(table, PARAMETERS, TITLES)


def train_on(workers: Cluster, parts: list[Path], progress: Progress = SILENT) -> Fitted:
    return distributed.fit(workers, distributed.read(workers, parts), PARAMETERS, TITLES, progress=progress)


def weights(arrays: Arrays) -> tuple[Array, Array]:
    """Similarities and preference weights, by title and title."""
    n = len(arrays.anime_ids)
    sims, preferences = np.zeros((n, n)), np.zeros((n, n))
    rows = np.repeat(np.arange(n), np.diff(arrays.sim_indptr))
    sims[rows, arrays.sim_indices] = arrays.sim_scale[rows] * unpack(arrays.sim_values)
    watched = np.repeat(np.arange(n), np.diff(arrays.pref_indptr))
    preferences[arrays.pref_indices, watched] = arrays.pref_scale[arrays.pref_indices] * arrays.pref_values
    return sims, preferences


def assert_same(found: Fitted, expected: Fitted) -> None:
    np.testing.assert_allclose(found.b_u, expected.b_u, atol=1e-9, rtol=0)
    np.testing.assert_allclose(found.arrays.b_i, expected.arrays.b_i, atol=1e-9, rtol=0)
    for some, wanted in zip(weights(found.arrays), weights(expected.arrays), strict=True):
        np.testing.assert_allclose(some, wanted, atol=1e-5, rtol=0)
    assert len(expected.arrays.tree_features[0])
    for one in dataclasses.fields(Arrays):
        if not one.name.startswith(("b_i", "sim_", "pref_")):
            some, wanted = getattr(found.arrays, one.name), getattr(expected.arrays, one.name)
            assert some.dtype == wanted.dtype
            np.testing.assert_allclose(some.astype(float), wanted.astype(float), atol=1e-6, err_msg=one.name)
    of_found, of_expected = found.manifest, expected.manifest
    for name in ("mu", "sizes", "data_time", "features", "parameters"):
        assert getattr(of_found, name) == getattr(of_expected, name), name
    assert of_found.people.scores == of_expected.people.scores
    np.testing.assert_allclose(of_found.people.b_u, of_expected.people.b_u, atol=1e-9)
    assert of_found.unwatched
    assert of_expected.unwatched
    assert of_found.unwatched.lists == of_expected.unwatched.lists
    assert of_found.unwatched.attributes == of_expected.unwatched.attributes


def titles_for(fitted: Fitted, table: RatingTable) -> list[list[int]]:
    """What some people would be recommended, by their lists' first entries."""
    bundle = ModelBundle(Model(fitted.arrays, fitted.manifest, "one"), TITLES)
    found = []
    for user in range(0, table.n_users, 90):
        own = np.flatnonzero(table.users == user)[:30]
        rated = zip(table.anime_ids[table.items[own]].tolist(), table.scores[own].tolist(), strict=True)
        listed = UserList.of(Rating(anime_id, score) for anime_id, score in rated)
        found.append([one.anime_id for one in recommend(listed, bundle, Preferences(n=20)).recommendations])
    return found


@pytest.mark.parametrize(("n_workers", "rows"), [(2, FEW_ROWS), (1, distributed.ROWS_AT_ONCE)])
def test_whatever_the_number_of_workers_and_parts_the_model_is_that_of_one_machine(
    n_workers: int,
    rows: int,
    start: Start,
    parts: list[Path],
    table: RatingTable,
    alone: Fitted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "ROWS_AT_ONCE", rows)
    with to(start(n_workers), n_workers) as workers:
        people = distributed.read(workers, parts)
        assert sum(map(len, people.tables)) == n_workers * math.ceil(table.rows / n_workers / rows)
        found = distributed.fit(workers, people, PARAMETERS, TITLES)
        with pytest.raises(TableError, match=r"^part-1.parquet, row 1: impossible score\.$"):
            distributed.read(workers, parts[:1], strict=True)
    assert_same(found, alone)
    assert any(titles_for(alone, table))
    assert titles_for(found, table) == titles_for(alone, table)
    read, expected = people.reading._asdict(), table.reading._asdict()
    examples = read.pop("examples"), expected.pop("examples")
    assert examples[0]["impossible score"] == examples[1]["impossible score"] == ("part-1.parquet, row 1",)
    assert examples[0]["impossible anime id"] == examples[1]["impossible anime id"]
    assert [one for one in read if not np.array_equal(read[one], expected[one])] == []


def test_workers_without_any_person_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("user_id,anime_id,rating\n7,1,8\n7,2,5\n7,3,9\n")
    parameters = Parameters(trees=0, min_watchers=1)
    with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        found = distributed.fit(Cluster(client), distributed.read(Cluster(client), [path]), parameters, TITLES)
    expected = pipeline.fit(read_ratings(path), parameters, TITLES)
    for some, wanted in zip(weights(found.arrays), weights(expected.arrays), strict=True):
        np.testing.assert_array_equal(some, wanted)
    assert found.b_u == pytest.approx(expected.b_u)


class InTheMiddle:
    """Does something once within each of some stages."""

    def __init__(self, act: Callable[[], None], *stages: str) -> None:
        self._act = act
        self.left = [*stages]

    @contextlib.contextmanager
    def stage(self, name: str, *_: object) -> Iterator[Advance]:
        def advance(_: int) -> None:
            if name in self.left:
                self.left.remove(name)
                self._act()

        yield advance


def test_workers_that_are_killed_in_the_middle_change_nothing(start: Start, parts: list[Path], alone: Fitted) -> None:
    programs = start(3)
    with to(programs, 3) as workers:
        killing = InTheMiddle(programs.kill_worker, "similarities", "co-watching")
        found = train_on(workers, parts, killing)
    assert not killing.left
    assert_same(found, alone)


def test_a_scheduler_that_is_lost_in_the_middle_ends_training_with_a_sentence(start: Start, parts: list[Path]) -> None:
    programs = start(1)
    lost = pytest.raises(ClusterError, match=r"connection to the scheduler at tcp://\S+ was lost")
    with lost, to(programs, 1) as workers:
        train_on(workers, parts, InTheMiddle(programs.kill_scheduler, "biases"))


def test_a_scheduler_without_workers_and_one_that_is_not_there_are_told_of(
    start: Start, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    address = start(0).address
    assert f"The scheduler at {address} has no worker." in train("--scheduler", address, status=1).output
    assert (
        "No Dask scheduler answers at tcp://127.0.0.1:9" in train("--scheduler", "tcp://127.0.0.1:9", status=1).output
    )
    assert "neither local, local:N nor an address" in train("--scheduler", "nearby", status=1).output
    assert not (tmp_path / "model").exists()


def test_a_worker_with_another_version_is_refused(start: Start, train: Train, tmp_path: Path) -> None:
    (tmp_path / "older.py").write_text("import hakken\nhakken.__version__ = '0.0.7'\n")
    programs = start(0)
    programs.add_worker("--preload", str(tmp_path / "older.py"))
    assert "has Hakken 0.0.7, and this is Hakken" in train("--scheduler", programs.address, status=1).output


def test_the_command_trains_on_processes_of_this_machine(train: Train, parts: list[Path], tmp_path: Path) -> None:
    out, options = tmp_path / "model", ("--trees", "0", "--hold-out", "--report", tmp_path / "report")
    with patch.dict(os.environ):  # to which Dask adds what its workers need
        said = train("--scheduler", "local:1", *options, ratings=parts[0])
    assert "workers: 1; dashboard: http://127.0.0.1:" in said.stderr
    manifest = store.open_artefact(out).manifest
    page = (tmp_path / "report" / "index.html").read_text()
    assert f"{manifest.sizes.entries:,} kept" in page
    alone = train(*options, ratings=parts[0])
    assert told(said.stdout) == told(alone.stdout)
    expected = store.open_artefact(out).manifest
    assert (manifest.made_from, manifest.sizes) == (expected.made_from, expected.sizes)


def told(summary: str) -> str:
    """What a summary says of the tables."""
    return summary.partition("stages")[0]
