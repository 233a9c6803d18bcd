"""Reading the table of how anime are related, and finding the series of an anime table."""

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
"""What sites state of well-known series where tables of inferred relations say nothing, or the contrary."""
CONFIDENCE = re.compile(r"0?\.[0-9]+|[01](\.0*)?")


def in_series(anime: AnimeTable, relations: Path | None = None, *, strict: bool = False) -> AnimeTable:
    """The same table, whose catalogue knows series and relations; what could not be used of those is counted too.

    Args:
        anime: the anime.
        relations: a table, or a folder of its parts, in the formats of ratings; `confidence`, 0-1, may say of each row
            how sure it is, where it was inferred. All of them tell series, and go into the catalogue, so that they
            do so again when it is brought up to date. Without a table titles alone decide.
        strict: refuse it at the first row that can't be used.

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
    places = {reason: anime.examples.get(reason, ()) + rejected.examples.get(reason, ()) for reason in dropped}
    examples = {reason: some[:N_EXAMPLES] for reason, some in places.items()}
    catalogue = _related(with_series(anime.catalogue, known), known)
    return AnimeTable(catalogue, dropped, examples)


def with_stated(known: Iterable[Relation]) -> list[Relation]:
    """The same and the stated relations, which go before what was inferred of the same two."""
    stated = list(_relations(STATED, RejectedRows(strict=True)))
    pairs = {frozenset((one.anime_id, one.related_id)) for one in stated}
    of_others = (one for one in known if one.confidence is None or {one.anime_id, one.related_id} not in pairs)
    return [*of_others, *stated]


def _related(catalogue: Catalogue, known: Iterable[Relation]) -> Catalogue:
    """The same with what relations say of each; of one of which they say nothing, nobody has asked."""
    told: dict[int, dict[Related, None]] = {}
    for one in known:
        if one.anime_id in catalogue:
            related = Related(one.related_id, spaced(one.kind).capitalize(), one.confidence)
            told.setdefault(one.anime_id, {})[related] = None
    changed = (msgspec.structs.replace(catalogue[one], relations=tuple(related)) for one, related in told.items())
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
    """A row's relation, or why it holds none."""
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
