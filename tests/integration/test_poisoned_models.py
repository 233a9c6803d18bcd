"""Models that are whole by their checksums and yet harm whoever opens them: refused, and the one before served on."""

import gzip
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from hakken import web
from hakken.catalogue import FILE_NAME
from hakken.cli.main import main
from hakken.config import Settings
from hakken.errors import ArtefactCorrupt, StorageError
from hakken.model import store
from hakken.model.store import Artefact
from hakken.registry.publish import publish
from hakken.registry.storage import DirectoryStore
from hakken.registry.sync import fetch
from hakken.registry.trial import try_version
from hakken.served_model import ReloadingModel, mirror_directory, serve_model
from tests.serving import until

ROOT = Path(__file__).parents[2]
Poison = Callable[[Path], None]
"""Changes the files of a model."""


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Poison:
    def poison(directory: Path) -> None:
        path = directory / f"{name}.npy"
        changed = change(np.load(path).copy())
        path.unlink()
        np.save(path, changed)

    return poison


def first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[: min(4, len(values))] = value
        return values

    return change


def wrapping(indptr: np.ndarray) -> np.ndarray:
    indptr[1:4] = 2**63 - 1, -(2**63), -1
    return indptr


def one_row(indptr: np.ndarray) -> np.ndarray:
    indptr[1:] = indptr[-1]
    return indptr


def first_line(facts: bytes) -> Poison:
    def poison(directory: Path) -> None:
        path = directory / FILE_NAME
        lines = gzip.decompress(path.read_bytes()).splitlines()
        lines[0] = re.sub(rb"\}$", b"," + facts + b"}", lines[0])
        path.write_bytes(gzip.compress(b"\n".join(lines)))

    return poison


def swelling(directory: Path) -> None:
    mebibyte = gzip.compress(b" " * 2**20)
    (directory / FILE_NAME).write_bytes(mebibyte * 4096)


def manifest(name: str, value: object) -> Poison:
    def poison(directory: Path) -> None:
        path = directory / "manifest.json"
        path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | {name: value}))

    return poison


POISONS: dict[str, Poison] = {
    "a cut that wraps around": array("pref_indptr", wrapping),
    "a row longer than the matrix is wide": array("pref_indptr", one_row),
    "a column beyond the last": array("sim_indices", first(2**16 - 1)),
    "a negative scale": array("sim_scale", first(-1.0)),
    "ids below 1": array("anime_ids", first(-5)),
    "a bias that is no number": array("b_i", first(np.nan)),
    "rows beyond the last": array("attr_rows", first(2**31 - 1)),
    "a part of 2^40": first_line(b'"part":1099511627776'),
    "a year of 2^70": first_line(b'"year":1180591620717411303424'),
    "an archive that unpacks to 4 GB": swelling,
}
POISONED_MANIFESTS: dict[str, Poison] = {
    "a month that does not exist": manifest("created", "2026-99-99T00:00:00Z"),
    "data of a month that does not exist": manifest("data_time", "2026-77"),
    "a manifest of 4 MB": manifest("hakken_version", "9" * 2**22),
}


@pytest.fixture(params=[*POISONS, *POISONED_MANIFESTS])
def poisoned(request: pytest.FixtureRequest, trained: Path, tmp_path: Path) -> Path:
    made = tmp_path / "poisoned"
    shutil.copytree(trained, made)
    old = store.read_manifest(made).manifest
    if request.param in POISONS:
        POISONS[request.param](made)
        (made / "manifest.json").unlink()
        store.write_manifest(made, old)
    else:
        POISONED_MANIFESTS[request.param](made)
    return made


def offer(directory: Path, there: DirectoryStore) -> None:
    """Publish whatever it is, as another program could."""
    shutil.copytree(directory, there.root / "versions" / "poisoned")
    digest = store.describe_file(directory / "manifest.json").sha256
    (there.root / "current.json").write_bytes(msgspec.json.encode({"version": "poisoned", "manifest_sha256": digest}))


class Machine:
    """A machine that serves what a directory offers: the first of the versions."""

    def __init__(self, root: Path, versions: list[Artefact]) -> None:
        self.there = DirectoryStore(root / "there")
        self.good = versions[0].version
        self._cache = root / "cache"

    def start(self) -> ReloadingModel:
        settings = Settings(model=str(self.there.root), cache_dir=str(self._cache), model_poll=0)
        model = serve_model(settings, web.warm)
        assert isinstance(model, ReloadingModel)
        until(lambda: model.status().looked is not None)
        return model

    def goes_on(self, model: ReloadingModel) -> bool:
        """Whether a worker, and one that is started now, serve the good version and say that there is a bad one."""
        model.check()
        return all(one.status().failed and one.bundle().model.version == self.good for one in (model, self.start()))


@pytest.fixture
def machine(tmp_path: Path, versions: list[Artefact]) -> Machine:
    machine = Machine(tmp_path, versions)
    publish(versions[0], machine.there)
    root = mirror_directory(Settings(model=str(machine.there.root), cache_dir=str(tmp_path / "cache")))
    fetch(machine.there, root)  # without a trial, which takes its time
    return machine


def test_poison_is_refused_and_the_version_before_served_on(poisoned: Path, machine: Machine) -> None:
    model = machine.start()
    done = CliRunner().invoke(main, ["publish", "--quiet", "--force", str(poisoned), str(machine.there.root)])
    assert (done.exit_code, done.stderr[:7], done.stderr.count("\n")) == (1, "Error: ", 1)
    assert store.open_artefact(machine.there.root).version == machine.good

    offer(poisoned, machine.there)
    assert machine.goes_on(model)


@pytest.mark.parametrize("name", ["manifest.json", "b_i.npy", "current.json"])
@pytest.mark.parametrize("kind", ["a pipe", "a link to a device"])
def test_what_has_no_end_is_no_file(
    name: str, kind: str, machine: Machine, versions: list[Artefact], tmp_path: Path
) -> None:
    model = machine.start()
    publish(versions[1], machine.there)
    path = machine.there.root / (name if name == "current.json" else f"versions/{versions[1].version}/{name}")
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    assert machine.goes_on(model)
    if name != "current.json":
        local = path.parent
        done = CliRunner().invoke(main, ["publish", "--quiet", str(local), str(tmp_path / "elsewhere")])
        assert (done.exit_code, done.stderr[:7]) == (1, "Error: ")


LOWER_LIMIT = """
import resource
from hakken.registry.trial import limit_process
resource.setrlimit(resource.RLIMIT_CPU, (9, 9))
limit_process(HERE)
sys.exit(str(resource.getrlimit(resource.RLIMIT_CPU)))
"""


@pytest.mark.parametrize(
    ("program", "error", "sentence"),
    [
        ("import os; os.kill(os.getpid(), 11)", ArtefactCorrupt, "Segmentation fault"),
        ("import os; os.kill(os.getpid(), 9)", StorageError, "was killed"),
        ("import os; os.kill(os.getpid(), 15)", StorageError, "was killed"),
        ("import time; time.sleep(60)", ArtefactCorrupt, "longer than 1 seconds"),
        ("raise OverflowError('too large')", ArtefactCorrupt, "OverflowError: too large"),
        ("import os; os._exit(0)", StorageError, "how its process ended is unknown"),
        (
            "import ars_app as a; a.try_version = lambda _: open('/proc/none', 'w'); sys.exit(a.main(HERE))",
            StorageError,
            "No such file or directory: '/proc/none'",
        ),
        ("import hakken.registry.trial as t; t.limit_process(HERE); bytearray(2**40)", ArtefactCorrupt, "MemoryError"),
        (LOWER_LIMIT, ArtefactCorrupt, r"\(9, 9\)"),
    ],
)
def test_whatever_becomes_of_the_trial_is_one_sentence(  # the table's columns, and fixtures
    program: str,
    error: type[Exception],
    sentence: str,
    versions: list[Artefact],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    application = tmp_path / "application.py"
    start = f"import sys, pathlib; sys.path.insert(0, {str(ROOT)!r}); HERE = pathlib.Path(sys.argv[1])"
    application.write_text(f"{start}\n{program}\n")
    monkeypatch.setattr("hakken.registry.trial.APPLICATION", application)
    monkeypatch.setattr("hakken.registry.trial.SECONDS", 1 if "sleep" in program else 30)
    with pytest.raises(error, match=sentence):
        try_version(versions[0])


def test_what_is_whole_passes_and_no_visit_is_counted(
    versions: list[Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    try_version(versions[0])
    assert not list(tmp_path.iterdir())


def test_what_is_the_current_version_already_is_not_tried_again(versions: list[Artefact], tmp_path: Path) -> None:
    there = DirectoryStore(tmp_path / "there")
    tried: list[Artefact] = []
    for turn in (0, 0, 1, 1):
        publish(versions[turn], there)
        fetch(there, tmp_path / "here", accept=tried.append)
    assert [one.version for one in tried] == [one.version for one in versions[:2]]
