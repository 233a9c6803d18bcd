"""A list as JSON and as CSV: the same for the terminal, a page's download and the API; and titles as XML."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Annotated
from xml.etree import ElementTree as ET  # only to write

import msgspec

from hakken.about import about
from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.ratings import Effect, Reason, Recommendation, Recommendations, UserList

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
EnglishTitle = Annotated[str | None, about("The English title, where it differs from `title`.")]
Type = Annotated[str | None, about("TV, Movie, OVA, Special, ONA or Music.")]
Year = Annotated[int | None, about("Of the first episode.")]
Episodes = Annotated[int | None, about("How many there are.")]
Page = Annotated[str, about("The title's page on MyAnimeList.")]
DATA_TIME = "The date up to which its training ratings go: a year, month, day or second, UTC; null if unknown."


class Listed(Recommendation, frozen=True, kw_only=True):
    """One title of a list with its facts; one that the catalogue lacks is null, or empty."""

    title_english: EnglishTitle
    type: Type
    genres: Annotated[tuple[str, ...], about("In MyAnimeList's words.")]
    year: Year
    episodes: Episodes
    url: Page


_FACTS = Listed.__struct_fields__[len(Recommendation.__struct_fields__) :]


class ModelName(msgspec.Struct, frozen=True):
    """What a list was made with."""

    version: Annotated[str, about("Of the model: when it was trained, and the beginning of its manifest's checksum.")]
    created: Annotated[str, about("When it was trained, UTC.")]
    data_time: Annotated[str | None, about(DATA_TIME)]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list of recommendations."""

    recommendations: Annotated[tuple[Listed, ...], about("Best first.")]
    continues: Annotated[
        tuple[Listed, ...], about("The next unseen entry of each series that was begun, best first.")
    ] = msgspec.field(name="continue")
    model: Annotated[ModelName, about("What the list was made with.")]
    notes: Annotated[tuple[str, ...], about("What to know about the list, in plain sentences.")]


def listing(result: Recommendations, bundle: ModelBundle) -> Listing:
    """Put a list together from what was recommended and what is known of it."""
    manifest = bundle.model.manifest
    return Listing(
        recommendations=tuple(listed(one, bundle.catalogue) for one in result.recommendations),
        continues=tuple(listed(one, bundle.catalogue) for one in result.continues),
        model=ModelName(bundle.model.version, manifest.created, manifest.data_time),
        notes=result.notes,
    )


def listed(one: Recommendation, catalogue: Catalogue) -> Listed:
    """Add to a recommendation what the catalogue knows of the title."""
    anime = catalogue.anime(one.anime_id)
    return Listed(*msgspec.structs.astuple(one), **{name: getattr(anime, name) for name in _FACTS})


def relative_matches(recommendations: Sequence[Recommendation]) -> list[int]:
    """The match of each title of a list as people read it: a whole number from 0 to 100, the best title's.

    A match that is not positive is 0.
    """
    best = max((one.match for one in recommendations), default=0.0)
    return [round(100 * one.match / best) if one.match > 0 else 0 for one in recommendations]


def as_json(result: Recommendations, bundle: ModelBundle) -> str:
    """A `Listing` as JSON."""
    return readable(listing(result, bundle)).decode()


def readable(value: object) -> bytes:
    """A value as JSON, laid out for people to read too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def as_csv(result: Recommendations, catalogue: Catalogue) -> str:
    """One line for each title, of `recommendations` and then of `continue`, under a heading.

    Cells that a spreadsheet would run are escaped.
    """
    text = io.StringIO()
    writer = csv.writer(text)  # lines end as RFC 4180 has it
    writer.writerow(["section", "rank", *Listed.__struct_fields__])
    for section, part in (("recommendations", result.recommendations), ("continue", result.continues)):
        for rank, one in enumerate(part, start=1):
            writer.writerow([section, rank, *map(_cell, msgspec.structs.astuple(listed(one, catalogue)))])
    return text.getvalue()


def as_mal_import(user_list: UserList, catalogue: Catalogue) -> str:
    """Titles that were seen, as XML that MyAnimeList imports; it replaces what an account has of the same titles."""
    root = ET.Element("myanimelist")
    ET.SubElement(ET.SubElement(root, "myinfo"), "user_export_type").text = "1"
    for rating in user_list.seen:
        anime = catalogue.anime(rating.anime_id)
        entry = ET.SubElement(root, "anime")
        for name, value in (
            ("series_animedb_id", anime.anime_id),
            ("series_title", _NOT_XML.sub("", anime.title)),
            ("my_watched_episodes", anime.episodes or 0),
            ("my_score", rating.score),
            ("my_status", "Completed"),
            ("update_on_import", 1),
        ):
            ET.SubElement(entry, name).text = str(value)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = ", ".join(map(_part, value))
    # A spreadsheet takes what begins so for a formula, and runs it.
    dangerous = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if dangerous else value


def _part(value: Reason | Effect | str) -> str:
    """One of several values of a cell."""
    if isinstance(value, Reason):
        return f"{value.title} {value.share:+.3g}"
    return f"{value.words} ×{value.factor:.3g}" if isinstance(value, Effect) else value
