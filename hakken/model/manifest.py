"""The manifest: description of an artefact, with the checksum of each of its files."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hakken.about import about
from hakken.data_time import first_moment
from hakken.errors import ArtefactCorrupt, ArtefactTooNew
from hakken.model.hyperparameters import LACKING, Count, Parameters, Positive, Slope
from hakken.model.trees import FEATURES
from hakken.ratings import MAX_SCORE

FILE_NAME = "manifest.json"
WITH_ATTRIBUTES, WITH_TREES, WITH_FACTORS = 4, 5, 7
"""The first schema versions with attributes, with trees, and with factors."""
SCHEMA_VERSION = 7
OLDEST_SCHEMA_VERSION = 3
"""Older models must be trained again."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON of unknown origin may raise."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
PlainName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")]
"""A file name without a path: neither `/` nor a leading dot, so a manifest can't reach outside its directory."""

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]


class FileEntry(msgspec.Struct, frozen=True):
    """One file of an artefact: its size in bytes and its checksum."""

    bytes: Count
    sha256: Sha256


class Sizes(msgspec.Struct, frozen=True):
    """Sizes of the training data and of the artefact."""

    users: Annotated[Count, about("Users with at least one scored entry.")]
    items: Annotated[Count, about("Anime with any entry, scored or not.")]
    entries: Annotated[Count, about("Rows of the table that were kept, scored or not.")]
    scored: Annotated[Count, about("Rows with a score.")]
    neighbours: Annotated[Count, about("Stored similarities.")]
    preferences: Annotated[Count, about("Stored preference weights.")]


N_QUANTILES = 21
"""Quantiles of the user biases that are kept: one for every 5%, both ends included."""


class People(msgspec.Struct, frozen=True):
    """How the training users score, to compare one person's scores with.

    Attributes:
        scores: how often each of the scores 1, 2 … 10 was given.
        b_u: quantiles of the biases of users with at least one score, 0%, 5% … 100%, score points; interpolated
            linearly between users.
    """

    scores: Annotated[tuple[Count, ...], Meta(min_length=MAX_SCORE, max_length=MAX_SCORE)]
    b_u: Annotated[tuple[float, ...], Meta(min_length=N_QUANTILES, max_length=N_QUANTILES)]


class PopularityLine(msgspec.Struct, frozen=True):
    """How popular a title is to be expected, by its members: see `hakken.training.reach`.

    Attributes:
        level, slope: of log q̂_i = level + slope · log(members_i + 10).
        unknown: log q̂_i of titles of unknown members.
    """

    level: float
    slope: Slope
    unknown: float


class Unwatched(msgspec.Struct, frozen=True):
    """What the row of a title that nobody watched is computed from: see `hakken.training.new_titles`.

    Attributes:
        attributes: name of each column of `attr_values`.
        of_siblings: g, weight of the titles of the same series: see `hakken.training.attributes`.
        popularity: see `PopularityLine`.
        lists: a year and how many lists reach it and no later one, for each such year, ascending.
    """

    attributes: tuple[str, ...]
    of_siblings: Annotated[float, Meta(ge=0)]
    popularity: PopularityLine
    lists: tuple[tuple[Int32, Int32], ...]


class TablePart(FileEntry, frozen=True, kw_only=True):
    """A file that a model was made from.

    Attributes:
        option: what `hakken train` names its table: ratings, anime, titles or relations.
        name: its name, without a path.
    """

    option: str
    name: str


class MadeFrom(msgspec.Struct, frozen=True):
    """What a model was made from, beside its parameters.

    Attributes:
        parts: the files of all tables, in the order in which they were read.
        held_out: whether the people who judge models were left out, see `hakken.evaluation.protocol`.
        data_time: the data time of tables without any.
    """

    parts: tuple[TablePart, ...]
    held_out: bool = False
    data_time: str | None = None


class Difference(msgspec.Struct, frozen=True):
    """A measure of two models for the same people.

    Attributes:
        new: the new model's value; None where nobody's list tells.
        served: that of the model that it is compared with.
        low: end of the 95% interval of the difference, new less served; None where there is none.
        high: the other end.
    """

    new: float | None
    served: float | None
    low: float | None
    high: float | None


class Judgement(msgspec.Struct, frozen=True):
    """How a model compared with the one that was served when it was made.

    Attributes:
        served: version of that model.
        people: number of people whom neither was trained on, and whose lists both completed.
        measures: name of a measure → the difference, see `hakken.evaluation.metrics`; none with too few people.
    """

    served: str
    people: Count
    measures: dict[str, Difference]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The description of an artefact.

    Attributes:
        schema_version: layout of the artefact.
        created: when it was trained, UTC, such as 2026-11-23T21:16:35Z.
        data_time: when the newest list that it was trained on was read, see `hakken.data_time`; None: unknown.
        hakken_version: the code that trained it.
        mu: mean of all training ratings, score points.
        sizes: see `Sizes`.
        people: see `People`.
        parameters: see `Parameters`.
        made_from: see `MadeFrom`; None: unknown.
        judgement: see `Judgement`; None: it was compared with none.
        unwatched: see `Unwatched`; None in models that were trained before it was stored.
        features: names of the features that the trees read, in the order of `tree_features`.
        files: name → size and checksum of every other file.
    """

    schema_version: Positive = SCHEMA_VERSION
    created: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]
    data_time: str | None = None
    hakken_version: str
    mu: Annotated[float, Meta(ge=1, le=10)]
    sizes: Sizes
    people: People
    parameters: Parameters
    made_from: MadeFrom | None = None
    judgement: Judgement | None = None
    unwatched: Unwatched | None = None
    features: tuple[str, ...] = ()
    files: dict[PlainName, FileEntry]

    def __post_init__(self) -> None:
        datetime.strptime(self.created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if self.data_time is not None:
            first_moment(self.data_time)


def decode(text: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ArtefactTooNew: its schema version is later than ours, or its trees read features that we do not compute.
        ArtefactCorrupt: it is not a manifest, or one that is too old.
    """
    try:
        known = msgspec.json.decode(text, type=dict[str, Any])
        found = msgspec.convert(known.get("schema_version"), int)
        if found > SCHEMA_VERSION:
            raise ArtefactTooNew(
                f"The model has schema version {found}, this Hakken reads up to {SCHEMA_VERSION}: "
                "upgrade Hakken, or train the model with this one."
            )
        if found < OLDEST_SCHEMA_VERSION:
            raise ArtefactCorrupt(
                f"The model has schema version {found}, an earlier Hakken's: train it again with this one."
            )
        for later in range(found + 1, SCHEMA_VERSION + 1):
            parameters = msgspec.convert(known.get("parameters"), dict[str, Any])
            known["parameters"] = {**LACKING[later], **parameters}
        manifest = msgspec.convert(known, Manifest)
    except UNREADABLE as error:
        raise ArtefactCorrupt(f"The model's manifest can't be read: {error}.") from error
    if unknown := sorted(set(manifest.features) - set(FEATURES)):
        raise ArtefactTooNew(
            f"The trees of the model read features that this Hakken does not compute ({', '.join(unknown)}): "
            "upgrade Hakken, or train the model with this one."
        )
    return manifest


class _Files(msgspec.Struct):
    files: dict[PlainName, FileEntry]


def decode_files(text: bytes) -> dict[str, FileEntry]:
    """Read which files a manifest names, whatever its schema version: this part must stay the same in all.

    Raises:
        ArtefactCorrupt: it names none.
    """
    try:
        return msgspec.json.decode(text, type=_Files).files
    except UNREADABLE as error:
        raise ArtefactCorrupt(f"The model's manifest can't be read: {error}.") from error


def encode(manifest: Manifest) -> bytes:
    """Encode a manifest, readable for people too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def version_of(manifest: Manifest, text: bytes) -> str:
    """Name an artefact's version: its UTC time and the first 12 hex digits of its manifest's sha256."""
    time = manifest.created.replace("-", "").replace(":", "")
    return f"{time}-{hashlib.sha256(text).hexdigest()[:12]}"
