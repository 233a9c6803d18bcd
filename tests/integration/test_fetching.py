"""Fetching a model: resumed, checked, made current whole; and what is kept, and for how long."""

import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import IO, Any

import click.testing
import pytest

import create_gcs_local_file
from create_gcs_local_file import main
from hakken.errors import ArtefactCorrupt, StorageError
from hakken.model import store
from hakken.model.store import Artefact
from hakken.registry.publish import publish, roll_back
from hakken.registry.storage import DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import PARTIAL_NAME, fetch, locked
from tests.integration.bucket import URI, Faults, Put
from tests.serving import ROOT


@pytest.fixture
def there(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "there")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(0.0))


def follow(place: ObjectStore, published: list[Artefact], into: Path) -> None:
    """Have versions published and fetched, one after another."""
    for one in published:
        publish(one, place)
        fetch(place, into)


def installed(into: Path) -> set[str]:
    return {path.name for path in (into / "versions").iterdir()}


def test_a_fetch_that_is_cut_off_at_any_file_goes_on_where_it_was(
    bucket: Any, faults: Faults, versions: list[Artefact], tmp_path: Path
) -> None:
    files = versions[0].manifest.files
    publish(versions[0], open_store(URI))
    faults.seen.clear()
    for number, name in enumerate(files):
        faults.cut = {name: files[name].bytes // 2}
        with pytest.raises(StorageError, match="could not be read"):
            fetch(open_store(URI), tmp_path)
        assert not (tmp_path / "current.json").exists()
        gathered = {path.name for path in (tmp_path / PARTIAL_NAME / versions[0].version).iterdir()}
        assert gathered == set(list(files)[: number + 1])
    faults.cut = {}
    assert store.verify(fetch(open_store(URI), tmp_path).directory).version == versions[0].version
    whole = Counter(one.name.rpartition("/")[2] for one in faults.seen if one.range is None and one.method == "GET")
    assert {name: whole[name] for name in files} == dict.fromkeys(files, 2), "what was whole is not asked for again"


def test_damage_on_the_way_is_not_the_models_fault(
    bucket: Any, faults: Faults, versions: list[Artefact], tmp_path: Path
) -> None:
    publish(versions[0], open_store(URI))
    for hashed, change in (
        (True, lambda content: bytes([content[0] ^ 1]) + content[1:]),
        (False, lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        (False, lambda content: content + b"more"),
    ):
        faults.hashed = hashed
        faults.changed = {"sim_values.npy": change}
        with pytest.raises(StorageError, match="damaged on the way"):
            fetch(open_store(URI), tmp_path)
    faults.clear()
    assert fetch(open_store(URI), tmp_path).version == versions[0].version


@pytest.mark.parametrize("change", [lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b + b"x", lambda b: b[:-5]])
def test_damage_at_the_place_is_told_by_the_files_name(
    place: ObjectStore, put: Put, versions: list[Artefact], tmp_path: Path, change: Any
) -> None:
    publish(versions[0], place)
    name = f"versions/{versions[0].version}/sim_values.npy"
    put(name, change(place.read(name)))
    with pytest.raises(ArtefactCorrupt, match="not what the manifest says") as caught:
        fetch(place, tmp_path / "here")
    assert caught.value.name == name
    assert [path.name for path in (tmp_path / "here").rglob("*") if path.is_file()] == [".lock"]


def test_a_certain_version_can_be_fetched(place: ObjectStore, versions: list[Artefact], tmp_path: Path) -> None:
    for one in versions[:2]:
        publish(one, place)
    here, first, second = tmp_path / "here", versions[0].version, versions[1].version

    def run(*options: str) -> click.testing.Result:
        return click.testing.CliRunner().invoke(main, [str(place), str(here), *options])

    assert fetch(place, here, first).directory == here / "versions" / first
    assert store.open_artefact(here).version == first
    assert run().output.strip() == str(here / "versions" / second)
    assert run("--version", first).output.strip() == str(here / "versions" / first)
    for none in ("20990101T000000Z-000000000000", "../../x", ""):
        failed = run("--version", none)
        assert failed.exit_code == 1
        assert failed.output.startswith("Error: There is no version")


def test_a_version_under_anothers_name_is_refused(
    there: DirectoryStore, versions: list[Artefact], tmp_path: Path
) -> None:
    shutil.copytree(versions[0].directory, there.root / "versions" / versions[1].version)
    with pytest.raises(ArtefactCorrupt, match="is another's"):
        fetch(there, tmp_path / "here", versions[1].version)


def test_what_is_installed_is_read_only_and_the_last_two_are_kept(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path
) -> None:
    here = tmp_path / "here"
    follow(place, versions[:3], here)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (here / "versions").glob("*/*")} == {0o444}
    assert installed(here) == {versions[1].version, versions[2].version}
    roll_back(place)
    fetch(place, here)
    follow(place, versions[3:], here)
    assert installed(here) == {versions[1].version, versions[3].version}


def test_what_a_killed_run_left_is_cleared(there: DirectoryStore, versions: list[Artefact], tmp_path: Path) -> None:
    (tmp_path / "versions" / ".other.staged-abcdefgh" / "new").mkdir(parents=True)
    (tmp_path / PARTIAL_NAME / "other").mkdir(parents=True)
    follow(there, versions[:1], tmp_path)
    assert installed(tmp_path) == {versions[0].version}
    assert not list((tmp_path / PARTIAL_NAME).iterdir())


def test_a_version_without_its_manifest_does_not_count_as_kept(
    there: DirectoryStore, versions: list[Artefact], tmp_path: Path
) -> None:
    follow(there, versions[:2], tmp_path)
    (tmp_path / "versions" / versions[1].version / "manifest.json").unlink()
    follow(there, versions[2:3], tmp_path)
    assert installed(tmp_path) == {versions[0].version, versions[2].version}


def test_whoever_is_killed_while_removing_leaves_no_half_version(
    there: DirectoryStore, versions: list[Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(there, versions[:2], tmp_path)

    def killed(path: Path, **_: Any) -> None:
        next(Path(path).rglob("manifest.json")).unlink()
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(SystemExit):
            follow(there, versions[2:3], tmp_path)
    assert {name for name in installed(tmp_path) if not name.startswith(".")} == {one.version for one in versions[1:3]}
    roll_back(there)
    roll_back(there)
    assert store.verify(fetch(there, tmp_path).directory).version == versions[0].version
    assert installed(tmp_path) == {versions[0].version}, "the others were taken back"


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("storage.GRACE_SECONDS", -1e9, "too slowly"),
        ("sync.MIN_FREE_BYTES", 10**15, r"The model needs [\d,]+ MB of the disk .* MB are free"),
    ],
)
def test_too_slow_a_place_and_too_little_room_are_told_before_anything_is_written(
    there: DirectoryStore,
    versions: list[Artefact],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: float,
    told: str,
) -> None:
    publish(versions[0], there)
    monkeypatch.setattr(f"hakken.registry.{limit}", value)
    with pytest.raises(StorageError, match=told):
        fetch(there, tmp_path / "here")
    assert not [path for path in (tmp_path / "here").rglob("*.npy") if path.stat().st_size]


FULL_DISK = """
import sys
from contextlib import suppress
from pathlib import Path
from hakken.errors import StorageError
from hakken.model import store
from hakken.registry import sync as fetching
from hakken.registry.storage import DirectoryStore

place, here = DirectoryStore(Path(sys.argv[1])), Path(sys.argv[2])
fetching.MIN_FREE_BYTES = -(10**15)  # or it would be said beforehand
good = fetching.fetch(place, here).version
filler = (here / "filler").open("wb", buffering=0)
with suppress(OSError):
    while filler.write(bytes(4096)):
        pass
filler.close()
place.compare_and_swap("current.json", Path(sys.argv[3]).read_bytes(), place.generation("current.json"))
for attempt in range(2):
    try:
        fetching.fetch(place, here)
    except StorageError as error:
        assert "No space left on device" in str(error), error
    else:
        raise AssertionError("there was room")
    assert store.open_artefact(here).version == good
    assert not list((here / ".partial").glob("*/*")), "a full disk is not kept full"
(here / "filler").unlink()
assert fetching.fetch(place, here).version != good
"""


PAGE = 4096
"""Bytes; a file on such a disk takes whole pages."""


def test_a_disk_that_is_really_full_harms_nothing(
    there: DirectoryStore, versions: list[Artefact], tmp_path: Path
) -> None:
    follow(there, versions[:2], tmp_path / "elsewhere")
    (tmp_path / "second.json").write_bytes(there.read("current.json") or b"")
    roll_back(there)
    (tmp_path / "small").mkdir()
    pages = sum(-(-path.stat().st_size // PAGE) for path in versions[0].directory.iterdir())
    size = 5 * PAGE * pages // 2  # one version, half of another, and room for neither more
    script = f'mount -t tmpfs -o size={size} tmpfs "$1" && exec "$2" -c "$3" "$4" "$1" "$5"'
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:  # noqa: S607  # PATH's
        pytest.skip("no disk of our own can be mounted here")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", "small", sys.executable, FULL_DISK, "there", "second.json"],  # noqa: S607  # PATH's
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def test_another_process_that_is_still_fetching_is_told_of(
    there: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hakken.registry.sync.LOCK_TIMEOUT", 0.05)
    with locked(tmp_path / "here"), pytest.raises(StorageError, match=r"^Another process is still fetching to .*here"):
        fetch(there, tmp_path / "here")


def test_a_directory_is_not_fetched_to_itself(there: DirectoryStore) -> None:
    with pytest.raises(StorageError, match="to itself"):
        fetch(there, there.root)


def test_a_file_that_never_ends_is_not_written_without_end(
    there: DirectoryStore, versions: list[Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(versions[0], there)
    download, chunks = DirectoryStore.download, iter([bytes(10_000)] * 1000)

    def endless(self: DirectoryStore, name: str, into: IO[bytes]) -> bool:
        if name.endswith(".json"):
            return download(self, name, into)
        return all(into.write(chunk) for chunk in chunks)

    monkeypatch.setattr(DirectoryStore, "download", endless)
    with pytest.raises(StorageError, match="damaged on the way"):
        fetch(there, tmp_path / "here")
    assert len(list(chunks)) > 900
