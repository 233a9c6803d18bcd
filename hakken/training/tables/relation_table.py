"""Read the table of related anime, and find the series of an anime table."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from hakken.catalogue import Catalogue, Related, spaced
from hakken.series import Relation, with_series
from hakken.training.tables.anime_table import AnimeTable
from hakken.training.tables.rejected_rows import N_EXAMPLES, RejectedRows, records
from hakken.training.tables.values import anime_id, number_of

RELATION_COLUMNS = ("anime_id", "relation", "related_id")
STATED = Path(__file__).with_name("stated_relations.csv")
"""Relations of well-known series that sites state, and tables of inferred relations lack or contradict."""


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
    return AnimeTable(_related(with_series(anime.catalogue, known), known), dropped, examples)


def with_stated(known: Iterable[Relation]) -> list[Relation]:
    """Add the stated relations, which replace inferred ones of the same two anime."""
    stated = _relations(STATED, RejectedRows())
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
    changed = [msgspec.structs.replace(catalogue[one], relations=tuple(related)) for one, related in by_anime.items()]
    return Catalogue([*catalogue.values(), *changed])


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
