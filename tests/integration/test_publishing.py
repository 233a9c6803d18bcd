"""Publishing a model: to a bucket and to a directory alike, whatever comes between."""

import hashlib
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click.testing
import msgspec
import pytest

import create_gcs_local_file
from hakken.cli.main import main
from hakken.errors import (
    ArtefactCorrupt,
    LessThanServed,
    ModelError,
    NothingBefore,
    PublishedMeanwhile,
    PublishError,
    StorageError,
)
from hakken.model import store
from hakken.model.manifest import Manifest
from hakken.model.store import MAX_PREVIOUS, Artefact, VersionRef, succeed
from hakken.registry.publish import check_no_regression, file_sizes, publish, read_state, roll_back
from hakken.registry.storage import DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import fetch, locked
from tests.integration.bucket import URI, Faults, Put


@pytest.fixture
def there(versions: list[Artefact], tmp_path: Path) -> DirectoryStore:
    """A directory with a version."""
    store = DirectoryStore(tmp_path / "there")
    publish(versions[0], store)
    return store


def current(place: ObjectStore) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.read("current.json") or b"{}")
    return found


def test_what_is_published_can_be_fetched_and_has_the_layout_that_is_documented(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path
) -> None:
    first = versions[0]
    told: list[int] = []
    done = publish(first, place, told.append)
    assert done == (first.version, len(first.manifest.files) + 1, True)
    assert told == list(file_sizes(first).values())
    digest = store.describe_file(first.directory / "manifest.json").sha256
    assert current(place) == {"version": first.version, "manifest_sha256": digest}
    mark = place.generation("current.json")
    assert publish(first, place) == (first.version, 0, False), "what is current already is left as it is"
    assert place.generation("current.json") == mark
    fetched = fetch(place, tmp_path / "here")
    for path in first.directory.iterdir():
        content = path.read_bytes()
        assert place.read(f"versions/{first.version}/{path.name}") == content
        assert (fetched.directory / path.name).read_bytes() == content


def test_a_rollback_goes_back_one_version_at_a_time_and_forgets_what_it_took_back(
    place: ObjectStore, versions: list[Artefact]
) -> None:
    names = [one.version for one in versions[:3]]
    with pytest.raises(NothingBefore, match="Nothing was published"):
        roll_back(place)
    for one in versions[:3]:
        publish(one, place)
    assert roll_back(place) == (names[2], names[1])
    assert roll_back(place) == (names[1], names[0])
    with pytest.raises(NothingBefore, match="no version before"):
        roll_back(place)
    assert current(place)["version"] == names[0]
    assert publish(versions[2], place) == (names[2], 0, True)
    assert roll_back(place) == (names[2], names[0])


def test_only_some_versions_are_remembered() -> None:
    current = None
    for number in range(2 * MAX_PREVIOUS):
        current = succeed(current, VersionRef(f"v{number % 15}", "0" * 64))
    assert current
    assert [one.version for one in current.previous] == [f"v{number}" for number in (3, 2, 1, 0, 14, 13, 12, 11, 10, 9)]


@pytest.mark.parametrize(("name", "told"), [("b_i.npy", "lacks b_i.npy"), ("manifest.json", "no longer at")])
def test_a_version_before_that_is_no_longer_whole_is_not_gone_back_to(
    place: ObjectStore, put: Put, versions: list[Artefact], name: str, told: str
) -> None:
    for one in versions[:2]:
        publish(one, place)
    put(f"versions/{versions[0].version}/{name}", None)
    with pytest.raises(ArtefactCorrupt, match=told):
        roll_back(place)
    assert current(place)["version"] == versions[1].version


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("versions/{}/b_i.npy", ArtefactCorrupt, "is never overwritten"),
        ("current.json", ArtefactCorrupt, "The pointer current.json can't be read"),
        ("manifest.json", PublishError, "holds a model itself"),
    ],
)
def test_what_is_there_is_never_overwritten(
    place: ObjectStore, put: Put, versions: list[Artefact], name: str, error: type[ModelError], told: str
) -> None:
    name = name.format(versions[0].version)
    put(name, b"{")
    with pytest.raises(error, match=told):
        publish(versions[0], place)
    place.upload(name, versions[0].directory / "b_i.npy")
    assert place.read(name) == b"{"


def test_an_interrupted_publication_goes_on_where_it_was(
    bucket: Any, faults: Faults, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(0.0))
    names = [*versions[0].manifest.files, "manifest.json", "current.json"]
    place = open_store(URI)
    for number, name in enumerate(names):
        faults.status = {("POST", name): 503}
        faults.seen.clear()
        with pytest.raises(StorageError, match="could not be written"):
            publish(versions[0], place)
        assert faults.asked("POST") == names[max(0, number - 1) : number + 1], "all before were there"
        assert not current(place)
    faults.status = {}
    assert publish(versions[0], place).uploaded == 0
    assert current(place)["version"] == versions[0].version


@pytest.mark.parametrize("begun", [0, 2])
def test_of_two_publishers_at_once_the_second_is_refused(
    place: ObjectStore, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch, begun: int
) -> None:
    """The very first of all too, and a rollback that comes too late."""
    faster, slower = versions[2:]
    for one in versions[:begun]:
        publish(one, place)
    at_first = read_state(place)
    publish(faster, place)
    with monkeypatch.context() as patched:
        patched.setattr("hakken.registry.publish.read_state", lambda _: at_first)
        for late in (lambda: publish(slower, place), lambda: roll_back(place))[: begun or 1]:
            with pytest.raises(PublishedMeanwhile, match="in the meantime"):
                late()
    assert current(place)["version"] == faster.version
    assert publish(slower, place) == (slower.version, 0, True)


def test_while_someone_else_writes_the_pointer_nobody_else_does(
    there: DirectoryStore, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hakken.registry.storage.LOCK_TIMEOUT", 0.05)
    with locked(there.root), pytest.raises(PublishedMeanwhile, match="Someone else is publishing"):
        publish(versions[1], there)
    assert current(there)["version"] == versions[0].version


def test_an_upload_whose_answer_was_lost_counts(
    bucket: Any, faults: Faults, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(5).with_delay(0.01))
    faults.stored_unheard = True
    assert publish(versions[0], open_store(URI)).moved
    assert current(open_store(URI))["version"] == versions[0].version
    assert bucket.get_blob("p/current.json").cache_control == "no-store", "or readers of a public one get an old one"


# Held against what is served


def described(artefact: Artefact, data_time: str | None, **sizes: int) -> Manifest:
    """A manifest with other figures."""
    old = artefact.manifest
    return msgspec.structs.replace(old, sizes=msgspec.structs.replace(old.sizes, **sizes), data_time=data_time)


def remade(artefact: Artefact, root: Path, data_time: str, **sizes: int) -> Artefact:
    """The same model with other figures."""
    directory = Path(shutil.copytree(artefact.directory, root / data_time))
    (directory / "manifest.json").unlink()
    return store.write_manifest(directory, described(artefact, data_time, **sizes))


@pytest.mark.parametrize(
    ("served", "new", "told"),
    [
        ("2026-03", "2025", "from March 2026 to 2025"),
        ("2026-03", None, "from March 2026 to unknown"),
        ("2026-03", "2026", ""),
        ("2025-12", "2026", ""),
        (None, None, ""),
    ],
)
def test_older_data_fall_behind_and_so_do_those_of_unknown_time(
    versions: list[Artefact], served: str | None, new: str | None, told: str
) -> None:
    with pytest.raises(LessThanServed, match=f"data time {told}") if told else nullcontext():
        check_no_regression(*(described(versions[0], time) for time in (served, new)))


def test_the_command_shows_both_and_refuses_what_falls_behind(versions: list[Artefact], tmp_path: Path) -> None:
    root, target = tmp_path / "remade", tmp_path / "there"
    place = DirectoryStore(target)
    big = remade(versions[0], root, "2026-03", users=70_000, items=10_000, entries=9_000_000)
    small = remade(versions[1], root, "2026-02-28", users=55_999, items=8_000, entries=9_000_001)
    assert "→" not in run(big.directory, target).stdout, "there is nothing to compare with"
    mark = place.generation("current.json")
    told = (
        "Error: The model falls behind the one that is served: people from 70,000 to 55,999, data time from March 2026 "
        "to 28 February 2026. Nothing was uploaded; --force publishes it anyway.\n"
    )
    table = (
        "people      70,000 → 55,999\n"
        "titles      10,000 → 8,000\n"
        "entries     9,000,000 → 9,000,001\n"
        "data time   March 2026 → 28 February 2026\n"
    )
    refused = run(small.directory, target)
    assert (refused.exit_code, refused.stdout) == (4, table)
    assert refused.stderr == f"checking the model\n{told}"
    quiet = run("--quiet", small.directory, target)
    assert (quiet.exit_code, quiet.output) == (4, told)
    assert place.generation("current.json") == mark
    assert place.read(f"versions/{small.version}/manifest.json") is None
    forced = run("--force", small.directory, target)
    assert (forced.exit_code, forced.stdout.startswith(table)) == (0, True)
    assert current(place)["version"] == small.version
    assert run(big.directory, target).exit_code == 0, "more is not refused"
    assert run("--rollback", target).exit_code == 0, "nor is going back"
    assert current(place)["version"] == small.version


def changed(place: DirectoryStore, version: str, text: bytes | None) -> None:
    """Put another manifest in the place of a version's; the pointer agrees."""
    path = place.root / "versions" / version / "manifest.json"
    path.unlink()
    if text is not None:
        path.write_bytes(text)
    pointer = {"version": version, "manifest_sha256": hashlib.sha256(text or b"").hexdigest()}
    (place.root / "current.json").write_text(json.dumps(pointer))


@pytest.mark.parametrize(
    ("text", "told", "status"),
    [
        (None, "is no longer at", 0),
        (b"{", "manifest can't be read", 0),
        (b'{"schema_version": 2, "sizes": {"users": 9000000}}', "train it again", 0),
        (b'{"schema_version": 99}', "The model has schema version 99", 4),
    ],
)
def test_what_cant_be_compared_is_told_and_replaced_a_later_hakkens_only_by_force(
    versions: list[Artefact], there: DirectoryStore, text: bytes | None, told: str, status: int
) -> None:
    changed(there, versions[0].version, text)
    done = run(versions[1].directory, there.root)
    assert done.exit_code == status
    assert "can't be compared: " in done.output
    assert told in done.output
    if status:
        assert done.stderr.endswith("Nothing was uploaded; --force publishes it anyway.\n")
        assert not (there.root / "versions" / versions[1].version).exists()
        assert run("--force", "--quiet", versions[1].directory, there.root).output == ""
    assert current(there)["version"] == versions[1].version


def test_a_manifest_that_cant_be_had_just_now_is_a_failure(
    versions: list[Artefact], there: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StorageError("Not now.")

    monkeypatch.setattr("hakken.registry.publish.read_manifest", fails)
    done = run("--force", versions[1].directory, there.root)
    assert (done.exit_code, "Not now." in done.stderr) == (1, True)
    assert current(there)["version"] == versions[0].version


def test_who_publishes_between_the_comparison_and_the_upload_is_not_overwritten(
    versions: list[Artefact], there: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hakken.registry.publish.check_no_regression", lambda *_: publish(versions[2], there))
    done = run(versions[1].directory, there.root)
    assert (done.exit_code, "Check which version is current there before you try again." in done.stderr) == (3, True)
    assert current(there)["version"] == versions[2].version


# The command


def run(*arguments: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["publish", *map(str, arguments)])


def test_the_command_publishes_and_takes_back(bucket: Any, versions: list[Artefact], tmp_path: Path) -> None:
    first, second = versions[:2]
    n_files = len(first.manifest.files) + 1  # and the manifest
    for target in (URI, tmp_path / "there"):
        done = run(first.directory, target)
        told = (
            f"{first.version} is the current version at {target}; {n_files} files were uploaded. It was also "
            "trained on the people that `refresh` judges models by; see `train --hold-out`.\n"
        )
        assert (done.exit_code, done.stdout) == (0, told)
        assert done.stderr.splitlines() == ["checking the model", "uploading"]
        quiet = run("--quiet", second.directory, target)
        assert (quiet.exit_code, quiet.output) == (0, "")
        told = f"{first.version} is the current version at {target} again, and {second.version} is not.\n"
        assert run("--rollback", target).output == told
        again = run("--rollback", target)
        assert (again.exit_code, "There is no version before" in again.output) == (1, True)


@pytest.mark.parametrize("arguments", ["", "a", "a b c", "--rollback", "--rollback a b", "--rollback --force a"])
def test_the_command_says_how_it_is_used(arguments: str) -> None:
    assert run(*arguments.split()).exit_code == 2
