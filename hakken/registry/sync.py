"""A machine's local copy of a published model: fetched and checked once, by whichever worker comes first.

Beside the versions it keeps `refused.json`: the versions found unusable, so that no worker tries one twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hakken import __version__
from hakken.errors import (
    ArtefactCorrupt,
    ArtefactMissing,
    ArtefactRefused,
    ArtefactTooNew,
    RefusedAsTooNew,
    StorageError,
)
from hakken.files import written_whole
from hakken.model import store
from hakken.model.current_version import VERSIONS_NAME, VersionRef
from hakken.model.manifest import SCHEMA_VERSION, UNREADABLE
from hakken.model.store import Artefact
from hakken.registry.fetch import (
    Accept,
    AvailableVersion,
    find_available,
    held,
    install,
    locked,
    make_current,
    read_current_or_none,
)
from hakken.registry.storage import ObjectStore

REFUSED_NAME = "refused.json"
MAX_REFUSED = 100
READER = f"{__version__}/{SCHEMA_VERSION}"
"""The release of Hakken that refused a version: another one may be able to read it."""


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
        accept: see `hakken.registry.fetch.Accept`.
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
            ArtefactMissing, ArtefactCorrupt, ArtefactTooNew, StorageError: as `hakken.registry.fetch.fetch`.
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
                artefact = install(remote, found, self._root, self._accept)
            except (ArtefactCorrupt, ArtefactTooNew) as error:
                self._refuse(remote, found, error)
                raise
            make_current(self._root, artefact, found.current)

    def versions(self) -> list[VersionRef]:
        """The local current version and those before it, latest first; all workers of the machine serve the first.

        Versions that are whole yet unusable are left out: another release of Hakken made them current.
        """
        unusable = {
            VersionRef(one.version, one.manifest_sha256)
            for one in self._refused()
            if one.reader == READER and not one.name
        }
        return [ref for ref in self._history() if ref not in unusable]

    def _history(self) -> list[VersionRef]:
        current = read_current_or_none(self._root)
        return [] if current is None else [current.ref, *current.previous]

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
        new = RefusedVersion(
            found.version,
            found.manifest_sha256,
            str(error),
            READER,
            name,
            None if name is None else remote.generation(name),
            isinstance(error, ArtefactTooNew),
        )
        try:
            with written_whole(self._root / REFUSED_NAME) as file:
                file.write(msgspec.json.encode([new, *self._refused()][:MAX_REFUSED]))
        except OSError as problem:
            raise StorageError(f"Nothing can be kept in {self._root}: {problem.strerror}. And: {error}") from error
