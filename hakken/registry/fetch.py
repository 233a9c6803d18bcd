"""Fetching a version of a model into a local directory of versions.

Files are downloaded to `ROOT/.partial/V/`, each as `NAME.part` until it is whole, so an interrupted attempt is resumed.
When all of them match the manifest, the version is moved whole to `ROOT/versions/`, and only then does
`ROOT/current.json` name it. Installed files are read-only and are replaced, never written to: a worker that has mapped
one keeps using it even after it is deleted.
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

import msgspec
from filelock import FileLock, Timeout

from hakken.errors import ArtefactCorrupt, ArtefactMissing, StorageError
from hakken.files import is_file, written_whole
from hakken.model import manifest as manifests
from hakken.model import store
from hakken.model.current_version import (
    CURRENT_NAME,
    VERSIONS_NAME,
    CurrentVersion,
    VersionRef,
    decode_current,
    is_version,
)
from hakken.model.manifest import Manifest
from hakken.model.store import Artefact
from hakken.registry.download import download_file
from hakken.registry.storage import LOCK_NAME, READ_ONLY, ObjectStore

PARTIAL_NAME = ".partial"
KEPT_VERSIONS = 2
"""The current one, and the one before it."""
MIN_FREE_BYTES = 16 * 2**20
"""Disk space to leave free."""
LOCK_TIMEOUT = 300.0
"""Seconds to wait for another process of the machine that is fetching."""

Accept = Callable[[Artefact], object]
"""Tries a version whose checksums are right. Raises ArtefactCorrupt when it can't be used all the same."""


log = logging.getLogger("hakken")


class AvailableVersion(NamedTuple):
    """A version found in an object store.

    Attributes:
        version: its name there.
        manifest_sha256: its manifest's checksum.
        base: prefix of its objects' names.
        current: the `current.json` that names it, if one does.
    """

    version: str
    manifest_sha256: str
    base: str
    current: CurrentVersion | None = None


def fetch(remote: ObjectStore, into: Path, version: str | None = None, accept: Accept = lambda _: None) -> Artefact:
    """Fetch a version, unless it is there already, and make it the current one of a local directory of versions.

    Args:
        remote: where from.
        into: local directory of versions.
        version: which; by default the remote's current one.
        accept: called before the version is installed.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: a file does not match its manifest; `name` says which.
        ArtefactTooNew: a later Hakken wrote it.
        StorageError: the remote or the local disk can't be used, or a file was damaged in transit.
    """
    if str(remote) == str(into.absolute()):
        raise StorageError(f"{into} can't be fetched to itself.")
    with locked(into):
        found = find_available(remote, version)
        artefact = install(remote, found, into, accept)
        make_current(into, artefact, found.current)
    return artefact


def find_available(remote: ObjectStore, version: str | None = None) -> AvailableVersion:
    """Find the version to fetch: the store's own manifest's, or else the one that its `current.json` names.

    Args:
        remote: where to look.
        version: a certain one instead of the current one.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: `current.json`, or a version's manifest, is invalid.
        StorageError: the store can't be used.
    """
    if version is not None:
        base = f"{VERSIONS_NAME}/{version}/"
        text = remote.read(base + manifests.FILE_NAME) if is_version(version) else None
        if text is None:
            raise ArtefactMissing(f"There is no version {version} at {remote}.")
        if manifests.version_of(manifests.decode(text), text) != version:
            name = base + manifests.FILE_NAME
            raise ArtefactCorrupt(f"The manifest of version {version} at {remote} is another's.", name)
        return AvailableVersion(version, hashlib.sha256(text).hexdigest(), base)
    if (text := remote.read(manifests.FILE_NAME)) is not None:
        version = manifests.version_of(manifests.decode(text), text)
        return AvailableVersion(version, hashlib.sha256(text).hexdigest(), "")
    text = remote.read(CURRENT_NAME)
    if text is None:
        raise ArtefactMissing(f"There is no model at {remote}: no {manifests.FILE_NAME} in it, and no {CURRENT_NAME}.")
    current = decode_current(text)
    return AvailableVersion(current.version, current.manifest_sha256, f"{VERSIONS_NAME}/{current.version}/", current)


def install(remote: ObjectStore, found: AvailableVersion, into: Path, accept: Accept) -> Artefact:
    """Install a version in a directory of versions, unless it is there whole; as `fetch` otherwise.

    The caller holds the directory's lock.
    """
    text, manifest = _read_manifest(remote, found)
    version = manifests.version_of(manifest, text)
    target = into / VERSIONS_NAME / version
    damage = None
    try:
        kept = store.verify(target, found.manifest_sha256)
    except (ArtefactMissing, ArtefactCorrupt, StorageError) as error:  # fetching again mends unreadable files too
        damage = None if isinstance(error, ArtefactMissing) else error
    else:
        accept(kept)  # another release of Hakken may have installed what this one can't use
        return kept
    part = into / PARTIAL_NAME / version
    with _storage_errors(into, part):
        _prepare(part, manifest)
        try:
            for file, entry in manifest.files.items():
                download_file(remote, found.base + file, part / file, entry)
            (part / manifests.FILE_NAME).write_bytes(text)
            accept(Artefact(part, manifest, version))
        except ArtefactCorrupt:
            shutil.rmtree(part, ignore_errors=True)  # there is nothing to resume
            raise
        _move_into_place(part, target, (*manifest.files, manifests.FILE_NAME))
    if damage is not None:
        log.warning("The version %s that was kept here was damaged, and was fetched again: %s", version, damage)
    return Artefact(target, manifest, version)


def _read_manifest(remote: ObjectStore, found: AvailableVersion) -> tuple[bytes, Manifest]:
    name = found.base + manifests.FILE_NAME
    text = remote.read(name)
    if text is None:
        raise ArtefactMissing(f"There is no version {found.version} at {remote}, though it is the current one.")
    if hashlib.sha256(text).hexdigest() != found.manifest_sha256:
        raise ArtefactCorrupt(f"The manifest of {found.version} at {remote} is not the one that is named.", name)
    return text, manifests.decode(text)


def _move_into_place(part: Path, target: Path, names: Iterable[str]) -> None:
    if target.exists() and not is_file(target / manifests.FILE_NAME):
        _set_aside(target)  # `replacing` refuses to replace a directory without a manifest
    with store.replacing(target) as staged:
        for name in names:
            (part / name).chmod(READ_ONLY)
            (part / name).rename(staged / name)
    shutil.rmtree(part, ignore_errors=True)


def make_current(into: Path, artefact: Artefact, remote: CurrentVersion | None) -> None:
    """Make an installed version the current one, and remove those that no rollback returns to.

    The caller holds the directory's lock. A reader finds the old `current.json` or the new one.

    Args:
        into: the directory of versions.
        artefact: the version.
        remote: the remote's `current.json`, where it has one.

    Raises:
        StorageError: the disk failed.
    """
    with _storage_errors(into):
        old = read_current_or_none(into)
        if old is None or old.version != artefact.version:
            digest = store.describe_file(artefact.directory / manifests.FILE_NAME).sha256
            new = CurrentVersion.following(old, VersionRef(artefact.version, digest), remote)
            with written_whole(into / CURRENT_NAME) as file:
                file.write(msgspec.json.encode(new))
        _prune(into)


def read_current_or_none(root: Path) -> CurrentVersion | None:
    """The current version of a directory of versions; None where there is none or it can't be read."""
    try:
        return store.read_current(root)
    except (ArtefactCorrupt, StorageError):
        return None


@contextmanager
def locked(into: Path) -> Iterator[None]:
    """Let one process of the machine at a time fetch to a directory of versions.

    Raises:
        StorageError: the disk failed, or another process does not release the lock.
    """
    with _storage_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        lock = FileLock(into / LOCK_NAME, timeout=LOCK_TIMEOUT)
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
    """Keep a version from being removed during the block; False where it is gone, or being removed.

    The lock is released with the process, however that ends.
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
        # Some network disks can't lock directories: there nothing is known to be in use, and mapped files stay anyway.
        return error.errno != errno.EWOULDBLOCK
    return True


def _prune(into: Path) -> None:
    current = read_current_or_none(into)
    if current is None:
        return
    versions = into / VERSIONS_NAME
    known = [one.version for one in (current, *current.previous)]
    kept = [name for name in known if is_file(versions / name / manifests.FILE_NAME)][:KEPT_VERSIONS]
    for path in list(versions.iterdir()):
        if path.name in kept:
            continue
        # A name with a leading dot was left by a killed process that was installing or removing: we hold the lock.
        handle = os.open(path, os.O_RDONLY)
        try:
            if _flock(handle, fcntl.LOCK_EX):
                # Renamed first, so that being killed half-way leaves no half version.
                shutil.rmtree(path if path.name.startswith(".") else _set_aside(path), ignore_errors=True)
        finally:
            os.close(handle)


def _set_aside(path: Path) -> Path:
    """Rename a version so that no reader finds it and `_prune` removes it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.gone-", dir=path.parent))
    path.rename(aside / path.name)
    return aside


def _prepare(part: Path, manifest: Manifest) -> None:
    """Remove partial downloads of other versions, and check that there is disk space for the rest of this one."""
    part.mkdir(parents=True, exist_ok=True)
    for other in part.parent.iterdir():
        if other != part:
            shutil.rmtree(other, ignore_errors=True)
    there = sum(path.stat().st_size for path in part.iterdir())
    needed = sum(entry.bytes for entry in manifest.files.values()) - there + MIN_FREE_BYTES
    free = shutil.disk_usage(part).free
    if needed > free:
        raise StorageError(
            f"The model needs {needed / 1e6:,.0f} MB of the disk that has {part.parent.parent}, with a little to "
            f"spare, and {free / 1e6:,.0f} MB are free."
        )


@contextmanager
def _storage_errors(into: Path, part: Path | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if part is not None and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            shutil.rmtree(part, ignore_errors=True)  # freeing a full disk matters more than resuming
        raise StorageError(f"The model could not be kept in {into}: {error.strerror or error}.") from error
