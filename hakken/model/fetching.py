"""Fetching a version of a model to a directory of versions of this machine.

Files are gathered in `ROOT/.partial/V/`, each as `NAME.part` until it is whole, so that an attempt that was broken off
goes on where it was. When all of them are what the manifest says, the version takes its place under `ROOT/versions/`
whole, and only then is `ROOT/current.json` moved to it. Installed files are read-only, and replaced, never written to:
a worker that has mapped one goes on with it even when it is deleted.
"""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from hakken.errors import ArtefactCorrupt, ArtefactMissing, StorageError
from hakken.files import is_file
from hakken.model import manifest as manifests
from hakken.model import store
from hakken.model.gathering import complete
from hakken.model.manifest import Manifest
from hakken.model.places import LOCK_NAME, READ_ONLY, Place
from hakken.model.pointer import POINTER_NAME, VERSIONS_NAME, Pointer, decode_pointer, is_version
from hakken.model.store import Artefact

PARTIAL_NAME = ".partial"
KEPT_VERSIONS = 2
"""The current one, and the one before it."""
SPARE = 16 * 2**20
"""Bytes that are to stay free on the disk."""
PATIENCE = 300.0
"""Seconds to wait for another worker of the machine that is fetching."""

Accept = Callable[[Artefact], object]
"""Looks into a version whose checksums are right. Raises ArtefactCorrupt when it can't be used all the same."""


log = logging.getLogger("hakken")


class Offered(NamedTuple):
    """A version that a place offers.

    Attributes:
        version: as it is named there.
        manifest_sha256: its manifest's checksum.
        base: what the names of its files begin with.
        pointer: the one that names it, where one does.
    """

    version: str
    manifest_sha256: str
    base: str
    pointer: Pointer | None = None


def fetch(place: Place, into: Path, version: str | None = None, accept: Accept = lambda _: None) -> Artefact:
    """Fetch a version, unless it is there already, and make it the current one of a local directory of versions.

    Args:
        place: where from.
        into: local directory of versions.
        version: which; by default the place's current one.
        accept: asked before the version takes its place.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: a file that is there is not what its manifest says; `name` says which.
        ArtefactTooNew: a later Hakken wrote it.
        StorageError: the place or the local disk can't be used, or a file was damaged on its way.
    """
    if str(place) == str(into.absolute()):
        raise StorageError(f"{into} can't be fetched to itself.")
    with locked(into):
        offered = offered_by(place, version)
        artefact = install(place, offered, into, accept)
        adopt(into, artefact, offered.pointer)
    return artefact


def offered_by(place: Place, version: str | None = None) -> Offered:
    """What a place offers: its own manifest's model, or else what its pointer names.

    Args:
        place: where to look.
        version: a certain one instead of the current one.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: the pointer, or a version's manifest, is not what it should be.
        StorageError: the place can't be used.
    """
    if version is not None:
        base = f"{VERSIONS_NAME}/{version}/"
        text = place.read(base + manifests.FILE_NAME) if is_version(version) else None
        if text is None:
            raise ArtefactMissing(f"There is no version {version} at {place}.")
        if manifests.version_of(manifests.decode(text), text) != version:
            name = base + manifests.FILE_NAME
            raise ArtefactCorrupt(f"The manifest of version {version} at {place} is another's.", name)
        return Offered(version, hashlib.sha256(text).hexdigest(), base)
    if (text := place.read(manifests.FILE_NAME)) is not None:
        return Offered(manifests.version_of(manifests.decode(text), text), hashlib.sha256(text).hexdigest(), "")
    pointer_text = place.read(POINTER_NAME)
    if pointer_text is None:
        raise ArtefactMissing(f"There is no model at {place}: no {manifests.FILE_NAME} in it, and no {POINTER_NAME}.")
    pointer = decode_pointer(pointer_text)
    return Offered(pointer.version, pointer.manifest_sha256, f"{VERSIONS_NAME}/{pointer.version}/", pointer)


def install(place: Place, offered: Offered, into: Path, accept: Accept) -> Artefact:
    """Put a version in its place below a directory of versions, unless it is there whole; as `fetch` otherwise.

    The caller holds the directory's lock.
    """
    text, manifest = _offered_manifest(place, offered)
    version = manifests.version_of(manifest, text)
    target = into / VERSIONS_NAME / version
    damage = None
    try:
        kept = store.verify(target, offered.manifest_sha256)
    except (ArtefactMissing, ArtefactCorrupt, StorageError) as error:  # what stays unreadable is mended so too
        damage = None if isinstance(error, ArtefactMissing) else error
    else:
        accept(kept)  # another Hakken may have taken what this one can't use
        return kept
    part = into / PARTIAL_NAME / version
    with _disk(into, part):
        _begin(part, manifest)
        try:
            for file, entry in manifest.files.items():
                complete(place, offered.base + file, part / file, entry)
            (part / manifests.FILE_NAME).write_bytes(text)
            accept(Artefact(part, manifest, version))
        except ArtefactCorrupt:
            shutil.rmtree(part, ignore_errors=True)  # there is nothing to go on with
            raise
        _put(part, target, (*manifest.files, manifests.FILE_NAME))
    if damage is not None:
        log.warning("The version %s that was kept here was damaged, and was fetched again: %s", version, damage)
    return Artefact(target, manifest, version)


def _offered_manifest(place: Place, offered: Offered) -> tuple[bytes, Manifest]:
    name = offered.base + manifests.FILE_NAME
    text = place.read(name)
    if text is None:
        raise ArtefactMissing(f"There is no version {offered.version} at {place}, though it is the current one.")
    if hashlib.sha256(text).hexdigest() != offered.manifest_sha256:
        raise ArtefactCorrupt(f"The manifest of {offered.version} at {place} is not the one that is named.", name)
    return text, manifests.decode(text)


def _put(part: Path, target: Path, names: Iterable[str]) -> None:
    if target.exists() and not is_file(target / manifests.FILE_NAME):
        _set_aside(target)  # a ruin, which would be taken for something else than a model, and left alone
    with store.replacing(target) as staged:
        for name in names:
            (part / name).chmod(READ_ONLY)
            (part / name).rename(staged / name)
    shutil.rmtree(part, ignore_errors=True)


def adopt(into: Path, artefact: Artefact, theirs: Pointer | None) -> None:
    """Make an installed version the current one, and remove those that nobody goes back to.

    The caller holds the directory's lock.

    Args:
        into: the directory of versions.
        artefact: the version.
        theirs: the pointer that offered it, where one did.

    Raises:
        StorageError: the disk refuses.
    """
    with _disk(into):
        pointer = store.read_pointer_or_none(into)
        if pointer is None or pointer.version != artefact.version:
            store.point_to(into, artefact, theirs)
        _prune(into)


@contextmanager
def locked(into: Path) -> Iterator[None]:
    """Let one process of the machine at a time fetch to a directory of versions.

    Raises:
        StorageError: the disk refuses, or another process does not come to an end.
    """
    with _disk(into):
        into.mkdir(parents=True, exist_ok=True)
        lock = FileLock(into / LOCK_NAME, timeout=PATIENCE)
        try:
            lock.acquire()
        except Timeout as error:
            raise StorageError(f"Another process is still fetching to {into}.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held(directory: Path) -> Iterator[bool]:
    """Keep a version from being removed for as long as the block runs; False where it is gone, or just being removed.

    The system lets go of it with the process, however that ends.
    """
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _flock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        # Some network disks lock no directory; there nothing is known to be in use, and a mapped file stays anyway.
        return error.errno != errno.EWOULDBLOCK
    return True


def _prune(into: Path) -> None:
    pointer = store.read_pointer_or_none(into)
    if pointer is None:
        return
    versions = into / VERSIONS_NAME
    known = [one.version for one in (pointer, *pointer.previous)]
    kept = [name for name in known if is_file(versions / name / manifests.FILE_NAME)][:KEPT_VERSIONS]
    for path in list(versions.iterdir()):
        if path.name in kept:
            continue
        # What has a dot in front was being put in place, or removed, by a process that was killed: we hold the lock.
        handle = os.open(path, os.O_RDONLY)
        try:
            if _flock(handle, fcntl.LOCK_EX):
                # Not under its name: whoever is killed in the middle is not to leave half a version.
                shutil.rmtree(path if path.name.startswith(".") else _set_aside(path), ignore_errors=True)
        finally:
            os.close(handle)


def _set_aside(path: Path) -> Path:
    """Give a version a name under which nobody looks for one, and under which `_prune` clears it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.gone-", dir=path.parent))
    path.rename(aside / path.name)
    return aside


def _begin(part: Path, manifest: Manifest) -> None:
    """Make room: clear what was gathered of other versions, and look whether the rest of this one finds a place."""
    part.mkdir(parents=True, exist_ok=True)
    for other in part.parent.iterdir():
        if other != part:
            shutil.rmtree(other, ignore_errors=True)
    there = sum(path.stat().st_size for path in part.iterdir())
    needed = sum(entry.bytes for entry in manifest.files.values()) - there + SPARE
    free = shutil.disk_usage(part).free
    if needed > free:
        raise StorageError(
            f"The model needs {needed / 1e6:,.0f} MB of the disk that has {part.parent.parent}, with a little to "
            f"spare, and {free / 1e6:,.0f} MB are free."
        )


@contextmanager
def _disk(into: Path, part: Path | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if part is not None and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            shutil.rmtree(part, ignore_errors=True)  # a full disk is worse than fetching again
        raise StorageError(f"The model could not be kept in {into}: {error.strerror or error}.") from error
