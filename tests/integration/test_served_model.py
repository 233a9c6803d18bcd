"""The model that is served, replaced while requests are answered: never half, never a bad one, never back in time."""

import errno
import gc
import json
import logging
import random
import re
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ars_app import create_app
from hakken import web
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ArtefactCorrupt, ArtefactMissing, ArtefactRefused, ModelError, ModelPending, StorageError
from hakken.model import manifest as manifests
from hakken.model import store
from hakken.model.store import Artefact
from hakken.registry.publish import publish, roll_back
from hakken.registry.storage import DirectoryStore, ObjectStore
from hakken.registry.sync import AvailableVersion, Mirror, locked
from hakken.served_model import ReloadingModel, serve_model
from make_recommendations import make_recommendations
from tests.serving import until


class Machine:
    """A machine whose workers serve what a place offers."""

    def __init__(self, root: Path, place: DirectoryStore, versions: list[Artefact]) -> None:
        self.root = root
        self.place = place
        self.versions = versions
        self.workers: list[ReloadingModel] = []
        self.reachable = True

    def find(self) -> ObjectStore:
        if not self.reachable:
            raise StorageError("The bucket is gone.")
        return self.place

    def mirror(self) -> Mirror:
        return Mirror(self.root, self.find, ModelBundle.read)

    def worker(self) -> ReloadingModel:
        """One more worker; it looks when it is told, and once at start."""
        model = ReloadingModel(self.mirror(), 0, web.warm)
        model.start(patient=True)
        until(lambda: model.status().looked is not None)
        self.workers.append(model)
        return model

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            publish(self.versions[number], self.place)

    def name(self, number: int) -> str:
        return self.versions[number].version

    def serve_each(self, n: int) -> None:
        """Have the first versions published, and served by a worker each, one after another."""
        for number in range(n):
            self.publish(number)
            self.worker()


@pytest.fixture
def machine(tmp_path: Path, versions: list[Artefact]) -> Machine:
    return Machine(tmp_path / "here", DirectoryStore(tmp_path / "there"), versions)


@pytest.fixture
def worker(machine: Machine) -> ReloadingModel:
    """A worker that serves the first version."""
    machine.publish(0)
    return machine.worker()


def served(model: ReloadingModel) -> str:
    return model.bundle().model.version


def spoil(place: DirectoryStore, artefact: Artefact, name: str = "sim_values.npy") -> Path:
    """Change a byte of a published file, as a failing disk would."""
    path = place.root / "versions" / artefact.version / name
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return path


def test_what_a_request_would_wait_for_is_ready_before_the_swap(machine: Machine, worker: ReloadingModel) -> None:
    machine.publish(1)
    worker.check()
    model = worker.bundle().model
    assert {"weights", "row_priors", "standing", "sim_windows", "weights_by_title"} <= set(vars(model))
    assert {"adult", "year", "types", "genres", "anime_index"} <= set(vars(worker.bundle().facts))
    assert {"series", "stories", "universes", "beside", "lone_films"} <= set(vars(worker.bundle().facts))


def too_new(directory: Path) -> Artefact:
    old = store.read_manifest(directory)
    text = manifests.encode(msgspec.structs.replace(old.manifest, schema_version=manifests.SCHEMA_VERSION + 1))
    (directory / "manifest.json").write_bytes(text)
    return old._replace(version=manifests.version_of(old.manifest, text))


def not_a_model(directory: Path) -> Artefact:
    """Its checksums are right, and its contents are not."""
    (directory / "b_i.npy").write_bytes(b"no array")
    manifest = store.read_manifest(directory).manifest
    (directory / "manifest.json").unlink()
    return store.write_manifest(directory, manifest)


@pytest.fixture(params=[too_new, not_a_model])
def unusable(request: pytest.FixtureRequest, versions: list[Artefact], tmp_path: Path) -> Artefact:
    made: Artefact = request.param(Path(shutil.copytree(versions[1].directory, tmp_path / "made")))
    return made


def test_a_bad_version_is_refused_told_once_and_never_tried_twice(
    machine: Machine, unusable: Artefact, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(0)
    workers = [machine.worker(), machine.worker()]
    publish(unusable, machine.place)
    for one in workers:
        one.check()
    monkeypatch.setattr("hakken.registry.sync._download", lambda *_: pytest.fail("It was fetched again."))
    for one in (*workers, *workers, machine.worker()):
        one.check()
        assert isinstance(one.status().failed, ArtefactRefused)
        assert served(one) == machine.name(0)
    assert caplog.text.count("The latest model can't be served") == 1
    assert [path.name for path in (machine.root / "versions").iterdir()] == [machine.name(0)]


def test_a_damaged_version_is_not_tried_again_until_someone_mends_the_file(
    machine: Machine, worker: ReloadingModel
) -> None:
    machine.publish(1)
    path = spoil(machine.place, machine.versions[1])
    for kind in (ArtefactCorrupt, ArtefactRefused, ArtefactRefused):
        worker.check()
        assert (type(worker.status().failed), served(worker)) == (kind, machine.name(0))
    path.unlink()
    shutil.copy(machine.versions[1].directory / path.name, path)
    worker.check()
    assert served(worker) == machine.name(1)


def test_workers_that_start_together_try_a_version_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.publish(0)
    waiting, tried = list[Path](), list[Artefact]()

    def arrive(into: Path) -> Any:
        waiting.append(into)
        return locked(into)

    def accept(artefact: Artefact) -> None:
        until(lambda: len(waiting) == 3)  # the others have looked, and wait for the lock
        tried.append(artefact)

    monkeypatch.setattr("hakken.registry.sync.locked", arrive)
    with ThreadPoolExecutor() as pool:
        for synced in [pool.submit(Mirror(machine.root, machine.find, accept).sync) for _ in range(3)]:
            synced.result()
    assert len(tried) == 1


def test_what_another_hakken_refused_is_looked_at_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.publish(0)
    with monkeypatch.context() as patched:
        patched.setattr("hakken.registry.sync.READER", "0.0.1/1")
        patched.setattr(ModelBundle, "read", fails_with(ArtefactCorrupt("No.")))
        with pytest.raises(ArtefactCorrupt):
            machine.worker().bundle()
    assert served(machine.worker()) == machine.name(0)


def test_what_another_hakken_took_and_this_one_cant_use_is_opened_once(
    machine: Machine, unusable: Artefact, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine.publish(0)
    machine.worker()
    publish(unusable, machine.place)
    shutil.copytree(unusable.directory, machine.root / "versions" / unusable.version)
    shutil.copy(machine.place.root / "current.json", machine.root)
    workers = [machine.worker() for _ in range(2)]
    monkeypatch.setattr(ModelBundle, "read", lambda _: pytest.fail("It was opened before."))
    monkeypatch.setattr("hakken.registry.sync._download", lambda *_: pytest.fail("It was fetched again."))
    for worker in (*workers, *workers):
        worker.check()
        assert isinstance(worker.status().failed, ArtefactRefused)
        assert served(worker) == machine.name(0)
    assert caplog.text.count("The latest model can't be served") == 1
    assert "fetched again" not in caplog.text
    monkeypatch.undo()
    machine.publish(2)
    workers[0].check()
    assert (served(workers[0]), workers[0].status().failed) == (machine.name(2), None)


def test_what_fails_in_the_same_way_is_told_once_until_it_goes_well(
    machine: Machine, worker: ReloadingModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = iter(range(1000, 2000))

    def unreachable(*_: Any, **__: Any) -> None:
        raise StorageError(f"The bucket could not be read: <Connection at 0x7f{next(looks):x}>, after {next(looks)} ms")

    def mistaken(_: ReloadingModel) -> None:
        raise KeyError(f"<Thing at 0x7F{next(looks):X}>")

    no_memory = fails_with(StorageError("No memory."))
    for follow, told, kind in ((no_memory, "No memory", StorageError), (mistaken, "Traceback", ModelError)):
        caplog.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Mirror, "sync", unreachable)
            patched.setattr(ReloadingModel, "_follow", follow)
            for _ in range(3):
                worker.check()
        assert caplog.text.count("The bucket could not be read") == 1
        assert caplog.text.count(told) == 1
        assert type(worker.status().failed) is kind
        worker.check()
        assert worker.status().failed is None


def fails_with(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


PASSING = [
    ("os.stat", OSError(errno.ESTALE, "Stale file handle")),
    ("hashlib.file_digest", OSError(errno.EIO, "Input/output error")),
    ("hakken.model.arrays.np.load", OSError(errno.EMFILE, "Too many open files")),
    ("hakken.model.arrays.np.load", OSError(errno.ENOMEM, "Cannot allocate memory")),
    ("hakken.catalogue.gzip.open", OSError(errno.ENOMEM, "Cannot allocate memory")),
    ("hakken.catalogue.gzip.open", MemoryError()),
]


@pytest.mark.parametrize(("where", "error"), PASSING)
def test_a_machine_that_fails_for_a_moment_refuses_no_version(
    machine: Machine, worker: ReloadingModel, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    machine.publish(1)
    with monkeypatch.context() as patched:
        patched.setattr(where, fails_with(error))
        worker.check()
        assert isinstance(worker.status().failed, StorageError)
        assert served(worker) == machine.name(0)
        begun = machine.worker()
        with pytest.raises(StorageError):
            begun.bundle()
    assert not (machine.root / "refused.json").exists()
    for one in (worker, begun):
        one.check()
        assert (served(one), one.status().failed) == (machine.name(1), None)


def test_a_pointer_to_a_missing_version_changes_nothing_and_is_followed_when_it_comes(
    machine: Machine, worker: ReloadingModel, caplog: pytest.LogCaptureFixture
) -> None:
    machine.publish(1)
    moved = machine.place.root / "versions" / machine.name(1)
    moved.rename(machine.place.root / "elsewhere")
    for _ in range(3):
        worker.check()
        assert served(worker) == machine.name(0)
    assert caplog.text.count("There is no version") == 1
    (machine.place.root / "elsewhere").rename(moved)
    worker.check()
    assert (served(worker), worker.status().failed) == (machine.name(1), None)


def test_a_file_that_was_damaged_before_a_restart_is_never_served(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.serve_each(2)
    spoil(DirectoryStore(machine.root), machine.versions[1])
    machine.reachable = False
    worker = machine.worker()
    assert served(worker) == machine.name(0), "the one before is whole"
    assert "fetched again" not in caplog.text
    machine.reachable = True
    for one in (worker, worker, machine.worker()):
        one.check()
        assert served(one) == machine.name(1)
    assert caplog.text.count("was damaged, and was fetched again") == 1


def test_a_restart_does_not_bring_back_what_was_taken_back(machine: Machine) -> None:
    machine.serve_each(2)
    roll_back(machine.place)
    for worker in machine.workers:
        worker.check()
    spoil(DirectoryStore(machine.root), machine.versions[0])
    machine.reachable = False
    late = machine.worker()
    for _ in range(2):
        with pytest.raises(StorageError, match="The bucket is gone"):
            late.bundle()
    machine.reachable = True
    assert served(machine.worker()) == machine.name(0)


def test_a_rollback_is_followed_and_what_was_taken_back_forgotten(machine: Machine) -> None:
    machine.publish(0, 1, 2)
    worker = machine.worker()
    roll_back(machine.place)
    worker.check()
    assert (served(worker), worker.status().failed) == (machine.name(1), None)
    assert [one.version for one in machine.mirror().versions()] == [machine.name(1)]


def test_a_file_that_is_damaged_between_fetching_and_opening_is_fetched_again(
    machine: Machine, worker: ReloadingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(1)
    bring = Mirror.sync

    def and_spoil(self: Mirror, **options: bool) -> None:
        bring(self, **options)
        monkeypatch.setattr(Mirror, "sync", bring)
        spoil(DirectoryStore(machine.root), machine.versions[1], "b_i.npy")

    monkeypatch.setattr(Mirror, "sync", and_spoil)
    worker.check()
    assert served(worker) == machine.name(1)
    assert store.verify(machine.root / "versions" / machine.name(1))


def test_a_recycled_worker_never_goes_back_in_time(machine: Machine, worker: ReloadingModel) -> None:
    machine.publish(1)
    machine.worker()
    assert served(worker) == machine.name(0)
    machine.place.root.rename(machine.place.root.with_name("gone"))
    assert served(machine.worker()) == machine.name(1)
    worker.check()
    assert served(worker) == machine.name(1), "what another worker fetched is served though the bucket is gone"


def test_a_worker_that_read_the_pointer_too_early_does_not_turn_it_back(
    machine: Machine, worker: ReloadingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(1)
    find = Mirror._find  # noqa: SLF001  # the moment between reading the pointer and waiting for the lock

    def others_go_on(self: Mirror, remote: ObjectStore) -> AvailableVersion:
        found = find(self, remote)
        monkeypatch.setattr(Mirror, "_find", find)
        machine.publish(2)
        machine.worker()
        return found

    monkeypatch.setattr(Mirror, "_find", others_go_on)
    worker.check()
    assert served(worker) == machine.name(2)


def test_what_a_worker_serves_is_kept_for_it(machine: Machine) -> None:
    machine.serve_each(4)
    slow = machine.workers[0]
    assert (machine.root / "versions" / machine.name(0)).exists()
    slow.check()
    for worker in machine.workers:
        worker.check()
    machine.publish(0)
    slow.check()
    assert {path.name for path in (machine.root / "versions").iterdir()} == {machine.name(0), machine.name(3)}
    last = machine.mirror().versions()[-1]
    with pytest.raises(ArtefactMissing, match="no longer kept"), machine.mirror().opened(last):
        pytest.fail("it is gone")


def test_a_start_waits_for_nobody_where_a_version_is_kept_and_others_are_looked_for(machine: Machine) -> None:
    machine.publish(0)
    machine.worker()
    machine.publish(1)
    with locked(machine.root):
        model = ReloadingModel(machine.mirror(), 0.05)
        model.start(patient=True)
        assert served(model) == machine.name(0)
    until(lambda: served(model) == machine.name(1))
    machine.publish(2)
    until(lambda: served(model) == machine.name(2))
    model.close()


def test_a_start_without_any_version_does_not_wait_for_ever(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.publish(0)
    monkeypatch.setattr("hakken.served_model.START_TIMEOUT", 0.2)
    with locked(machine.root):
        model = ReloadingModel(machine.mirror(), 0)
        model.start(patient=True)
        with pytest.raises(ModelPending):
            model.bundle()
    until(lambda: model.status().loaded is not None)
    assert served(model) == machine.name(0)


class Composed:
    """The composed application on a directory of versions, and its model, to be told when to look."""

    def __init__(self, settings: Settings, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        model = serve_model(settings, web.warm)
        assert isinstance(model, ReloadingModel)
        monkeypatch.setattr("ars_app.serve_model", lambda *_: model)
        self.client, self.model, self._machine = create_app(settings).test_client(), model, machine

    def get(self, page: str) -> Any:
        return self.client.get(page, follow_redirects=True)

    def swap(self, number: int) -> None:
        self._machine.publish(number)
        self.model.check()


@pytest.fixture
def compose(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Composed]:
    """Composes the application, which serves the first version."""
    # A trial takes seconds, on a busy machine longer than a start waits; test_poisoned_models has real ones.
    monkeypatch.setattr("hakken.served_model.try_version", ModelBundle.read)
    settings = Settings(model=str(machine.place), cache_dir=str(tmp_path / "cache"), model_poll=0, facts_source="off")
    machine.publish(0)
    return partial(Composed, settings, machine, monkeypatch)


@pytest.fixture
def composed(compose: Callable[[], Composed]) -> Iterator[Composed]:
    composed = compose()
    yield composed
    composed.model.close()


PAGES = ("/recommendations?sample=1&n=20", "/recommendations?sample=1&format=json", "/picks?q=3&add=7", "/anime/7", "/")


def letters(text: str) -> set[str]:
    """Of which versions an answer shows titles and genres."""
    return set(re.findall(r"\b([A-H]) \d+\b", text)) | set(re.findall(r"Genre([A-H])\b", text))


def test_a_request_in_flight_finishes_wholly_on_the_version_it_began_with(
    composed: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_swap(*asked: Any) -> Any:
        found = make_recommendations(*asked)
        composed.swap(1)
        return found

    for recommending, wanted in ((and_swap, {"A"}), (make_recommendations, {"B"})):
        monkeypatch.setattr("ars_app.make_recommendations", recommending)
        assert letters(composed.get("/recommendations?pick=5-9&pick=9-3&n=20").text) == wanted


def test_under_swaps_every_answer_is_wholly_from_one_version(composed: Composed) -> None:
    over = threading.Event()

    def visit(seed: int) -> list[tuple[int, set[str]]]:
        dice, seen = random.Random(seed), []
        visitor = composed.client.application.test_client()
        while not over.is_set():
            answer = visitor.get(dice.choice(PAGES), follow_redirects=True)
            seen.append((answer.status_code, letters(answer.text)))
        return seen

    with ThreadPoolExecutor(3) as threads:
        visitors = [threads.submit(visit, seed) for seed in range(3)]
        end, swaps = time.monotonic() + 3, 0
        while time.monotonic() < end or swaps < 6:
            composed.swap(swaps % 4)
            swaps += 1
        over.set()
        seen = [one for visitor in visitors for one in visitor.result()]
    assert {status for status, _ in seen} == {200}
    assert not [shown for _, shown in seen if len(shown) > 1]
    assert len({letter for _, shown in seen for letter in shown}) > 1


def test_thirty_swaps_leave_no_more_behind_than_one(composed: Composed) -> None:
    figures, old = [], []
    for turn in range(32):
        old.append(weakref.ref(composed.model.bundle()))
        composed.swap((turn + 1) % 4)
        for page in PAGES:
            assert composed.get(page).status_code == 200
        assert sum(one() is not None for one in old) <= 1, "and that only until the next look"
        mapped = Path("/proc/self/maps").read_text().count(".npy")
        figures.append((mapped, len(list(Path("/proc/self/fd").iterdir()))))
    assert max(mapped for mapped, _ in figures) <= 3 * figures[0][0]
    assert figures[-1][1] <= figures[7][1] + 2


def test_what_only_circles_hold_on_to_is_gone_a_look_later(machine: Machine, worker: ReloadingModel) -> None:
    gc.disable()
    try:
        circle: list[Any] = [worker.bundle()]
        circle.append(circle)
        old = weakref.ref(worker.bundle())
        del circle
        machine.publish(1)
        worker.check()
        assert old() is not None
        worker.check()
        assert old() is None
    finally:
        gc.enable()


def test_readyz_tells_version_age_and_whether_the_last_look_failed(composed: Composed, machine: Machine) -> None:
    ready = composed.get("/readyz").get_json()
    assert ready["model"]["version"] == machine.name(0)
    assert ready["model"]["trained"] == machine.versions[0].manifest.created
    assert ready["model"]["age_seconds"] > 0
    assert ready["latest"].keys() == {"looked", "failed", "reason"}
    assert (ready["latest"]["failed"], ready["latest"]["reason"]) == (False, None)
    shutil.rmtree(machine.place.root)
    composed.model.check()
    ready = composed.get("/readyz").get_json()
    assert ready["status"] == "ready"
    reason = "There is no model where the settings say. This server goes on with the version that it has."
    assert (ready["latest"]["failed"], ready["latest"]["reason"]) == (True, reason)
    assert str(machine.place) not in json.dumps(ready)


def test_where_nothing_can_be_kept_a_directory_is_served_all_the_same(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.publish(0)
    client = create_app(Settings(model=str(machine.place), cache_dir="/proc/none", model_poll=0)).test_client()
    assert client.get("/readyz").get_json()["model"]["version"] == machine.name(0)
    assert "this process keeps to itself" in caplog.text


def test_where_nothing_more_can_be_kept_the_last_model_is_served_until_it_can(
    composed: Composed, compose: Callable[[], Composed], machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(1)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "chmod", fails_with(OSError(errno.EROFS, "Read-only file system")))
        late = compose()
        late.model.check()
    ready = late.get("/readyz").get_json()
    assert (ready["model"]["version"], ready["latest"]["failed"]) == (machine.name(0), True)
    assert isinstance(late.model.status().failed, StorageError)
    late.model.check()
    assert late.get("/readyz").get_json()["model"]["version"] == machine.name(1)


def test_what_is_no_place_leaves_the_app_alive(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        client = create_app(Settings(model="s3://bucket/p")).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert "is not a place for models" in caplog.text
