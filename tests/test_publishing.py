"""Publishing a model: to a bucket and to a directory alike, whatever comes between."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click.testing
import pytest

import create_gcs_local_file
from create_gcs_local_file import Bucket, place_of
from hakken.cli.main import main
from hakken.errors import (
    ArtefactCorrupt,
    HakkenError,
    NothingBefore,
    PublishedMeanwhile,
    PublishError,
    StorageError,
)
from hakken.model import store
from hakken.model.fetching import fetch
from hakken.model.places import Directory, Place
from hakken.model.pointer import MAX_PREVIOUS, decode_pointer
from hakken.model.publishing import bytes_of, publish, roll_back
from hakken.model.store import Artefact
from tests.bucket import BUCKET, Faults
from tests.models import versions_of


@pytest.fixture(scope="module")
def versions(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Artefact]:
    return versions_of(trained, tmp_path_factory.mktemp("versions"), 3)


@pytest.fixture(params=["bucket", "directory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        return place_of(f"gs://{BUCKET}/some/prefix/")
    root = tmp_path / "published here"
    return place_of(str(root) if request.param == "directory" else root.as_uri())


def current(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.read("current.json") or b"{}")
    return found


def test_what_is_published_can_be_fetched_and_has_the_layout_that_is_documented(
    place: Place, versions: list[Artefact], tmp_path: Path
) -> None:
    first = versions[0]
    told: list[int] = []
    done = publish(first, place, told.append)
    assert done == (first.version, len(first.manifest.files) + 1, True)
    assert sum(told) == bytes_of(first)
    digest = store.describe_file(first.directory / "manifest.json").sha256
    assert current(place) == {"version": first.version, "manifest_sha256": digest}
    fetched = fetch(place, tmp_path / "here")
    for path in first.directory.iterdir():
        content = path.read_bytes()
        assert place.read(f"versions/{first.version}/{path.name}") == content
        assert (fetched.directory / path.name).read_bytes() == content


def test_what_is_current_already_is_left_as_it_is(place: Place, versions: list[Artefact]) -> None:
    publish(versions[0], place)
    mark = place.mark("current.json")
    assert publish(versions[0], place) == (versions[0].version, 0, False)
    assert place.mark("current.json") == mark


def test_a_rollback_goes_back_one_version_at_a_time_and_forgets_what_it_took_back(
    place: Place, versions: list[Artefact]
) -> None:
    names = [one.version for one in versions]
    with pytest.raises(NothingBefore, match="Nothing was published"):
        roll_back(place)
    for one in versions:
        publish(one, place)
    assert roll_back(place) == (names[2], names[1])
    assert roll_back(place) == (names[1], names[0])
    with pytest.raises(NothingBefore, match="no version before"):
        roll_back(place)
    assert current(place)["version"] == names[0]
    assert publish(versions[2], place) == (names[2], 0, True)
    assert roll_back(place) == (names[2], names[0])


def test_only_some_versions_are_remembered(tmp_path: Path, versions: list[Artefact]) -> None:
    place = Directory(tmp_path)
    for turn in range(3 * MAX_PREVIOUS):
        publish(versions[turn % 3], place)
    pointer = decode_pointer(place.read("current.json") or b"")
    assert [one.version for one in pointer.previous] == [versions[1].version, versions[0].version]


def test_a_version_before_that_is_no_longer_whole_is_not_gone_back_to(
    bucket: Any, versions: list[Artefact], tmp_path: Path
) -> None:
    for place in (place_of(f"gs://{BUCKET}/p"), Directory(tmp_path)):
        for one in versions:
            publish(one, place)
        spoilt = [f"versions/{versions[1].version}/b_i.npy", f"versions/{versions[1].version}/manifest.json"]
        for name, said in zip(spoilt, ["lacks b_i.npy", "no longer at"], strict=True):
            if isinstance(place, Directory):
                (place.root / name).unlink()
            else:
                bucket.blob(f"p/{name}").delete()
            with pytest.raises(ArtefactCorrupt, match=said):
                roll_back(place)
        assert current(place)["version"] == versions[2].version


def test_what_is_there_is_never_overwritten(bucket: Any, versions: list[Artefact], tmp_path: Path) -> None:
    name = f"versions/{versions[0].version}/b_i.npy"
    for place in (place_of(f"gs://{BUCKET}/p"), Directory(tmp_path)):
        if isinstance(place, Directory):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_bytes(b"other")
        else:
            bucket.blob(f"p/{name}").upload_from_string(b"other")
        with pytest.raises(ArtefactCorrupt, match="is never overwritten"):
            publish(versions[0], place)
        place.put(name, versions[0].directory / "b_i.npy")
        assert place.read(name) == b"other"
        assert not current(place)


def test_an_interrupted_publication_goes_on_where_it_was(
    bucket: Any, faults: Faults, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(0.0))
    names = [*versions[0].manifest.files, "manifest.json", "current.json"]
    place = place_of(f"gs://{BUCKET}/p")
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


def test_a_directory_that_refuses_a_file_leaves_the_pointer_and_goes_on(
    tmp_path: Path, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, put = Directory(tmp_path), Directory.put
    names = [*versions[0].manifest.files, "manifest.json"]
    for number, broken in enumerate(names):

        def failing(self: Directory, name: str, path: Path, broken: str = broken) -> None:
            if path.name == broken:
                raise StorageError("No.")
            put(self, name, path)

        monkeypatch.setattr(Directory, "put", failing)
        with pytest.raises(StorageError):
            publish(versions[0], place)
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(names[:number])
    monkeypatch.setattr(Directory, "put", put)
    assert publish(versions[0], place).uploaded == 1


def test_of_two_publishers_at_once_the_second_is_refused(place: Place, versions: list[Artefact]) -> None:
    faster, slower, before = versions
    publish(before, place)

    def interpose(_: int) -> None:
        if current(place)["version"] == before.version:
            publish(faster, place)

    with pytest.raises(PublishedMeanwhile, match="in the meantime"):
        publish(slower, place, interpose)
    assert current(place)["version"] == faster.version
    assert publish(slower, place) == (slower.version, 0, True)


def test_the_very_first_publishers_are_kept_apart_too(place: Place, versions: list[Artefact]) -> None:
    def interpose(_: int) -> None:
        if not current(place):
            publish(versions[0], place)

    with pytest.raises(PublishedMeanwhile):
        publish(versions[1], place, interpose)
    assert current(place)["version"] == versions[0].version


def test_a_rollback_that_comes_too_late_is_refused(
    place: Place, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in versions[:2]:
        publish(one, place)
    swap = type(place).swap

    def late(self: Place, name: str, content: bytes, mark: str | None) -> None:
        monkeypatch.setattr(type(place), "swap", swap)
        publish(versions[2], place)
        swap(self, name, content, mark)

    monkeypatch.setattr(type(place), "swap", late)
    with pytest.raises(PublishedMeanwhile):
        roll_back(place)
    assert current(place)["version"] == versions[2].version


def test_publishers_that_race_leave_the_last_winners_pointer(tmp_path: Path, versions: list[Artefact]) -> None:
    together = threading.Barrier(3)

    def race(one: Artefact) -> str | None:
        together.wait()
        try:
            return publish(one, Directory(tmp_path)).version
        except PublishedMeanwhile:
            return None

    with ThreadPoolExecutor(3) as threads:
        won = [one for one in threads.map(race, versions) if one]
    pointer = decode_pointer((tmp_path / "current.json").read_bytes())
    assert won
    assert sorted(won) == sorted([pointer.version, *(one.version for one in pointer.previous)])


def test_an_upload_whose_answer_was_lost_counts(
    bucket: Any, faults: Faults, versions: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(5).with_delay(0.01))
    faults.stored_unheard = True
    place = place_of(f"gs://{BUCKET}/p")
    assert publish(versions[0], place).moved
    assert current(place)["version"] == versions[0].version


def test_a_place_that_holds_a_model_itself_takes_no_versions(
    bucket: Any, versions: list[Artefact], tmp_path: Path
) -> None:
    bucket.blob("plain/manifest.json").upload_from_string("{}")
    (tmp_path / "manifest.json").write_text("{}")
    for place in (Bucket(f"gs://{BUCKET}/plain"), Directory(tmp_path)):
        for attempt in (lambda place=place: publish(versions[0], place), lambda place=place: roll_back(place)):
            with pytest.raises(PublishError, match="holds a model itself"):
                attempt()


def test_the_pointer_is_never_cached_between_a_public_bucket_and_its_readers(
    bucket: Any, versions: list[Artefact]
) -> None:
    publish(versions[0], place_of(f"gs://{BUCKET}/p"))
    assert bucket.get_blob("p/current.json").cache_control == "no-store"


def test_a_pointer_that_cant_be_read_is_not_written_over(tmp_path: Path, versions: list[Artefact]) -> None:
    (tmp_path / "current.json").write_text("{")
    with pytest.raises(ArtefactCorrupt, match=r"current\.json"):
        publish(versions[0], Directory(tmp_path))


def run(*arguments: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["publish", *map(str, arguments)])


def test_the_command_publishes_and_takes_back(bucket: Any, versions: list[Artefact], tmp_path: Path) -> None:
    first, second, _ = versions
    for target in (f"gs://{BUCKET}/p", tmp_path / "there"):
        done = run(first.directory, target)
        assert (done.exit_code, done.stdout) == (
            0,
            f"{first.version} is the current version at {target}; 15 files were uploaded.\n",
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


@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "c"], ["--rollback"], ["--rollback", "a", "b"]])
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
        monkeypatch.setattr(Directory, "swap", fail(error))
        done = run(versions[0].directory, tmp_path / "there")
        assert done.exit_code == status
        assert str(error) in done.output
