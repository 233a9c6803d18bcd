"""Where models are published: the interface of an object store, and a directory as one.

Objects have names such as `versions/V/b_i.npy`. This module only moves bytes; `hakken.registry.publish` and
`hakken.registry.fetch` know what a version is. The other store, a bucket, is in `create_gcs_local_file`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol, Self
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from hakken.errors import ArtefactCorrupt, PublishedMeanwhile, StorageError
from hakken.files import is_file, written_whole
from hakken.model.store import describe_file

BUCKET_SCHEME = "gs://"
FILE_SCHEME = "file://"
READ_ONLY = 0o444
LOCK_NAME = ".lock"
LOCK_TIMEOUT = 10.0
"""Seconds to wait for another publisher, who holds the lock for milliseconds."""


class Checksum(NamedTuple):
    """Identifies an object's content: its size in bytes, and a digest of the store's own kind."""

    bytes: int
    digest: str


class ObjectStore(Protocol):
    """Versions of a model, as named objects. Every method raises StorageError when the store can't be used."""

    def __str__(self) -> str:
        """Its address, as a person would write it."""

    def generation(self, name: str) -> str | None:
        """A token that changes whenever the object is written; None where there is no object. Reads no content."""

    def read(self, name: str) -> bytes | None:
        """A small object's content; None where there is no object."""

    def download(self, name: str, into: IO[bytes], start: int) -> None:
        """Write an object's content to a file, from byte `start` on.

        Raises:
            ArtefactCorrupt: there is no such object.
        """

    def checksum(self, name: str) -> Checksum | None:
        """An object's checksum; None where there is no object."""

    def checksum_of(self, path: Path) -> Checksum:
        """The checksum that a local file would have in this store."""

    def upload(self, name: str, path: Path) -> None:
        """Store a local file; an object of this name is never overwritten."""

    def compare_and_swap(self, name: str, content: bytes, generation: str | None) -> None:
        """Write a small object if its generation is still the one given; None: if there is still no object.

        Raises:
            PublishedMeanwhile: its generation has changed.
        """


class DirectoryStore:
    """A directory, or a `file://` address of one; see `ObjectStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def at(cls, address: str) -> Self:
        """The directory at an address; it need not exist yet.

        Raises:
            StorageError: the address is no directory's.
        """
        if not address.startswith(FILE_SCHEME):
            if not address or "://" in address:
                raise StorageError(f"{address!r} is no place for models: write a directory, {FILE_SCHEME}/… or gs://….")
            return cls(Path(address).absolute())
        parts = urlsplit(address)
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/") or parts.query or parts.fragment:
            raise StorageError(f"{address} is no directory of this machine: write {FILE_SCHEME}/absolute/path.")
        return cls(Path(unquote(parts.path)))

    @property
    def root(self) -> Path:
        """Its path."""
        return self._root

    def __str__(self) -> str:
        return str(self._root)

    def generation(self, name: str) -> str | None:
        """Inode, size and modification time: files are replaced, never written to, so each gets a new inode."""
        with self._storage_errors("read"):
            try:
                stat = (self._root / name).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return f"{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}"

    def read(self, name: str) -> bytes | None:
        """See `ObjectStore`."""
        with self._storage_errors("read"):
            return (self._root / name).read_bytes() if is_file(self._root / name) else None

    def download(self, name: str, into: IO[bytes], start: int) -> None:
        """See `ObjectStore`."""
        # `generation` tells a disk that can't be read just now from a missing file.
        if self.generation(name) is None:
            raise ArtefactCorrupt(f"The model at {self} lacks {name}, which its manifest names.", name)
        with self._storage_errors("read"), (self._root / name).open("rb") as file:
            file.seek(start)
            shutil.copyfileobj(file, into)

    def checksum(self, name: str) -> Checksum | None:
        """Size and sha256."""
        return None if self.generation(name) is None else self.checksum_of(self._root / name)

    def checksum_of(self, path: Path) -> Checksum:
        """Size and sha256."""
        entry = describe_file(path)
        return Checksum(entry.bytes, entry.sha256)

    def upload(self, name: str, path: Path) -> None:
        """See `ObjectStore`."""
        target = self._root / name
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
            self._root.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self._root / LOCK_NAME, timeout=LOCK_TIMEOUT):
                    if self.generation(name) != generation:
                        raise PublishedMeanwhile(f"Another version was published to {self} in the meantime.")
                    with written_whole(self._root / name) as file:
                        file.write(content)
            except Timeout as error:
                raise PublishedMeanwhile(f"Someone else is publishing to {self} just now.") from error

    @contextmanager
    def _storage_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self} can't be {done}: {error.strerror or error}.") from error
