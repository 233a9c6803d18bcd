"""The artefact store: a directory of plain files whose manifest says what they are.

An artefact is written beside its place and moved there whole, so a reader finds the old one or the new one, never a
part. A directory is an artefact when it holds `manifest.json`; a directory of versions, laid out like a bucket, names
its current one in `current.json`:

    ROOT/current.json            {"version": V, "manifest_sha256": H}
    ROOT/versions/V/manifest.json and its files
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from hakken.errors import ArtefactCorrupt, ArtefactMissing, StorageError
from hakken.model import manifest as manifests
from hakken.model.manifest import FileEntry, Manifest, Sha256

POINTER_NAME = "current.json"
VERSIONS_NAME = "versions"
EMBEDDED = "embedded"
EMBEDDED_PATH = Path(__file__).parent.parent / "embedded"


class Pointer(msgspec.Struct, frozen=True):
    """Which version of several is the current one."""

    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*\Z")]
    manifest_sha256: Sha256


class Artefact(NamedTuple):
    """An artefact whose every checksum was found right."""

    directory: Path
    manifest: Manifest
    version: str


def decode_pointer(text: bytes) -> Pointer:
    """Read a `current.json`.

    Raises:
        ArtefactCorrupt: it is not a pointer.
    """
    try:
        return msgspec.json.decode(text, type=Pointer)
    except msgspec.DecodeError as error:
        raise ArtefactCorrupt(f"The pointer {POINTER_NAME} can't be read: {error}.") from error


def open_artefact(place: str | Path) -> Artefact:
    """Find an artefact and check it.

    Args:
        place: the word `embedded`, an artefact's directory, or a directory of versions.

    Raises:
        ArtefactMissing: there is none.
        ArtefactCorrupt: a file is missing or not what the manifest says.
        ArtefactTooNew: a later Hakken wrote it.
    """
    return verify(*locate(place))


def locate(place: str | Path) -> tuple[Path, str | None]:
    """Find the directory that `place` means and, where a pointer led there, its manifest's checksum."""
    directory = EMBEDDED_PATH if str(place) == EMBEDDED else Path(place)
    pointer_file = directory / POINTER_NAME
    if (directory / manifests.FILE_NAME).is_file() or not pointer_file.is_file():
        return directory, None
    pointer = decode_pointer(_read(pointer_file))
    return directory / VERSIONS_NAME / pointer.version, pointer.manifest_sha256


def point_to(root: Path, artefact: Artefact) -> None:
    """Make a version the current one of a directory of versions; a reader finds the old pointer or the new one."""
    digest = describe_file(artefact.directory / manifests.FILE_NAME).sha256
    staged = root / f".{POINTER_NAME}.{os.getpid()}"
    staged.write_bytes(msgspec.json.encode(Pointer(artefact.version, digest)))
    staged.replace(root / POINTER_NAME)


def verify(directory: Path, manifest_sha256: str | None = None) -> Artefact:
    """Check an artefact's manifest and the size and checksum of each of its files.

    Args:
        directory: where the artefact is.
        manifest_sha256: the manifest's own checksum, where a pointer gave one.

    Raises:
        ArtefactMissing, ArtefactCorrupt, ArtefactTooNew: as `open_artefact`.
    """
    artefact = read_manifest(directory, manifest_sha256)
    for name, entry in artefact.manifest.files.items():
        check_file(directory / name, entry)
    return artefact


def read_manifest(directory: Path, manifest_sha256: str | None = None) -> Artefact:
    """Read an artefact's manifest without a look at its other files; as `verify` otherwise."""
    path = directory / manifests.FILE_NAME
    if not path.is_file():
        raise ArtefactMissing(f"There is no model at {directory}: no {manifests.FILE_NAME} in it.")
    text = _read(path)
    check_manifest(text, manifest_sha256)
    manifest = manifests.decode(text)
    return Artefact(directory, manifest, manifests.version_of(manifest, text))


def check_manifest(text: bytes, sha256: str | None) -> None:
    """Hold a manifest against the checksum that a pointer gave, if it gave one.

    Raises:
        ArtefactCorrupt: it is another manifest.
    """
    if sha256 is not None and hashlib.sha256(text).hexdigest() != sha256:
        raise ArtefactCorrupt(f"The model's manifest is not the one that {POINTER_NAME} names.")


def check_file(path: Path, entry: FileEntry) -> None:
    """Hold one file against its manifest entry.

    Raises:
        ArtefactCorrupt: it is missing, or of another size or content.
    """
    if not path.is_file():
        raise ArtefactCorrupt(f"The model's file {path} is missing.")
    if describe_file(path) != entry:
        raise ArtefactCorrupt(f"The model's file {path} is not what the manifest says: it is damaged or was changed.")


def describe_file(path: Path) -> FileEntry:
    """Size and checksum of a file."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return FileEntry(file.tell(), digest.hexdigest())
    except OSError as error:
        raise ArtefactCorrupt(f"The model's file {path} can't be read: {error.strerror}.") from error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give an empty directory that takes `target`'s place when the block ends well, and vanishes when it does not.

    Raises:
        StorageError: `target` is something else than an artefact, or the disk refuses.
    """
    if target.exists() and not _is_ours(target):
        raise StorageError(f"{target} exists and is not a model: it is left alone. Choose another place.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise StorageError(f"Nothing can be written beside {target}: {error.strerror}.") from error
    try:
        yield staged
        _move_into_place(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def write_manifest(directory: Path, manifest: Manifest) -> Artefact:
    """Write the manifest of the files in a directory, last of all, with their checksums filled in."""
    names = sorted(path.name for path in directory.iterdir())
    complete = msgspec.structs.replace(manifest, files={name: describe_file(directory / name) for name in names})
    text = manifests.encode(complete)
    (directory / manifests.FILE_NAME).write_bytes(text)
    return Artefact(directory, complete, manifests.version_of(complete, text))


def _is_ours(target: Path) -> bool:
    return target.is_dir() and ((target / manifests.FILE_NAME).exists() or not any(target.iterdir()))


def _move_into_place(staged: Path, target: Path) -> None:
    staged.chmod(0o755)  # mkdtemp's 0700 would lock out a server that runs as another user
    for path in staged.iterdir():
        _sync(path)
    _sync(staged)
    aside = staged.with_name(staged.name + ".old")
    if target.exists():
        target.rename(aside)
    staged.rename(target)
    _sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactCorrupt(f"The model's file {path} can't be read: {error.strerror}.") from error
