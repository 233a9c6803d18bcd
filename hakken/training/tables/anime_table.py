"""Reading the anime table and the table of further titles and facts."""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hakken.catalogue import ADULT_GENRE, DATE, MAX_NAME, Anime, Catalogue, made_from
from hakken.errors import TableError
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.training.tables.part_reader import anime_id_of, records
from hakken.training.tables.parts import parts_of
from hakken.training.tables.rejected_rows import RejectedRows
from hakken.training.tables.row_checks import MALFORMED

ANIME_COLUMNS = ("anime_id", "name", "genre", "type", "episodes", "rating", "members")
TITLE_COLUMNS = (
    "title_english",
    "title_japanese",
    "title_synonyms",
    "year",
    "season",
    "studios",
    "age_rating",
    "image_url",
    "other_titles",
    "source",
    "tags",
    "start_date",
)
"""Beside `anime_id`; all are optional in a table of titles."""
UNKNOWN = "Unknown"
"""Written for a fact that the site lacks, if the field is not empty."""
ADULT_AGE_RATING = "Rx"
COUNT = re.compile(r"[0-9]{1,9}")
SEASONS = frozenset(("winter", "spring", "summer", "fall"))
MEAN = re.compile(r"[0-9]{1,2}(\.[0-9]*)?")
PICTURE_HOST = "https://cdn.myanimelist.net/"
OLD_PICTURE_HOST = "https://myanimelist.net/"
"""The CDN serves the same paths as this older host."""


@dataclass(frozen=True, eq=False)
class AnimeTable:
    """The anime of a table, and what was left out.

    Attributes:
        catalogue: the anime.
        dropped: reason why a row was left out, or a fact left unknown → count.
        examples: the same reasons → locations of the first few, such as "anime.csv, line 17".
    """

    catalogue: Catalogue
    dropped: Counter[str]
    examples: dict[str, tuple[str, ...]]


class Row(NamedTuple):
    """A usable row: its location, and its fields by column, entities decoded, "" if unknown."""

    location: str
    fields: dict[str, str]


NO_FACTS = Row("", {})


def read_anime_table(anime: Path, titles: Path | None = None, *, strict: bool = False) -> AnimeTable:
    """Read the anime table and, where given, the table of further titles and facts; formats as for ratings.

    HTML entities are decoded; an empty or `Unknown` field stays unknown. A row without a possible id or a title is left
    out and counted, and so is each but the last row for the same anime; an impossible fact is left unknown and counted.

    Args:
        anime: a file, or a folder of parts.
        titles: the same.
        strict: reject a table at the first row or fact that can't be used.

    Raises:
        TableError: a file can't be read, lacks a column or holds no usable row, or `strict` is not satisfied.
    """
    rejected = RejectedRows(strict=strict)
    rows = _rows(anime, ANIME_COLUMNS, (), rejected)
    facts = _rows(titles, ANIME_COLUMNS[:1], TITLE_COLUMNS, rejected) if titles else {}
    lone = [row.location for anime_id, row in facts.items() if anime_id not in rows]
    rejected.note("facts about an anime that the anime table lacks", len(lone), lone)
    catalogue = Catalogue(
        _anime(anime_id, row, facts.get(anime_id, NO_FACTS), rejected) for anime_id, row in rows.items()
    )
    return AnimeTable(catalogue, rejected.dropped, rejected.examples)


def _rows(path: Path, columns: Sequence[str], optional: Sequence[str], rejected: RejectedRows) -> dict[int, Row]:
    """Usable rows of a table by anime id."""
    rows: dict[int, Row] = {}
    for part in parts_of(path):
        for line, fields in records(part, columns, optional):
            row = Row(part.location(line), _cleaned(fields))
            if reason := _why_unusable(row.fields):
                rejected.add(reason, 1, [row.location])
                continue
            anime_id = int(row.fields["anime_id"].removesuffix(".0"))
            if anime_id in rows:
                rejected.add("a later row for the same anime", 1, [rows[anime_id].location])
            rows[anime_id] = row
    if not rows:
        why = "".join(f": {reason}" for reason in rejected.dropped)
        raise TableError(f"The table {path} holds no usable row{why}.")
    return rows


def _cleaned(fields: Mapping[str, bytes]) -> dict[str, str]:
    """Fields of a row, "" if unknown; empty for a row with the wrong number of fields."""
    cleaned = {name: html.unescape(field.decode(errors="replace")).strip() for name, field in fields.items()}
    return {name: "" if text == UNKNOWN and name != "name" else text for name, text in cleaned.items()}


def _why_unusable(fields: dict[str, str]) -> str | None:
    if not fields:
        return MALFORMED
    if any("\N{REPLACEMENT CHARACTER}" in text for text in fields.values()):
        return "text that is not in UTF-8"
    if anime_id_of(fields["anime_id"]) is None:
        return "impossible anime id"
    return "no title" if fields.get("name") == "" else None


def _anime(anime_id: int, row: Row, facts: Row, rejected: RejectedRows) -> Anime:
    title, genres = row.fields["name"][:MAX_NAME], _words(row.fields["genre"], ",")
    more = facts.fields
    english = more.get("title_english", "")[:MAX_NAME] or None
    year = _count(facts, "year", "year", rejected)
    return Anime(
        anime_id=anime_id,
        title=title,
        title_english=english if english != title else None,
        title_japanese=more.get("title_japanese", "")[:MAX_NAME] or None,
        synonyms=_synonyms(more, known={title, english or title}),
        type=row.fields["type"] or None,
        episodes=_count(row, "episodes", "number of episodes", rejected),
        genres=genres,
        year=year,
        season=_season(more.get("season", ""), year),
        start_date=_date(facts, rejected),
        studios=_words(more.get("studios", ""), "|"),
        mean=_mean(row, rejected),
        members=_count(row, "members", "number of members", rejected),
        picture=_picture(facts, rejected),
        made_from=made_from(more.get("source", "")),
        tags=tuple(dict.fromkeys(_words(more.get("tags", ""), "|"))),
        adult=ADULT_GENRE in genres or more.get("age_rating", "").startswith(ADULT_AGE_RATING),
    )


def _synonyms(facts: dict[str, str], known: set[str]) -> tuple[str, ...]:
    names = [*_words(facts.get("title_synonyms", ""), ", "), *_words(facts.get("other_titles", ""), "|")]
    return tuple(name for name in dict.fromkeys(name[:MAX_NAME] for name in names) if name not in known)


def _words(text: str, separator: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(separator) if word.strip())


def _count(row: Row, column: str, what: str, rejected: RejectedRows) -> int | None:
    text = row.fields.get(column, "")
    digits = text.removesuffix(".0")
    if COUNT.fullmatch(digits):
        return int(digits)
    _leave_unknown(f"impossible {what}", text, row, rejected)
    return None


def _season(text: str, year: int | None) -> str | None:
    """Such as "Spring 1998"; the year may be in another column."""
    return f"{text.capitalize()} {year}" if year and text.lower() in SEASONS else text or None


def _date(facts: Row, rejected: RejectedRows) -> str | None:
    text = facts.fields.get("start_date", "")
    if DATE.fullmatch(text):
        return text
    _leave_unknown("impossible start date", text, facts, rejected)
    return None


def _mean(row: Row, rejected: RejectedRows) -> float | None:
    text = row.fields["rating"]
    if MEAN.fullmatch(text) and MIN_SCORE <= float(text) <= MAX_SCORE:
        return float(text)
    _leave_unknown("impossible mean score", text, row, rejected)
    return None


def _picture(facts: Row, rejected: RejectedRows) -> str | None:
    address = facts.fields.get("image_url", "")
    if address.startswith(OLD_PICTURE_HOST):
        return PICTURE_HOST + address.removeprefix(OLD_PICTURE_HOST)
    if address.startswith(PICTURE_HOST):
        return address
    _leave_unknown("picture on another site", address, facts, rejected)
    return None


def _leave_unknown(reason: str, text: str, row: Row, rejected: RejectedRows) -> None:
    if text:
        rejected.add(f"{reason}, left unknown", 1, [row.location])
