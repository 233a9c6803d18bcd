"""Publishing a version of a model to an object store, and rolling back to the one before.

A version's objects are never changed once they are uploaded, and its manifest is uploaded last. Then one small object,
`current.json`, is replaced if nobody else replaced it meanwhile. So a reader finds a whole version or the one before,
and an interrupted run resumes when it is started again.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import msgspec

from hakken.data_time import in_words, is_earlier
from hakken.errors import ArtefactCorrupt, LessThanServed, NothingBefore, PublishError
from hakken.model import manifest as manifests
from hakken.model.current_version import CURRENT_NAME, VERSIONS_NAME, CurrentVersion, VersionRef, decode_current
from hakken.model.manifest import Manifest
from hakken.model.store import Artefact, check_manifest, describe_file
from hakken.registry.storage import ObjectStore


class PublishResult(NamedTuple):
    """What a publication did.

    Attributes:
        version: the current one now.
        uploaded: files that were uploaded; the others were there already.
        moved: whether `current.json` was replaced; False where it named the version already.
    """

    version: str
    uploaded: int
    moved: bool


class RemoteState(NamedTuple):
    """A store's `current.json` before a publication.

    Attributes:
        generation: the object's; it is replaced only while it is this one.
        current: its content; None where nothing was published.
    """

    generation: str | None
    current: CurrentVersion | None


class VersionStatistics(NamedTuple):
    """What is compared before a version takes another's place.

    Attributes:
        people: users with at least one scored entry.
        titles: anime with a row.
        entries: of their lists, scored or not.
        data_time: of the newest list, see `hakken.data_time`; None where it is unknown.
    """

    people: int
    titles: int
    entries: int
    data_time: str | None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The statistics of a version."""
        sizes = manifest.sizes
        return cls(sizes.users, sizes.items, sizes.entries, manifest.data_time)

    def written(self) -> dict[str, str]:
        """Each by its name, formatted for people."""
        counts = {name: f"{getattr(self, name):,}" for name in COUNTED}
        return {**counts, "data time": "unknown" if self.data_time is None else in_words(self.data_time)}


COUNTED = ("people", "titles", "entries")


def publish(
    artefact: Artefact,
    remote: ObjectStore,
    advance: Callable[[int], None] = lambda _: None,
    before: RemoteState | None = None,
) -> PublishResult:
    """Upload a version and make it the current one.

    Args:
        artefact: verified.
        remote: where to.
        advance: called with the size in bytes of each file once it is there.
        before: the state that the version was compared with; by default what is there now.

    Raises:
        PublishError: the store holds a model without versions, so no reader looks for versions there.
        PublishedMeanwhile: another publisher was faster; the version's files are uploaded all the same.
        ArtefactCorrupt: an object of the version exists with other content, or `current.json` can't be read.
        StorageError: the store can't be used.
    """
    generation, old = before or read_state(remote)
    text = artefact.directory / manifests.FILE_NAME
    base = f"{VERSIONS_NAME}/{artefact.version}/"
    uploaded = 0
    for name, size in (*_sizes(artefact.manifest), (manifests.FILE_NAME, text.stat().st_size)):
        uploaded += _upload(artefact, name, remote, base)
        advance(size)
    new = CurrentVersion.succeeding(old, VersionRef(artefact.version, describe_file(text).sha256))
    moved = old is None or old.ref != new.ref
    if moved:
        remote.compare_and_swap(CURRENT_NAME, msgspec.json.encode(new), generation)
    return PublishResult(artefact.version, uploaded, moved)


def total_bytes(artefact: Artefact) -> int:
    """Size of a version in bytes, its manifest included."""
    manifest = (artefact.directory / manifests.FILE_NAME).stat().st_size
    return manifest + sum(size for _, size in _sizes(artefact.manifest))


def roll_back(remote: ObjectStore) -> tuple[str, str]:
    """Make the version before the current one the current one again.

    The version rolled back from is forgotten, though its files stay: publish it again to return to it.

    Returns:
        The version that was current, and the one that is now.

    Raises:
        PublishError: the store holds a model without versions, so no reader looks for versions there.
        NothingBefore: nothing was published there, or nothing before the current version.
        ArtefactCorrupt: the version before is no longer whole, or `current.json` can't be read.
        PublishedMeanwhile: another publisher was faster.
        StorageError: the store can't be used.
    """
    generation, old = read_state(remote)
    if old is None:
        raise NothingBefore(f"Nothing was published to {remote}.")
    new = old.rolled_back
    if new is None:
        raise NothingBefore(f"There is no version before {old.version} at {remote} to go back to.")
    _check_whole(remote, new)
    remote.compare_and_swap(CURRENT_NAME, msgspec.json.encode(new), generation)
    return old.version, new.version


def read_state(remote: ObjectStore) -> RemoteState:
    """Read a store's `current.json`.

    Raises:
        PublishError: it holds a model without versions, so no reader looks for versions there.
        ArtefactCorrupt: `current.json` can't be read.
        StorageError: the store can't be used.
    """
    # The generation first: if the object is replaced between the two, the swap fails, as it should.
    generation = remote.generation(CURRENT_NAME)
    text = remote.read(CURRENT_NAME)
    if remote.generation(manifests.FILE_NAME) is not None:
        raise PublishError(
            f"{remote} holds a model itself, which readers take without a look at {CURRENT_NAME}: choose another place."
        )
    return RemoteState(generation, None if text is None else decode_current(text))


def served_statistics(remote: ObjectStore, served: VersionRef) -> VersionStatistics:
    """The statistics of the version that is current in a store.

    Raises:
        ArtefactTooNew: a later Hakken wrote it.
        ArtefactCorrupt: its manifest is gone, is damaged, or is of a schema before those that we read.
        StorageError: the store can't be used.
    """
    return VersionStatistics.of(manifests.decode(_read_manifest(remote, served)))


def check_no_regression(served: VersionStatistics, new: VersionStatistics) -> None:
    """Compare a version with the one that is served.

    Raises:
        LessThanServed: it has fewer people, titles or entries by more than a fifth, or its data are certainly older,
            or of unknown time where that was known.
    """
    before, after = served.written(), new.written()
    falls = [name for name in COUNTED if 5 * getattr(new, name) < 4 * getattr(served, name)]
    if served.data_time is not None and (new.data_time is None or is_earlier(new.data_time, served.data_time)):
        falls.append("data time")
    if falls:
        told = ", ".join(f"{name} from {before[name]} to {after[name]}" for name in falls)
        raise LessThanServed(f"The model falls behind the one that is served: {told}.")


def _sizes(manifest: Manifest) -> Iterator[tuple[str, int]]:
    return ((name, entry.bytes) for name, entry in manifest.files.items())


def _upload(artefact: Artefact, name: str, remote: ObjectStore, base: str) -> bool:
    """Upload one file unless it is there; whether it had to be."""
    path = artefact.directory / name
    local, stored = remote.checksum_of(path), remote.checksum(base + name)
    if stored == local:
        return False
    if stored is None:
        remote.upload(base + name, path)
        stored = remote.checksum(base + name)
    if stored != local:
        raise ArtefactCorrupt(
            f"{base}{name} at {remote} is not the file that was to be published, and is never overwritten: it is "
            "damaged or was changed.",
            base + name,
        )
    return True


def _check_whole(remote: ObjectStore, ref: VersionRef) -> None:
    """Check that no file of a version is missing or truncated, whatever its schema: other servers may read it.

    Raises:
        ArtefactCorrupt: one is.
    """
    for name, entry in manifests.decode_files(_read_manifest(remote, ref)).items():
        found = remote.checksum(f"{VERSIONS_NAME}/{ref.version}/{name}")
        if found is None or found.bytes != entry.bytes:
            raise ArtefactCorrupt(f"The version before, {ref.version}, lacks {name} at {remote}, or has a part of it.")


def _read_manifest(remote: ObjectStore, ref: VersionRef) -> bytes:
    text = remote.read(f"{VERSIONS_NAME}/{ref.version}/{manifests.FILE_NAME}")
    if text is None:
        raise ArtefactCorrupt(f"The version {ref.version} is no longer at {remote}.")
    check_manifest(text, ref.manifest_sha256)
    return text
