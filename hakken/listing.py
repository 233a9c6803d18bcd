"""A list as JSON and as CSV: the same for the terminal, a page's download and the API."""

import csv
import io

import msgspec

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.model import Model
from hakken.ratings import Reason, Recommendation, Recommendations


class Listed(Recommendation, frozen=True, kw_only=True):
    """One title of a list with its facts; one that the catalogue lacks is null, or empty.

    Attributes:
        title_english: the English title, where it differs from `title`.
        type: TV, Movie, OVA, Special, ONA or Music.
        genres: in MyAnimeList's words.
        year: of the first episode.
        episodes: how many there are.
        url: the title's page on MyAnimeList.
    """

    title_english: str | None
    type: str | None
    genres: tuple[str, ...]
    year: int | None
    episodes: int | None
    url: str


class ModelName(msgspec.Struct, frozen=True):
    """What a list was made with.

    Attributes:
        version: of the model: when it was trained, and the beginning of its manifest's checksum.
        created: when it was trained, UTC.
        data_time: up to when the ratings go that it was trained on: a year, month, day or second, UTC; null where that
            is not known.
    """

    version: str
    created: str
    data_time: str | None

    @classmethod
    def of(cls, model: Model) -> "ModelName":
        """The name of a model."""
        return cls(model.version, model.manifest.created, model.manifest.data_time)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list of recommendations.

    Attributes:
        recommendations: best first.
        continues: the next unseen entry of each series that was begun, best first.
        model: what the list was made with.
        notes: what to know about the list, in plain sentences.
    """

    recommendations: tuple[Listed, ...]
    continues: tuple[Listed, ...] = msgspec.field(name="continue")
    model: ModelName
    notes: tuple[str, ...]


def listing(result: Recommendations, bundle: ModelBundle) -> Listing:
    """Put a list together from what was recommended and what is known of it."""
    return Listing(
        recommendations=tuple(listed(one, bundle.catalogue) for one in result.recommendations),
        continues=tuple(listed(one, bundle.catalogue) for one in result.continues),
        model=ModelName.of(bundle.model),
        notes=result.notes,
    )


def listed(one: Recommendation, catalogue: Catalogue) -> Listed:
    """Add to a recommendation what the catalogue knows of the title."""
    anime = catalogue.anime(one.anime_id)
    return Listed(
        **msgspec.structs.asdict(one),
        title_english=anime.title_english,
        type=anime.type,
        genres=anime.genres,
        year=anime.year,
        episodes=anime.episodes,
        url=anime.url,
    )


def as_json(result: Recommendations, bundle: ModelBundle) -> str:
    """A `Listing` as JSON, laid out for people to read too."""
    return readable(listing(result, bundle)).decode()


def readable(value: object) -> bytes:
    """A value as JSON, laid out for people to read too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def as_csv(result: Recommendations, catalogue: Catalogue) -> str:
    """One line for each title, of `recommendations` and then of `continue`, under a heading.

    Cells that a spreadsheet would run are escaped.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, ["section", "rank", *Listed.__struct_fields__])  # lines end as RFC 4180 has it
    writer.writeheader()
    for section, part in (("recommendations", result.recommendations), ("continue", result.continues)):
        for rank, one in enumerate(part, start=1):
            row = msgspec.structs.asdict(listed(one, catalogue))
            cells = {name: _cell(value) for name, value in row.items()}
            writer.writerow({"section": section, "rank": rank} | cells)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = ", ".join(f"{one.title} {one.share:+.3g}" if isinstance(one, Reason) else one for one in value)
    # A spreadsheet takes what begins so for a formula, and runs it.
    dangerous = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if dangerous else value
