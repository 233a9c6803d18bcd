"""Reading the tables of anime, of further titles and facts, and of relations, from which series follow."""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from hakken.catalogue import ADULT_GENRE, DATE, MAX_NAME, Anime, Catalogue, Related, made_from, spaced
from hakken.errors import TableError
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.series import Relation, with_series
from hakken.training.progress import SILENT, Progress
from hakken.training.tables.rejected_rows import N_EXAMPLES, RejectedRows, records
from hakken.training.tables.values import anime_id, number_of, whole_number

ANIME_COLUMNS = ("anime_id", "name", "genre", "type", "episodes", "rating", "members")
TITLE_COLUMNS = (
    *("title_english", "title_japanese", "title_synonyms", "year", "season", "studios", "age_rating", "image_url"),
    *("other_titles", "source", "tags", "start_date"),
)
"""Beside `anime_id`; all are optional."""
KNOWN_AS = {
    "anime_id": ("anime_id", "mal_id"),
    "name": ("name", "title"),
    "genre": ("genre", "genres"),
    "rating": ("score", "rating"),
    "title_english": ("title_english", "english_name"),
    "title_japanese": ("title_japanese", "japanese_name", "other_name"),
    "season": ("season", "premiered"),
    "studios": ("studios", "studio"),
    "age_rating": ("age_rating", "rating"),
}
"""Names of a column in public tables; where the mean is a `score`, `rating` is that of the age."""
CATALOGUE_ENDING = ".jsonl.gz"
RELATION_COLUMNS = ("anime_id", "relation", "related_id")
STATED = Path(__file__).with_name("stated_relations.csv")
"""Relations of well-known series that sites state, and tables of inferred relations lack or contradict."""
UNKNOWN = "unknown"
"""Written for a fact that the site lacks, if the field is not empty."""
ADULT_AGE_RATING = "Rx"
MAX_COUNT, MAX_YEAR = 10**9 - 1, 9999
SEASONS = frozenset(("winter", "spring", "summer", "fall"))
PICTURE_HOST = "https://cdn.myanimelist.net/"
OLD_PICTURE_HOST = re.compile(r"^https://myanimelist\.(net|cdn-dena\.com)/")
"""The CDN serves the same paths as these older hosts."""


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


Row = tuple[int, dict[str, str]]
"""A usable row: its place, and its fields by column, entities decoded, "" if unknown."""


def read_anime_table(anime: Path, titles: Path | None = None, *, strict: bool = False) -> AnimeTable:
    """Read the anime table and, where given, the table of further titles and facts; formats as for ratings.

    An anime without a row in the latter has the further facts of the former, if any. HTML entities are decoded; an
    empty or `Unknown` field stays unknown. A row without a possible id or a title is left out and counted, and so is
    each but the last row for the same anime; an impossible fact is left unknown and counted.

    Args:
        anime: a file, or a folder of parts.
        titles: the same.
        strict: reject a table with a row or fact that can't be used.

    Raises:
        TableError: a file can't be read, lacks a column or holds no usable row, or `strict` is not satisfied.
    """
    rejected = RejectedRows()
    rows = _rows(anime, ANIME_COLUMNS, rejected)
    facts = _rows(titles, ANIME_COLUMNS[:1], rejected) if titles else {}
    lone = sorted(place for one, (place, _) in facts.items() if one not in rows)
    rejected.add("facts about an anime that the anime table lacks", lone, harmless=True)
    catalogue = Catalogue(_anime(one, row, facts.get(one, row), rejected) for one, row in rows.items())
    if strict:
        rejected.refuse()
    return AnimeTable(catalogue, rejected.dropped, rejected.examples())


def _rows(path: Path, columns: Sequence[str], rejected: RejectedRows) -> dict[int, Row]:
    """Usable rows of a table by anime id."""
    rows: dict[int, Row] = {}
    for place, (found, fields) in records(path, rejected, _usable, columns, optional=TITLE_COLUMNS, known_as=KNOWN_AS):
        if found in rows:
            rejected.add("a later row for the same anime", [rows[found][0]])
        rows[found] = place, fields
    if not rows:
        raise rejected.none_usable(path)
    return rows


def _usable(texts: dict[str, str]) -> tuple[int, dict[str, str]] | str:
    """The anime of a row and its fields, or the reason why it can't be used."""
    fields = {name: html.unescape(text).strip() for name, text in texts.items()}
    fields = {name: "" if text.lower() == UNKNOWN and name != "name" else text for name, text in fields.items()}
    if any("\N{REPLACEMENT CHARACTER}" in text for text in fields.values()):
        return "text that is not in UTF-8"
    if found := anime_id(fields["anime_id"]):
        return (found, fields) if fields.get("name") != "" else "no title"
    return "impossible anime id"


def _anime(anime_id: int, row: Row, facts: Row, rejected: RejectedRows) -> Anime:
    """An anime of a row of the anime table, and of one with further facts, which may be the same."""
    parsed: dict[str, Any] = {}
    for column, (fault, parse) in FACTS.items():
        place, fields = row if column in ANIME_COLUMNS else facts
        text = fields.get(column, "")
        parsed[column] = parse(text) if text else None
        if text and parsed[column] is None:
            rejected.add(f"{fault}, left unknown", [place])
    more = defaultdict(str, facts[1]) | {column: row[1][column] for column in ANIME_COLUMNS}
    title, genres, english = more["name"][:MAX_NAME], _words(more["genre"], ","), more["title_english"][:MAX_NAME]
    season, year = _season(more["season"], parsed["year"])
    synonyms = more["title_synonyms"]
    names = [*_words(synonyms, ", " if ", " in synonyms else "; "), *_words(more["other_titles"], "|")]
    known = {title, english or title}
    return Anime(
        anime_id=anime_id,
        title=title,
        title_english=english if english not in {"", title} else None,
        title_japanese=more["title_japanese"][:MAX_NAME] or None,
        synonyms=tuple(name for name in dict.fromkeys(name[:MAX_NAME] for name in names) if name not in known),
        type=more["type"] or None,
        episodes=parsed["episodes"],
        genres=genres,
        year=year,
        season=season,
        start_date=parsed["start_date"],
        studios=_words(more["studios"].lower(), "," if facts is row else "|"),
        mean=parsed["rating"],
        members=parsed["members"],
        picture=parsed["image_url"],
        made_from=made_from(more["source"]),
        tags=tuple(dict.fromkeys(_words(more["tags"], "|"))),
        adult=ADULT_GENRE in genres or more["age_rating"].startswith(ADULT_AGE_RATING),
    )


def _words(text: str, separator: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(separator) if word.strip())


def _season(text: str, year: int | None) -> tuple[str | None, int | None]:
    """A season such as "Spring 1998", and its year, which may be in another column."""
    name, _, of_year = text.partition(" ")
    if name.lower() not in SEASONS:
        return text or None, year
    year = year or whole_number(1, MAX_YEAR, of_year)
    return f"{name.capitalize()} {year}" if year else text, year


def _mean(text: str) -> float | None:
    number = number_of(text)
    return float(number) if number is not None and MIN_SCORE <= number <= MAX_SCORE else None


def _picture(address: str) -> str | None:
    address = OLD_PICTURE_HOST.sub(PICTURE_HOST, address)
    return address if address.startswith(PICTURE_HOST) else None


_COUNT = partial(whole_number, 0, MAX_COUNT)
FACTS: dict[str, tuple[str, Callable[[str], object]]] = {
    "year": ("impossible year", _COUNT),
    "episodes": ("impossible number of episodes", _COUNT),
    "start_date": ("impossible start date", lambda text: text if DATE.fullmatch(text) else None),
    "rating": ("impossible mean score", _mean),
    "members": ("impossible number of members", _COUNT),
    "image_url": ("picture on another site", _picture),
}
"""Columns that may hold impossible facts: what such a fact is called, and a parser that returns None for it."""


def read_catalogue(
    anime: Path,
    titles: Path | None = None,
    relations: Path | None = None,
    *,
    strict: bool = False,
    progress: Progress = SILENT,
) -> AnimeTable:
    """Read anime with series: the tables of `read_anime_table` and `in_series`, or a catalogue file in place of them.

    Raises:
        TableError: as those, or there are tables beside a catalogue file.
        ArtefactCorrupt, StorageError: the catalogue file can't be read.
    """
    with progress.stage("reading anime"):
        if anime.name.endswith(CATALOGUE_ENDING):
            if titles or relations:
                raise TableError(f"{anime.name} is a catalogue, which has titles and relations: give it alone.")
            return AnimeTable(Catalogue.read(anime), Counter(), {})
        known = read_anime_table(anime, titles, strict=strict)
    with progress.stage("finding series"):
        return in_series(known, relations, strict=strict)


def in_series(anime: AnimeTable, relations: Path | None = None, *, strict: bool = False) -> AnimeTable:
    """Add series and relations to the catalogue of a table, and count the relations that can't be used.

    Args:
        anime: the anime.
        relations: a table, or a folder of its parts, in the formats of ratings; it may have `confidence`, 0-1, of
            inferred relations. All relations are used to find series, and are stored in the catalogue for its next
            update. Without a table, series are derived from titles.
        strict: reject the table at the first row that can't be used.

    Raises:
        TableError: the relations can't be read, lack a column or hold no usable row, or `strict` is not satisfied.
    """
    rejected = RejectedRows()
    known: list[Relation] = []
    if relations:
        known = _relations(relations, rejected)
        if strict:
            rejected.refuse()
        if not known:
            raise rejected.none_usable(relations)
        known = with_stated(known)
    dropped = anime.dropped + rejected.dropped
    of_relations = rejected.examples()
    examples = {one: (anime.examples.get(one, ()) + of_relations.get(one, ()))[:N_EXAMPLES] for one in dropped}
    catalogue = with_series(anime.catalogue, known)
    related: dict[int, dict[Related, None]] = {}  # anime that have none in the tables are not in it: unknown
    for one in known:
        kind = spaced(one.kind).capitalize()
        related.setdefault(one.anime_id, {})[Related(one.related_id, kind, one.confidence)] = None
    told = (one for one in catalogue.values() if one.anime_id in related)
    changed = [msgspec.structs.replace(one, relations=tuple(related[one.anime_id])) for one in told]
    return AnimeTable(Catalogue([*catalogue.values(), *changed]), dropped, examples)


def with_stated(known: Iterable[Relation]) -> list[Relation]:
    """Add the stated relations, which replace inferred ones of the same two anime."""
    stated = _relations(STATED, RejectedRows())
    pairs = {frozenset((one.anime_id, one.related_id)) for one in stated}
    of_others = (one for one in known if one.confidence is None or {one.anime_id, one.related_id} not in pairs)
    return [*of_others, *stated]


def _relations(path: Path, rejected: RejectedRows) -> list[Relation]:
    return [one for _, one in records(path, rejected, _relation, RELATION_COLUMNS, optional=["confidence"])]


def _relation(fields: dict[str, str]) -> Relation | str:
    """Relation of a row, or the reason why it has none."""
    one, other, kind = anime_id(fields["anime_id"]), anime_id(fields["related_id"]), fields["relation"]
    text = fields.get("confidence")
    confidence = number_of(text) if text else None
    if one is None:
        return "impossible anime id"
    if other is None:
        return "impossible id of a related anime"
    if text and (confidence is None or not 0 <= confidence <= 1):
        return "impossible confidence"
    return Relation(one, kind, other, None if confidence is None else float(confidence)) if kind else "no relation"
