"""`current.json`: which of several versions is the current one, and which were current before it.

One small file, so that a single write switches all readers at once. The history lists what was current, not what lies
in `versions/`: that may hold a version that never became current, and version names sort by training time, an order
that a rollback reverses.
"""

import re
from typing import Annotated, Self

import msgspec

from hakken.errors import ArtefactCorrupt
from hakken.model.manifest import UNREADABLE, Sha256

CURRENT_NAME = "current.json"
VERSIONS_NAME = "versions"
MAX_PREVIOUS = 10
"""How many previous versions are remembered for rollbacks."""

_VERSION = r"^[A-Za-z0-9][A-Za-z0-9.-]*\Z"
Version = Annotated[str, msgspec.Meta(pattern=_VERSION)]


class VersionRef(msgspec.Struct, frozen=True):
    """A version and its manifest's checksum."""

    version: Version
    manifest_sha256: Sha256


class CurrentVersion(VersionRef, frozen=True, omit_defaults=True):
    """The current version.

    Attributes:
        version: its name.
        manifest_sha256: its manifest's checksum.
        previous: what was current before, latest first.
    """

    previous: tuple[VersionRef, ...] = ()

    @property
    def ref(self) -> VersionRef:
        """The current version without its history."""
        return VersionRef(self.version, self.manifest_sha256)

    @classmethod
    def succeeding(cls, old: "CurrentVersion | None", new: VersionRef) -> Self:
        """Make `new` current; what was current before is remembered."""
        before = [one for one in (old.ref, *old.previous) if one.version != new.version] if old else []
        return cls(new.version, new.manifest_sha256, tuple(before[:MAX_PREVIOUS]))

    @classmethod
    def following(cls, old: "CurrentVersion | None", new: VersionRef, remote: "CurrentVersion | None") -> Self:
        """Make `new` current in a local copy, which forgets what was rolled back at the remote.

        Args:
            old: the copy's current version.
            new: the version that becomes the copy's current one.
            remote: the remote's, where it has one. One without history was written by hand or is the first; it takes
                nothing back, unless it goes back itself.
        """
        current = cls.succeeding(old, new)
        goes_back = old is not None and new in old.previous
        if remote is None or not (remote.previous or goes_back):
            return current
        known = {one.manifest_sha256 for one in remote.previous}
        left = tuple(one for one in current.previous if one.manifest_sha256 in known)
        return cls(new.version, new.manifest_sha256, left)

    @property
    def rolled_back(self) -> "CurrentVersion | None":
        """The version before as the current one, this one forgotten; None where there is none before."""
        if not self.previous:
            return None
        last, *rest = self.previous
        return CurrentVersion(last.version, last.manifest_sha256, tuple(rest))


def is_version(text: str) -> bool:
    """Whether this is a valid version name, which can't lead outside its directory."""
    return re.match(_VERSION, text) is not None


def decode_current(text: bytes) -> CurrentVersion:
    """Read a `current.json`.

    Raises:
        ArtefactCorrupt: it can't be decoded.
    """
    try:
        return msgspec.json.decode(text, type=CurrentVersion)
    except UNREADABLE as error:
        raise ArtefactCorrupt(f"The pointer {CURRENT_NAME} can't be read: {error}.") from error
