"""Batches of rows: which kind of table they belong to, which of them can be used, and what is kept of them."""

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
"""What some tables write for an entry without a score; others write 0."""
MALFORMED = "wrong number of fields"
UPDATED = "updated_at"
"""When an entry was last changed: a column that any rating table may have."""
EARLIEST = (date(1990, 1, 1) - EPOCH).days
"""No list was kept before."""


class Kind(NamedTuple):
    """A rating table that we know by its columns. The anime column is `anime_id` in each.

    Attributes:
        user: column of the users' ids or names.
        score: column of the scores.
        status: column of MyAnimeList's status codes, where the table has one.
        named: whether users have names; otherwise they have numbers.
        dated: whether the table has the column `UPDATED`.
    """

    user: str
    score: str
    status: str | None
    named: bool = False
    dated: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns to read: user, anime, score and, where there are any, status and update time."""
        optional = [*([self.status] if self.status else []), *([UPDATED] if self.dated else [])]
        return [self.user, "anime_id", self.score, *optional]


KINDS = (
    Kind("username", "my_score", "my_status", named=True),
    Kind("user_id", "rating", "watching_status"),
    Kind("user_id", "rating", None),
)
"""Those with more columns first, so that none is overlooked."""


class Labels(NamedTuple):
    """A column as codes: `values[codes[p]]` is what row p holds.

    Attributes:
        codes: `(n,)` int32.
        values: what they stand for, each of which occurs.
    """

    codes: Array
    values: list[int | bytes]

    def take(self, rows: slice | Array) -> "Labels":
        """Those of some rows, without the values that only others have."""
        if isinstance(rows, slice):
            return self
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Labels(codes.astype(np.int32), [self.values[code] for code in used.tolist()])


class Rejection(NamedTuple):
    """Rows of a batch that can't be used for one reason; `lines` are the first few of them."""

    reason: str
    how_many: int
    lines: list[int]


class UsableRows(NamedTuple):
    """What is kept of a batch of rows.

    Attributes:
        rows: how many there were.
        users: the users of the usable rows.
        items: their anime.
        scores: `(n,)` int8, 0-10.
        statuses: `(n,)` int8, or None where the table has none.
        updated: `(n_users,)` int32, newest day of each of `users.values`, 0 where it is unknown; None where the
            table has no times.
        lines: `(n,)` int64, where they stand.
        rejected: what was left out.
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
    """Recognise a table by its columns, in whatever order and among whatever others.

    Raises:
        TableError: it is none that we know.
    """
    kind = next((kind for kind in KINDS if set(kind.columns) <= set(columns)), None)
    if kind is None:
        wanted = "; or ".join(", ".join(kind.columns) for kind in reversed(KINDS))
        raise TableError(f"The table {where} has the columns {listed(columns)}. A rating table has {wanted}.")
    return kind._replace(dated=UPDATED in columns)


def keep_usable(kind: Kind, batch: Batch) -> UsableRows:
    """Test a batch of rows, which has the columns `kind.columns`, and keep those that can be used.

    Raises:
        TableError: a column is of a type that can't hold what it should.
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
        # Whoever scored it has watched it.
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
    """What is true of each row, from what is true of each distinct value: there are far fewer of them."""
    return np.array(passed, dtype=bool)[labels.codes]


def _is_text(name: bytes) -> bool:
    try:
        return "\0" not in name.decode()
    except UnicodeDecodeError:
        return False


def _judge(tests: dict[str, Array], lines: Int64s) -> tuple[Array, list[Rejection]]:
    """Which rows passed all tests; a row that failed several counts for the first of them."""
    good = np.ones(len(lines), dtype=bool)
    rejected = []
    for reason, passed in tests.items():
        failed = good & ~passed
        if failed.any():
            rejected.append(Rejection(reason, int(failed.sum()), lines[failed][:N_EXAMPLES].tolist()))
            good &= passed
    return good, rejected


def _newest(users: Labels, updated: Int64s, lines: Int64s) -> tuple[Int32s, list[Rejection]]:
    """Each user's newest possible day, `(n_values,)`, and the days that are none."""
    tomorrow = (datetime.now(UTC).date() - EPOCH).days + 1
    possible = (updated >= EARLIEST) & (updated <= tomorrow)
    newest = np.zeros(len(users.values), dtype=np.int32)
    np.maximum.at(newest, users.codes[possible], updated[possible].astype(np.int32))
    return newest, _judge({"impossible update time, left unknown": possible | (updated == NO_DAY)}, lines)[1]
