"""Recognise the kind of a rating table, check its rows, and encode the usable ones."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hakken.errors import TableError
from hakken.model.arrays import Array, Int8s, Int32s, Int64s
from hakken.ratings import MAX_ANIME_ID, MAX_SCORE, STATUS_OF_CODE
from hakken.training.tables.column_values import NO_DAY, Batch, days, listed, numbers, texts
from hakken.training.tables.rating_table import COMPLETED, EPOCH, UNKNOWN_STATUS
from hakken.training.tables.rejected_rows import N_EXAMPLES

NOT_SCORED = -1
"""Written by some tables for an entry without a score; others write 0."""
MALFORMED = "wrong number of fields"
UPDATED = "updated_at"
"""Optional column of any rating table: when the entry was last changed."""
EARLIEST = (date(1990, 1, 1) - EPOCH).days
"""Earlier dates are impossible."""


class Kind(NamedTuple):
    """A kind of rating table, recognised by its columns. The anime column is always `anime_id`.

    Attributes:
        user: column of the users' ids or names.
        score: column of the scores.
        status: column of MyAnimeList's status codes, if the table has one.
        named: whether users have names in place of numbers.
        dated: whether the table has the column `UPDATED`.
    """

    user: str
    score: str
    status: str | None
    named: bool = False
    dated: bool = False

    @property
    def columns(self) -> list[str]:
        """Columns to read: user, anime, score and, if present, status and update time."""
        optional = [*([self.status] if self.status else []), *([UPDATED] if self.dated else [])]
        return [self.user, "anime_id", self.score, *optional]


KINDS = (
    Kind("username", "my_score", "my_status", named=True),
    Kind("user_id", "rating", "watching_status"),
    Kind("user_id", "rating", None),
)
"""Kinds with more columns first, because the first match is taken."""


class Labels(NamedTuple):
    """A dictionary-encoded column: `values[codes[p]]` is the value of row p.

    Attributes:
        codes: `(n,)` int32.
        values: distinct values, all of which occur.
    """

    codes: Array
    values: list[int | bytes]

    def take(self, rows: slice | Array) -> "Labels":
        """Select rows, and drop values that do not occur in them."""
        if isinstance(rows, slice):
            return self
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Labels(codes.astype(np.int32), [self.values[code] for code in used.tolist()])


class Rejection(NamedTuple):
    """Rows of a batch that can't be used for one reason; `lines` are those of the first few."""

    reason: str
    how_many: int
    lines: list[int]


class UsableRows(NamedTuple):
    """Usable rows of a batch.

    Attributes:
        rows: number of rows in the batch.
        users: users of the usable rows.
        items: anime of the usable rows.
        scores: `(n,)` int8, 0-10.
        statuses: `(n,)` int8, or None if the table has none.
        updated: `(n_users,)` int32, newest day of each of `users.values`, 0 if unknown; None if the table has
            no times.
        lines: `(n,)` int64, their lines.
        rejected: rows that were left out.
    """

    rows: int
    users: Labels
    items: Labels
    scores: Int8s
    statuses: Int8s | None
    updated: Int32s | None
    lines: Int64s
    rejected: list[Rejection]


def kind_of(where: object, columns: Sequence[str]) -> Kind:
    """Recognise a table by its columns, in any order and among any others.

    Raises:
        TableError: the table is of no known kind.
    """
    kind = next((kind for kind in KINDS if set(kind.columns) <= set(columns)), None)
    if kind is None:
        wanted = "; or ".join(", ".join(kind.columns) for kind in reversed(KINDS))
        raise TableError(f"The table {where} has the columns {listed(columns)}. A rating table has {wanted}.")
    return kind._replace(dated=UPDATED in columns)


def keep_usable(kind: Kind, batch: Batch) -> UsableRows:
    """Check a batch of rows, with the columns `kind.columns`, and keep the usable ones.

    Raises:
        TableError: a column has the wrong type.
    """
    columns, lines, malformed = batch
    users = _labels(texts(columns[0]) if kind.named else pa.array(numbers(columns[0])))
    anime_ids, scores = numbers(columns[1]), numbers(columns[2])
    tests = {
        **(_name_tests(users) if kind.named else _id_test(users)),
        "impossible anime id": (anime_ids >= 1) & (anime_ids <= MAX_ANIME_ID),
        "impossible score": (scores >= NOT_SCORED) & (scores <= MAX_SCORE),
    }
    statuses = None
    if kind.status:
        statuses = numbers(columns[3])
        tests["impossible status"] = np.isin(statuses, [UNKNOWN_STATUS, *STATUS_OF_CODE])
        # A scored title was watched.
        statuses = np.where((statuses == UNKNOWN_STATUS) & (scores > 0), COMPLETED, statuses)
    good, rejected = _judge(tests, lines)
    if len(malformed):
        rejected.insert(0, Rejection(MALFORMED, len(malformed), malformed[:N_EXAMPLES].tolist()))
    kept = slice(None) if good.all() else np.flatnonzero(good)
    users = users.take(kept)
    updated = None
    if kind.dated:
        updated, impossible = _newest(users, days(columns[-1])[kept], lines[kept])
        rejected += impossible
    return UsableRows(
        rows=len(lines) + len(malformed),
        users=users,
        items=_labels(pa.array(anime_ids[kept])),
        scores=np.maximum(scores[kept], 0).astype(np.int8),
        statuses=None if statuses is None else statuses[kept].astype(np.int8),
        updated=updated,
        lines=lines[kept],
        rejected=rejected,
    )


def _labels(column: pa.Array) -> Labels:
    encoded = column.dictionary_encode()
    return Labels(encoded.indices.to_numpy(), encoded.dictionary.to_pylist())


def _id_test(users: Labels) -> dict[str, Array]:
    return {"impossible user id": _of_values(users, [isinstance(value, int) and value >= 0 for value in users.values])}


def _name_tests(users: Labels) -> dict[str, Array]:
    names = [value for value in users.values if isinstance(value, bytes)]
    return {
        "no username": _of_values(users, [bool(name.strip()) for name in names]),
        "a username that is not text in UTF-8": _of_values(users, [_is_text(name) for name in names]),
    }


def _of_values(labels: Labels, passed: list[bool]) -> Array:
    """Result of a check for each row, from that of each distinct value, of which there are far fewer."""
    return np.array(passed, dtype=bool)[labels.codes]


def _is_text(name: bytes) -> bool:
    try:
        return "\0" not in name.decode()
    except UnicodeDecodeError:
        return False


def _judge(tests: dict[str, Array], lines: Int64s) -> tuple[Array, list[Rejection]]:
    """Rows that passed all tests; a row that failed several is counted for the first."""
    good = np.ones(len(lines), dtype=bool)
    rejected = []
    for reason, passed in tests.items():
        failed = good & ~passed
        if failed.any():
            rejected.append(Rejection(reason, int(failed.sum()), lines[failed][:N_EXAMPLES].tolist()))
            good &= passed
    return good, rejected


def _newest(users: Labels, updated: Int64s, lines: Int64s) -> tuple[Int32s, list[Rejection]]:
    """Each user's newest possible day, `(n_values,)`, and the impossible days."""
    tomorrow = (datetime.now(UTC).date() - EPOCH).days + 1
    possible = (updated >= EARLIEST) & (updated <= tomorrow)
    newest = np.zeros(len(users.values), dtype=np.int32)
    np.maximum.at(newest, users.codes[possible], updated[possible].astype(np.int32))
    return newest, _judge({"impossible update time, left unknown": possible | (updated == NO_DAY)}, lines)[1]
