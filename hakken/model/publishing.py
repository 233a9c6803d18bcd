"""Publishing a version of a model, and taking it back; see `hakken.model.places` for where.

A version's files are never changed once they are there, its manifest comes last, and then one small file, the pointer,
is moved if nobody else moved it since the beginning. So a reader finds a whole version or the one before, and a run
that was interrupted goes on where it was when it is started again.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

from hakken.data_time import in_words, is_earlier
from hakken.errors import ArtefactCorrupt, LessThanServed, NothingBefore, PublishError
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


class Found(NamedTuple):
    """What a place has before a publication.

    Attributes:
        mark: the pointer's, without which nobody moves it.
        pointer: the pointer; None where nothing was published.
    """

    mark: str | None
    pointer: Pointer | None


class Figures(NamedTuple):
    """What a version is held against the one that is served by.

    Attributes:
        people: users with at least one scored entry.
        titles: anime with a row.
        entries: of their lists, scored or not.
        data_time: up to when the lists go, see `hakken.data_time`; None where nobody knows.
    """

    people: int
    titles: int
    entries: int
    data_time: str | None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The figures of a version."""
        sizes = manifest.sizes
        return cls(sizes.users, sizes.items, sizes.entries, manifest.data_time)

    def written(self) -> dict[str, str]:
        """Each by its name, as a person reads it."""
        counts = {name: f"{getattr(self, name):,}" for name in COUNTED}
        return {**counts, "data time": "unknown" if self.data_time is None else in_words(self.data_time)}


COUNTED = ("people", "titles", "entries")


def publish(
    artefact: Artefact, place: Place, advance: Callable[[int], None] = lambda _: None, found: Found | None = None
) -> Published:
    """Upload a version and make it the current one.

    Args:
        artefact: verified.
        place: where to.
        advance: told the bytes of each file that is there now.
        found: what was there when the version was held against it; by default what is there now.

    Raises:
        PublishError: the place holds a model itself, so no reader looks for versions there.
        PublishedMeanwhile: another publisher was faster; the version's files are there all the same.
        ArtefactCorrupt: a file of the version's is there with another content, or the pointer can't be read.
        StorageError: the place can't be used.
    """
    mark, old = found or find(place)
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
    mark, old = find(place)
    if old is None:
        raise NothingBefore(f"Nothing was published to {place}.")
    new = old.back
    if new is None:
        raise NothingBefore(f"There is no version before {old.version} at {place} to go back to.")
    _check_whole(place, new)
    place.swap(POINTER_NAME, encode_pointer(new), mark)
    return old.version, new.version


def find(place: Place) -> Found:
    """What a place has now.

    Raises:
        PublishError: it holds a model itself, so no reader looks for versions there.
        ArtefactCorrupt: the pointer can't be read.
        StorageError: the place can't be used.
    """
    # The mark first: if the pointer is moved between the two, the swap fails, as it should.
    mark = place.mark(POINTER_NAME)
    text = place.read(POINTER_NAME)
    if place.mark(manifests.FILE_NAME) is not None:
        raise PublishError(
            f"{place} holds a model itself, which readers take without a look at {POINTER_NAME}: choose another place."
        )
    return Found(mark, None if text is None else decode_pointer(text))


def served_figures(place: Place, served: Named) -> Figures:
    """The figures of the version that is current at a place.

    Raises:
        ArtefactTooNew: a later Hakken wrote it.
        ArtefactCorrupt: its manifest is gone, is damaged, or is of a schema before those that we read.
        StorageError: the place can't be used.
    """
    return Figures.of(manifests.decode(_manifest(place, served)))


def hold_against(served: Figures, new: Figures) -> None:
    """Hold a version against the one that is served.

    Raises:
        LessThanServed: it has fewer people, titles or entries by more than a fifth, or its lists are certainly older,
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
    """Check that no file of a version is missing or cut short; servers of another schema than ours may read it.

    Raises:
        ArtefactCorrupt: one is.
    """
    for name, entry in manifests.decode_files(_manifest(place, named)).items():
        found = place.describe(f"{VERSIONS_NAME}/{named.version}/{name}")
        if found is None or found.bytes != entry.bytes:
            raise ArtefactCorrupt(f"The version before, {named.version}, lacks {name} at {place}, or has a part of it.")


def _manifest(place: Place, named: Named) -> bytes:
    text = place.read(f"{VERSIONS_NAME}/{named.version}/{manifests.FILE_NAME}")
    if text is None:
        raise ArtefactCorrupt(f"The version {named.version} is no longer at {place}.")
    check_manifest(text, named.manifest_sha256)
    return text
