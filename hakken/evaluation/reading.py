"""Reading a rating table with its users' ids, which the protocol's buckets are made from."""

from pathlib import Path
from typing import NamedTuple

from hakken.errors import TableError
from hakken.training.progress import SILENT, Progress
from hakken.training.tables import RatingTable, read_ratings
from hakken.training.tables.part_reader import opened
from hakken.training.tables.parts import parts_of
from hakken.training.tables.row_checks import keep_usable, kind_of


class NamedTable(NamedTuple):
    """A rating table and who its users are.

    Attributes:
        table: the ratings; their users are numbers.
        names: `names[u]` is the id or name of user `u`, as text.
    """

    table: RatingTable
    names: tuple[str, ...]


def read_named(path: Path, progress: Progress = SILENT) -> NamedTable:
    """Read a rating table and its users' ids: a `RatingTable` has none, so the users' column is read once more.

    Args:
        path: as `read_ratings` takes it.
        progress: told of the stages.

    Raises:
        TableError: as `read_ratings`.
    """
    table = read_ratings(path, progress=progress)
    users: set[int | bytes] = set()
    with progress.stage("reading users", table.rows, "rows") as advance:
        for part in parts_of(path):
            with opened(part) as rows:
                kind = kind_of(part.path, rows.columns)
                for load in rows.batches(kind.columns):
                    kept = keep_usable(kind, load())
                    users.update(kept.users.values)
                    advance(kept.rows)
    if len(users) != table.n_users:
        raise TableError(f"The table {path} changed while it was read.")
    # A column holds numbers or names, never both; a table's users are numbered in this order.
    return NamedTable(table, tuple(one.decode() if isinstance(one, bytes) else str(one) for one in sorted(users)))
