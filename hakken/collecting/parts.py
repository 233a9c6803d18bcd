"""The table of collected lists: Parquet parts, each written whole or not at all. `train` reads the folder.

A part has a row for each entry, as MyAnimeList's own tables have: `username` (the keyed hash), `anime_id`, `my_score`,
`my_status` (MyAnimeList's code), `updated_at` (the list's last update) and `listed_at` (when it was fetched).
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from hakken.files import written_whole
from hakken.ratings import CODE_OF_STATUS, UserList

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


def write_part(directory: Path, number: int, lists: Iterable[tuple[str, int, bytes]]) -> None:
    """Write lists (key, time, entries) as the part of a number; raises OSError if it can't be written."""
    decoder = msgspec.msgpack.Decoder(Kept)
    columns: dict[str, list[pa.Array]] = {name: [] for name in SCHEMA.names}
    for key, listed, entries in lists:
        kept = decoder.decode(entries)
        same = {"username": key, "updated_at": kept.updated, "listed_at": listed}
        for name, values in (("anime_id", kept.ids), ("my_score", kept.scores), ("my_status", kept.codes)):
            columns[name].append(pa.array(values, SCHEMA.field(name).type))
        for name, value in same.items():
            kind = SCHEMA.field(name).type
            scalar = pa.scalar(value).cast(kind) if value is not None else pa.scalar(None, kind)
            columns[name].append(pa.repeat(scalar, len(kept.ids)))
    table = pa.table({name: pa.chunked_array(some, SCHEMA.field(name).type) for name, some in columns.items()})
    _write(table, directory / f"part-{number:06}.parquet")


def erase(directory: Path, keys: Collection[str]) -> None:
    """Write every part that holds one of some people again, without them."""
    for path in sorted(directory.glob("part-*.parquet")):
        table = parquet.read_table(path)
        theirs = pc.is_in(table["username"], pa.array(keys, pa.string()))
        if pc.any(theirs).as_py():
            _write(table.filter(pc.invert(theirs)), path)


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as file:
        parquet.write_table(table, file, compression="zstd")
