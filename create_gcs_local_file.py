"""The only file that talks to Google Cloud Storage: it fetches a model to a local directory.

    python create_gcs_local_file.py gs://bucket/prefix DIR

A bucket holds PREFIX/current.json, which names a version, and PREFIX/versions/V/ with that version's files; a prefix
that holds manifest.json itself is read directly. What a version and a checksum are is `hakken.model.store`'s business.
"""

import os
from pathlib import Path

import click
from filelock import FileLock
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.exceptions import RequestException

from hakken.errors import ArtefactCorrupt, ArtefactMissing, HakkenError, StorageError
from hakken.model import Manifest, store
from hakken.model import manifest as manifests

SCHEME = "gs://"
TIMEOUT = (5.0, 30.0)
"""Seconds for connecting, and for each read."""
NO_BACKGROUND = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""Google's client would else ask for the bucket's own facts in a thread of its own, for traces that we do not make."""
RETRY = DEFAULT_RETRY.with_timeout(30.0)
"""Google's own default would try for two minutes, in which nothing is served."""


def fetch(uri: str, into: Path, client: storage.Client | None = None) -> Path:
    """Fetch the current version of a model, unless it is there already.

    Each file is checked against the manifest; the version appears under `into/versions/` whole, and only then is
    `into/current.json` moved to it.

    Args:
        uri: `gs://bucket/prefix`.
        into: local directory of versions.
        client: storage client; by default one with Google's own choice of credentials, or none.

    Returns:
        The version's directory.

    Raises:
        ArtefactMissing: nothing is there.
        ArtefactCorrupt: what is there is not what its manifest says.
        ArtefactTooNew: a later Hakken wrote it.
        StorageError: the bucket or the local disk could not be used.
    """
    name, prefix = _split(uri)
    try:
        bucket = (client or _client()).bucket(name)
        base, text = _find(bucket, prefix)
        if text is None:
            raise ArtefactMissing(f"There is no model at {uri}: no {manifests.FILE_NAME} in it.")
        manifest = manifests.decode(text)
        target = into / store.VERSIONS_NAME / manifests.version_of(manifest, text)
        into.mkdir(parents=True, exist_ok=True)
        with FileLock(into / ".lock"):  # the workers of a machine start together, and one of them fetches
            if not _is_whole(target):
                with store.replacing(target) as staged:
                    _download(bucket, base, manifest, staged)
                    (staged / manifests.FILE_NAME).write_bytes(text)
            store.point_to(into, store.read_manifest(target))
    except NotFound as error:
        raise ArtefactCorrupt(f"The model at {uri} lacks a file that its manifest names.") from error
    except DataCorruption as error:
        raise ArtefactCorrupt(f"A file of the model at {uri} was damaged on the way: {error}") from error
    except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException) as error:
        raise StorageError(f"The bucket of {uri} could not be read: {error}") from error
    except OSError as error:
        raise StorageError(f"The model could not be kept in {into}: {error.strerror or error}.") from error
    return target


def _split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not bucket:
        raise StorageError(f"{uri} is no bucket: write gs://bucket/prefix.")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


def _client() -> storage.Client:
    os.environ.setdefault(NO_BACKGROUND, "true")
    try:
        return storage.Client()
    except DefaultCredentialsError:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise  # credentials were named: to go on without them would hide what is wrong with them
        return storage.Client.create_anonymous_client()  # a public bucket needs none


def _find(bucket: storage.Bucket, prefix: str) -> tuple[str, bytes | None]:
    """Where the current version's objects begin, and its manifest, if there is one."""
    text = _read(bucket, f"{prefix}{manifests.FILE_NAME}")
    pointer_text = None if text else _read(bucket, f"{prefix}{store.POINTER_NAME}")
    if pointer_text is None:
        return prefix, text
    pointer = store.decode_pointer(pointer_text)
    base = f"{prefix}{store.VERSIONS_NAME}/{pointer.version}/"
    text = _read(bucket, f"{base}{manifests.FILE_NAME}")
    if text is not None:
        store.check_manifest(text, pointer.manifest_sha256)
    return base, text


def _download(bucket: storage.Bucket, base: str, manifest: Manifest, into: Path) -> None:
    for name, entry in manifest.files.items():
        blob = bucket.blob(f"{base}{name}")
        blob.download_to_filename(into / name, timeout=TIMEOUT, retry=RETRY)
        store.check_file(into / name, entry)


def _read(bucket: storage.Bucket, name: str) -> bytes | None:
    try:
        content: bytes = bucket.blob(name).download_as_bytes(timeout=TIMEOUT, retry=RETRY)
    except NotFound:
        return None
    return content


def _is_whole(target: Path) -> bool:
    try:
        store.verify(target)
    except (ArtefactMissing, ArtefactCorrupt):
        return False
    return True


@click.command()
@click.argument("uri")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def main(uri: str, directory: Path) -> None:
    """Fetch the model at URI (gs://bucket/prefix) into DIRECTORY and print where its current version is."""
    try:
        click.echo(fetch(uri, directory))
    except HakkenError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
