"""Reading the table of how anime are related, and finding the franchises of an anime table."""

from collections.abc import Iterator
from pathlib import Path

from hakken.errors import TableError
from hakken.franchises import Relation, with_franchises
from hakken.training.tables.anime import AnimeTable
from hakken.training.tables.faults import N_EXAMPLES, Faults
from hakken.training.tables.files import parts_of
from hakken.training.tables.records import anime_id_of, records
from hakken.training.tables.rows import MISSHAPEN

RELATION_COLUMNS = ("anime_id", "relation", "related_id")


def in_franchises(anime: AnimeTable, relations: Path | None = None, *, strict: bool = False) -> AnimeTable:
    """The same table, whose catalogue knows franchises; what could not be used of the relations is counted with it.

    Args:
        anime: the anime.
        relations: a table, or a folder of its parts, in the formats of ratings. Without it titles alone decide.
        strict: refuse it at the first row that can't be used.

    Raises:
        TableError: the relations can't be read, lack a column or hold no usable row, or `strict` is not satisfied.
    """
    faults = Faults(strict=strict)
    known = list(_relations(relations, faults)) if relations else []
    if relations and not known:
        why = "".join(f": {reason}" for reason in faults.dropped)
        raise TableError(f"The table {relations} holds no usable row{why}.")
    dropped = anime.dropped + faults.dropped
    places = {reason: anime.examples.get(reason, ()) + faults.examples.get(reason, ()) for reason in dropped}
    examples = {reason: some[:N_EXAMPLES] for reason, some in places.items()}
    return AnimeTable(with_franchises(anime.catalogue, known), dropped, examples)


def _relations(path: Path, faults: Faults) -> Iterator[Relation]:
    for part in parts_of(path):
        for line, fields in records(part, RELATION_COLUMNS):
            relation = _relation([field.decode(errors="replace").strip() for field in fields])
            if isinstance(relation, Relation):
                yield relation
            else:
                faults.add(relation, 1, [part.place(line)])


def _relation(texts: list[str]) -> Relation | str:
    """A row's relation, or why it holds none."""
    if not texts:
        return MISSHAPEN
    of, kind, to = texts
    anime_id, related_id = anime_id_of(of), anime_id_of(to)
    if anime_id is None:
        return "impossible anime id"
    if related_id is None:
        return "impossible id of a related anime"
    return Relation(anime_id, kind, related_id) if kind else "no relation"
