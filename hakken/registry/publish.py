"""Publishing a version of a model to an object store, and rolling back to the one before.

A version's objects are never changed once they are uploaded, and its manifest is uploaded last. Then one small object,
`current.json`, is replaced if nobody else replaced it meanwhile. So a reader finds a whole version or the one before,
and an interrupted run resumes when it is started again.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hakken.data_time import in_words, is_earlier
from hakken.errors import ArtefactCorrupt, LessThanServed, NothingBefore, PublishError
from hakken.model import manifest as manifests
from hakken.model.manifest import Manifest
from hakken.model.store import (
    CURRENT_NAME,
    VERSIONS_NAME,
    Artefact,
    CurrentVersion,
    VersionRef,
    describe_file,
    succeed,
)
from hakken.registry.storage import ObjectStore
from hakken.registry.sync import read_manifest

COUNTED = {"people": "users", "titles": "items", "entries": "entries"}
"""What is compared before a version takes another's place, beside the data time: names for people, and in `Sizes`."""

StoreState = tuple[str | None, CurrentVersion | None]
"""A store's `current.json`: the object's generation, and its content; None where nothing was published."""


class PublishResult(NamedTuple):
    """Which version is current now, how many files were not there yet, and whether `current.json` named another."""

    version: str
    uploaded: int
    moved: bool


def publish(
    artefact: Artefact,
    remote: ObjectStore,
    advance: Callable[[int], None] = lambda _: None,
    before: StoreState | None = None,
) -> PublishResult:
    """Upload a version and make it the current one.

    Args:
        artefact: verified.
        remote: where to.
        advance: called with the size in bytes of each file once it is there.
        before: the state that the version was compared with, see `read_state`; by default what is there now.

    Raises:
        PublishError: the store holds a model without versions, so no reader looks for versions there.
        PublishedMeanwhile: another publisher was faster; the version's files are uploaded all the same.
        ArtefactCorrupt: an object of the version exists with other content, or `current.json` can't be read.
        StorageError: the store can't be used.
    """
    generation, old = before or read_state(remote)
    uploaded = 0
    for name, size in file_sizes(artefact).items():
        uploaded += _upload(artefact, name, remote)
        advance(size)
    new = VersionRef(artefact.version, describe_file(artefact.directory / manifests.FILE_NAME).sha256)
    moved = old is None or old.history[0] != new
    if moved:
        remote.compare_and_swap(CURRENT_NAME, msgspec.json.encode(succeed(old, new)), generation)
    return PublishResult(artefact.version, uploaded, moved)


def file_sizes(artefact: Artefact) -> dict[str, int]:
    """Sizes of a version's files in bytes, its manifest's last."""
    sizes = {name: entry.bytes for name, entry in artefact.manifest.files.items()}
    return sizes | {manifests.FILE_NAME: (artefact.directory / manifests.FILE_NAME).stat().st_size}


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
    if not old.previous:
        raise NothingBefore(f"There is no version before {old.version} at {remote} to go back to.")
    new = CurrentVersion.first_of(old.previous)
    # No file may be missing or truncated, whatever the version's schema: other servers may read it.
    for name, entry in manifests.decode_files(manifest_of(remote, new)).items():
        found = remote.checksum(f"{VERSIONS_NAME}/{new.version}/{name}")
        if found is None or found.bytes != entry.bytes:
            raise ArtefactCorrupt(f"The version before, {new.version}, lacks {name} at {remote}, or has a part of it.")
    remote.compare_and_swap(CURRENT_NAME, msgspec.json.encode(new), generation)
    return old.version, new.version


def read_state(remote: ObjectStore) -> StoreState:
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
    return generation, None if text is None else CurrentVersion.decode(text)


def manifest_of(remote: ObjectStore, ref: VersionRef) -> bytes:
    """The manifest of a version that is, or was, current in a store.

    Raises:
        ArtefactCorrupt: it is gone, or is damaged.
        StorageError: the store can't be used.
    """
    text = read_manifest(remote, ref, f"{VERSIONS_NAME}/{ref.version}/")
    if text is None:
        raise ArtefactCorrupt(f"The version {ref.version} is no longer at {remote}.")
    return text


def compared(manifest: Manifest) -> dict[str, str]:
    """What is compared of a version, by name, formatted for people."""
    counts = {name: f"{getattr(manifest.sizes, field):,}" for name, field in COUNTED.items()}
    return counts | {"data time": "unknown" if manifest.data_time is None else in_words(manifest.data_time)}


def check_no_regression(served: Manifest, new: Manifest) -> None:
    """Compare a version with the one that is served.

    Raises:
        LessThanServed: it has fewer people, titles or entries by more than a fifth, or its data are certainly older,
            or of unknown time where that was known.
    """
    sizes = COUNTED.items()
    falls = [name for name, field in sizes if 5 * getattr(new.sizes, field) < 4 * getattr(served.sizes, field)]
    if served.data_time is not None and (new.data_time is None or is_earlier(new.data_time, served.data_time)):
        falls.append("data time")
    if falls:
        before, after = compared(served), compared(new)
        told = ", ".join(f"{name} from {before[name]} to {after[name]}" for name in falls)
        raise LessThanServed(f"The model falls behind the one that is served: {told}.")


def _upload(artefact: Artefact, name: str, remote: ObjectStore) -> bool:
    """Upload one file unless it is there; whether it had to be."""
    path, target = artefact.directory / name, f"{VERSIONS_NAME}/{artefact.version}/{name}"
    local, before = remote.checksum_of(path), remote.checksum(target)
    if before is None:
        remote.upload(target, path)
    if (before or remote.checksum(target)) != local:
        raise ArtefactCorrupt(
            f"{target} at {remote} is not the file that was to be published, and is never overwritten: it is damaged "
            "or was changed.",
            target,
        )
    return before is None
