"""Read the table of related anime, and find the series of an anime table."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from hakken.catalogue import Catalogue, Related, spaced
from hakken.errors import TableError
from hakken.series import Relation, with_series
from hakken.training.tables.anime_table import AnimeTable
from hakken.training.tables.part_reader import anime_id_of, records
from hakken.training.tables.parts import parts_of
from hakken.training.tables.rejected_rows import N_EXAMPLES, RejectedRows
from hakken.training.tables.row_checks import MALFORMED

RELATION_COLUMNS = ("anime_id", "relation", "related_id")
STATED = Path(__file__).with_name("stated_relations.csv")
"""Relations of well-known series that sites state, and tables of inferred relations lack or contradict."""
CONFIDENCE = re.compile(r"0?\.[0-9]+|[01](\.0*)?")


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
    rejected = RejectedRows(strict=strict)
    known: list[Relation] = []
    if relations:
        known = list(_relations(relations, rejected))
        if not known:
            why = "".join(f": {reason}" for reason in rejected.dropped)
            raise TableError(f"The table {relations} holds no usable row{why}.")
        known = with_stated(known)
    dropped = anime.dropped + rejected.dropped
    locations = {reason: anime.examples.get(reason, ()) + rejected.examples.get(reason, ()) for reason in dropped}
    examples = {reason: some[:N_EXAMPLES] for reason, some in locations.items()}
    catalogue = _related(with_series(anime.catalogue, known), known)
    return AnimeTable(catalogue, dropped, examples)


def with_stated(known: Iterable[Relation]) -> list[Relation]:
    """Add the stated relations, which replace inferred ones of the same two anime."""
    stated = list(_relations(STATED, RejectedRows(strict=True)))
    pairs = {frozenset((one.anime_id, one.related_id)) for one in stated}
    of_others = (one for one in known if one.confidence is None or {one.anime_id, one.related_id} not in pairs)
    return [*of_others, *stated]


def _related(catalogue: Catalogue, known: Iterable[Relation]) -> Catalogue:
    """Add relations to a catalogue; those of anime without any stay unknown."""
    by_anime: dict[int, dict[Related, None]] = {}
    for one in known:
        if one.anime_id in catalogue:
            related = Related(one.related_id, spaced(one.kind).capitalize(), one.confidence)
            by_anime.setdefault(one.anime_id, {})[related] = None
    changed = (msgspec.structs.replace(catalogue[one], relations=tuple(related)) for one, related in by_anime.items())
    return Catalogue([*catalogue.values(), *changed])


def _relations(path: Path, rejected: RejectedRows) -> Iterator[Relation]:
    for part in parts_of(path):
        for line, fields in records(part, RELATION_COLUMNS, ["confidence"]):
            relation = _relation([field.decode(errors="replace").strip() for field in fields.values()])
            if isinstance(relation, Relation):
                yield relation
            else:
                rejected.add(relation, 1, [part.location(line)])


def _relation(texts: list[str]) -> Relation | str:
    """Relation of a row, or the reason why it has none."""
    if not texts:
        return MALFORMED
    of, kind, to, confidence = [*texts, ""][:4]
    anime_id, related_id = anime_id_of(of), anime_id_of(to)
    if anime_id is None:
        return "impossible anime id"
    if related_id is None:
        return "impossible id of a related anime"
    if confidence and not CONFIDENCE.fullmatch(confidence):
        return "impossible confidence"
    return Relation(anime_id, kind, related_id, float(confidence) if confidence else None) if kind else "no relation"
