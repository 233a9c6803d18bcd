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
from contextlib import contextmanager, suppress
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
from hakken.model.manifest import SCHEMA_VERSION, UNREADABLE, FileEntry, Manifest
from hakken.model.store import Artefact
from hakken.registry.storage import LOCK_NAME, READ_ONLY, LimitedWriter, ObjectStore

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


class RefusedVersion(msgspec.Struct, frozen=True):
    """A version that was found unusable.

    Attributes:
        version: its name.
        manifest_sha256: its manifest's checksum.
        reason: the error's message.
        reader: the release of Hakken that refused it.
        name: of the one object that shows it, where there is one.
        generation: that object's, when the version was refused; another one means that the object was replaced.
        too_new: whether a later Hakken wrote it.
    """

    version: str
    manifest_sha256: str
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
        found = find_available(remote)
        self._check_refused(remote, found)  # first: another release of Hakken may have made it the current one here
        here = self._history()[:1]
        if not repair and here and here[0].manifest_sha256 == found.manifest_sha256:
            return
        with locked(self._root):
            # Read again: while we waited for the lock, others may have synced to a later version.
            found = find_available(remote)
            self._check_refused(remote, found)
            try:
                _install(remote, found, self._root, self._accept)
            except (ArtefactCorrupt, ArtefactTooNew) as error:
                self._refuse(remote, found, error)
                raise

    def versions(self) -> list[VersionRef]:
        """The local current version and those before it, latest first; all workers of the machine serve the first.

        Versions that are whole yet unusable are left out: another release of Hakken made them current.
        """
        ours = [one for one in self._refused() if one.reader == READER and not one.name]
        unusable = {VersionRef(one.version, one.manifest_sha256) for one in ours}
        return [ref for ref in self._history() if ref not in unusable]

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

    def _history(self) -> list[VersionRef]:
        current = _read_current_or_none(self._root)
        return [] if current is None else [current.ref, *current.previous]

    def _check_refused(self, remote: ObjectStore, found: AvailableVersion) -> None:
        for one in self._refused():
            same = (one.version, one.manifest_sha256, one.reader) == (found.version, found.manifest_sha256, READER)
            if same and (one.name is None or remote.generation(one.name) == one.generation):
                kind = RefusedAsTooNew if one.too_new else ArtefactRefused
                raise kind(f"The version {one.version} was refused before: {one.reason}")

    def _refused(self) -> list[RefusedVersion]:
        try:
            return msgspec.json.decode((self._root / REFUSED_NAME).read_bytes(), type=list[RefusedVersion])
        except (OSError, *UNREADABLE):
            return []

    def _refuse(self, remote: ObjectStore, found: AvailableVersion, error: ArtefactCorrupt | ArtefactTooNew) -> None:
        name = error.name if isinstance(error, ArtefactCorrupt) else None
        generation = None if name is None else remote.generation(name)
        which, too_new = (found.version, found.manifest_sha256, str(error), READER), isinstance(error, ArtefactTooNew)
        new = RefusedVersion(*which, name, generation, too_new)
        try:
            with written_whole(self._root / REFUSED_NAME) as file:
                file.write(msgspec.json.encode([new, *self._refused()][:MAX_REFUSED]))
        except OSError as problem:
            raise StorageError(f"Nothing can be kept in {self._root}: {problem.strerror}. And: {error}") from error


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
        found, current = find_available(remote, version), _read_current_or_none(into)
        is_current = current is not None and current.manifest_sha256 == found.manifest_sha256
        return _install(remote, found, into, (lambda _: None) if is_current else accept)


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


def _install(remote: ObjectStore, found: AvailableVersion, into: Path, accept: Accept) -> Artefact:
    """Install a version, unless it is there whole, make it current, and remove those that no rollback returns to.

    The caller holds the directory's lock. A reader finds the old `current.json` or the new one.
    """
    text, manifest = _read_manifest(remote, found)
    version = manifests.version_of(manifest, text)
    artefact = Artefact(into / VERSIONS_NAME / version, manifest, version)
    part = artefact._replace(directory=into / PARTIAL_NAME / version)
    damage: Exception | None = None
    with _storage_errors(into, part.directory):
        try:
            store.verify(artefact.directory, found.manifest_sha256)
        except (ArtefactMissing, ArtefactCorrupt, StorageError) as error:  # fetching again mends unreadable files too
            damage = None if isinstance(error, ArtefactMissing) else error
            try:
                _download(remote, found.base, part, text)
                accept(part)
            except ArtefactCorrupt:
                shutil.rmtree(part.directory, ignore_errors=True)  # there is nothing to go on with
                raise
            _move_into_place(part, artefact.directory)
        else:
            accept(artefact)  # another release of Hakken may have installed what this one can't use
        _make_current(into, VersionRef(version, found.manifest_sha256), found.current)
    if damage is not None:
        log.warning("The version %s that was kept here was damaged, and was fetched again: %s", version, damage)
    return artefact


def _read_manifest(remote: ObjectStore, found: AvailableVersion) -> tuple[bytes, Manifest]:
    name = found.base + manifests.FILE_NAME
    text = remote.read(name)
    if text is None:
        raise ArtefactMissing(f"There is no version {found.version} at {remote}, though it is the current one.")
    if hashlib.sha256(text).hexdigest() != found.manifest_sha256:
        raise ArtefactCorrupt(f"The manifest of {found.version} at {remote} is not the one that is named.", name)
    return text, manifests.decode(text)


def _download(remote: ObjectStore, base: str, part: Artefact, text: bytes) -> None:
    _prepare(part.directory, part.manifest)
    for name, entry in part.manifest.files.items():
        _download_file(remote, base + name, part.directory / name, entry)
    (part.directory / manifests.FILE_NAME).write_bytes(text)


def _move_into_place(part: Artefact, target: Path) -> None:
    if target.exists() and not is_file(target / manifests.FILE_NAME):
        _set_aside(target)  # `replacing` refuses to replace a directory without a manifest
    with store.replacing(target) as staged:
        for name in (*part.manifest.files, manifests.FILE_NAME):
            (part.directory / name).chmod(READ_ONLY)
            (part.directory / name).rename(staged / name)
    shutil.rmtree(part.directory, ignore_errors=True)


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


def _download_file(remote: ObjectStore, name: str, path: Path, entry: FileEntry) -> None:
    """Download a file unless it is there whole."""
    if path.exists() and store.describe_file(path) == entry:
        return
    with path.open("wb") as file:
        into = LimitedWriter(file, entry.bytes)
        if not into.fill(remote, name):
            raise ArtefactCorrupt(f"The model at {remote} lacks {name}, which its manifest names.", name)
    if store.describe_file(path) == entry:
        return
    stored, received = remote.checksum(name), remote.checksum_of(path)
    path.unlink()
    if stored is not None and stored.bytes == entry.bytes and stored != received:
        raise StorageError(f"{name} from {remote} was damaged on the way.")
    raise ArtefactCorrupt(f"{name} at {remote} is not what the manifest says: it is damaged or was changed.", name)


def _make_current(into: Path, ref: VersionRef, remote: CurrentVersion | None) -> None:
    old = _read_current_or_none(into)
    if old is None or old.version != ref.version:
        old = CurrentVersion.following(old, ref, remote)
        with written_whole(into / CURRENT_NAME) as file:
            file.write(msgspec.json.encode(old))
    versions = into / VERSIONS_NAME
    known = [one.version for one in (old, *old.previous)]
    kept = [name for name in known if is_file(versions / name / manifests.FILE_NAME)][:KEPT_VERSIONS]
    for path in list(versions.iterdir()):
        if path.name not in kept:
            _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        if _flock(handle, fcntl.LOCK_EX):
            # Renamed first, so that being killed half-way leaves no half version. A name with a leading dot was left by
            # a killed process that was installing or removing: we hold the lock.
            shutil.rmtree(path if path.name.startswith(".") else _set_aside(path), ignore_errors=True)
    finally:
        os.close(handle)


def _set_aside(path: Path) -> Path:
    """Rename a version so that no reader finds it and the next installation removes it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.gone-", dir=path.parent))
    path.rename(aside / path.name)
    return aside


def _read_current_or_none(root: Path) -> CurrentVersion | None:
    with suppress(ArtefactCorrupt, StorageError):
        return store.read_current(root)
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


@contextmanager
def _storage_errors(into: Path, part: Path | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if part is not None and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            shutil.rmtree(part, ignore_errors=True)  # freeing a full disk matters more than what is there already
        raise StorageError(f"The model could not be kept in {into}: {error.strerror or error}.") from error
