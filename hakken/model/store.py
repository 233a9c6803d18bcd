"""The artefact store: a directory of plain files whose manifest says what they are.

An artefact is written to a staging directory beside its target and moved there whole, so a reader finds the old one or
the new one, never a part. A directory is an artefact when it holds `manifest.json`; a directory of versions, laid out
like a bucket, names its current one in `current.json`:

    ROOT/current.json            {"version": V, "manifest_sha256": H, "previous": [{"version": …}, …]}
    ROOT/versions/V/manifest.json and its files

`current.json` is one small file, so that a single write switches all readers at once. Its history lists what was
current, not what lies in `versions/`: that may hold a version that never became current, and version names sort by
training time, an order that a rollback reverses.
"""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import msgspec

from hakken.errors import ArtefactCorrupt, ArtefactMissing, StorageError
from hakken.files import is_file, sync, unread
from hakken.model import manifest as manifests
from hakken.model.manifest import UNREADABLE, FileEntry, Manifest, Sha256

CURRENT_NAME, VERSIONS_NAME = "current.json", "versions"
EMBEDDED = "embedded"
EMBEDDED_PATH = Path(__file__).parent.parent / "embedded"
MAX_SMALL_BYTES = 2**20
"""Largest manifest or pointer."""
MAX_PREVIOUS = 10
"""How many previous versions are remembered for rollbacks."""
VERSION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.-]*\Z")
"""A valid version name: it can't lead outside its directory."""
_STAGED = ".staged-"
_NEW, _OLD = "new", "old"
"""In a staging directory: the new artefact, and the old one until it is removed."""


class VersionRef(msgspec.Struct, frozen=True):
    """A version and its manifest's checksum."""

    version: Annotated[str, msgspec.Meta(pattern=VERSION.pattern)]
    manifest_sha256: Sha256


class CurrentVersion(VersionRef, frozen=True, omit_defaults=True):
    """The current version.

    Attributes:
        version: its name.
        manifest_sha256: its manifest's checksum.
        previous: what was current before, latest first.
    """

    previous: tuple[VersionRef, ...] = ()

    @classmethod
    def first_of(cls, history: Sequence[VersionRef]) -> Self:
        """The first of some versions; the others were current before, and not too many are remembered."""
        return cls(history[0].version, history[0].manifest_sha256, tuple(history[1 : MAX_PREVIOUS + 1]))

    @property
    def history(self) -> list[VersionRef]:
        """The current version and those before it, latest first."""
        return [VersionRef(self.version, self.manifest_sha256), *self.previous]

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Read a `current.json`.

        Raises:
            ArtefactCorrupt: it can't be decoded.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except UNREADABLE as error:
            raise ArtefactCorrupt(f"The pointer {CURRENT_NAME} can't be read: {error}.") from error


def succeed(old: CurrentVersion | None, new: VersionRef, remote: CurrentVersion | None = None) -> CurrentVersion:
    """Make `new` current; what was current before is remembered.

    Args:
        old: what is current.
        new: the version that becomes the current one.
        remote: in a local copy, what is current at the remote; what was rolled back there is forgotten. One without
            history was written by hand or is the first; it takes nothing back, unless it goes back itself.
    """
    before = [one for one in old.history if one.version != new.version] if old else []
    if remote and (remote.previous or (old and new in old.previous)):
        known = {one.manifest_sha256 for one in remote.previous}
        before = [one for one in before if one.manifest_sha256 in known]
    return CurrentVersion.first_of([new, *before])


class Artefact(NamedTuple):
    """An artefact: its directory, manifest and version."""

    directory: Path
    manifest: Manifest
    version: str

    def path(self, name: str) -> Path:
        """The path of one of its files.

        Raises:
            ArtefactCorrupt: the manifest does not name it, so it was never verified.
        """
        if name not in self.manifest.files:
            raise ArtefactCorrupt(f"The model in {self.directory} lacks {name}: its manifest does not name it.")
        return self.directory / name


def open_artefact(model: str | Path) -> Artefact:
    """Find an artefact and verify it.

    Args:
        model: the word `embedded`, an artefact's directory, or a directory of versions.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: a file is missing or not what the manifest says.
        ArtefactTooNew: a later Hakken wrote it.
        StorageError: a file can't be read just now.
    """
    return verify(*locate(model))


def locate(model: str | Path) -> tuple[Path, str | None]:
    """The directory that `open_artefact` opens, and its manifest's checksum where `current.json` gave one."""
    directory = EMBEDDED_PATH if str(model) == EMBEDDED else Path(model)
    current = None if is_file(directory / manifests.FILE_NAME) else read_current(directory)
    if current is None:
        return directory, None
    return directory / VERSIONS_NAME / current.version, current.manifest_sha256


def read_current(root: Path) -> CurrentVersion | None:
    """The current version of a directory of versions, if it has one.

    Raises:
        ArtefactCorrupt: `current.json` can't be decoded.
        StorageError: it can't be read just now.
    """
    return CurrentVersion.decode(_read(root / CURRENT_NAME)) if is_file(root / CURRENT_NAME) else None


def verify(directory: Path, manifest_sha256: str | None = None) -> Artefact:
    """Verify an artefact's manifest and the size and checksum of each of its files.

    Args:
        directory: where the artefact is.
        manifest_sha256: the manifest's own checksum, where `current.json` gave one.

    Raises:
        ArtefactMissing, ArtefactCorrupt, ArtefactTooNew, StorageError: as `open_artefact`.
    """
    artefact = read_manifest(directory, manifest_sha256)
    for name, entry in artefact.manifest.files.items():
        told = f"The model's file {directory / name} is"
        if not is_file(directory / name):
            raise ArtefactCorrupt(f"{told} missing.")
        if describe_file(directory / name) != entry:
            raise ArtefactCorrupt(f"{told} not what the manifest says: it is damaged or was changed.")
    return artefact


def read_manifest(directory: Path, manifest_sha256: str | None = None) -> Artefact:
    """Read an artefact's manifest without verifying its other files; as `verify` otherwise."""
    path = directory / manifests.FILE_NAME
    if not is_file(path):
        raise ArtefactMissing(f"There is no model at {directory}: no {manifests.FILE_NAME} in it.")
    text = _read(path)
    if manifest_sha256 not in {None, hashlib.sha256(text).hexdigest()}:
        raise ArtefactCorrupt(f"The model's manifest is not the one that {CURRENT_NAME} names.")
    manifest = manifests.decode(text)
    return Artefact(directory, manifest, manifests.version_of(manifest, text))


def describe_file(path: Path) -> FileEntry:
    """Size and checksum of a file.

    Raises:
        ArtefactCorrupt: there is none, or it is no regular file.
        StorageError: it can't be read just now.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device may have no end
            raise ArtefactCorrupt(f"The model's file {path} is not a regular file.")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return FileEntry(file.tell(), digest.hexdigest())
    except OSError as error:
        raise unread(f"The model's file {path}", error) from error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give an empty directory that replaces `target` when the block succeeds, and is removed when it raises.

    It is in a staging directory beside `target`, `.NAME.staged-XXXXXXXX`, which is locked for as long as its process
    lives. One without a lock was left by a killed process: it is removed here, after the old artefact that it may hold
    is moved back.

    Raises:
        StorageError: `target` is something else than an artefact, or the disk failed.
    """
    if target.name in {"", ".."} or target.is_mount():
        raise StorageError(f"{target} can't be replaced as a whole: choose a named directory within it.")
    is_model = target.is_dir() and ((target / manifests.FILE_NAME).exists() or not any(target.iterdir()))
    if target.exists() and not is_model:
        raise StorageError(f"{target} exists and is not a model: it is left alone. Choose another place.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(target)
        staging, lock = _make_staging(target)
    except OSError as error:
        raise StorageError(f"Nothing can be written beside {target}: {error.strerror}.") from error
    try:
        yield staging / _NEW
        try:
            _move_into_place(staging, target)
        except OSError as error:
            raise StorageError(f"The model can't be put in its place, {target}: {error.strerror}.") from error
    finally:
        _remove(staging, target)
        os.close(lock)


def write_manifest(directory: Path, manifest: Manifest) -> Artefact:
    """Write the manifest of the files in a directory, after all of them: in the current schema, with checksums."""
    files = {path.name: describe_file(path) for path in sorted(directory.iterdir())}
    described = msgspec.structs.replace(manifest, schema_version=manifests.SCHEMA_VERSION, files=files)
    (directory / manifests.FILE_NAME).write_bytes(manifests.encode(described))
    return read_manifest(directory)


def _make_staging(target: Path) -> tuple[Path, int]:
    """Make a locked staging directory; the lock is released with the process, however it ends."""
    while True:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}{_STAGED}", dir=target.parent))
        lock = os.open(staging, os.O_RDONLY)
        with suppress(OSError):  # some network disks lock no directory; there, none is ever taken for left over
            fcntl.flock(lock, fcntl.LOCK_EX)
        if staging.exists():
            (staging / _NEW).mkdir()
            return staging, lock
        os.close(lock)  # another process took it for a leftover before it was locked


def _clear_leftovers(target: Path) -> None:
    pattern = re.compile(re.escape(f".{target.name}{_STAGED}") + r"[a-z0-9_]{8}")
    for staging in sorted(target.parent.iterdir()):
        if pattern.fullmatch(staging.name) and staging.is_dir() and not staging.is_symlink():
            with suppress(OSError):  # locked by a living process, another user's, or gone by now
                lock = os.open(staging, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(staging, target)
                finally:
                    os.close(lock)


def _move_into_place(staging: Path, target: Path) -> None:
    new = staging / _NEW
    new.chmod(0o755)  # a server may run as another user, whatever our umask
    for path in (*new.iterdir(), new):
        sync(path)
    if target.exists():
        target.rename(staging / _OLD)
    new.rename(target)
    sync(target.parent)


def _remove(staging: Path, target: Path) -> None:
    """Remove a staging directory, after the old artefact is moved back where there is none."""
    try:
        with suppress(OSError):  # what can't be moved back now is left for the next run
            if (staging / _OLD).exists() and not target.exists():
                (staging / _OLD).rename(target)
            shutil.rmtree(staging, ignore_errors=True)
    except BaseException:  # Ctrl-C in the middle: finish first
        _remove(staging, target)
        raise


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SMALL_BYTES + 1)
    except OSError as error:
        raise unread(f"The model's file {path}", error) from error
    if len(content) > MAX_SMALL_BYTES:
        raise ArtefactCorrupt(f"{path} has more than {MAX_SMALL_BYTES:,} bytes, as no model's.")
    return content
