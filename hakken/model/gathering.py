"""Fetching one file of a model, whole or nothing, going on where an earlier attempt was broken off."""

import time
from pathlib import Path
from typing import IO, cast

from hakken.errors import ArtefactCorrupt, StorageError
from hakken.model import store
from hakken.model.manifest import FileEntry
from hakken.model.places import Place

PART = ".part"
HEAD_START, SLOWEST = 60.0, 50_000.0
"""A file may take so many seconds, and one more for each so many bytes: what is slower is given up for now."""


def complete(place: Place, name: str, path: Path, entry: FileEntry) -> None:
    """Fetch one file, or what is still missing of it.

    Args:
        place: where from.
        name: of the file there.
        path: where to; it appears when it is whole, and is `NAME.part` until then.
        entry: what it should be.

    Raises:
        ArtefactCorrupt: what is there is something else.
        StorageError: the place can't be used, is too slow, or the file was damaged on its way.
        OSError: the disk here refuses.
    """
    if path.exists():
        if store.describe_file(path) == entry:
            return
        path.unlink()
    part = path.with_name(path.name + PART)
    begun = part.stat().st_size if part.exists() else 0
    for start in (begun, 0) if 0 < begun <= entry.bytes else (0,):
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            if start < entry.bytes:
                _copy(place, name, _Limited(file, entry.bytes - start), start)
        if store.describe_file(part) == entry:
            part.rename(path)
            return
        # What an earlier attempt left may be what is wrong: then all of it is fetched anew.
    _refuse(place, name, part, entry)


def _refuse(place: Place, name: str, part: Path, entry: FileEntry) -> None:
    """Say whose fault it is that a file is not what the manifest says: the place's for good, or the way's for now."""
    theirs, mine = place.describe(name), place.seal(part)
    part.unlink()
    if theirs is not None and theirs.bytes == entry.bytes and theirs != mine:
        raise StorageError(f"{name} from {place} was damaged on the way.")
    raise ArtefactCorrupt(f"{name} at {place} is not what the manifest says: it is damaged or was changed.", name)


def _copy(place: Place, name: str, into: "_Limited", start: int) -> None:
    try:
        place.copy(name, cast("IO[bytes]", into), start)
    except _Stopped:
        if into.failure:
            raise into.failure from None


class _Stopped(Exception):
    """Nothing more is taken. Neither the place nor its client takes this for a failure of its own."""


class _Limited:
    """A file to write to, so far and for so long only.

    Attributes:
        failure: why no more was written, if it is not that more came than the manifest says.
    """

    failure: Exception | None = None

    def __init__(self, file: IO[bytes], left: int) -> None:
        self._file = file
        self._left = left
        self._end = time.monotonic() + HEAD_START + left / SLOWEST

    def write(self, chunk: bytes) -> int:
        """Write a chunk.

        Raises:
            _Stopped: it is one too many, it came too late, or the disk refuses.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise _Stopped
        if time.monotonic() > self._end:
            self.failure = StorageError("The model comes too slowly, and is left for later.")
            raise _Stopped
        try:
            return self._file.write(chunk)
        except OSError as error:
            self.failure = error
            raise _Stopped from error
