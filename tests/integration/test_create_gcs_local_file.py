"""Fetching a model from a bucket, against a real emulator of Google Cloud Storage on loopback."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import create_gcs_local_file
from create_gcs_local_file import NO_BACKGROUND, fetch
from hakken.config import Settings
from hakken.errors import ArtefactMissing, StorageError
from hakken.model import store
from hakken.registry.publish import publish
from hakken.registry.storage import open_store
from hakken.served_model import open_bundle
from tests.integration.bucket import BUCKET, URI, Faults


@pytest.fixture
def published(trained: Path) -> str:
    """The version at `URI`."""
    return publish(store.open_artefact(trained), open_store(URI)).version


@pytest.mark.parametrize("prefix", ["", "/deep/er"])
def test_the_current_version_is_fetched_and_becomes_the_local_one(
    bucket: Any, trained: Path, tmp_path: Path, prefix: str
) -> None:
    place = open_store(f"gs://{BUCKET}{prefix}")
    version = publish(store.open_artefact(trained), place).version
    assert fetch(str(place), tmp_path) == tmp_path / "versions" / version
    assert store.open_artefact(tmp_path).version == version
    assert bucket.blob(f"{prefix}/current.json".strip("/")).exists()


def test_a_prefix_that_holds_a_manifest_is_read_directly_even_beside_a_pointer(
    bucket: Any, published: str, trained: Path, tmp_path: Path
) -> None:
    for path in trained.iterdir():
        bucket.blob(f"p/{path.name}").upload_from_filename(str(path))
    bucket.blob("p/current.json").upload_from_string('{"version": "other", "manifest_sha256": "%s"}' % ("0" * 64))
    assert fetch(URI, tmp_path).name == published


def test_workers_that_start_together_all_find_the_whole_version(
    bucket: Any, faults: Faults, published: str, trained: Path, tmp_path: Path
) -> None:
    faults.seen.clear()
    with ThreadPoolExecutor(6) as workers:
        places = list(workers.map(lambda _: store.verify(fetch(URI, tmp_path)), range(6)))
    assert {one.version for one in places} == {published}
    assert faults.asked().count("b_i.npy") == 1


def test_credentials_that_are_named_and_missing_are_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(StorageError, match=r"nowhere\.json"):
        fetch(URI, tmp_path / "models")


def test_a_persons_own_credentials_need_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    person = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "t"}
    (tmp_path / "person.json").write_text(json.dumps(person))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "person.json"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", "")  # no command of Google's that would know one
    assert str(open_store(URI)) == URI


@pytest.mark.parametrize("uri", [f"gs://{BUCKET}/nothing", "gs://no-such-bucket/p"])
def test_nothing_there_and_no_such_bucket_are_missing(bucket: Any, tmp_path: Path, uri: str) -> None:
    with pytest.raises(ArtefactMissing, match="There is no model at gs://"):
        fetch(uri, tmp_path)


@pytest.mark.parametrize("uri", ["gs://", "gs:///p", "s3://b/p", "", "file://host/p", "file://p"])
def test_what_is_no_place_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(
        StorageError, match=r"is not a bucket|is not a place for models|is not a directory on this machine"
    ):
        fetch(uri, tmp_path)


def test_a_bucket_that_cant_be_reached_is_a_storage_error_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://localhost:9")
    monkeypatch.setattr(create_gcs_local_file, "RETRY", create_gcs_local_file.RETRY.with_timeout(1.0))
    with pytest.raises(StorageError, match="could not be read"):
        fetch(URI, tmp_path)


def test_a_disk_that_refuses_is_a_storage_error(bucket: Any, published: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be kept in"):
        fetch(URI, tmp_path / "file")


def test_without_the_bucket_the_version_fetched_last_is_served(
    bucket: Any, published: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(model=URI, cache_dir=str(tmp_path))
    open_bundle(settings)
    bucket.blob("p/current.json").delete()
    assert open_bundle(settings).model.version == published
    assert "Serving the model fetched last, since There is no model at" in caplog.text
    with pytest.raises(ArtefactMissing):
        open_bundle(Settings(model=f"gs://{BUCKET}/other", cache_dir=str(tmp_path)))


def test_fetching_starts_no_thread(
    bucket: Any, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's client, as it comes, asks for the bucket's own facts in the background, for as long as two minutes."""
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    monkeypatch.delenv(NO_BACKGROUND)
    fetch(URI, tmp_path)
    assert not [name for name in started if "_fetch_background" in name]
