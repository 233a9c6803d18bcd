"""Read rating tables: one file or a folder of parts, CSV or Parquet."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain, compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hakken.errors import TableError
from hakken.model.arrays import Array, Bools, Int8s, Int32s, Int64s
from hakken.ratings import MAX_SCORE, MIN_SCORE
from hakken.serving.memory import release_memory
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import values
from hakken.training.tables.parts import Part, parts_of
from hakken.training.tables.rejected_rows import MALFORMED, RejectedRows
from hakken.training.tables.values import COMPLETED, EPOCH, UNKNOWN_STATUS, Labels, parsed

IMPOSSIBLE_SCORE = "impossible score"
REPEATED = "a later row for the same user and anime"
OLDER_LIST = "an older list of the same user"
UPDATED = "updated_at"
"""Optional column of any rating table: when the entry was last changed."""
LISTED = "listed_at"
"""Optional column of a Parquet table: when the list was read that the entry is of; each user's newest list counts."""
Kind = dict[str, str]
"""Columns of a kind of rating table, by what they say."""
KINDS: tuple[Kind, ...] = (
    {"users": "username", "items": "anime_id", "points": "my_score", "statuses": "my_status"},
    {"users": "user_id", "items": "anime_id", "points": "rating", "statuses": "watching_status"},
    {"users": "user_id", "items": "anime_id", "points": "rating"},
)
"""The first kind that matches is taken."""
PARSERS: dict[str, Callable[[pa.Array], Labels]] = {
    "username": partial(parsed, parse=values.username, fault="no username"),
    "users": partial(parsed, parse=values.user_id, fault="impossible user id"),
    "items": partial(parsed, parse=values.anime_id, fault="impossible anime id"),
    "points": partial(parsed, parse=values.half_points, fault=IMPOSSIBLE_SCORE),
    "statuses": partial(parsed, parse=values.status, fault="impossible status"),
    "days": values.days,
    "listed": values.seconds,
}
"""Parsers of columns by their name, or else by what they say."""
DTYPES = {"places": "i8", "users": "i4", "items": "i4", "points": "u1", "statuses": "i1", "days": "i4", "listed": "i8"}
TEN_POINTS = 20
"""The highest score of a scale of ten, in half points."""
MIN_SHARE_ABOVE = 0.01
"""The scale has 100 points if a larger share of the scores than this is above ten; one such score is a typing error."""
ITEM_BITS = 32


@dataclass(frozen=True, eq=False)
class RatingTable:
    """A table of ratings with users and anime numbered from 0, in the order of their ids or names.

    Attributes:
        anime_ids: `(n_items,)` int32, ascending, MyAnimeList id of each item.
        n_users: number of users with an entry.
        users: `(n,)` int32, user of each entry; entries are sorted by user, then item.
        items: `(n,)` int32, item of each entry.
        scores: `(n,)` int8, 1-10, or 0 for an entry without a score.
        rows: number of rows that were read.
        dropped: reason why rows were left out → count.
        examples: reason why rows were left out → locations of the first few, such as "ratings.csv, line 17".
        statuses: `(n,)` int8, MyAnimeList's codes (`hakken.ratings.STATUS_OF_CODE`), or `UNKNOWN_STATUS`, which no
            entry with a score has. All are `COMPLETED` if the table has no statuses.
        updated: `(n_users,)` int32, day of each user's newest update, counted from `EPOCH`; 0 if unknown.
        user_ids: id of each user or, in UTF-8, name, ascending; empty in a table that was not read from a file.
        hundred_points: whether the scores were divided by ten.
        listed: day on which the newest list was read, counted from `EPOCH`; 0 if unknown.
    """

    anime_ids: Int32s
    n_users: int
    users: Int32s
    items: Int32s
    scores: Int8s
    rows: int
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    statuses: Int8s = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    updated: Int32s = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    user_ids: Sequence[int | bytes] = ()
    hundred_points: bool = False
    listed: int = 0

    def __post_init__(self) -> None:
        if not len(self.statuses):
            object.__setattr__(self, "statuses", np.full(len(self.users), COMPLETED, dtype=np.int8))
        if not len(self.updated):
            object.__setattr__(self, "updated", np.zeros(self.n_users, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.users)

    @property
    def user_names(self) -> list[str]:
        """Id or name of each user, as text."""
        return [one.decode() if isinstance(one, bytes) else str(one) for one in self.user_ids]

    @property
    def newest(self) -> str | None:
        """Day of the newest list or update, such as "2026-03-01"; None if no time is known."""
        return day_of(max(self.listed, int(self.updated.max(initial=0))))

    @property
    def scored(self) -> Int64s:
        """Number of scores of each user, `(n_users,)` int64."""
        return np.bincount(self.users[self.scores > 0], minlength=self.n_users)

    @property
    def reading(self) -> "Reading":
        """What is told of it."""
        points = np.bincount(self.scores, minlength=MAX_SCORE + 1)
        told = self.rows, len(self), self.dropped, self.examples, self.hundred_points
        return Reading(*told, len(self.anime_ids), self.newest, self.scored, points)

    def of_users(self, chosen: Bools) -> "RatingTable":
        """All rows of some users, `(n_users,)` bool, with users and anime numbered from 0 anew."""
        rows = chosen[self.users]
        items, numbered = np.unique(self.items[rows], return_inverse=True)
        return dataclasses.replace(
            self,
            anime_ids=self.anime_ids[items],
            n_users=int(chosen.sum()),
            users=(np.cumsum(chosen) - 1)[self.users[rows]].astype(np.int32),
            items=numbered.astype(np.int32),
            scores=self.scores[rows],
            statuses=self.statuses[rows],
            updated=self.updated[chosen],
            user_ids=list(compress(self.user_ids, chosen)),
        )


class Reading(NamedTuple):
    """What was read: all that is told of a table once it has been trained from.

    Attributes:
        rows: as in `RatingTable`.
        kept: number of entries.
        dropped: as in `RatingTable`.
        examples: as in `RatingTable`.
        hundred_points: as in `RatingTable`.
        n_items: number of anime with an entry.
        newest: as in `RatingTable`.
        scored: as in `RatingTable`.
        points: `(MAX_SCORE + 1,)` int64, how often each score was given; 0 is none.
    """

    rows: int
    kept: int
    dropped: Counter[str]
    examples: dict[str, tuple[str, ...]]
    hundred_points: bool
    n_items: int
    newest: str | None
    scored: Int64s
    points: Int64s

    @property
    def mu(self) -> float:
        """Mean score.

        Raises:
            TableError: no entry has a score.
        """
        if not self.points[MIN_SCORE:].any():
            raise TableError("No entry of the rating table has a score: there is nothing to train from.")
        return float(self.points @ np.arange(len(self.points))) / int(self.points[MIN_SCORE:].sum())


def day_of(days: int) -> str | None:
    """A day such as "2026-03-01", counted from `EPOCH`; None for 0, which is unknown."""
    return (EPOCH + timedelta(days=days)).isoformat() if days else None


def read_ratings(path: Path, *, strict: bool = False, progress: Progress = SILENT) -> RatingTable:
    """Read a rating table, which is recognised by its columns.

    - `user_id, anime_id, rating`, the rating being -1, 0 or missing for an entry without a score;
    - the same with `watching_status`, in MyAnimeList's codes;
    - `username, anime_id, my_score, my_status`, as in MyAnimeList's own tables.

    Half points are rounded up. If more than one score, and more than 1% of them, is above 10, all are scores of 100
    points; else such a row can't be used.

    A status may also be 0: without a score, it is unknown whether the title was watched or planned; with a score, it
    counts as completed. All may have `updated_at`, when the entry was changed: a date or a time in UTC. A value that is
    not a time since 1990 is counted and left unknown; the row is kept. With `listed_at`, when a user's list was read,
    only the newest list of each user counts.

    Columns may be in any order, and there may be others. Rows that can't be used are left out and counted, with the
    lines of the first few; of repeated pairs the last row is kept, in the order of the parts' names. Memory grows with
    the number of kept entries, not with the size of the text.

    Args:
        path: a CSV file, plain or compressed with gzip or zstd; a Parquet file; or a folder of such parts, of one kind.
        strict: reject a table with a row that can't be used.
        progress: receives the rows read; their total is estimated from the beginning of each CSV part.

    Raises:
        TableError: a part can't be read or lacks a column, no row can be used, or `strict` is not satisfied.
    """
    parts = parts_of(path)
    kinds = [(part.path.name, kind_of(part)) for part in parts]
    require_one_kind(kinds)
    rejected = RejectedRows()
    with progress.stage("reading", sum(part.expected_rows() for part in parts), "rows") as advance:
        rows = read_rows(parts, kinds[0][1], rejected, advance)
    if not rejected.n_read:
        raise no_rows(path)
    pa.default_memory_pool().release_unused()  # some hundred MB, of which nothing else makes use
    with progress.stage("ordering"):
        table = table_of(rows, rejected, hundred_points=rows.scale.has_hundred_points, strict=strict)
    release_memory()
    if not len(table):
        raise none_usable(path, table.dropped)
    return table


def no_rows(path: Path) -> TableError:
    """Error of a table without rows."""
    return TableError(f"The table {path} has a header and no rows.")


def none_usable(path: Path, dropped: Counter[str]) -> TableError:
    """Error of a table of which all rows were left out."""
    reasons = "; ".join(f"{reason}: {count:,}" for reason, count in dropped.most_common())
    return TableError(f"The table {path} holds no usable rating: {reasons}.")


def require_one_kind(kinds: Sequence[tuple[str, Kind]]) -> None:
    """Refuse parts, given by name and kind, that are not all of the first one's kind.

    Raises:
        TableError: one isn't.
    """
    (first, wanted), *others = kinds
    for name, kind in others:
        if kind != wanted:
            raise TableError(f"{name} is another kind of rating table than {first}.")


def kind_of(part: Part) -> Kind:
    """The kind of rating table that a part is of.

    Raises:
        TableError: it is of none.
    """
    kind = next((kind for kind in KINDS if {*kind.values()} <= {*part.columns}), None)
    if kind is None:
        wanted = "; or ".join(", ".join(kind.values()) for kind in reversed(KINDS))
        raise TableError(f"The table {part.path} has the columns {part.listed()}. A rating table has {wanted}.")
    return kind | {role: name for role, name in (("days", UPDATED), ("listed", LISTED)) if name in part.columns}


class Scale(NamedTuple):
    """How many scores there are, and how many are above ten."""

    scores: int
    above: int

    @classmethod
    def merged(cls, parts: Sequence["Scale"]) -> "Scale":
        """The scale of several parts."""
        return cls(*map(sum, zip(*parts, strict=True)))

    @property
    def has_hundred_points(self) -> bool:
        """Whether all are scores of 100 points."""
        return self.above > max(1, MIN_SHARE_ABOVE * self.scores)


class Rows(NamedTuple):
    """Usable rows: 17 bytes each, and up to 13 more for statuses and times.

    Attributes:
        entries: columns by name, `(n,)` each, of the types `DTYPES`; users and items are numbered.
        users: id or name of each number.
        items: id of each number.
    """

    entries: dict[str, Array]
    users: list[Any]
    items: list[int]

    @property
    def scale(self) -> Scale:
        """The scale of the scores."""
        points = self.entries["points"]
        return Scale(int(np.count_nonzero(points)), int(np.count_nonzero(points > TEN_POINTS)))

    def of_users(self, chosen: Bools) -> "Rows":
        """All rows of some users, `(n_users,)` bool, who are numbered anew."""
        rows = chosen[self.entries["users"]]
        entries = {name: column[rows] for name, column in self.entries.items()}
        entries["users"] = (np.cumsum(chosen) - 1)[entries["users"]].astype(DTYPES["users"])
        return Rows(entries, list(compress(self.users, chosen)), self.items)

    @classmethod
    def joined(cls, pieces: Sequence["Rows"]) -> "Rows":
        """Put rows together, in their order."""
        entries = {name: np.concatenate([piece.entries[name] for piece in pieces]) for name in pieces[0].entries}
        users, entries["users"] = _numbered([(piece.users, piece.entries["users"]) for piece in pieces])
        items, entries["items"] = _numbered([(piece.items, piece.entries["items"]) for piece in pieces])
        return cls(entries, users, items)


def _numbered(pieces: Sequence[tuple[list[Any], Int32s]]) -> tuple[list[Any], Int32s]:
    """Number ids anew that each piece numbers on its own: the ids, and the number of each row."""
    known = {one: number for number, one in enumerate(dict.fromkeys(chain(*(ids for ids, _ in pieces))))}
    numbers = [np.array([known[one] for one in ids], dtype=np.int32)[rows] for ids, rows in pieces]
    return list(known), np.concatenate(numbers)


def read_rows(parts: Sequence[Part], kind: Kind, rejected: RejectedRows, advance: Advance) -> Rows:
    """Read the usable rows of some parts, of one kind."""
    known: dict[str, dict[Any, int]] = {"users": {}, "items": {}}
    chunks: dict[str, list[Array]] = {name: [np.zeros(0, dtype=DTYPES[name])] for name in ("places", *kind)}
    for part in parts:
        for places, columns in rejected.read(part, [*part.choose(kind.values()).values()]):
            for name, chunk in _usable(kind, places, columns, rejected, known).items():
                chunks[name].append(chunk.astype(DTYPES[name]))
            advance(len(places))
    advance(rejected.dropped[MALFORMED])
    entries = {name: np.concatenate(chunks.pop(name)) for name in [*chunks]}
    return Rows(entries, list(known["users"]), list(known["items"]))


def _usable(
    kind: Kind, places: Int64s, columns: list[pa.Array], rejected: RejectedRows, known: dict[str, dict[Any, int]]
) -> dict[str, Array]:
    """Check rows, and number the usable ones; a row with several faults is counted for the first."""
    named = zip(kind.items(), columns, strict=True)
    labels = {role: PARSERS.get(name, PARSERS[role])(column) for (role, name), column in named}
    good = np.ones(len(places), dtype=bool)
    for role, label in labels.items():
        for fault, faulty in label.faults():
            rejected.add(fault, places[good & faulty])
            if role != "days":
                good &= ~faulty
    if not good.all():
        labels = {role: label.take(good) for role, label in labels.items()}
    rows = {role: label.numbers(known.get(role)) for role, label in labels.items()}
    if "statuses" in rows:  # a scored title was watched
        rows["statuses"][(rows["statuses"] == UNKNOWN_STATUS) & (rows["points"] > 0)] = COMPLETED
    return {"places": places[good], **rows}


def table_of(rows: Rows, rejected: RejectedRows, *, hundred_points: bool, strict: bool) -> RatingTable:
    """Sort rows by user, then item. This frees them, and can be done once.

    Raises:
        TableError: a row was rejected, and `strict`.
    """
    entries = rows.entries
    _score(entries, rejected, hundred_points=hundred_points)
    listed = int(entries["listed"].max(initial=0)) if "listed" in entries else 0
    older = _of_older_lists(entries)
    users, user_ids = _ranked(entries.pop("users"), rows.users)
    items, anime_ids = _ranked(entries.pop("items"), rows.items)
    updated = np.zeros(len(user_ids), dtype=np.int32)
    if "days" in entries:
        np.maximum.at(updated, users, entries.pop("days"))
    keys = users.astype(np.int64) << ITEM_BITS
    keys += items
    del users, items
    order = np.argsort(keys, kind="stable")  # repeated pairs stay in the order of their rows
    keys = keys[order]
    last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
    rejected.add(REPEATED, np.sort(entries.pop("places")[order[~last]]))
    if strict:
        refuse(rejected)
    keys, order = keys[last], order[last]
    rejected.add(OLDER_LIST, older, harmless=True)
    return RatingTable(
        anime_ids=np.array(anime_ids, dtype=np.int32),
        n_users=len(user_ids),
        users=(keys >> ITEM_BITS).astype(np.int32),
        items=keys.astype(np.int32),  # the lower bits
        rows=rejected.n_read,
        dropped=rejected.dropped,
        examples=rejected.examples(),
        updated=updated,
        user_ids=user_ids,
        hundred_points=hundred_points,
        listed=listed // values.SECONDS_PER_DAY,
        **{name: column[order] for name, column in entries.items()},
    )


def refuse(rejected: RejectedRows) -> None:
    """Refuse a table with rows that can't be used or, without any, with repeated pairs; raises as `table_of`."""
    rejected.refuse(but=REPEATED)
    rejected.refuse()


def _score(entries: dict[str, Array], rejected: RejectedRows, *, hundred_points: bool) -> None:
    """Replace half points by scores; drop impossible ones, unless they are of 100 points."""
    points = entries.pop("points")
    above = points > TEN_POINTS
    scores = np.maximum((points // 2 + 5) // 10, points > 0) if hundred_points else (points + 1) // 2
    entries["scores"] = scores.astype(np.int8)
    if above.any() and not hundred_points:
        rejected.add(IMPOSSIBLE_SCORE, entries["places"][above])
        entries |= {name: column[~above] for name, column in entries.items()}


def _of_older_lists(entries: dict[str, Array]) -> Int64s:
    """Drop the entries of all lists of a user but the newest, and return their places."""
    if "listed" not in entries:
        return np.zeros(0, dtype=np.int64)
    users, listed = entries["users"], entries.pop("listed")
    newest = np.zeros(users.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(newest, users, listed)
    older = listed < newest[users]
    places = np.sort(entries["places"][older])
    entries |= {name: column[~older] for name, column in entries.items()}
    return places


def _ranked(numbers: Int32s, found: list[Any]) -> tuple[Int32s, list[Any]]:
    """Rank numbered values, `(n,)` int32; and those that occur, sorted, of which a rank is the index."""
    used = np.flatnonzero(np.bincount(numbers, minlength=len(found))).tolist()
    used.sort(key=found.__getitem__)  # the order of UTF-8 bytes is that of the characters
    ranks = np.zeros(len(found), dtype=np.int32)
    ranks[used] = np.arange(len(used), dtype=np.int32)
    return ranks[numbers], [found[one] for one in used]
