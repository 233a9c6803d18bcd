"""Publishing a version of a model, and taking it back; see `hakken.model.places` for where.

A version's files are never changed once they are there, its manifest comes last, and then one small file, the pointer,
is moved if nobody else moved it since the beginning. So a reader finds a whole version or the one before, and a run
that was interrupted goes on where it was when it is started again.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hakken.errors import ArtefactCorrupt, NothingBefore, PublishError
from hakken.model import manifest as manifests
from hakken.model.manifest import Manifest
from hakken.model.places import Place
from hakken.model.pointer import POINTER_NAME, VERSIONS_NAME, Named, Pointer, decode_pointer, encode_pointer
from hakken.model.store import Artefact, check_manifest, describe_file


class Published(NamedTuple):
    """What a publication did.

    Attributes:
        version: the current one now.
        uploaded: files that were uploaded; the others were there already.
        moved: whether the pointer was moved; False where it named the version already.
    """

    version: str
    uploaded: int
    moved: bool


def publish(artefact: Artefact, place: Place, advance: Callable[[int], None] = lambda _: None) -> Published:
    """Upload a version and make it the current one.

    Args:
        artefact: verified.
        place: where to.
        advance: told the bytes of each file that is there now.

    Raises:
        PublishError: the place holds a model itself, so no reader looks for versions there.
        PublishedMeanwhile: another publisher was faster; the version's files are there all the same.
        ArtefactCorrupt: a file of the version's is there with another content, or the pointer can't be read.
        StorageError: the place can't be used.
    """
    mark, old = _pointer(place)
    text = artefact.directory / manifests.FILE_NAME
    base = f"{VERSIONS_NAME}/{artefact.version}/"
    uploaded = 0
    for name, size in (*_sizes(artefact.manifest), (manifests.FILE_NAME, text.stat().st_size)):
        uploaded += _uploaded(artefact, name, place, base)
        advance(size)
    new = Pointer.after(old, Named(artefact.version, describe_file(text).sha256))
    moved = old is None or old.named != new.named
    if moved:
        place.swap(POINTER_NAME, encode_pointer(new), mark)
    return Published(artefact.version, uploaded, moved)


def bytes_of(artefact: Artefact) -> int:
    """How many bytes a version is, its manifest included."""
    manifest = (artefact.directory / manifests.FILE_NAME).stat().st_size
    return manifest + sum(size for _, size in _sizes(artefact.manifest))


def roll_back(place: Place) -> tuple[str, str]:
    """Make the version before the current one the current one again.

    The one that is taken back is forgotten, though its files stay: publish it again to return to it.

    Returns:
        The version that was current, and the one that is now.

    Raises:
        PublishError: the place holds a model itself, so no reader looks for versions there.
        NothingBefore: nothing was published there, or nothing before the current version.
        ArtefactCorrupt: the version before is no longer whole, or the pointer can't be read.
        PublishedMeanwhile: another publisher was faster.
        StorageError: the place can't be used.
    """
    mark, old = _pointer(place)
    if old is None:
        raise NothingBefore(f"Nothing was published to {place}.")
    new = old.back
    if new is None:
        raise NothingBefore(f"There is no version before {old.version} at {place} to go back to.")
    _check_whole(place, new)
    place.swap(POINTER_NAME, encode_pointer(new), mark)
    return old.version, new.version


def _pointer(place: Place) -> tuple[str | None, Pointer | None]:
    # The mark first: if the pointer is moved between the two, the swap fails, as it should.
    mark = place.mark(POINTER_NAME)
    text = place.read(POINTER_NAME)
    if place.mark(manifests.FILE_NAME) is not None:
        raise PublishError(
            f"{place} holds a model itself, which readers take without a look at {POINTER_NAME}: choose another place."
        )
    return mark, None if text is None else decode_pointer(text)


def _sizes(manifest: Manifest) -> Iterator[tuple[str, int]]:
    return ((name, entry.bytes) for name, entry in manifest.files.items())


def _uploaded(artefact: Artefact, name: str, place: Place, base: str) -> bool:
    """Upload one file unless it is there, and say whether it had to be."""
    path = artefact.directory / name
    mine, theirs = place.seal(path), place.describe(base + name)
    if theirs == mine:
        return False
    if theirs is None:
        place.put(base + name, path)
        theirs = place.describe(base + name)
    if theirs != mine:
        raise ArtefactCorrupt(
            f"{base}{name} at {place} is not the file that was to be published, and is never overwritten: it is "
            "damaged or was changed.",
            base + name,
        )
    return True


def _check_whole(place: Place, named: Named) -> None:
    base = f"{VERSIONS_NAME}/{named.version}/"
    text = place.read(base + manifests.FILE_NAME)
    if text is None:
        raise ArtefactCorrupt(f"The version before, {named.version}, is no longer at {place}.")
    check_manifest(text, named.manifest_sha256)
    for name, entry in manifests.decode(text).files.items():
        found = place.describe(base + name)
        if found is None or found.bytes != entry.bytes:
            raise ArtefactCorrupt(f"The version before, {named.version}, lacks {name} at {place}, or has a part of it.")
