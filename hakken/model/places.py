"""Places that models are published to and fetched from: what all have in common, and directories.

A place holds files under names such as `versions/V/b_i.npy`. Here only bytes are moved; what a version is, is
`hakken.model.publishing`'s and `hakken.model.fetching`'s business. The other kind of place, a bucket, is in
`create_gcs_local_file`.
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
PATIENCE = 10.0
"""Seconds to wait for another publisher, who needs milliseconds to move a pointer."""


class Seal(NamedTuple):
    """What tells a file's content from another's: its size in bytes, and a checksum of the place's own kind."""

    bytes: int
    checksum: str


class Place(Protocol):
    """Where versions of a model are. Names are relative to it; every method raises StorageError when it fails."""

    def __str__(self) -> str:
        """Its address, as a person would write it."""

    def mark(self, name: str) -> str | None:
        """What changes whenever a file is written anew; None where there is none. Cheap: nothing is read for it."""

    def read(self, name: str) -> bytes | None:
        """A small file's content; None where there is none."""

    def copy(self, name: str, into: IO[bytes], start: int) -> None:
        """Write a file's content from byte `start` on.

        Raises:
            ArtefactCorrupt: there is no such file.
        """

    def describe(self, name: str) -> Seal | None:
        """The seal of a file that is there; None where there is none."""

    def seal(self, path: Path) -> Seal:
        """The seal that a local file would have there."""

    def put(self, name: str, path: Path) -> None:
        """Store a local file under a name that is not taken; what is there already is left as it is."""

    def swap(self, name: str, content: bytes, mark: str | None) -> None:
        """Write a small file if its mark is still the one given; None: if there is still none.

        Raises:
            PublishedMeanwhile: it has another one by now.
        """


class Directory:
    """A directory, or a `file://` address of one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def at(cls, address: str) -> Self:
        """The directory that an address means; it need not be there yet.

        Raises:
            StorageError: it means none.
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
        """Where it is."""
        return self._root

    def __str__(self) -> str:
        return str(self._root)

    def mark(self, name: str) -> str | None:
        """Inode, size and time of the last change: a file is replaced as a whole, so it gets a new inode."""
        with self._trouble("read"):
            try:
                stat = (self._root / name).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return f"{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}"

    def read(self, name: str) -> bytes | None:
        """See `Place`."""
        with self._trouble("read"):
            return (self._root / name).read_bytes() if is_file(self._root / name) else None

    def copy(self, name: str, into: IO[bytes], start: int) -> None:
        """See `Place`."""
        # Asked for its mark, a disk that can't be read just now says so, and not that there is no file.
        if self.mark(name) is None:
            raise ArtefactCorrupt(f"The model at {self} lacks {name}, which its manifest names.", name)
        with self._trouble("read"), (self._root / name).open("rb") as file:
            file.seek(start)
            shutil.copyfileobj(file, into)

    def describe(self, name: str) -> Seal | None:
        """Size and sha256."""
        return None if self.mark(name) is None else self.seal(self._root / name)

    def seal(self, path: Path) -> Seal:
        """See `Place`."""
        entry = describe_file(path)
        return Seal(entry.bytes, entry.sha256)

    def put(self, name: str, path: Path) -> None:
        """See `Place`."""
        target = self._root / name
        with self._trouble("written"):
            if target.exists():
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target) as file, path.open("rb") as source:
                shutil.copyfileobj(source, file)
                os.fchmod(file.fileno(), READ_ONLY)

    def swap(self, name: str, content: bytes, mark: str | None) -> None:
        """See `Place`; publishers on machines that share the directory are kept apart as far as its locks are."""
        with self._trouble("written"):
            self._root.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self._root / LOCK_NAME, timeout=PATIENCE):
                    if self.mark(name) != mark:
                        raise PublishedMeanwhile(f"Another version was published to {self} in the meantime.")
                    with written_whole(self._root / name) as file:
                        file.write(content)
            except Timeout as error:
                raise PublishedMeanwhile(f"Someone else is publishing to {self} just now.") from error

    @contextmanager
    def _trouble(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self} can't be {done}: {error.strerror or error}.") from error
