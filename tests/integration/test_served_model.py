"""The model that is served, replaced while requests are answered: never half, never a bad one, never back in time."""

import errno
import gc
import json
import logging
import os
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
from typing import IO, Any

import pytest
from flask.testing import FlaskClient

from ars_app import create_app
from hakken import web
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ArtefactRefused, ModelError, ModelPending, StorageError
from hakken.model import manifest as manifests
from hakken.model import store
from hakken.model.store import Artefact
from hakken.registry.publish import publish, roll_back
from hakken.registry.storage import DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import AvailableVersion, Mirror, locked
from hakken.served_model import ReloadingModel
from make_recommendations import make_recommendations
from tests.integration.bucket import BUCKET, Faults

URI = f"gs://{BUCKET}/p"


@pytest.fixture
def there(tmp_path: Path) -> DirectoryStore:
    """A place that nothing was published to."""
    return DirectoryStore(tmp_path / "there")


class Machine:
    """A machine whose workers serve what a place offers."""

    def __init__(self, root: Path, place: ObjectStore, versions: list[Artefact]) -> None:
        self.root = root
        self.place = place
        self.versions = versions
        self.workers: list[ReloadingModel] = []
        self.reachable = True

    def find(self) -> ObjectStore:
        if not self.reachable:
            raise StorageError("The bucket is gone.")
        return self.place

    def worker(self) -> ReloadingModel:
        """One more worker; it looks when it is told, and once at start."""
        model = ReloadingModel(Mirror(self.root, self.find, ModelBundle.read), 0, web.warm)
        model.start(patient=True)
        while model.status().looked is None:
            time.sleep(0.001)
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
def machine(tmp_path: Path, there: DirectoryStore, versions: list[Artefact]) -> Machine:
    return Machine(tmp_path / "here", there, versions)


def served(model: ReloadingModel) -> str:
    return model.bundle().model.version


def spoil(place: DirectoryStore, artefact: Artefact, name: str = "sim_values.npy") -> Path:
    """Change a byte of a published file, as a failing disk would."""
    path = place.root / "versions" / artefact.version / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)
    return path


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models' files that are copied from directories from now on."""
    copied: list[str] = []
    copy = DirectoryStore.download

    def noted(self: DirectoryStore, name: str, into: IO[bytes]) -> bool:
        if not name.endswith(".json"):
            copied.append(name)
        return copy(self, name, into)

    monkeypatch.setattr(DirectoryStore, "download", noted)
    return copied


def test_a_new_version_is_served_after_a_look_and_a_rollback_is_followed(
    machine: Machine, versions: list[Artefact]
) -> None:
    machine.publish(0)
    worker = machine.worker()
    for one in versions[1:3]:
        publish(one, machine.place)
        worker.check()
        assert served(worker) == one.version
        assert worker.status().failed is None
    roll_back(machine.place)
    worker.check()
    assert served(worker) == machine.name(1)
    assert served(machine.worker()) == machine.name(1)


def test_a_version_is_fetched_once_for_all_workers(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.publish(0)
    workers = [machine.worker() for _ in range(4)]
    copied = watched(monkeypatch)
    machine.publish(1)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ReloadingModel.check, workers))
    assert {served(one) for one in workers} == {machine.name(1)}
    assert len(copied) == len(machine.versions[1].manifest.files)


def test_what_a_request_would_wait_for_is_ready_before_the_swap(machine: Machine) -> None:
    machine.publish(0)
    worker = machine.worker()
    machine.publish(1)
    worker.check()
    model = worker.bundle().model
    assert {"weights", "row_priors", "standing", "sim_windows", "weights_by_title"} <= set(vars(model))
    assert {"adult", "year", "types", "genres", "anime_index"} <= set(vars(worker.bundle().facts))
    assert {"series", "stories", "universes", "beside", "lone_films"} <= set(vars(worker.bundle().facts))


def test_a_bad_version_is_refused_told_once_and_never_tried_twice(
    machine: Machine, there: DirectoryStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(0)
    workers = [machine.worker() for _ in range(2)]
    machine.publish(1)
    path = spoil(there, machine.versions[1])
    for worker in workers:
        worker.check()
    copied = watched(monkeypatch)
    for worker in (*workers, *workers, machine.worker()):
        worker.check()
        assert isinstance(worker.status().failed, ArtefactRefused)
        assert served(worker) == machine.name(0)
    assert not copied
    assert caplog.text.count("not what the manifest says") == 1
    # Someone mends the file: these are other bytes.
    path.unlink()
    shutil.copy(machine.versions[1].directory / path.name, path)
    workers[0].check()
    assert served(workers[0]) == machine.name(1)


def too_new(directory: Path) -> Artefact:
    old = store.read_manifest(directory)
    text = manifests.encode(old.manifest).replace(b'"schema_version": 4', b'"schema_version": 5')
    (directory / "manifest.json").write_bytes(text)
    return old._replace(version=manifests.version_of(old.manifest, text))


def not_a_model(directory: Path) -> Artefact:
    """Its checksums are right, and its contents are not."""
    (directory / "b_i.npy").write_bytes(b"no array")
    manifest = store.read_manifest(directory).manifest
    (directory / "manifest.json").unlink()
    return store.write_manifest(directory, manifest)


@pytest.mark.parametrize("made", [too_new, not_a_model])
def test_what_is_whole_and_cant_be_served_is_refused_for_good(
    machine: Machine, tmp_path: Path, made: Any, caplog: Any
) -> None:
    machine.publish(0)
    workers = [machine.worker() for _ in range(2)]
    publish(made(Path(shutil.copytree(machine.versions[1].directory, tmp_path / "made"))), machine.place)
    for worker in (*workers, *workers):
        worker.check()
        assert served(worker) == machine.name(0)
    assert caplog.text.count("The latest model can't be served") == 1
    assert (machine.root / "refused.json").exists()
    assert [path.name for path in (machine.root / "versions").iterdir()] == [machine.name(0)]


def test_what_another_hakken_refused_is_looked_at_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.publish(0)
    with monkeypatch.context() as patched:
        patched.setattr("hakken.registry.sync.READER", "0.0.1/1")
        model = ReloadingModel(Mirror(machine.root, machine.find, _refuse_all), 0)
        model.start(patient=True)
        with pytest.raises(ModelError):
            model.bundle()
    assert served(machine.worker()) == machine.name(0)


@pytest.mark.parametrize("made", [too_new, not_a_model])
def test_what_another_hakken_took_and_this_one_cant_use_is_opened_once(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, made: Any
) -> None:
    machine.publish(0)
    machine.worker()
    theirs = made(Path(shutil.copytree(machine.versions[1].directory, tmp_path / "made")))
    publish(theirs, machine.place)
    shutil.copytree(theirs.directory, machine.root / "versions" / theirs.version)
    current = machine.place.read("current.json")
    assert current
    (machine.root / "current.json").write_bytes(current)
    workers = [machine.worker() for _ in range(2)]
    monkeypatch.setattr(ModelBundle, "read", lambda _: pytest.fail("It was opened before."))
    copied = watched(monkeypatch)
    for worker in (*workers, *workers):
        worker.check()
        assert isinstance(worker.status().failed, ArtefactRefused)
        assert served(worker) == machine.name(0)
    assert not copied
    assert caplog.text.count("The latest model can't be served") == 1
    assert "fetched again" not in caplog.text
    monkeypatch.undo()
    machine.publish(2)
    workers[0].check()
    assert (served(workers[0]), workers[0].status().failed) == (machine.name(2), None)


def test_what_fails_in_the_same_way_is_told_once_until_it_goes_well(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine.publish(0)
    worker = machine.worker()
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


def test_damage_that_was_mended_is_told_once(
    machine: Machine, there: DirectoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    machine.publish(0)
    machine.worker()
    spoil(DirectoryStore(machine.root), machine.versions[0])
    there.root.rename(there.root.with_name("gone"))
    worker = machine.worker()
    worker.check()
    assert "fetched again" not in caplog.text
    there.root.with_name("gone").rename(there.root)
    for one in (worker, worker, machine.worker()):
        one.check()
    assert caplog.text.count("was damaged, and was fetched again") == 1


def fails_with(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


PASSING = [
    ("hashlib.file_digest", OSError(errno.EIO, "Input/output error")),
    ("hakken.model.arrays.np.load", OSError(errno.EMFILE, "Too many open files")),
    ("hakken.model.arrays.np.load", OSError(errno.ENOMEM, "Cannot allocate memory")),
    ("hakken.catalogue.gzip.open", OSError(errno.ENOMEM, "Cannot allocate memory")),
    ("hakken.catalogue.gzip.open", MemoryError()),
]


@pytest.mark.parametrize(("where", "error"), PASSING)
def test_a_machine_that_fails_for_a_moment_refuses_no_version(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    machine.publish(0)
    worker = machine.worker()
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


def test_a_directory_that_cant_be_looked_into_for_a_moment_refuses_no_version(
    machine: Machine, there: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(0)
    worker = machine.worker()
    machine.publish(1)
    stat, is_file, failures = os.stat, os.path.isfile, ["once"]

    def fails(path: Any) -> bool:
        return (
            str(path).startswith(str(there.root))
            and str(path).endswith("b_i.npy")
            and bool(failures and failures.pop())
        )

    def stale(path: Any, *known: Any, **more: Any) -> Any:
        if fails(path):
            raise OSError(errno.ESTALE, "Stale file handle")
        return stat(path, *known, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stale)
        patched.setattr(os.path, "isfile", lambda path: not fails(path) and is_file(path))
        worker.check()
    assert not failures
    assert isinstance(worker.status().failed, StorageError)
    worker.check()
    assert served(worker) == machine.name(1)


def _refuse_all(artefact: Artefact) -> None:
    from hakken.errors import ArtefactCorrupt  # noqa: PLC0415  # here only

    raise ArtefactCorrupt(f"No: {artefact.version}")


def test_a_pointer_to_a_missing_version_changes_nothing_and_is_followed_when_it_comes(
    machine: Machine, there: DirectoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    machine.publish(0)
    worker = machine.worker()
    machine.publish(1)
    moved = there.root / "versions" / machine.name(1)
    moved.rename(there.root / "elsewhere")
    for _ in range(3):
        worker.check()
        assert served(worker) == machine.name(0)
    assert caplog.text.count("There is no version") == 1
    (there.root / "elsewhere").rename(moved)
    worker.check()
    assert (served(worker), worker.status().failed) == (machine.name(1), None)


def test_a_bucket_that_answers_damaged_bytes_for_a_while_is_recovered_from(
    bucket: Any, faults: Faults, versions: list[Artefact], tmp_path: Path
) -> None:
    place = open_store(URI)
    publish(versions[0], place)
    machine = Machine(tmp_path / "here", place, versions)
    worker = machine.worker()
    publish(versions[1], place)
    faults.changed = {"pref_values.npy": lambda content: bytes(len(content))}
    worker.check()
    assert isinstance(worker.status().failed, StorageError)
    assert served(worker) == versions[0].version
    faults.clear()
    worker.check()
    assert served(worker) == versions[1].version


def test_a_file_that_was_damaged_before_a_restart_is_never_served(machine: Machine) -> None:
    machine.serve_each(2)
    spoil(DirectoryStore(machine.root), machine.versions[1])
    machine.reachable = False
    assert served(machine.worker()) == machine.name(0), "the one before is whole"
    machine.reachable = True
    assert served(machine.worker()) == machine.name(1), "which was fetched again"


def test_a_restart_does_not_bring_back_what_was_taken_back(machine: Machine) -> None:
    machine.serve_each(2)
    roll_back(machine.place)
    for worker in machine.workers:
        worker.check()
    spoil(DirectoryStore(machine.root), machine.versions[0])
    machine.reachable = False
    with pytest.raises(StorageError, match="The bucket is gone"):
        machine.worker().bundle()
    machine.reachable = True
    assert served(machine.worker()) == machine.name(0)


def test_a_machine_that_came_later_forgets_what_was_taken_back_too(machine: Machine) -> None:
    machine.publish(0, 1, 2)
    worker = machine.worker()
    roll_back(machine.place)
    worker.check()
    assert [one.version for one in Mirror(machine.root, machine.find, ModelBundle.read).versions()] == [machine.name(1)]


def test_a_file_that_is_damaged_between_fetching_and_opening_is_fetched_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(0)
    worker = machine.worker()
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


def test_a_recycled_worker_never_goes_back_in_time(machine: Machine, there: DirectoryStore) -> None:
    machine.publish(0)
    slow = machine.worker()
    machine.publish(1)
    machine.worker()
    assert served(slow) == machine.name(0)
    there.root.rename(there.root.with_name("gone"))
    assert served(machine.worker()) == machine.name(1)
    slow.check()
    assert served(slow) == machine.name(1), "what another worker fetched is served though the bucket is gone"


def test_a_worker_that_read_the_pointer_too_early_does_not_turn_it_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.publish(0)
    slow = machine.worker()
    machine.publish(1)
    find = Mirror._find  # noqa: SLF001  # the moment between reading the pointer and waiting for the lock

    def others_go_on(self: Mirror, remote: ObjectStore) -> AvailableVersion:
        found = find(self, remote)
        monkeypatch.setattr(Mirror, "_find", find)
        machine.publish(2)
        machine.worker()
        return found

    monkeypatch.setattr(Mirror, "_find", others_go_on)
    slow.check()
    assert served(slow) == machine.name(2)


def test_what_a_worker_serves_is_kept_for_it(machine: Machine, versions: list[Artefact]) -> None:
    machine.publish(0)
    slow = machine.worker()
    for one in versions[1:]:
        publish(one, machine.place)
        machine.worker()
    assert (machine.root / "versions" / machine.name(0)).exists()
    slow.check()
    for worker in machine.workers:
        worker.check()
    machine.publish(0)
    slow.check()
    assert {path.name for path in (machine.root / "versions").iterdir()} == {
        machine.name(0),
        machine.name(3),
    }


def test_without_any_version_the_reason_is_told(machine: Machine) -> None:
    machine.reachable = False
    worker = machine.worker()
    for _ in range(2):
        with pytest.raises(StorageError, match="The bucket is gone"):
            worker.bundle()
    asked = threading.Event()

    def silent() -> ObjectStore:
        asked.wait()
        return machine.find()

    pending = ReloadingModel(Mirror(machine.root, silent, ModelBundle.read), 0)
    pending.start(patient=False)
    with pytest.raises(ModelPending):
        pending.bundle()
    asked.set()


def test_a_start_waits_for_nobody_where_a_version_is_kept(machine: Machine) -> None:
    machine.publish(0)
    machine.worker()
    machine.publish(1)
    with locked(machine.root):
        model = ReloadingModel(Mirror(machine.root, machine.find, ModelBundle.read), 0)
        begun = time.monotonic()
        model.start(patient=True)
        assert time.monotonic() - begun < 5
        assert served(model) == machine.name(0)
    eventually(lambda: served(model) == machine.name(1))


def test_a_start_without_any_version_does_not_wait_for_ever(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.publish(0)
    monkeypatch.setattr("hakken.served_model.START_TIMEOUT", 0.2)
    with locked(machine.root):
        model = ReloadingModel(Mirror(machine.root, machine.find, ModelBundle.read), 0)
        model.start(patient=True)
        with pytest.raises(ModelPending):
            model.bundle()
    eventually(lambda: model.status().loaded is not None)
    assert served(model) == machine.name(0)


def serves(model: ReloadingModel, version: Artefact) -> bool:
    return served(model) == version.version


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_looks_by_itself_as_often_as_it_is_told(machine: Machine, versions: list[Artefact]) -> None:
    machine.publish(0)
    model = ReloadingModel(Mirror(machine.root, machine.find, ModelBundle.read), 0.05)
    model.start(patient=False)
    try:
        eventually(lambda: model.status().loaded is not None)
        for one in versions[1:3]:
            publish(one, machine.place)
            eventually(partial(serves, model, one))
    finally:
        model.close()


@pytest.fixture
def compose(
    tmp_path: Path, there: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[FlaskClient, ReloadingModel]]:
    """Makes the composed application on a directory of versions, and its model, to be told when to look."""
    made: list[ReloadingModel] = []
    start = ReloadingModel.start

    def noted(self: ReloadingModel, *, patient: bool) -> None:
        made.append(self)
        start(self, patient=patient)

    monkeypatch.setattr(ReloadingModel, "start", noted)
    # A trial takes seconds, on a busy machine longer than a start waits; test_poisoned_models has real ones.
    monkeypatch.setattr("hakken.served_model.try_version", ModelBundle.read)
    settings = Settings(model=str(there), cache_dir=str(tmp_path / "cache"), model_poll=0, facts_source="off")
    return lambda: (create_app(settings).test_client(), made[-1])


@pytest.fixture
def swapped(
    compose: Callable[[], tuple[FlaskClient, ReloadingModel]], there: DirectoryStore, versions: list[Artefact]
) -> Iterator[tuple[FlaskClient, ReloadingModel]]:
    publish(versions[0], there)
    client, model = compose()
    yield client, model
    model.close()


PAGES = ("/recommendations?sample=1&n=20", "/recommendations?sample=1&format=json", "/picks?q=3&add=7", "/anime/7", "/")


def letters(text: str) -> set[str]:
    """Of which versions an answer shows titles and genres."""
    return set(re.findall(r"\b([A-H]) \d+\b", text)) | set(re.findall(r"Genre([A-H])\b", text))


def test_a_request_in_flight_finishes_wholly_on_the_version_it_began_with(
    swapped: tuple[FlaskClient, ReloadingModel],
    there: DirectoryStore,
    versions: list[Artefact],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, model = swapped
    use_case = make_recommendations

    def and_swap(*asked: Any) -> Any:
        found = use_case(*asked)
        publish(versions[1], there)
        model.check()
        return found

    with monkeypatch.context() as patched:
        patched.setattr("ars_app.make_recommendations", and_swap)
        answer = client.get("/recommendations?pick=5-9&pick=9-3&n=20", follow_redirects=True)
    assert letters(answer.text) == {"A"}
    after = client.get("/recommendations?pick=5-9&pick=9-3&n=20", follow_redirects=True)
    assert letters(after.text) == {"B"}


def test_under_swaps_every_answer_is_wholly_from_one_version(
    swapped: tuple[FlaskClient, ReloadingModel], there: DirectoryStore, versions: list[Artefact]
) -> None:
    client, model = swapped
    over = threading.Event()
    app = client.application

    def visit(seed: int) -> list[tuple[str, int, set[str]]]:
        dice, seen = random.Random(seed), []
        visitor = app.test_client()
        while not over.is_set():
            page = dice.choice(PAGES)
            answer = visitor.get(page, follow_redirects=True)
            seen.append((page, answer.status_code, letters(answer.text)))
        return seen

    with ThreadPoolExecutor(3) as threads:
        visitors = [threads.submit(visit, seed) for seed in range(3)]
        end, swaps = time.monotonic() + 3, 0
        while time.monotonic() < end or swaps < 6:
            publish(versions[swaps % 4], there)
            model.check()
            swaps += 1
        over.set()
        seen = [one for visitor in visitors for one in visitor.result()]
    assert {status for _, status, _ in seen} == {200}
    assert not [one for one in seen if len(one[2]) > 1]
    assert len({letter for *_, shown in seen for letter in shown}) > 1


def mapped_files() -> int:
    return Path("/proc/self/maps").read_text().count(".npy")


def resident() -> int:
    """Bytes of this process's own, files left out."""
    [kb] = re.findall(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(kb)


def test_thirty_swaps_leave_no_more_behind_than_one(
    swapped: tuple[FlaskClient, ReloadingModel], there: DirectoryStore, versions: list[Artefact]
) -> None:
    client, model = swapped
    figures, old = [], []
    for turn in range(32):
        old.append(weakref.ref(model.bundle()))
        publish(versions[(turn + 1) % 4], there)
        model.check()
        for page in PAGES:
            assert client.get(page, follow_redirects=True).status_code == 200
        assert sum(one() is not None for one in old) <= 1, "and that only until the next look"
        figures.append((mapped_files(), resident(), len(list(Path("/proc/self/fd").iterdir()))))
    begun, ended = figures[7], figures[-1]
    assert max(one[0] for one in figures) <= 3 * figures[0][0]
    assert ended[2] <= begun[2] + 2
    assert ended[1] - begun[1] < 6 * 2**20, "a model of this size, thirty times, would be more"


def test_what_only_circles_hold_on_to_is_gone_a_look_later(machine: Machine) -> None:
    machine.publish(0)
    worker = machine.worker()
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


def test_what_is_left_of_a_request_does_not_hold_on_to_the_model(
    swapped: tuple[FlaskClient, ReloadingModel], there: DirectoryStore, versions: list[Artefact]
) -> None:
    client, model = swapped
    old = weakref.ref(model.bundle())
    gc.disable()
    try:
        client.get("/recommendations?sample=1")
        publish(versions[1], there)
        model.check()
        assert old() is None
    finally:
        gc.enable()


def test_readyz_tells_version_age_and_whether_the_last_look_failed(
    swapped: tuple[FlaskClient, ReloadingModel], there: DirectoryStore, versions: list[Artefact]
) -> None:
    client, model = swapped
    ready = client.get("/readyz").get_json()
    assert ready["model"]["version"] == versions[0].version
    assert ready["model"]["trained"] == versions[0].manifest.created
    assert ready["model"]["age_seconds"] > 0
    assert ready["latest"].keys() == {"looked", "failed", "reason"}
    assert (ready["latest"]["failed"], ready["latest"]["reason"]) == (False, None)
    shutil.rmtree(there.root)
    model.check()
    ready = client.get("/readyz").get_json()
    assert ready["status"] == "ready"
    reason = "There is no model where the settings say. This server goes on with the version that it has."
    assert (ready["latest"]["failed"], ready["latest"]["reason"]) == (True, reason)
    assert str(there.root) not in json.dumps(ready)


def test_where_nothing_can_be_kept_a_directory_is_served_all_the_same(
    there: DirectoryStore, versions: list[Artefact], caplog: pytest.LogCaptureFixture
) -> None:
    publish(versions[0], there)
    client = create_app(Settings(model=str(there), cache_dir="/proc/none", model_poll=0)).test_client()
    assert client.get("/readyz").get_json()["model"]["version"] == versions[0].version
    assert "this process keeps to itself" in caplog.text


def test_where_nothing_more_can_be_kept_the_last_model_is_served_until_it_can(
    swapped: tuple[FlaskClient, ReloadingModel],
    compose: Callable[[], tuple[FlaskClient, ReloadingModel]],
    there: DirectoryStore,
    versions: list[Artefact],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(versions[1], there)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "chmod", fails_with(OSError(errno.EROFS, "Read-only file system")))
        client, model = compose()
        model.check()
    ready = client.get("/readyz").get_json()
    assert ready["model"]["version"] == versions[0].version
    assert ready["latest"]["failed"]
    assert isinstance(model.status().failed, StorageError)
    model.check()
    assert client.get("/readyz").get_json()["model"]["version"] == versions[1].version


def test_what_is_no_place_leaves_the_app_alive(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        client = create_app(Settings(model="s3://bucket/p")).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert "is no place for models" in caplog.text
