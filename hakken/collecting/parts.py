"""The table of collected lists: Parquet parts, each written whole or not at all. `train` reads the folder.

A part has a row for each entry, as MyAnimeList's own tables have: `username` (the keyed hash), `anime_id`, `my_score`,
`my_status` (MyAnimeList's code), `updated_at` (the list's last update) and `listed_at` (when it was fetched).
"""

from array import array
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from hakken.files import written_whole
from hakken.ratings import CODE_OF_STATUS, UserList
from hakken.serving.memory import release_memory

SCHEMA = pa.schema(
    {
        "username": pa.string(),
        "anime_id": pa.int32(),
        "my_score": pa.int8(),
        "my_status": pa.int8(),
        "updated_at": pa.date32(),
        "listed_at": pa.timestamp("s", "UTC"),
    }
)


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A list as it waits for its part: a column each of ids, scores and codes of statuses; day of its last update."""

    ids: list[int]
    scores: list[int]
    codes: list[int]
    updated: str | None

    @classmethod
    def of(cls, user_list: UserList) -> "Kept":
        """Take the entries of a list."""
        ratings = user_list.ratings
        codes = [CODE_OF_STATUS[one.status] for one in ratings]
        return cls([one.anime_id for one in ratings], [one.score for one in ratings], codes, user_list.updated)


def write_part(directory: Path, number: int, lists: Sequence[tuple[str, int, bytes]]) -> None:
    """Write lists (key, time, entries) as the part of a number; raises OSError if it can't be written."""
    of_entries = {"anime_id": array("i"), "my_score": array("b"), "my_status": array("b")}
    counts, updates = [], list[date | None]()
    for _, _, entries in lists:  # one by one: as Python's numbers, all would take ten times the memory
        kept = msgspec.msgpack.decode(entries, type=Kept)
        for column, values in zip(of_entries.values(), (kept.ids, kept.scores, kept.codes), strict=True):
            column.extend(values)
        counts.append(len(kept.ids))
        updates.append(date.fromisoformat(kept.updated) if kept.updated else None)
    of_lists = {
        "username": [key for key, _, _ in lists],
        "updated_at": updates,
        "listed_at": [listed for _, listed, _ in lists],
    }
    list_of_entry = pa.array(np.repeat(np.arange(len(lists)), counts))
    columns = {
        field.name: pa.array(of_lists[field.name], field.type).take(list_of_entry)
        if field.name in of_lists
        else pa.array(np.asarray(of_entries[field.name]), field.type)
        for field in SCHEMA
    }
    _write(pa.table(columns), directory / f"part-{number:06}.parquet")
    pa.default_memory_pool().release_unused()
    release_memory()


def erase(directory: Path, keys: Collection[str]) -> None:
    """Write every part that holds one of some people again, without them; raises OSError if it can't be written."""
    for path in sorted(directory.glob("part-*.parquet")):
        table = parquet.read_table(path)
        theirs = pc.is_in(table["username"], pa.array(keys, pa.string()))
        if pc.any(theirs).as_py():
            _write(table.filter(pc.invert(theirs)), path)


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as file:
        parquet.write_table(table, file, compression="zstd")
