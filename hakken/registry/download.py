"""Downloading one file of a model, whole or not at all, resuming an earlier attempt."""

import time
from pathlib import Path
from typing import IO, cast

from hakken.errors import ArtefactCorrupt, StorageError
from hakken.model import store
from hakken.model.manifest import FileEntry
from hakken.registry.storage import ObjectStore

PART = ".part"
GRACE_SECONDS, MIN_BYTES_PER_SECOND = 60.0, 50_000.0
"""A download may take this many seconds, plus its size at this rate; a slower one is given up for now."""


def download_file(remote: ObjectStore, name: str, path: Path, entry: FileEntry) -> None:
    """Download a file, or what is still missing of it.

    Args:
        remote: where from.
        name: the object's.
        path: where to; it appears when it is whole, and is `NAME.part` until then.
        entry: its expected size and checksum.

    Raises:
        ArtefactCorrupt: the object is something else.
        StorageError: the store can't be used or is too slow, or the file was damaged in transit.
        OSError: the local disk failed.
    """
    if path.exists():
        if store.describe_file(path) == entry:
            return
        path.unlink()
    part = path.with_name(path.name + PART)
    begun = part.stat().st_size if part.exists() else 0
    # If the resumed file is wrong, the part of the earlier attempt may be why: then all of it is downloaded anew.
    for start in (begun, 0) if 0 < begun <= entry.bytes else (0,):
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            if start < entry.bytes:
                _download(remote, name, _LimitedWriter(file, entry.bytes - start), start)
        if store.describe_file(part) == entry:
            part.rename(path)
            return
    stored, received = remote.checksum(name), remote.checksum_of(part)
    part.unlink()
    if stored is not None and stored.bytes == entry.bytes and stored != received:
        raise StorageError(f"{name} from {remote} was damaged on the way.")
    raise ArtefactCorrupt(f"{name} at {remote} is not what the manifest says: it is damaged or was changed.", name)


def _download(remote: ObjectStore, name: str, into: "_LimitedWriter", start: int) -> None:
    try:
        remote.download(name, cast("IO[bytes]", into), start)
    except _Aborted:
        if into.failure:
            raise into.failure from None


class _Aborted(Exception):
    """The writer takes no more. No store or client mistakes this for a failure of its own."""


class _LimitedWriter:
    """A file that takes only so many bytes, and only for so long.

    Attributes:
        failure: why writing was aborted; None where more came than the manifest says.
    """

    failure: Exception | None = None

    def __init__(self, file: IO[bytes], left: int) -> None:
        self._file = file
        self._left = left
        self._end = time.monotonic() + GRACE_SECONDS + left / MIN_BYTES_PER_SECOND

    def write(self, chunk: bytes) -> int:
        """Write a chunk.

        Raises:
            _Aborted: it is too much or too late, or the disk failed.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise _Aborted
        if time.monotonic() > self._end:
            self.failure = StorageError("The model comes too slowly, and is left for later.")
            raise _Aborted
        try:
            return self._file.write(chunk)
        except OSError as error:
            self.failure = error
            raise _Aborted from error
