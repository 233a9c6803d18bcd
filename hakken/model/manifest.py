"""The manifest: description of an artefact, with the checksum of each of its files."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hakken.about import about
from hakken.data_time import first_moment
from hakken.errors import ArtefactCorrupt, ArtefactTooNew
from hakken.ratings import MAX_SCORE

FILE_NAME = "manifest.json"
SCHEMA_VERSION = 4
OLDEST_SCHEMA_VERSION = 3
"""Older models must be trained again."""

PARAMETERS_OF_SCHEMA_3: Mapping[str, float] = {
    "min_similarity": 0.0,
    "pref_stored": 200,
    "unknown": 0.0,
    "planned": 0.0,
    "late": 0.0,
    "attribute_reg": 10_000.0,
    "attribute_support": 5.0,
}
"""The parameters that schema 3 lacks, each with the value that serves its models as before.

Parameters whose default does so are listed too; a test checks that none is forgotten.
"""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON of unknown origin may raise."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
PlainName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")]
"""A file name without a path: neither `/` nor a leading dot, so a manifest can't reach outside its directory."""

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Regulariser = Annotated[float, Meta(ge=0, le=1e9)]
Strength = Annotated[float, Meta(gt=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Slope = Annotated[float, Meta(ge=0, le=2)]
Weight = Annotated[float, Meta(ge=0, le=10)]
Factor = Annotated[float, Meta(gt=0, le=10)]


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
"""Quantiles of the user biases that are kept: one for every 5 %, both ends included."""


class People(msgspec.Struct, frozen=True):
    """How the training users score, to compare one person's scores with.

    Attributes:
        scores: how often each of the scores 1, 2 … 10 was given.
        b_u: quantiles of the biases of users with at least one score, 0 %, 5 % … 100 %, score points; interpolated
            linearly between users.
    """

    scores: Annotated[tuple[Count, ...], Meta(min_length=MAX_SCORE, max_length=MAX_SCORE)]
    b_u: Annotated[tuple[float, ...], Meta(min_length=N_QUANTILES, max_length=N_QUANTILES)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hyper-parameters; the defaults are, rounded, what tuning found on 494,301 ratings: see docs/tuning."""

    reg_u: Annotated[Regulariser, about("Regulariser of the user biases.")] = 0.7
    reg_i: Annotated[Regulariser, about("Regulariser of the item biases.")] = 1.6
    n_epochs: Annotated[Positive, about("Rounds of alternating least squares for the biases.")] = 10
    shrinkage: Annotated[Regulariser, about("λ in (n_ij − 1) / (n_ij − 1 + λ).")] = 100.0
    min_support: Annotated[Positive, about("Pairs of items rated by fewer users than this get similarity 0.")] = 1
    k_stored: Annotated[Positive, about("Neighbours kept per item.")] = 200
    min_similarity: Annotated[
        Share,
        about(
            "Neighbours that are less similar are kept only where they are among an item's 20 nearest, since with "
            "amplification others have no weight."
        ),
    ] = 0.1
    pref_stored: Annotated[
        Positive, about("Preference weights kept per item, at most; an item that few people watched keeps fewer.")
    ] = 200
    k: Annotated[Positive, about("Neighbours used for a prediction, at most.")] = 24
    amplification: Annotated[
        Factor, about("Exponent on a similarity when neighbours are weighted; above 1, the most similar weigh more.")
    ] = 2.8
    prior: Annotated[
        Regulariser, about("Added to the sum of the weights, so that few or weak neighbours move a prediction less.")
    ] = 0.02
    trust: Annotated[Share, about("Exponent by which neighbours weigh more for someone with a longer list.")] = 0.04
    min_raters: Annotated[
        Positive, about("Titles that fewer training users scored are left out of the order by predicted rating.")
    ] = 50
    liking: Annotated[
        Weight,
        about("How much more an entry counts for each score point above its user's mean; see hakken.model.preference."),
    ] = 0.15
    unscored: Annotated[Weight, about("How much an entry without a score counts.")] = 0.5
    unknown: Annotated[
        Weight,
        about("How much an entry without a score counts of which nobody knows whether it was watched or planned."),
    ] = 0.4
    planned: Annotated[Weight, about("How much a planned entry counts.")] = 0.45
    activity: Annotated[
        Share,
        about("Exponent by which the entries of people with long lists count less when preference weights are learnt."),
    ] = 0.15
    pref_reg: Annotated[Strength, about("λ of the preference weights.")] = 140.0
    dropout: Annotated[
        float,
        Meta(ge=0, le=0.99),
        about("Share of entries that training of the preference weights does without, on average."),
    ] = 0.13
    min_watchers: Annotated[
        Positive, about("Titles that fewer training users have on their lists get no preference weights.")
    ] = 5
    late: Annotated[
        Regulariser,
        about(
            "Number of people who could have watched a title at which its preference weights are doubled, since few "
            "people make them too small; see docs/time.md."
        ),
    ] = 160.0
    attribute_reg: Annotated[
        Strength, about("λ of the regression of preference weights on attributes; see hakken.training.attributes.")
    ] = 10_000.0
    attribute_support: Annotated[
        Strength, about("Number of watchers of a title at which its own weights and its attributes' weigh the same.")
    ] = 5.0
    novelty: Annotated[Slope, about("Exponent by which the match of a widely watched title is lowered.")] = 0.08
    pull: Annotated[
        Slope, about("How much each score point of a predicted rating above the baseline raises the match.")
    ] = 0.23
    quality: Annotated[Slope, about("How much each score point of an anime's own bias raises the match.")] = 0.09
    skipped: Annotated[
        Factor, about("Factor on the match of an entry of a series of which the visitor has seen a later one.")
    ] = 1.4
    ahead: Annotated[
        Factor,
        about("Factor on the match of what is not the entry point of a series of which the visitor has seen nothing."),
    ] = 0.68
    everyone: Annotated[
        Weight, about("What is added to the preference for a title that everyone has on their list.")
    ] = 0.03
    implicit_slope: Annotated[
        float, Meta(ge=0, le=5), about("Score points that a preference of 1 adds to a predicted rating.")
    ] = 0.35
    implicit_offset: Annotated[
        float, Meta(ge=-5, le=5), about("Score points that a preference of 0 adds to it.")
    ] = -0.15
    implicit_length: Annotated[
        Share, about("Score points by which the rating falls when a list grows e-fold, as preferences grow with it.")
    ] = 0.057


TEXTBOOK = Parameters(
    reg_u=15.0,
    reg_i=10.0,
    shrinkage=100.0,
    k=20,
    min_similarity=0.0,
    amplification=1.0,
    prior=0.0,
    trust=0.0,
    implicit_slope=0.0,
    implicit_offset=0.0,
    implicit_length=0.0,
)
"""The formula as published, with the original Hakken's settings: the baseline of comparisons."""


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
    files: dict[PlainName, FileEntry]

    def __post_init__(self) -> None:
        datetime.strptime(self.created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if self.data_time is not None:
            first_moment(self.data_time)


def decode(text: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ArtefactTooNew: its schema version is later than ours.
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
        if found < SCHEMA_VERSION:
            parameters = msgspec.convert(known.get("parameters"), dict[str, Any])
            known["parameters"] = {**PARAMETERS_OF_SCHEMA_3, **parameters}
        return msgspec.convert(known, Manifest)
    except UNREADABLE as error:
        raise ArtefactCorrupt(f"The model's manifest can't be read: {error}.") from error


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
