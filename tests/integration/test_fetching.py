"""Fetching a model: resumed, checked, made current whole; and what is kept, and for how long."""

import os
import random
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
from hakken.bundle import ModelBundle
from hakken.errors import ArtefactCorrupt, ArtefactMissing, StorageError
from hakken.model import store
from hakken.model.store import Artefact
from hakken.registry import storage
from hakken.registry import sync as fetching
from hakken.registry.publish import publish, roll_back
from hakken.registry.storage import DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import PARTIAL_NAME, fetch, held, locked
from tests.integration.bucket import BUCKET, Faults
from tests.serving import ROOT

URI = f"gs://{BUCKET}/p"


@pytest.fixture(params=["bucket", "directory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        return open_store(URI)
    return DirectoryStore(tmp_path / "published")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(0.0))


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


@pytest.mark.parametrize("left", [b"x" * 500, b"", b"y" * 10_000_000])
def test_a_part_that_is_no_part_of_it_is_fetched_anew(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path, left: bytes
) -> None:
    publish(versions[0], place)
    part = tmp_path / "here" / PARTIAL_NAME / versions[0].version
    part.mkdir(parents=True)
    (part / "sim_values.npy").write_bytes(left)
    (part / "b_i.npy").write_bytes(b"whole, it seems")
    fetch(place, tmp_path / "here")
    assert store.open_artefact(tmp_path / "here").version == versions[0].version
    assert not list((tmp_path / "here" / PARTIAL_NAME).iterdir())


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
    place: ObjectStore, versions: list[Artefact], tmp_path: Path, request: pytest.FixtureRequest, change: Any
) -> None:
    publish(versions[0], place)
    name = f"versions/{versions[0].version}/sim_values.npy"
    content = change(place.read(name))
    if isinstance(place, DirectoryStore):
        (place.root / name).unlink()
        (place.root / name).write_bytes(content)
    else:
        request.getfixturevalue("bucket").blob(f"p/{name}").upload_from_string(content)
    with pytest.raises(ArtefactCorrupt, match="not what the manifest says") as caught:
        fetch(place, tmp_path / "here")
    assert caught.value.name == name
    assert sorted(path.name for path in (tmp_path / "here").rglob("*") if path.is_file()) == [".lock"]


def test_a_pointer_to_a_version_that_is_not_there_is_told(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path
) -> None:
    publish(versions[0], place)
    fetch(place, tmp_path / "here")
    place.compare_and_swap(
        "current.json", b'{"version": "none", "manifest_sha256": "%s"}' % (b"0" * 64), place.generation("current.json")
    )
    with pytest.raises(ArtefactMissing, match="no version none"):
        fetch(place, tmp_path / "here")
    assert store.open_artefact(tmp_path / "here").version == versions[0].version


def test_a_certain_version_can_be_fetched(place: ObjectStore, versions: list[Artefact], tmp_path: Path) -> None:
    for one in versions[:2]:
        publish(one, place)
    here, first, second = tmp_path / "here", versions[0].version, versions[1].version
    assert fetch(place, here, first).directory == here / "versions" / first
    assert store.open_artefact(here).version == first
    assert fetch(place, here).version == second
    runner = click.testing.CliRunner()
    done = runner.invoke(main, [str(place), str(here), "--version", first])
    assert done.output.strip() == str(here / "versions" / first)
    for none in ("20990101T000000Z-000000000000", "../../x", ""):
        failed = runner.invoke(main, [str(place), str(here), "--version", none])
        assert failed.exit_code == 1
        assert failed.output.startswith("Error: There is no version")


def test_a_version_under_anothers_name_is_refused(tmp_path: Path, versions: list[Artefact]) -> None:
    shutil.copytree(versions[0].directory, tmp_path / "there" / "versions" / versions[1].version)
    with pytest.raises(ArtefactCorrupt, match="is another's"):
        fetch(DirectoryStore(tmp_path / "there"), tmp_path / "here", versions[1].version)


def test_what_is_installed_is_read_only_and_the_last_two_are_kept(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path
) -> None:
    here = tmp_path / "here"
    for one in versions[:3]:
        publish(one, place)
        got = fetch(place, here)
        assert {stat.S_IMODE(path.stat().st_mode) for path in got.directory.iterdir()} == {0o444}
    assert installed(here) == {versions[1].version, versions[2].version}
    roll_back(place)
    fetch(place, here)
    publish(versions[3], place)
    fetch(place, here)
    assert installed(here) == {versions[1].version, versions[3].version}


def test_a_version_that_someone_holds_is_kept_until_they_let_go(tmp_path: Path, versions: list[Artefact]) -> None:
    place, here = DirectoryStore(tmp_path / "there"), tmp_path / "here"
    publish(versions[0], place)
    first = fetch(place, here)
    with held(first.directory) as is_held:
        assert is_held
        for one in versions[1:3]:
            publish(one, place)
            fetch(place, here)
        assert first.version in installed(here)
    mapped = ModelBundle.read(store.verify(first.directory))
    before = mapped.model.arrays.sim_values.sum()
    publish(versions[3], place)
    fetch(place, here)
    assert installed(here) == {one.version for one in versions[2:]}
    assert mapped.model.arrays.sim_values.sum() == before, "whoever mapped a deleted file goes on with it"
    with held(first.directory) as is_held:
        assert not is_held


def test_what_a_killed_run_left_is_cleared(tmp_path: Path, versions: list[Artefact]) -> None:
    place, here = DirectoryStore(tmp_path / "there"), tmp_path / "here"
    publish(versions[0], place)
    (here / "versions" / ".other.staged-abcdefgh" / "new").mkdir(parents=True)
    (here / PARTIAL_NAME / "other").mkdir(parents=True)
    fetch(place, here)
    assert installed(here) == {versions[0].version}
    assert not list((here / PARTIAL_NAME).iterdir())


def test_an_installed_version_without_its_manifest_is_mended(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path
) -> None:
    here = tmp_path / "here"
    publish(versions[0], place)
    first = fetch(place, here)
    with held(first.directory):
        (first.directory / "manifest.json").unlink()
        assert store.verify(fetch(place, here).directory).version == first.version
    fetch(place, here)
    assert installed(here) == {first.version}, "what was left of it is cleared when nobody holds it"


def test_a_version_without_its_manifest_does_not_count_as_kept(tmp_path: Path, versions: list[Artefact]) -> None:
    place, here = DirectoryStore(tmp_path / "there"), tmp_path / "here"
    for one in versions[:2]:
        publish(one, place)
        fetch(place, here)
    (here / "versions" / versions[1].version / "manifest.json").unlink()
    publish(versions[2], place)
    fetch(place, here)
    assert installed(here) == {versions[0].version, versions[2].version}


def test_whoever_is_killed_while_removing_leaves_no_half_version(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, here = DirectoryStore(tmp_path / "there"), tmp_path / "here"
    for one in versions[:2]:
        publish(one, place)
        fetch(place, here)
    publish(versions[2], place)
    remove = shutil.rmtree

    def killed(path: Path, **options: Any) -> None:
        if ".partial" in str(path) or ".staged-" in str(path):
            return remove(path, **options)
        next(Path(path).rglob("manifest.json")).unlink()
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(SystemExit):
            fetch(place, here)
    assert {name for name in installed(here) if not name.startswith(".")} == {one.version for one in versions[1:3]}
    roll_back(place)
    roll_back(place)
    assert store.verify(fetch(place, here).directory).version == versions[0].version
    assert installed(here) == {versions[0].version}, "the others were taken back"


def test_a_file_that_comes_too_slowly_is_left_for_later(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(versions[0], DirectoryStore(tmp_path / "there"))
    monkeypatch.setattr(storage, "GRACE_SECONDS", -1e9)
    with pytest.raises(StorageError, match="too slowly"):
        fetch(DirectoryStore(tmp_path / "there"), tmp_path / "here")


def test_too_little_room_is_said_before_anything_is_fetched(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = DirectoryStore(tmp_path / "there")
    publish(versions[0], place)
    monkeypatch.setattr(fetching, "_download_file", lambda *_: pytest.fail("nothing is to be copied"))
    monkeypatch.setattr(fetching, "MIN_FREE_BYTES", 10**15)
    with pytest.raises(StorageError, match=r"The model needs [\d,]+ MB of the disk .* MB are free"):
        fetch(place, tmp_path / "here")


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


def test_a_disk_that_is_really_full_harms_nothing(tmp_path: Path, versions: list[Artefact]) -> None:
    there, here = DirectoryStore(tmp_path / "there"), tmp_path / "small"
    for one in versions[:2]:
        publish(one, there)
    (tmp_path / "second.json").write_bytes(there.read("current.json") or b"")
    roll_back(there)
    here.mkdir()
    size = 3 * sum(path.stat().st_size for path in versions[0].directory.iterdir())
    script = f'mount -t tmpfs -o size={size} tmpfs "$1" && exec "$2" -c "$3" "$4" "$1" "$5"'
    command: list[str | Path] = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        "sh",
        here,
        sys.executable,
        FULL_DISK,
        there.root,
    ]
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:  # noqa: S607  # PATH's
        pytest.skip("no disk of our own can be mounted here")
    done = subprocess.run(
        [*command, tmp_path / "second.json"], check=False, capture_output=True, text=True, cwd=ROOT, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr


def test_another_process_that_is_still_fetching_is_told_of(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(versions[0], DirectoryStore(tmp_path / "there"))
    monkeypatch.setattr(fetching, "LOCK_TIMEOUT", 0.05)
    with locked(tmp_path / "here"), pytest.raises(StorageError, match=r"^Another process is still fetching to .*here"):
        fetch(DirectoryStore(tmp_path / "there"), tmp_path / "here")


def test_a_directory_is_not_fetched_to_itself(tmp_path: Path, versions: list[Artefact]) -> None:
    publish(versions[0], DirectoryStore(tmp_path))
    with pytest.raises(StorageError, match="to itself"):
        fetch(DirectoryStore(tmp_path), tmp_path)


def test_many_interruptions_in_any_place_end_in_the_same_bytes(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, copy, dice = DirectoryStore(tmp_path / "there"), DirectoryStore.download, random.Random(7)
    publish(versions[0], place)

    def flaky(self: DirectoryStore, name: str, into: IO[bytes]) -> bool:
        if not name.endswith(".json") and dice.random() < 0.3:
            content = (self.root / name).read_bytes()
            into.write(content[: dice.randrange(len(content) + 1)])
            raise StorageError("Again.")
        return copy(self, name, into)

    monkeypatch.setattr(DirectoryStore, "download", flaky)
    for _ in range(200):
        try:
            fetch(place, tmp_path / "here")
            break
        except StorageError:
            assert not (tmp_path / "here" / "current.json").exists()
    assert store.open_artefact(tmp_path / "here").version == versions[0].version


def test_a_file_that_never_ends_is_not_written_without_end(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(versions[0], DirectoryStore(tmp_path / "there"))
    written = 0

    def endless(_: DirectoryStore, name: str, into: IO[bytes]) -> bool:
        nonlocal written
        if name.endswith(".json"):
            return copy(DirectoryStore(tmp_path / "there"), name, into)
        while written < 100_000_000:
            into.write(bytes(10_000))
            written += 10_000
        return True

    copy = DirectoryStore.download
    monkeypatch.setattr(DirectoryStore, "download", endless)
    with pytest.raises(StorageError, match="damaged on the way"):
        fetch(DirectoryStore(tmp_path / "there"), tmp_path / "here")
    assert written < 1_000_000
