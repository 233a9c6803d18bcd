"""The pointer: which of several versions is the current one, and which were so before.

It is one small file, `current.json`, so that one write moves all readers at once. It names the versions before by what
was current, not by what lies in `versions/`: that may hold one that never became current, and its names go by the time
of training, which a rollback turns round.
"""

import re
from typing import Annotated, Self

import msgspec

from hakken.errors import ArtefactCorrupt
from hakken.model.manifest import UNREADABLE, Sha256

POINTER_NAME = "current.json"
VERSIONS_NAME = "versions"
MAX_PREVIOUS = 10
"""So many versions are remembered to go back to."""

_VERSION = r"^[A-Za-z0-9][A-Za-z0-9.-]*\Z"
Version = Annotated[str, msgspec.Meta(pattern=_VERSION)]


class Named(msgspec.Struct, frozen=True):
    """A version and its manifest's checksum."""

    version: Version
    manifest_sha256: Sha256


class Pointer(Named, frozen=True, omit_defaults=True):
    """The current version.

    Attributes:
        version: its name.
        manifest_sha256: its manifest's checksum.
        previous: what was current before, latest first.
    """

    previous: tuple[Named, ...] = ()

    @property
    def named(self) -> Named:
        """The current version alone."""
        return Named(self.version, self.manifest_sha256)

    @classmethod
    def after(cls, old: "Pointer | None", new: Named) -> Self:
        """The pointer to a version that takes the place of what was current, which is remembered."""
        if old is None:
            return cls(new.version, new.manifest_sha256)
        before = [one for one in (old.named, *old.previous) if one.version != new.version]
        return cls(new.version, new.manifest_sha256, tuple(before[:MAX_PREVIOUS]))

    @classmethod
    def following(cls, old: "Pointer | None", new: Named, theirs: "Pointer | None") -> Self:
        """The same of a copy, which remembers nothing that was taken back at the place that it follows.

        Args:
            old: the copy's.
            new: the version that becomes the copy's current one.
            theirs: the place's, where it has one. One that remembers nothing was written by hand, or is the first; it
                takes nothing back, unless it goes back itself.
        """
        pointer = cls.after(old, new)
        goes_back = old is not None and new in old.previous
        if theirs is None or not (theirs.previous or goes_back):
            return pointer
        known = {one.manifest_sha256 for one in theirs.previous}
        left = tuple(one for one in pointer.previous if one.manifest_sha256 in known)
        return cls(new.version, new.manifest_sha256, left)

    @property
    def back(self) -> "Pointer | None":
        """The pointer to the version before, which forgets the current one; None where there is none."""
        if not self.previous:
            return None
        last, *rest = self.previous
        return Pointer(last.version, last.manifest_sha256, tuple(rest))


def is_version(text: str) -> bool:
    """Whether a version may be called so: a name that leads out of no directory."""
    return re.match(_VERSION, text) is not None


def decode_pointer(text: bytes) -> Pointer:
    """Read a `current.json`.

    Raises:
        ArtefactCorrupt: it is not a pointer.
    """
    try:
        return msgspec.json.decode(text, type=Pointer)
    except UNREADABLE as error:
        raise ArtefactCorrupt(f"The pointer {POINTER_NAME} can't be read: {error}.") from error


def encode_pointer(pointer: Pointer) -> bytes:
    """Write a `current.json`."""
    return msgspec.json.encode(pointer)
