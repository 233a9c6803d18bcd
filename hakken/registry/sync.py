"""A local directory of versions that follows an object store: fetched, checked and tried once for a whole machine.

ROOT/current.json    names the version that is served, and those before it
ROOT/versions/V/     its files, read-only: replaced, never written to, so a worker that has mapped one keeps using it
ROOT/.partial/V/     a version that is being fetched; what is whole there is not fetched again
ROOT/refused.json    the versions that were found unusable, so that no worker tries one twice
"""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from filelock import FileLock, Timeout

from hakken import __version__
from hakken.errors import (
    ArtefactCorrupt,
    ArtefactMissing,
    ArtefactRefused,
    ArtefactTooNew,
    RefusedAsTooNew,
    StorageError,
)
from hakken.files import is_file, sync, written_whole
from hakken.model import manifest as manifests
from hakken.model import store
from hakken.model.manifest import SCHEMA_VERSION, UNREADABLE, FileEntry
from hakken.model.store import CURRENT_NAME, VERSIONS_NAME, Artefact, CurrentVersion, VersionRef
from hakken.registry.storage import LOCK_NAME, READ_ONLY, ObjectStore

PARTIAL_NAME = ".partial"
REFUSED_NAME = "refused.json"
MAX_REFUSED = 100
KEPT_VERSIONS = 2
"""The current one, and the one before it."""
MIN_FREE_BYTES = 16 * 2**20
"""Disk space to leave free."""
LOCK_TIMEOUT = 300.0
"""Seconds to wait for another process of the machine that is fetching."""
READER = f"{__version__}/{SCHEMA_VERSION}"
"""The release of Hakken that refused a version: another one may be able to read it."""

Accept = Callable[[Artefact], object]
"""Tries a version whose checksums are right. Raises ArtefactCorrupt when it can't be used all the same."""

log = logging.getLogger("hakken")


class AvailableVersion(NamedTuple):
    """A version found in an object store, the prefix of its objects' names, and the `current.json` that names it."""

    ref: VersionRef
    base: str
    current: CurrentVersion | None = None


class RefusedVersion(VersionRef, frozen=True):
    """A version that was found unusable.

    Attributes:
        reason: the error's message.
        reader: the release of Hakken that refused it.
        name: of the one object that shows it, where there is one.
        generation: that object's, when the version was refused; another one means that the object was replaced.
        too_new: whether a later Hakken wrote it.
    """

    reason: str = msgspec.field(name="why")
    reader: str = msgspec.field(name="by")
    name: str | None = None
    generation: str | None = msgspec.field(default=None, name="mark")
    too_new: bool = False


class Mirror:
    """A local directory of versions that follows an object store.

    Args:
        root: the directory.
        find_remote: finds the store; called again when it failed. It may take its time, and raise StorageError.
        accept: see `Accept`.
    """

    def __init__(self, root: Path, find_remote: Callable[[], ObjectStore], accept: Accept) -> None:
        self._root = root
        self._find_remote = find_remote
        self._accept = accept
        self._remote: ObjectStore | None = None

    def sync(self, *, repair: bool = False) -> None:
        """Fetch the remote's current version and make it the local one, unless it is already.

        Args:
            repair: do not trust that the local current version is whole.

        Raises:
            ArtefactRefused: it was found unusable before; RefusedAsTooNew, as written by a later Hakken.
            ArtefactMissing, ArtefactCorrupt, ArtefactTooNew, StorageError: as `fetch`.
        """
        remote = self._remote = self._remote or self._find_remote()
        found = self._find(remote)  # first: another release of Hakken may have made a refused one the current one here
        if not repair and _is_current(self._root, found):
            return
        with locked(self._root):
            found = self._find(remote)  # while we waited for the lock, others may have synced, to a later version too
            if not repair and _is_current(self._root, found):
                return
            try:
                _install(remote, found, self._root, self._accept)
            except (ArtefactCorrupt, ArtefactTooNew) as error:
                name = error.name if isinstance(error, ArtefactCorrupt) else None
                generation, too_new = name and remote.generation(name), isinstance(error, ArtefactTooNew)
                ref, told = found.ref, (str(error), READER, name, generation, too_new)
                new = RefusedVersion(ref.version, ref.manifest_sha256, *told)
                with written_whole(self._root / REFUSED_NAME) as file:
                    file.write(msgspec.json.encode([new, *self._refused()][:MAX_REFUSED]))
                raise

    def versions(self) -> list[VersionRef]:
        """The local current version and those before it, latest first; all workers of the machine serve the first.

        Versions that are whole yet unusable are left out: another release of Hakken made them current.
        """
        unusable = {one.manifest_sha256 for one in self._refused() if one.reader == READER and not one.name}
        current = _read_current(self._root)
        return [ref for ref in current.history if ref.manifest_sha256 not in unusable] if current else []

    @contextmanager
    def opened(self, ref: VersionRef) -> Iterator[Artefact]:
        """Verify a local version; it is not removed during the block.

        Raises:
            ArtefactMissing: it is gone.
            ArtefactCorrupt: it was changed.
            StorageError: it can't be read just now.
        """
        directory = self._root / VERSIONS_NAME / ref.version
        with held(directory) as is_held:
            if not is_held:
                raise ArtefactMissing(f"The version {ref.version} is no longer kept in {self._root}.")
            yield store.verify(directory, ref.manifest_sha256)

    def _find(self, remote: ObjectStore) -> AvailableVersion:
        """Find the current version, unless it was refused."""
        found = _find_available(remote)
        for one in self._refused():
            same = (one.version, one.manifest_sha256, one.reader) == (*msgspec.structs.astuple(found.ref), READER)
            if same and (one.name is None or remote.generation(one.name) == one.generation):
                kind = RefusedAsTooNew if one.too_new else ArtefactRefused
                raise kind(f"The version {one.version} was refused before: {one.reason}")
        return found

    def _refused(self) -> list[RefusedVersion]:
        with suppress(OSError, *UNREADABLE):
            return msgspec.json.decode((self._root / REFUSED_NAME).read_bytes(), type=list[RefusedVersion])
        return []


def fetch(remote: ObjectStore, into: Path, version: str | None = None, accept: Accept = lambda _: None) -> Artefact:
    """Fetch a version, unless it is there already, and make it the current one of a local directory of versions.

    Args:
        remote: where from.
        into: local directory of versions.
        version: which; by default the remote's current one.
        accept: called before the version is made the current one, unless it is that already.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: a file does not match its manifest; `name` says which.
        ArtefactTooNew: a later Hakken wrote it.
        StorageError: the remote or the local disk can't be used, or a file was damaged in transit.
    """
    if str(remote) == str(into.absolute()):
        raise StorageError(f"{into} can't be fetched to itself.")
    with locked(into):
        found = _find_available(remote, version)
        return _install(remote, found, into, (lambda _: None) if _is_current(into, found) else accept)


def _find_available(remote: ObjectStore, version: str | None = None) -> AvailableVersion:
    """Find the version to fetch: the store's own manifest's, or else the one that its `current.json` names."""
    base = "" if version is None else f"{VERSIONS_NAME}/{version}/"
    name = base + manifests.FILE_NAME
    text = remote.read(name) if version is None or store.VERSION.match(version) else None
    if text is not None:
        found = manifests.version_of(manifests.decode(text), text)
        if version not in {None, found}:
            raise ArtefactCorrupt(f"The manifest of version {version} at {remote} is another's.", name)
        return AvailableVersion(VersionRef(found, hashlib.sha256(text).hexdigest()), base)
    if version is not None:
        raise ArtefactMissing(f"There is no version {version} at {remote}.")
    text = remote.read(CURRENT_NAME)
    if text is None:
        raise ArtefactMissing(f"There is no model at {remote}: no {name} in it, and no {CURRENT_NAME}.")
    current = CurrentVersion.decode(text)
    return AvailableVersion(current.history[0], f"{VERSIONS_NAME}/{current.version}/", current)


def read_manifest(remote: ObjectStore, ref: VersionRef, base: str) -> bytes | None:
    """The manifest of a version in an object store; None where it is gone.

    Raises:
        ArtefactCorrupt: it is another one.
        StorageError: the store can't be used.
    """
    text = remote.read(base + manifests.FILE_NAME)
    if text is not None and hashlib.sha256(text).hexdigest() != ref.manifest_sha256:
        told = f"The manifest of {ref.version} at {remote} is not the one that is named."
        raise ArtefactCorrupt(told, base + manifests.FILE_NAME)
    return text


def _install(remote: ObjectStore, found: AvailableVersion, into: Path, accept: Accept) -> Artefact:
    """Install a version, unless it is there whole, make it current, and remove those that no rollback returns to.

    The caller holds the directory's lock. A reader finds the old `current.json` or the new one.
    """
    text = read_manifest(remote, found.ref, found.base)
    if text is None:
        raise ArtefactMissing(f"There is no version {found.ref.version} at {remote}, though it is the current one.")
    manifest = manifests.decode(text)
    version = manifests.version_of(manifest, text)
    artefact = Artefact(into / VERSIONS_NAME / version, manifest, version)
    part = artefact._replace(directory=into / PARTIAL_NAME / version)
    damage: Exception | None = None
    try:
        store.verify(artefact.directory, found.ref.manifest_sha256)
    except (ArtefactMissing, ArtefactCorrupt, StorageError) as error:  # fetching again mends unreadable files too
        damage = error
        try:
            _download(remote, found.base, part, text)
            accept(part)
            _move_into_place(part.directory, artefact.directory)
        except (ArtefactCorrupt, OSError) as problem:
            # There is nothing to go on with, or freeing a full disk matters more than what is there already.
            if isinstance(problem, ArtefactCorrupt) or problem.errno in {errno.ENOSPC, errno.EDQUOT}:
                shutil.rmtree(part.directory, ignore_errors=True)
            raise
    else:
        accept(artefact)  # another release of Hakken may have installed what this one can't use
    _make_current(into, VersionRef(version, found.ref.manifest_sha256), found.current)
    if damage and not isinstance(damage, ArtefactMissing):
        log.warning("The version %s that was kept here was damaged, and was fetched again: %s", version, damage)
    return artefact


def _download(remote: ObjectStore, base: str, part: Artefact, text: bytes) -> None:
    """Download what is not there already; partial downloads of other versions are removed."""
    part.directory.mkdir(parents=True, exist_ok=True)
    for other in part.directory.parent.iterdir():
        if other != part.directory:
            shutil.rmtree(other, ignore_errors=True)
    there = sum(path.stat().st_size for path in part.directory.iterdir())
    needed = sum(entry.bytes for entry in part.manifest.files.values()) - there + MIN_FREE_BYTES
    free = shutil.disk_usage(part.directory).free
    if needed > free:
        raise StorageError(
            f"The model needs {needed / 1e6:,.0f} MB of the disk that has {part.directory.parent.parent}, with a "
            f"little to spare, and {free / 1e6:,.0f} MB are free."
        )
    for name, entry in part.manifest.files.items():
        _download_file(remote, base + name, part.directory / name, entry)
    (part.directory / manifests.FILE_NAME).write_bytes(text)


def _download_file(remote: ObjectStore, name: str, path: Path, entry: FileEntry) -> None:
    """Download a file unless it is there whole."""
    if path.exists() and store.describe_file(path) == entry:
        return
    with path.open("wb") as file:
        if not remote.download_at_most(name, file, entry.bytes + 1):
            raise ArtefactCorrupt(f"The model at {remote} lacks {name}, which its manifest names.", name)
    if store.describe_file(path) == entry:
        return
    stored, received = remote.checksum(name), remote.checksum_of(path)
    path.unlink()
    if stored is not None and stored.bytes == entry.bytes and stored != received:
        raise StorageError(f"{name} from {remote} was damaged on the way.")
    raise ArtefactCorrupt(f"{name} at {remote} is not what the manifest says: it is damaged or was changed.", name)


def _move_into_place(part: Path, target: Path) -> None:
    for path in part.iterdir():
        path.chmod(READ_ONLY)
        sync(path)
    part.chmod(0o755)  # whatever our umask
    sync(part)
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        _set_aside(target)
    part.rename(target)
    sync(target.parent)


def _make_current(into: Path, ref: VersionRef, remote: CurrentVersion | None) -> None:
    current = _read_current(into)
    if current is None or current.version != ref.version:
        current = store.succeed(current, ref, remote)
        with written_whole(into / CURRENT_NAME) as file:
            file.write(msgspec.json.encode(current))
    versions = into / VERSIONS_NAME
    whole = [one.version for one in current.history if is_file(versions / one.version / manifests.FILE_NAME)]
    for path in list(versions.iterdir()):
        if path.name not in whole[:KEPT_VERSIONS]:
            with held(path, fcntl.LOCK_EX) as is_free:
                if is_free:
                    # Renamed first, so that being killed half-way leaves no half version. A name with a leading dot was
                    # left by a killed process that was installing or removing: we hold the lock.
                    shutil.rmtree(path if path.name.startswith(".") else _set_aside(path), ignore_errors=True)


def _set_aside(path: Path) -> Path:
    """Rename a version so that no reader finds it and the next installation removes it."""
    return path.rename(tempfile.mkdtemp(prefix=f".{path.name}.gone-", dir=path.parent))


def _read_current(root: Path) -> CurrentVersion | None:
    with suppress(ArtefactCorrupt, StorageError):
        return store.read_current(root)
    return None


def _is_current(root: Path, found: AvailableVersion) -> bool:
    current = _read_current(root)
    return current is not None and current.manifest_sha256 == found.ref.manifest_sha256


@contextmanager
def locked(into: Path) -> Iterator[None]:
    """Let one process of the machine at a time fetch to a directory of versions.

    Raises:
        StorageError: the disk failed, in the block too, or another process does not release the lock.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        with FileLock(into / LOCK_NAME, timeout=LOCK_TIMEOUT):
            yield
    except Timeout as error:
        raise StorageError(f"Another process is still fetching to {into}.") from error
    except OSError as error:
        raise StorageError(f"The model could not be kept in {into}: {error.strerror or error}.") from error


@contextmanager
def held(directory: Path, lock: int = fcntl.LOCK_SH) -> Iterator[bool]:
    """Keep a version from being removed during the block; False where it is gone, or being removed.

    The lock is released with the process, however that ends.
    """
    is_held = True
    with ExitStack() as stack:
        try:
            handle = os.open(directory, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, lock | fcntl.LOCK_NB)
        except OSError as error:
            # Some network disks lock no directory: there nothing is known to be in use, and mapped files stay anyway.
            is_held = error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EWOULDBLOCK}
        yield is_held
