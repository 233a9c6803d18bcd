"""Publishing a model: to a bucket and to a directory alike, whatever comes between."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import click.testing
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import create_gcs_local_file
from create_gcs_local_file import Bucket
from hakken.cli.main import main
from hakken.errors import (
    ArtefactCorrupt,
    HakkenError,
    LessThanServed,
    NothingBefore,
    PublishedMeanwhile,
    PublishError,
    StorageError,
)
from hakken.model import store
from hakken.model.manifest import Manifest
from hakken.model.store import MAX_PREVIOUS, Artefact, CurrentVersion
from hakken.registry.publish import check_no_regression, file_sizes, publish, roll_back
from hakken.registry.storage import DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import fetch
from tests.integration.bucket import BUCKET, Faults
from tests.models import versions_of


@pytest.fixture(params=["bucket", "directory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        return open_store(f"gs://{BUCKET}/some/prefix/")
    root = tmp_path / "published here"
    return open_store(str(root) if request.param == "directory" else root.as_uri())


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


def test_only_some_versions_are_remembered(tmp_path: Path, versions: list[Artefact]) -> None:
    place = DirectoryStore(tmp_path)
    for turn in range(3 * MAX_PREVIOUS):
        publish(versions[turn % 3], place)
    pointer = CurrentVersion.decode(place.read("current.json") or b"")
    assert [one.version for one in pointer.previous] == [versions[1].version, versions[0].version]


def test_a_version_before_that_is_no_longer_whole_is_not_gone_back_to(
    bucket: Any, versions: list[Artefact], tmp_path: Path
) -> None:
    for place in (open_store(f"gs://{BUCKET}/p"), DirectoryStore(tmp_path)):
        for one in versions[:3]:
            publish(one, place)
        spoilt = [f"versions/{versions[1].version}/b_i.npy", f"versions/{versions[1].version}/manifest.json"]
        for name, said in zip(spoilt, ["lacks b_i.npy", "no longer at"], strict=True):
            if isinstance(place, DirectoryStore):
                (place.root / name).unlink()
            else:
                bucket.blob(f"p/{name}").delete()
            with pytest.raises(ArtefactCorrupt, match=said):
                roll_back(place)
        assert current(place)["version"] == versions[2].version


def test_what_is_there_is_never_overwritten(bucket: Any, versions: list[Artefact], tmp_path: Path) -> None:
    name = f"versions/{versions[0].version}/b_i.npy"
    for place in (open_store(f"gs://{BUCKET}/p"), DirectoryStore(tmp_path)):
        if isinstance(place, DirectoryStore):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_bytes(b"other")
        else:
            bucket.blob(f"p/{name}").upload_from_string(b"other")
        with pytest.raises(ArtefactCorrupt, match="is never overwritten"):
            publish(versions[0], place)
        place.upload(name, versions[0].directory / "b_i.npy")
        assert place.read(name) == b"other"
        assert not current(place)


def test_an_interrupted_publication_goes_on_where_it_was(
    bucket: Any, faults: Faults, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(0.0))
    names = [*versions[0].manifest.files, "manifest.json", "current.json"]
    place = open_store(f"gs://{BUCKET}/p")
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


@pytest.mark.parametrize("begun", [False, True])
def test_of_two_publishers_at_once_the_second_is_refused(
    place: ObjectStore, versions: list[Artefact], begun: bool
) -> None:
    """The very first of all too."""
    faster, slower, before = versions[:3]
    if begun:
        publish(before, place)
    at_first = current(place)

    def interpose(_: int) -> None:
        if current(place) == at_first:
            publish(faster, place)

    with pytest.raises(PublishedMeanwhile, match="in the meantime"):
        publish(slower, place, interpose)
    assert current(place)["version"] == faster.version
    assert publish(slower, place) == (slower.version, 0, True)


def test_a_rollback_that_comes_too_late_is_refused(
    place: ObjectStore, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in versions[:2]:
        publish(one, place)
    swap = type(place).compare_and_swap

    def late(self: ObjectStore, name: str, content: bytes, mark: str | None) -> None:
        monkeypatch.setattr(type(place), "compare_and_swap", swap)
        publish(versions[2], place)
        swap(self, name, content, mark)

    monkeypatch.setattr(type(place), "compare_and_swap", late)
    with pytest.raises(PublishedMeanwhile):
        roll_back(place)
    assert current(place)["version"] == versions[2].version


def test_publishers_that_race_leave_the_last_winners_pointer(tmp_path: Path, versions: list[Artefact]) -> None:
    together = threading.Barrier(3)

    def race(one: Artefact) -> str | None:
        together.wait()
        try:
            return publish(one, DirectoryStore(tmp_path)).version
        except PublishedMeanwhile:
            return None

    with ThreadPoolExecutor(3) as threads:
        won = [one for one in threads.map(race, versions[:3]) if one]
    pointer = CurrentVersion.decode((tmp_path / "current.json").read_bytes())
    assert won
    assert sorted(won) == sorted([pointer.version, *(one.version for one in pointer.previous)])


def test_an_upload_whose_answer_was_lost_counts(
    bucket: Any, faults: Faults, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(5).with_delay(0.01))
    faults.stored_unheard = True
    place = open_store(f"gs://{BUCKET}/p")
    assert publish(versions[0], place).moved
    assert current(place)["version"] == versions[0].version


def test_a_place_that_holds_a_model_itself_takes_no_versions(
    bucket: Any, versions: list[Artefact], tmp_path: Path
) -> None:
    bucket.blob("plain/manifest.json").upload_from_string("{}")
    (tmp_path / "manifest.json").write_text("{}")
    for place in (Bucket(f"gs://{BUCKET}/plain"), DirectoryStore(tmp_path)):
        for attempt in (lambda place=place: publish(versions[0], place), lambda place=place: roll_back(place)):
            with pytest.raises(PublishError, match="holds a model itself"):
                attempt()


def test_the_pointer_is_never_cached_between_a_public_bucket_and_its_readers(
    bucket: Any, versions: list[Artefact]
) -> None:
    publish(versions[0], open_store(f"gs://{BUCKET}/p"))
    assert bucket.get_blob("p/current.json").cache_control == "no-store"


def test_a_pointer_that_cant_be_read_is_not_written_over(tmp_path: Path, versions: list[Artefact]) -> None:
    (tmp_path / "current.json").write_text("{")
    with pytest.raises(ArtefactCorrupt, match=r"current\.json"):
        publish(versions[0], DirectoryStore(tmp_path))


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


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["people", "titles", "entries"]))
def test_a_fall_by_more_than_a_fifth_falls_behind(versions: list[Artefact], served: int, new: int, name: str) -> None:
    field = {"people": "users", "titles": "items"}.get(name, name)
    before, after = (described(versions[0], "2026-03", **{field: figure}) for figure in (served, new))
    if Fraction(served - new) > Fraction(served, 5):
        with pytest.raises(LessThanServed, match=f"{name} from {served:,} to {new:,}\\.$"):
            check_no_regression(before, after)
    else:
        check_no_regression(before, after)


@pytest.mark.parametrize(
    ("served", "new", "told"),
    [
        ("2026-03", "2026-02", "from March 2026 to February 2026"),
        ("2026-03", "2025", "from March 2026 to 2025"),
        ("2026-03-15", "2026-03-14T23:59:59Z", "from 15 March 2026 to 14 March 2026"),
        ("2026-03", None, "from March 2026 to unknown"),
        ("2026-03", "2026-03", ""),
        ("2026-03", "2026", ""),
        ("2026", "2026-01", ""),
        ("2025-12", "2026", ""),
        (None, None, ""),
        (None, "2017", ""),
    ],
)
def test_older_data_fall_behind_and_so_do_those_of_unknown_time(
    versions: list[Artefact], served: str | None, new: str | None, told: str
) -> None:
    before, after = (described(versions[0], time) for time in (served, new))
    if told:
        with pytest.raises(LessThanServed, match=f"data time {told}"):
            check_no_regression(before, after)
    else:
        check_no_regression(before, after)


def test_the_command_shows_both_and_refuses_what_falls_behind(
    place: ObjectStore, versions: list[Artefact], tmp_path: Path
) -> None:
    root = tmp_path / "remade"
    root.mkdir()
    target = str(place)
    big = remade(versions[0], root, "2026-03", users=70_000, items=10_000, entries=9_000_000)
    small = remade(versions[1], root, "2026-02-28", users=55_999, items=8_000, entries=9_000_001)
    assert "→" not in run(big.directory, target).stdout, "there is nothing to compare with"
    mark = place.generation("current.json")
    told = (
        "Error: The model falls behind the one that is served: people from 70,000 to 55,999, data time from March 2026 "
        "to 28 February 2026. Nothing was uploaded; --force publishes it all the same.\n"
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
    assert place.checksum(f"versions/{small.version}/b_i.npy") is None
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
    ("text", "told"),
    [
        (None, "is no longer at"),
        (b"{", "manifest can't be read"),
        (b'{"schema_version": 2, "sizes": {"users": 9000000}}', "train it again"),
    ],
)
def test_what_no_server_of_today_can_read_is_told_and_replaced(
    versions: list[Artefact], there: DirectoryStore, text: bytes | None, told: str
) -> None:
    changed(there, versions[0].version, text)
    done = run(versions[1].directory, there.root)
    assert done.exit_code == 0
    assert "What is current there can't be compared: " in done.stdout
    assert told in done.stdout
    assert current(there)["version"] == versions[1].version


def test_what_a_later_hakken_published_takes_force(versions: list[Artefact], there: DirectoryStore) -> None:
    changed(there, versions[0].version, b'{"schema_version": 99}')
    refused = run(versions[1].directory, there.root)
    assert refused.exit_code == 4
    assert "can't be compared: The model has schema version 99" in refused.stderr
    assert refused.stderr.endswith("Nothing was uploaded; --force publishes it all the same.\n")
    assert not (there.root / "versions" / versions[1].version).exists()
    assert run("--force", "--quiet", versions[1].directory, there.root).output == ""
    assert current(there)["version"] == versions[1].version


def test_a_manifest_that_cant_be_had_just_now_is_a_failure(
    versions: list[Artefact], there: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = DirectoryStore.read

    def fails(self: DirectoryStore, name: str) -> bytes | None:
        if name.endswith(f"{versions[0].version}/manifest.json"):
            raise StorageError("Not now.")
        return read(self, name)

    monkeypatch.setattr(DirectoryStore, "read", fails)
    done = run("--force", versions[1].directory, there.root)
    assert (done.exit_code, "Not now." in done.stderr) == (1, True)
    assert current(there)["version"] == versions[0].version


def test_who_publishes_between_the_comparison_and_the_upload_is_not_overwritten(
    versions: list[Artefact], there: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:

    def and_another(served: Manifest, new: Manifest) -> None:
        publish(versions[2], there)

    monkeypatch.setattr("hakken.registry.publish.check_no_regression", and_another)
    done = run(versions[1].directory, there.root)
    assert done.exit_code == 3
    assert current(there)["version"] == versions[2].version


# The command


def run(*arguments: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["publish", *map(str, arguments)])


def test_the_command_publishes_and_takes_back(bucket: Any, versions: list[Artefact], tmp_path: Path) -> None:
    first, second = versions[:2]
    n_files = len(first.manifest.files) + 1  # and the manifest
    for target in (f"gs://{BUCKET}/p", tmp_path / "there"):
        done = run(first.directory, target)
        assert (done.exit_code, done.stdout) == (
            0,
            f"{first.version} is the current version at {target}; {n_files} files were uploaded.\n",
        )
        assert done.stderr.splitlines() == ["checking the model", "uploading"]
        quiet = run("--quiet", second.directory, target)
        assert (quiet.exit_code, quiet.output) == (0, "")
        back = run("--rollback", target)
        assert back.output == (
            f"{first.version} is the current version at {target} again, and {second.version} is not.\n"
        )
        again = run("--rollback", target)
        assert (again.exit_code, "There is no version before" in again.output) == (1, True)


def test_the_command_refuses_what_is_damaged_before_anything_is_uploaded(trained: Path, tmp_path: Path) -> None:
    [damaged] = versions_of(trained, tmp_path / "made", 1)
    (damaged.directory / "b_i.npy").write_bytes(b"x")
    done = run(damaged.directory, tmp_path / "there")
    assert done.exit_code == 1
    assert "it is damaged or was changed" in done.output
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["a"], ["a", "b", "c"], ["--rollback"], ["--rollback", "a", "b"], ["--rollback", "--force", "a"]]
)
def test_the_command_says_how_it_is_used(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_command_tells_another_publisher_from_failure(
    versions: list[Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: HakkenError) -> Callable[..., None]:
        def swap(*_: object) -> None:
            raise error

        return swap

    for error, status in ((PublishedMeanwhile("Too late."), 3), (StorageError("No."), 1)):
        monkeypatch.setattr(DirectoryStore, "compare_and_swap", fail(error))
        done = run(versions[0].directory, tmp_path / "there")
        assert done.exit_code == status
        assert str(error) in done.output
