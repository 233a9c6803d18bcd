"""Where models are published: the interface of an object store, and a directory as one.

Objects have names such as `versions/V/b_i.npy`. This module only moves bytes; `hakken.registry.publish` and
`hakken.registry.sync` know what a version is. The other store, a bucket, is in `create_gcs_local_file`.
"""

import io
import os
import shutil
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Self, cast
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from hakken.errors import ArtefactCorrupt, PublishedMeanwhile, StorageError
from hakken.files import written_whole
from hakken.model.store import MAX_SMALL_BYTES, describe_file

BUCKET_SCHEME, FILE_SCHEME = "gs://", "file://"
READ_ONLY = 0o444
LOCK_NAME = ".lock"
LOCK_TIMEOUT = 10.0
"""Seconds to wait for another publisher, who holds the lock for milliseconds."""
GRACE_SECONDS, MIN_BYTES_PER_SECOND = 60.0, 50_000.0
"""A download may take this many seconds, plus its size at this rate; a slower one is given up for now."""


class Checksum(NamedTuple):
    """Identifies an object's content: its size in bytes, and a digest of the store's own kind."""

    bytes: int
    digest: str


class ObjectStore(ABC):
    """Versions of a model, as named objects. Every method raises StorageError when the store can't be used."""

    @abstractmethod
    def __str__(self) -> str:
        """Its address, as a person would write it."""

    @abstractmethod
    def generation(self, name: str) -> str | None:
        """A token that changes whenever the object is written; None where there is no object. Reads no content."""

    @abstractmethod
    def download(self, name: str, into: IO[bytes]) -> bool:
        """Write an object's content to a file; False where there is no object."""

    @abstractmethod
    def checksum(self, name: str) -> Checksum | None:
        """An object's checksum; None where there is no object."""

    @abstractmethod
    def checksum_of(self, path: Path) -> Checksum:
        """The checksum that a local file would have in this store."""

    @abstractmethod
    def upload(self, name: str, path: Path) -> None:
        """Store a local file; an object of this name is never overwritten."""

    @abstractmethod
    def compare_and_swap(self, name: str, content: bytes, generation: str | None) -> None:
        """Write a small object if its generation is still the one given; None: if there is still no object.

        Raises:
            PublishedMeanwhile: its generation has changed.
        """

    def read(self, name: str) -> bytes | None:
        """A small object's content; None where there is no object.

        Raises:
            ArtefactCorrupt: it is larger than `MAX_SMALL_BYTES`.
        """
        content = io.BytesIO()
        if not self.download_at_most(name, content, MAX_SMALL_BYTES + 1):
            return None
        if content.tell() > MAX_SMALL_BYTES:
            raise ArtefactCorrupt(f"{name} at {self} has more than {MAX_SMALL_BYTES:,} bytes, as no model's.", name)
        return content.getvalue()

    def download_at_most(self, name: str, into: IO[bytes], most: int) -> bool:
        """Download only so many bytes of an object, and only for so long: none is trusted to end.

        Raises:
            StorageError: the store can't be used or is too slow.
            OSError: the file can't be written.
        """
        try:
            return self.download(name, cast("IO[bytes]", _LimitedFile(into, most)))
        except _Aborted as aborted:
            if aborted.__cause__ is not None:
                raise aborted.__cause__ from None
            return True


class _LimitedFile:
    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._left = file, most
        self._end = time.monotonic() + GRACE_SECONDS + most / MIN_BYTES_PER_SECOND

    def write(self, chunk: bytes) -> int:
        if time.monotonic() > self._end:
            raise _Aborted from StorageError("The model comes too slowly, and is left for later.")
        try:
            written = self._file.write(chunk[: self._left])
        except OSError as error:
            raise _Aborted from error
        self._left -= written
        if not self._left:
            raise _Aborted
        return written


class _Aborted(Exception):
    """The file takes no more; its cause says why. No store or client mistakes this for a failure of its own."""


class DirectoryStore(ObjectStore):
    """A directory, or a `file://` address of one; see `ObjectStore`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def at(cls, address: str) -> Self:
        """The directory at an address; it need not exist yet.

        Raises:
            StorageError: the address is no directory's.
        """
        if not address.startswith(FILE_SCHEME):
            if not address or "://" in address:
                raise StorageError(
                    f"{address!r} is not a place for models: write a directory, {FILE_SCHEME}/… or gs://…."
                )
            return cls(Path(address).absolute())
        parts = urlsplit(address)
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/") or parts.query or parts.fragment:
            raise StorageError(f"{address} is not a directory on this machine: write {FILE_SCHEME}/absolute/path.")
        return cls(Path(unquote(parts.path)))

    def __str__(self) -> str:
        return str(self.root)

    def generation(self, name: str) -> str | None:
        """Inode, size and modification time: files are replaced, never written to, so each gets a new inode.

        A pipe or a device is no object: it may have no end.
        """
        with self._storage_errors("read"):
            try:
                found = (self.root / name).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else None

    def download(self, name: str, into: IO[bytes]) -> bool:
        """See `ObjectStore`."""
        # `generation` tells a disk that can't be read just now from a missing file.
        if self.generation(name) is None:
            return False
        with self._storage_errors("read"), (self.root / name).open("rb") as file:
            shutil.copyfileobj(file, into)
        return True

    def checksum(self, name: str) -> Checksum | None:
        """Size and sha256."""
        return None if self.generation(name) is None else self.checksum_of(self.root / name)

    def checksum_of(self, path: Path) -> Checksum:
        """Size and sha256."""
        entry = describe_file(path)
        return Checksum(entry.bytes, entry.sha256)

    def upload(self, name: str, path: Path) -> None:
        """See `ObjectStore`."""
        target = self.root / name
        with self._storage_errors("written"):
            if target.exists():
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target) as file, path.open("rb") as source:
                shutil.copyfileobj(source, file)
                os.fchmod(file.fileno(), READ_ONLY)

    def compare_and_swap(self, name: str, content: bytes, generation: str | None) -> None:
        """See `ObjectStore`; on a shared directory, as safe as its file locks are between machines."""
        with self._storage_errors("written"):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self.root / LOCK_NAME, timeout=LOCK_TIMEOUT):
                    if self.generation(name) != generation:
                        raise PublishedMeanwhile(f"Another version was published to {self} in the meantime.")
                    with written_whole(self.root / name) as file:
                        file.write(content)
            except Timeout as error:
                raise PublishedMeanwhile(f"Someone else is publishing to {self} just now.") from error

    @contextmanager
    def _storage_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self} can't be {done}: {error.strerror or error}.") from error


def open_store(address: str) -> ObjectStore:
    """The object store at an address: `gs://bucket/prefix`, a directory, or its `file://` address.

    Raises:
        StorageError: the address is invalid, or the bucket can't be used.
    """
    if not address.startswith(BUCKET_SCHEME):
        return DirectoryStore.at(address)
    # Google's client takes half a second to load, which a model on disk should not wait for.
    from create_gcs_local_file import Bucket  # noqa: PLC0415  # takes 0.5 s to load

    return Bucket(address)
