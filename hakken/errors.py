"""Everything that can go wrong, as one tree.

    HakkenError
    ├── ClusterError, ConfigError, ServerBusy, TableError
    ├── InputError
    │   └── BadUsername, BadOption, BadList, BadBody, UnknownTitle
    ├── SourceError
    │   ├── NoListSource, UserNotFound, PrivateList, AllSourcesFailed, TooManyFetches
    │   ├── SiteError
    │   │   ├── SiteTimeout, InvalidResponse
    │   │   ├── SiteBlocked
    │   │   │   └── ClientIdRefused
    │   │   ├── SiteDown
    │   │   │   └── CircuitOpen
    │   │   └── SiteBusy
    │   │       └── RateLimited
    │   └── ExportError
    │       └── NotAnExport, MangaExport, ExportTooLarge
    └── ModelError
        ├── ArtefactMissing, ArtefactCorrupt, ArtefactTooNew, ModelPending, StorageError
        ├── ArtefactRefused
        │   └── RefusedAsTooNew
        └── PublishError
            └── LessThanServed, PublishedMeanwhile, NothingBefore

Each message is one plain sentence for the person who reads it: what failed and, where it is known, what mends it.
It never holds a username, a secret or a stack.
"""

from collections.abc import Sequence
from typing import ClassVar


class HakkenError(Exception):
    """The root of the tree; never raised itself.

    Attributes:
        public_name: what problem types of the API and labels of metrics call this kind of error. Programs rely on it,
            so a class that is renamed keeps it.
    """

    public_name: ClassVar[str]

    def __init_subclass__(cls, *, public_name: str | None = None) -> None:
        super().__init_subclass__()
        cls.public_name = public_name or cls.__name__


class ConfigError(HakkenError):
    """A setting is unknown or ill-typed; raised at start, before anything is served."""


class ClusterError(HakkenError):
    """The machines that were to train a model together can't."""


class InputError(HakkenError):
    """Input of a person or a program can't be used."""


class BadUsername(InputError):
    """No username on the site can look like this."""


class BadOption(InputError):
    """An option, such as the number of recommendations, is out of its range."""


class BadList(InputError):
    """The list encoded in a page or an address was cut short, changed, or written by another version."""


class BadBody(InputError):
    """The body of a request is not valid JSON."""


class UnknownTitle(InputError):
    """Neither the catalogue nor the model has the requested anime."""


class SourceError(HakkenError):
    """A list could not be fetched."""


class NoListSource(SourceError):
    """This server has no source of that site's lists, so none was asked; asking again won't help."""


class UserNotFound(SourceError):
    """The site itself says that it has no such user. Final: no other source is asked."""


class PrivateList(SourceError):
    """The site itself says that the list is private. Final: no other source is asked."""


class SiteError(SourceError):
    """A site could not answer; another source of the same list may.

    Attributes:
        retry_after: seconds after which the site may be asked again, where it is known.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SiteDown(SiteError):
    """No connection, or an answer of the 5xx class."""


class CircuitOpen(SiteDown, public_name="SiteResting"):
    """The site failed several times in a row, so it was not asked at all."""


class SiteTimeout(SiteError):
    """No complete answer came before the deadline."""


class SiteBusy(SiteError):
    """The site asks for fewer requests (429)."""


class RateLimited(SiteBusy, public_name="OutOfTurns"):
    """The rate limit of the site allows no more requests before the deadline, so it was not asked."""


class SiteBlocked(SiteError):
    """The site refused the request without a reason (401, 403, an unexplained 404)."""


class ClientIdRefused(SiteBlocked):
    """MyAnimeList does not accept this server's client id, which only its operator can fix."""


class InvalidResponse(SiteError, public_name="SiteNonsense"):
    """The answer can't be read: it is not JSON, has the wrong shape, is too large or never ends."""


class AllSourcesFailed(SourceError):
    """Every source of a site's lists was tried, and none could answer.

    Attributes:
        tried: what each source failed with, in the order they were asked: pairs of its name and its error.
    """

    def __init__(self, message: str, tried: Sequence[tuple[str, SiteError]]) -> None:
        super().__init__(message)
        self.tried = tuple(tried)


class TooManyFetches(SourceError, public_name="Crowded"):
    """Too many threads of this worker are fetching lists already; the others have to stay free."""


class ExportError(SourceError):
    """An uploaded file can't be used."""


class NotAnExport(ExportError):
    """The file is not MyAnimeList's XML export: something else, truncated, or hostile."""


class MangaExport(ExportError):
    """The file is the export of a manga list."""


class ExportTooLarge(ExportError):
    """The file is larger than we read, as it came or after unpacking."""


class ServerBusy(HakkenError, public_name="FullHouse"):
    """More requests arrive than can be answered; one more would only wait."""

    retry_after = 3.0


class ModelError(HakkenError):
    """The model can't be used."""


class ArtefactMissing(ModelError):
    """There is no artefact at the address."""


class ArtefactCorrupt(ModelError):
    """A checksum, a shape or the manifest itself is wrong.

    Attributes:
        name: of the damaged file in the store that the model is fetched from, where it is known.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class ArtefactTooNew(ModelError):
    """The artefact was written by a later Hakken, whose layout this one does not know."""


class ArtefactRefused(ModelError):
    """This worker, or another one of the machine, found the version unusable before: it is not tried again."""


class RefusedAsTooNew(ArtefactRefused):
    """The version was refused because a later Hakken wrote it, with a layout that this one does not know."""


class ModelPending(ModelError):
    """The server has started, and the model is still being fetched."""


class StorageError(ModelError):
    """The bucket, the directory or the local disk could not be used."""


class PublishError(ModelError):
    """A version can't be published, or rolled back."""


class LessThanServed(PublishError):
    """A version was trained on much less than the one that is served, or on older lists; it needs `--force`."""


class PublishedMeanwhile(PublishError):
    """Another publisher changed the current version meanwhile; nothing of theirs was overwritten."""


class NothingBefore(PublishError):
    """There is no version before the current one to go back to."""


class TableError(HakkenError):
    """A table to train from, or a file for a batch command, can't be read."""
