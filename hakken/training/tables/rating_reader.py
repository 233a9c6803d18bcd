"""Read rating tables on all cores: one file or a folder of parts, CSV or Parquet."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from hakken.errors import TableError
from hakken.training.progress import SILENT, Progress
from hakken.training.tables.column_values import Load
from hakken.training.tables.part_reader import check_columns, opened
from hakken.training.tables.parts import Part, expected_rows, parts_of
from hakken.training.tables.rating_table import RatingTable
from hakken.training.tables.rejected_rows import RejectedRows
from hakken.training.tables.row_checks import Kind, UsableRows, keep_usable, kind_of
from hakken.training.tables.table_builder import TableBuilder

MAX_READERS = 8


def read_ratings(path: Path, *, strict: bool = False, progress: Progress = SILENT) -> RatingTable:
    """Read a rating table, which is recognised by its columns.

    - `user_id, anime_id, rating`, the rating being -1 or 0 for an entry without a score;
    - the same with `watching_status`, in MyAnimeList's codes;
    - `username, anime_id, my_score, my_status`, as in MyAnimeList's own tables.

    A status may also be 0: without a score, it is unknown whether the title was watched or planned; with a score, it
    counts as completed. All may have `updated_at`, when the entry was changed: a date or a time in UTC. A value that is
    not a time since 1990 is counted and left unknown; the row is kept.

    Columns may be in any order, and there may be others. Rows that can't be used are left out and counted, with the
    lines of the first few; of repeated pairs the last row is kept, in the order of the parts' names. Memory grows with
    the number of kept entries, not with the size of the text.

    Args:
        path: a CSV file, plain or compressed with gzip or zstd; a Parquet file; or a folder of such parts, of one kind.
        strict: reject the table at the first row that can't be used; repeated pairs are found at the end.
        progress: receives the rows read; their total is estimated from the beginning of each CSV part.

    Raises:
        TableError: a part can't be read or lacks a column, no row can be used, or `strict` is not satisfied.
    """
    parts = parts_of(path)
    rejected, builder = RejectedRows(strict=strict), TableBuilder()
    with progress.stage("reading", sum(map(expected_rows, parts)), "rows") as advance:
        for part, kept in _kept(parts):
            for fault in sorted(kept.rejected, key=lambda fault: fault.lines[0]):
                rejected.add(fault.reason, fault.how_many, map(part.location, fault.lines))
            builder.add(part, kept)
            advance(kept.rows)
    if not builder.rows:
        raise TableError(f"The table {path} has a header and no rows.")
    if not len(builder):
        reasons = "; ".join(f"{reason}: {count:,}" for reason, count in rejected.dropped.most_common())
        raise TableError(f"The table {path} holds no usable rating: {reasons}.")
    with progress.stage("ordering"):
        return builder.table(rejected)


def _kept(parts: list[Part]) -> Iterator[tuple[Part, UsableRows]]:
    """Usable rows of each batch of each part, in their order."""
    kind: Kind | None = None
    for part in parts:
        with opened(part) as table:
            own = kind_of(part.path, table.columns)
            check_columns(part, table, own.columns)
            if own != (kind or own):
                raise TableError(f"{part.path.name} is another kind of rating table than {parts[0].path.name}.")
            kind = own
            with closing(_in_order(partial(_keep_of, own, load) for load in table.batches(own.columns))) as results:
                for kept in results:
                    yield part, kept


def _keep_of(kind: Kind, load: Load) -> UsableRows:
    return keep_usable(kind, load())


def _in_order(jobs: Iterator[Callable[[], UsableRows]]) -> Generator[UsableRows]:
    """Run jobs on all cores and yield their results in order; few run at a time."""
    n_readers = min(os.cpu_count() or 1, MAX_READERS)
    waiting: deque[Future[UsableRows]] = deque()
    with ThreadPoolExecutor(n_readers) as pool:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > 2 * n_readers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
