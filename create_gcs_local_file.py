"""The only file that uses Google Cloud Storage: it moves bytes, and fetches a model to a local directory.

    python create_gcs_local_file.py gs://bucket/prefix DIR

A bucket holds PREFIX/current.json, which names a version, and PREFIX/versions/V/ with that version's files; a prefix
that holds manifest.json itself is read directly. `hakken.registry` knows what a version is and how it is fetched and
published; it does the same with a directory.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import click
import google_crc32c
from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed, RetryError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.exceptions import RequestException

from hakken.errors import HakkenError, PublishedMeanwhile, StorageError
from hakken.registry import sync
from hakken.registry.storage import BUCKET_SCHEME, Checksum, ObjectStore, open_store
from hakken.registry.trial import try_version

TIMEOUT = (5.0, 30.0)
"""Seconds for connecting, and for each read."""
NO_BACKGROUND = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""Keeps Google's client from requesting the bucket's metadata in a thread, for traces that we don't make."""
RETRY = DEFAULT_RETRY.with_timeout(30.0)
"""Google's default retries for two minutes."""


def fetch(uri: str, into: Path, client: storage.Client | None = None, *, version: str | None = None) -> Path:
    """Fetch a version of a model, unless it is there already, and make it the local directory's current one.

    Args:
        uri: `gs://bucket/prefix`, a directory, or its `file://` address.
        into: local directory of versions.
        client: storage client; by default one with Google's own choice of credentials, or none.
        version: which; by default the current one.

    Returns:
        The version's directory.

    Raises:
        ArtefactMissing: nothing is there.
        ArtefactCorrupt: a file does not match its manifest, or the version can't be served.
        ArtefactTooNew: a later Hakken wrote it.
        StorageError: the bucket or the local disk could not be used.
    """
    remote = Bucket(uri, client) if client else open_store(uri)
    return sync.fetch(remote, into, version, try_version).directory


class Bucket(ObjectStore):
    """A prefix in a bucket of Google Cloud Storage; see `hakken.registry.storage.ObjectStore`.

    Its checksums are CRC32C, which Google keeps of every object, however it was uploaded.
    """

    def __init__(self, uri: str, client: storage.Client | None = None) -> None:
        name, _, prefix = uri.removeprefix(BUCKET_SCHEME).partition("/")
        if not uri.startswith(BUCKET_SCHEME) or not name:
            raise StorageError(f"{uri} is not a bucket: write {BUCKET_SCHEME}bucket/prefix.")
        self._uri = uri
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        with self._storage_errors("read"):
            self._bucket = (client or _client()).bucket(name)

    def __str__(self) -> str:
        return self._uri

    def generation(self, name: str) -> str | None:
        """The object's generation."""
        blob = self._found(name)
        return None if blob is None else str(blob.generation)

    def download(self, name: str, into: IO[bytes]) -> bool:
        """See `ObjectStore`."""
        with self._storage_errors("read"):
            try:
                self._blob(name).download_to_file(into, timeout=TIMEOUT, retry=RETRY, raw_download=True)
            except NotFound:
                return False
        return True

    def checksum(self, name: str) -> Checksum | None:
        """See `ObjectStore`."""
        blob = self._found(name)
        return None if blob is None else Checksum(int(blob.size), str(blob.crc32c))

    def checksum_of(self, path: Path) -> Checksum:
        """See `ObjectStore`."""
        checksum, size = google_crc32c.Checksum(), 0
        with self._storage_errors("read"), path.open("rb") as file:
            for chunk in checksum.consume(file, 2**20):
                size += len(chunk)
        return Checksum(size, base64.b64encode(checksum.digest()).decode())

    def upload(self, name: str, path: Path) -> None:
        """See `ObjectStore`."""
        # One that has come to be there, by another publisher or an attempt of ours that seemed to fail, stays.
        with self._storage_errors("written"), suppress(PreconditionFailed):
            self._blob(name).upload_from_filename(str(path), if_generation_match=0, timeout=TIMEOUT, retry=RETRY)

    def compare_and_swap(self, name: str, content: bytes, generation: str | None) -> None:
        """See `ObjectStore`."""
        blob = self._blob(name)
        blob.cache_control = "no-store"  # or readers of a public bucket would get the old one for an hour
        with self._storage_errors("written"):
            try:
                blob.upload_from_string(
                    content, "application/json", if_generation_match=int(generation or 0), timeout=TIMEOUT, retry=RETRY
                )
            except PreconditionFailed as error:
                if self.read(name) != content:  # an attempt of ours may have got through, and only its answer not
                    raise PublishedMeanwhile(f"Another version was published to {self} in the meantime.") from error

    def _blob(self, name: str) -> storage.Blob:
        return self._bucket.blob(self._prefix + name)

    def _found(self, name: str) -> storage.Blob | None:
        with self._storage_errors("read"):
            return self._bucket.get_blob(self._prefix + name, timeout=TIMEOUT, retry=RETRY)

    @contextmanager
    def _storage_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except DataCorruption as error:
            raise StorageError(f"A file of the model at {self} was damaged on the way: {error}") from error
        except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException) as error:
            raise StorageError(f"The bucket of {self} could not be {done}: {error}") from error


def _client() -> storage.Client:
    os.environ.setdefault(NO_BACKGROUND, "true")
    try:
        # Objects are named by their bucket alone; a person's own credentials may know of no project.
        return storage.Client(project=None)
    except DefaultCredentialsError:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise  # credentials were named: to go on without them would hide what is wrong with them
        return storage.Client.create_anonymous_client()  # a public bucket needs none


@click.command()
@click.argument("uri")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--version", help="A specific version instead of the current one.")
def main(uri: str, directory: Path, version: str | None) -> None:
    """Fetch the model at URI (gs://bucket/prefix, or a directory) into DIRECTORY and print where its version is."""
    try:
        click.echo(fetch(uri, directory, version=version))
    except HakkenError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
