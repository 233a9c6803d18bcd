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


def signed(change: Poison) -> Poison:
    """Makes the manifest agree with the changed files."""

    def poison(directory: Path) -> None:
        change(directory)
        old = store.read_manifest(directory).manifest
        (directory / "manifest.json").unlink()
        store.write_manifest(directory, old)

    return poison


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Poison:
    @signed
    def poison(directory: Path) -> None:
        path = directory / f"{name}.npy"
        np.save(path, change(np.load(path)))

    return poison


def replaced(cut: slice, value: object) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[cut] = value
        return values

    return change


def first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return replaced(slice(4), value)


def first_line(facts: bytes) -> Poison:
    @signed
    def poison(directory: Path) -> None:
        path = directory / FILE_NAME
        lines = gzip.decompress(path.read_bytes()).splitlines()
        lines[0] = re.sub(rb"\}$", b"," + facts + b"}", lines[0])
        path.write_bytes(gzip.compress(b"\n".join(lines)))

    return poison


@signed
def swelling(directory: Path) -> None:
    mebibyte = gzip.compress(b" " * 2**20)
    (directory / FILE_NAME).write_bytes(mebibyte * 4096)


def manifest(name: str, value: object) -> Poison:
    def poison(directory: Path) -> None:
        path = directory / "manifest.json"
        path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | {name: value}))

    return poison


POISONS: dict[str, Poison] = {
    "a cut that wraps around": array("pref_indptr", replaced(slice(1, 4), (2**63 - 1, -(2**63), -1))),
    "a row longer than the matrix is wide": array("pref_indptr", lambda cuts: np.r_[0, 0 * cuts[1:] + cuts[-1]]),
    "a column beyond the last": array("sim_indices", first(2**16 - 1)),
    "a negative scale": array("sim_scale", first(-1.0)),
    "ids below 1": array("anime_ids", first(-5)),
    "a bias that is no number": array("b_i", first(np.nan)),
    "rows beyond the last": array("attr_rows", first(2**31 - 1)),
    "a part of 2^40": first_line(b'"part":1099511627776'),
    "a year of 2^70": first_line(b'"year":1180591620717411303424'),
    "an archive that unpacks to 4 GB": swelling,
    "a file that is not what the manifest says": lambda at: np.save(at / "b_i.npy", np.zeros(1)),
    "a month that does not exist": manifest("created", "2026-99-99T00:00:00Z"),
    "data of a month that does not exist": manifest("data_time", "2026-77"),
    "a manifest of 4 MB": manifest("hakken_version", "9" * 2**22),
}


@pytest.fixture(params=POISONS)
def poisoned(request: pytest.FixtureRequest, trained: Path, tmp_path: Path) -> Path:
    made = Path(shutil.copytree(trained, tmp_path / "poisoned"))
    POISONS[request.param](made)
    return made


Start = Callable[[], ReloadingModel]


@pytest.fixture
def there(versions: list[Artefact], tmp_path: Path) -> DirectoryStore:
    """A place whose current version is the first, a good one."""
    there = DirectoryStore(tmp_path / "there")
    publish(versions[0], there)
    return there


@pytest.fixture
def start(there: DirectoryStore, tmp_path: Path) -> Start:
    """Starts a worker of a machine that has the good version."""
    settings = Settings(model=str(there), cache_dir=str(tmp_path / "cache"), model_poll=0)
    fetch(there, mirror_directory(settings))  # without a trial, which takes its time

    def start() -> ReloadingModel:
        model = serve_model(settings, web.warm)
        assert isinstance(model, ReloadingModel)
        until(lambda: model.status().looked is not None)
        return model

    return start


def goes_on(model: ReloadingModel, start: Start, good: Artefact) -> bool:
    """Whether a worker, and one that is started now, serve the good version and say that there is a bad one."""
    model.check()
    return all(one.status().failed and one.bundle().model.version == good.version for one in (model, start()))


def test_poison_is_refused_and_the_version_before_served_on(
    poisoned: Path, start: Start, there: DirectoryStore, versions: list[Artefact]
) -> None:
    model = start()
    done = CliRunner().invoke(main, ["publish", "--quiet", "--force", str(poisoned), str(there)])
    assert (done.exit_code, done.stderr[:7], done.stderr.count("\n")) == (1, "Error: ", 1)
    assert store.open_artefact(there.root).version == versions[0].version

    publish(versions[0]._replace(directory=poisoned, version="poisoned"), there)  # as another program could
    assert goes_on(model, start, versions[0])


@pytest.mark.parametrize("name", ["manifest.json", "b_i.npy", "current.json"])
@pytest.mark.parametrize("kind", ["a pipe", "a link to a device"])
def test_what_has_no_end_is_no_file(
    name: str, kind: str, start: Start, there: DirectoryStore, versions: list[Artefact]
) -> None:
    model = start()
    publish(versions[1], there)
    path = there.root / (name if name == "current.json" else f"versions/{versions[1].version}/{name}")
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert goes_on(model, start, versions[0])
    if name != "current.json":
        done = CliRunner().invoke(main, ["publish", "--quiet", str(path.parent), str(there.root / "elsewhere")])
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


def test_what_is_the_current_version_already_is_not_tried_again(
    there: DirectoryStore, versions: list[Artefact], tmp_path: Path
) -> None:
    tried: list[Artefact] = []
    for turn in (0, 0, 1, 1):
        publish(versions[turn], there)
        fetch(there, tmp_path / "here", accept=tried.append)
    assert [one.version for one in tried] == [one.version for one in versions[:2]]
