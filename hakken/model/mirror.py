"""A machine's copy of what a place offers: fetched and checked once, whichever of its workers comes first.

Beside the versions it keeps `refused.json`: what was found unusable, so that no worker tries it a second time.
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
from hakken.model.fetching import Accept, Offered, adopt, held, install, locked, offered_by
from hakken.model.manifest import SCHEMA_VERSION, UNREADABLE
from hakken.model.places import Place
from hakken.model.pointer import VERSIONS_NAME, Named
from hakken.model.store import Artefact

REFUSED_NAME = "refused.json"
MAX_REFUSED = 100
HERE = f"{__version__}/{SCHEMA_VERSION}"
"""Which Hakken refused a version: another one may be able to read it."""


class Refusal(msgspec.Struct, frozen=True):
    """A version that was found unusable.

    Attributes:
        version: its name.
        manifest_sha256: its manifest's checksum.
        why: the error's sentence.
        by: which Hakken found it so.
        name: of the one file that shows it, where there is one.
        mark: that file's, when it was refused. When it is another, someone has mended the file.
        too_new: whether a later Hakken wrote it.
    """

    version: str
    manifest_sha256: str
    why: str
    by: str
    name: str | None = None
    mark: str | None = None
    too_new: bool = False


class Mirror:
    """A local directory of versions that follows a place.

    Args:
        root: the directory.
        find_place: finds the place; asked again when it failed. It may take its time, and raise StorageError.
        accept: see `hakken.model.fetching.Accept`.
    """

    def __init__(self, root: Path, find_place: Callable[[], Place], accept: Accept) -> None:
        self._root = root
        self._find_place = find_place
        self._accept = accept
        self._place: Place | None = None

    def bring(self, *, mend: bool = False) -> None:
        """Look what the place offers and, unless it is the current version here already, fetch it and make it so.

        Args:
            mend: do not trust that the current version is whole.

        Raises:
            ArtefactRefused: it was found unusable before; RefusedAsTooNew, as written by a later Hakken.
            ArtefactMissing, ArtefactCorrupt, ArtefactTooNew, StorageError: as `hakken.model.fetching.fetch`.
        """
        place = self._place = self._place or self._find_place()
        offered = offered_by(place)
        self._check_refused(place, offered)  # first: another Hakken may have made it the current one here
        if not mend and self._follows(offered):
            return
        with locked(self._root):
            # Looked at anew: while we waited others may have gone further, and nobody is to go back.
            offered = offered_by(place)
            self._check_refused(place, offered)
            try:
                artefact = install(place, offered, self._root, self._accept)
            except (ArtefactCorrupt, ArtefactTooNew) as error:
                self._refuse(place, offered, error)
                raise
            adopt(self._root, artefact, offered.pointer)

    def versions(self) -> list[Named]:
        """What was current here, latest first; the newest is what all workers of the machine are to serve.

        What was found unusable though it was whole is left out: another Hakken made it current.
        """
        useless = {
            Named(one.version, one.manifest_sha256) for one in self._refused() if one.by == HERE and not one.name
        }
        return [named for named in self._pointed_to() if named not in useless]

    def _pointed_to(self) -> list[Named]:
        pointer = store.read_pointer_or_none(self._root)
        return [] if pointer is None else [pointer.named, *pointer.previous]

    @contextmanager
    def opened(self, named: Named) -> Iterator[Artefact]:
        """Check a version that is here; it is not removed for as long as the block runs.

        Raises:
            ArtefactMissing: it is gone.
            ArtefactCorrupt: it is no longer what it was.
            StorageError: it can't be read just now.
        """
        directory = self._root / VERSIONS_NAME / named.version
        with held(directory) as is_held:
            if not is_held:
                raise ArtefactMissing(f"The version {named.version} is no longer kept in {self._root}.")
            yield store.verify(directory, named.manifest_sha256)

    def _follows(self, offered: Offered) -> bool:
        return [one.manifest_sha256 for one in self._pointed_to()[:1]] == [offered.manifest_sha256]

    def _check_refused(self, place: Place, offered: Offered) -> None:
        for one in self._refused():
            same = (one.version, one.manifest_sha256) == (offered.version, offered.manifest_sha256)
            if same and one.by == HERE and (one.name is None or place.mark(one.name) == one.mark):
                kind = RefusedAsTooNew if one.too_new else ArtefactRefused
                raise kind(f"The version {one.version} was refused before: {one.why}")

    def _refused(self) -> list[Refusal]:
        try:
            return msgspec.json.decode((self._root / REFUSED_NAME).read_bytes(), type=list[Refusal])
        except (OSError, *UNREADABLE):
            return []

    def _refuse(self, place: Place, offered: Offered, error: ArtefactCorrupt | ArtefactTooNew) -> None:
        name = error.name if isinstance(error, ArtefactCorrupt) else None
        new = Refusal(
            offered.version,
            offered.manifest_sha256,
            str(error),
            HERE,
            name,
            None if name is None else place.mark(name),
            isinstance(error, ArtefactTooNew),
        )
        try:
            with written_whole(self._root / REFUSED_NAME) as file:
                file.write(msgspec.json.encode([new, *self._refused()][:MAX_REFUSED]))
        except OSError as problem:
            raise StorageError(f"Nothing can be kept in {self._root}: {problem.strerror}. And: {error}") from error
