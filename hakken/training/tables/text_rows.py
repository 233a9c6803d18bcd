"""Rows of the smaller tables, one by one, as texts."""

import re
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter

from hakken.ratings import MAX_ANIME_ID
from hakken.training.tables.column_values import texts
from hakken.training.tables.part_reader import check_columns, opened
from hakken.training.tables.parts import Part

ANIME_ID = re.compile(r"[0-9]{1,10}")


def records(
    part: Part, columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Each row's line and its fields by column; of a row with the wrong number of fields, none.

    Args:
        part: a part of a table.
        columns: those that it must have.
        optional: those that it may have.

    Raises:
        TableError: the part can't be read to its end, or lacks a column.
    """
    with opened(part) as table:
        wanted = [*columns, *(name for name in optional if name in table.columns)]
        check_columns(part, table, wanted)
        for load in table.batches(wanted):
            batch = load()
            fields = zip(*(texts(column).to_pylist() for column in batch.columns), strict=True)
            rows = (dict(zip(wanted, row, strict=True)) for row in fields)
            records = [
                *zip(batch.lines.tolist(), rows, strict=True),
                *((line, {}) for line in batch.malformed.tolist()),
            ]
            yield from sorted(records, key=itemgetter(0))


def anime_id_of(text: str) -> int | None:
    """A MyAnimeList id, which programs that know only fractions write as "1.0"; None where it can be none."""
    digits = text.removesuffix(".0")
    if not ANIME_ID.fullmatch(digits) or not 1 <= int(digits) <= MAX_ANIME_ID:
        return None
    return int(digits)
