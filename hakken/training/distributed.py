"""Training on the machines of a cluster, with the same result as on one.

    files ─► rows ─► people, by a hash of their names ─► tables ─┬► scores ─► biases ─► sums of pairs ─► neighbours
                                                                 ├► liking ─► G ─► weights
                                                                 └► a sample of people ─► trees

Workers read the files. Each has a share of the people, with all their entries, from which it computes what is additive
over people: sums for the biases, the four sums of each pair of anime, and G. The last two are as large as anime ×
anime; they are computed, added and used up for `ITEMS_AT_ONCE` anime at a time. The weights are solved for on one
worker, which holds G; the trees are learnt on one worker. The client holds a few numbers for each person, and the
finished model.

What is additive is added in another order than on one machine, so results differ by rounding. The people that trees are
learnt from are the same.
"""

import dataclasses
import math
import pickle
import zlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from distributed import Future
from scipy.sparse import vstack
from threadpoolctl import threadpool_limits

from hakken.catalogue import Catalogue
from hakken.model.arrays import Array, Float64s, Int32s, Int64s
from hakken.model.hyperparameters import Parameters
from hakken.model.manifest import MadeFrom, TablePart, Unwatched
from hakken.training import pipeline, ranking, threads
from hakken.training.attributes import judged_by_attributes
from hakken.training.cluster import Cluster
from hakken.training.kernels import offer_rows
from hakken.training.matrix import ScoreMatrix, solved
from hakken.training.preferences import (
    Watching,
    add_co_watched,
    facts_of,
    liked_matrix,
    liking_by_title,
    upper_triangle,
    weights_of,
)
from hakken.training.progress import SILENT, Progress
from hakken.training.similarities import ITEMS_AT_ONCE, Heaps, later_pair_sums, quantise
from hakken.training.tables import RatingTable, Reading, combined
from hakken.training.tables.combining import first_examples, joined
from hakken.training.tables.parts import Part, described_file, files_of
from hakken.training.tables.rating_reader import (
    Kind,
    Rows,
    Scale,
    day_of,
    kind_of,
    no_rows,
    none_usable,
    read_rows,
    refuse,
    require_one_kind,
    table_of,
)
from hakken.training.tables.rejected_rows import RejectedRows

ROWS_AT_ONCE = 8_000_000
"""About as many rows are sorted at once; that takes 60 bytes for each."""
AT_ONCE = 3
"""Blocks of items that are on their way: more would pile up."""
Keep = Callable[[RatingTable], RatingTable] | None


class People(NamedTuple):
    """The entries of all people, on the workers.

    Attributes:
        tables: futures of rating tables; those of one part of the work are in one row, and on one worker.
        reading: what is told of all of them.
        anime_ids: `(n_items,)` int32, ascending, anime with an entry.
        lengths: `(n_users,)` int64, number of entries of each user.
        numbers: number of each user of each table, `(n_users of the table,)` int64 each: users have the order of their
            ids, as if there were one table.
        files: description of the files.
    """

    tables: list[list[Future]]
    reading: Reading
    anime_ids: Int32s
    lengths: Int64s
    numbers: list[Int64s]
    files: list[TablePart]


class _AboutFile(NamedTuple):
    """What the client gets of a file: all but its rows."""

    kind: Kind
    scale: Scale
    rejected: RejectedRows
    described: TablePart


class _AboutTable(NamedTuple):
    """What the client gets of a table: all but its entries. What was rejected, and kept, is told for each source."""

    user_ids: Array
    lengths: Int64s
    anime_ids: Int32s
    reading: Reading
    newest: int
    rejected: list[RejectedRows]
    kept: list[int]


def read(
    cluster: Cluster, paths: Sequence[Path], keep: Keep = None, *, strict: bool = False, progress: Progress = SILENT
) -> People:
    """Read rating tables as `hakken.training.tables.read_ratings` and `combined` do.

    Args:
        cluster: its workers read the files, by the same paths.
        paths: files, or folders of parts; a worker holds all rows of a file at once.
        keep: drops people from a table; a function that workers can import.
        strict: reject tables with a row that can't be used.
        progress: receives the files and tables that are done.

    Raises:
        TableError: a file can't be read, a table has no usable row, or `strict` is not satisfied.
    """
    files = [files_of(path.resolve()) for path in paths]
    with progress.stage("reading", sum(map(len, files)), "files") as advance:
        rows = [[cluster.submit(_read, file, number) for number, file in enumerate(some)] for some in files]
        told = iter(cluster.gather([cluster.submit(getitem, one, 1) for some in rows for one in some], advance))
        about = [[next(told) for _ in some] for some in files]
        rejected = [_merged(path, some) for path, some in zip(paths, about, strict=True)]
    has_hundred_points = [Scale.merged([one.scale for one in some]).has_hundred_points for some in about]
    n_rows = sum(one.n_read for one in rejected)
    per_part = max(1, math.ceil(n_rows / len(cluster) / ROWS_AT_ONCE))
    n_tables = per_part * len(cluster)
    with progress.stage("ordering", n_tables, "tables") as advance:
        pieces = [[cluster.submit(_split, one, n_tables) for one in some] for some in rows]
        del rows
        made = []
        for number in range(n_tables):
            of_people = [[cluster.submit(getitem, one, number) for one in some] for some in pieces]
            made.append(cluster.submit(_table, of_people, has_hundred_points, keep, part=number // per_part))
        del pieces, of_people
        tables: list[_AboutTable] = cluster.gather([cluster.submit(getitem, one, 1) for one in made], advance)
    for number, (path, one) in enumerate(zip(paths, rejected, strict=True)):
        for table in tables:
            one.merge(table.rejected[number])
        if strict:
            refuse(one)
        if not sum(table.kept[number] for table in tables):
            raise none_usable(path, one.dropped)
    ids = np.concatenate([table.user_ids for table in tables if len(table.user_ids)])
    order = np.argsort(ids, kind="stable")
    numbers = np.empty_like(order)
    numbers[order] = np.arange(len(order))
    anime_ids = np.unique(np.concatenate([table.anime_ids for table in tables]))
    # Of each table, only what its own making left out; what was rejected before is counted once, by file.
    dropped = sum([*(one.dropped for one in rejected), *(table.reading.dropped for table in tables)], Counter[str]())
    reading = Reading(
        rows=n_rows,
        kept=sum(table.reading.kept for table in tables),
        dropped=dropped,
        examples=first_examples(dropped, [one.examples() for one in rejected]),
        hundred_points=any(has_hundred_points),
        n_items=len(anime_ids),
        newest=day_of(max(table.newest for table in tables)),
        scored=np.concatenate([table.reading.scored for table in tables])[order],
        points=np.sum([table.reading.points for table in tables], axis=0),
    )
    return People(
        tables=[
            [cluster.submit(getitem, one, 0) for one in made[at : at + per_part]] for at in range(0, n_tables, per_part)
        ],
        reading=reading,
        anime_ids=anime_ids,
        lengths=np.concatenate([table.lengths for table in tables])[order],
        numbers=np.split(numbers, np.cumsum([len(table.user_ids) for table in tables])[:-1]),
        files=[one.described for some in about for one in some],
    )


def _read(file: Path, number: int) -> tuple[Rows, _AboutFile]:
    part, rejected = Part(file), RejectedRows(number)
    kind = kind_of(part)
    rows = read_rows([part], kind, rejected, lambda _: None)
    return rows, _AboutFile(kind, rows.scale, rejected, described_file("ratings", file))


def _merged(path: Path, about: Sequence[_AboutFile]) -> RejectedRows:
    """What was rejected of a source, given by its path and what its workers tell of its files."""
    rejected = RejectedRows()
    for one in about:
        rejected.merge(one.rejected)
    require_one_kind([(one.described.name, one.kind) for one in about])
    if not rejected.n_read:
        raise no_rows(path)
    return rejected


def _split(read_file: tuple[Rows, _AboutFile], n_tables: int) -> list[Rows]:
    """Split the rows of a file by who they are of: anyone's are in the same table, whatever file they are from."""
    rows = read_file[0]
    names = (one if isinstance(one, bytes) else str(one).encode() for one in rows.users)
    table = np.fromiter((zlib.crc32(name) % n_tables for name in names), dtype=np.int64, count=len(rows.users))
    return [rows.of_users(table == number) for number in range(n_tables)]


def _table(sources: list[list[Rows]], hundred_points: list[bool], keep: Keep) -> tuple[RatingTable, _AboutTable]:
    rejected = [RejectedRows() for _ in sources]
    of_sources = [
        table_of(Rows.joined(pieces), faults, hundred_points=scale, strict=False)
        for pieces, faults, scale in zip(sources, rejected, hundred_points, strict=True)
    ]
    kept = list(map(len, of_sources))
    table = combined([dataclasses.replace(one, dropped=Counter()) for one in of_sources])
    table = keep(table) if keep else table
    about = _AboutTable(
        user_ids=np.array(table.user_ids),
        lengths=np.bincount(table.users, minlength=table.n_users),
        anime_ids=table.anime_ids,
        reading=table.reading,
        newest=max(table.listed, int(table.updated.max(initial=0))),
        rejected=rejected,
        kept=kept,
    )
    return table, about


def fit(
    cluster: Cluster,
    people: People,
    parameters: Parameters,
    titles: Catalogue = pipeline.NOTHING_KNOWN,
    *,
    progress: Progress = SILENT,
    made_from: MadeFrom | None = None,
) -> pipeline.Fitted:
    """Train as `hakken.training.pipeline.fit` does. This frees the tables, and can be done once.

    Raises:
        TableError: no entry has a score, or a worker can't load LightGBM.
    """
    mu = people.reading.mu
    anime_ids = np.union1d(people.anime_ids, judged_by_attributes(titles)).astype(np.int32)
    tables = [
        [cluster.submit(pipeline.with_anime, one, anime_ids, part=part) for one in some]
        for part, some in enumerate(people.tables)
    ]
    people.tables.clear()
    years, _, series = facts_of(anime_ids, titles)
    in_parts, from_scores = _fit_scores(cluster, tables, (mu, series), parameters, progress)
    b_u = np.empty(len(in_parts))
    b_u[np.concatenate(people.numbers)] = in_parts
    chosen = _people_for_trees(cluster, tables, people) if parameters.trees else None
    with progress.stage("liking", len(tables), "parts") as advance:
        counts = [cluster.submit(Watching.of, one, years) for some in tables for one in some]
        watching = Watching.merged(cluster.gather(counts))
        kept = watching.kept(parameters)
        liked = cluster.each(_liked, tables, mu, parameters, kept)
        cluster.gather([cluster.submit(_done, one) for one in liked], advance)
    del tables
    gram = _add_up(
        cluster,
        ("co-watching", len(kept)),
        partial(cluster.each, _co_watched, liked),
        (_put, cluster.submit(upper_triangle, len(kept))),
        progress,
    )
    del liked
    with progress.stage("preferences and trees", 1 + bool(chosen), "steps") as advance:
        packed = cluster.submit(_unpacked, zlib.compress(pickle.dumps(titles)))
        learnt = [cluster.submit(_weights, anime_ids, watching, gram, packed, parameters)]
        del gram
        if chosen:
            learnt.append(cluster.submit(_second_stage, *chosen, packed, parameters))
        (weights, unwatched), *stages = cluster.gather(learnt, advance)
    arrays = {"anime_ids": anime_ids, **from_scores, **weights}
    fitted = pipeline.described(people.reading, arrays, b_u, unwatched, parameters, made_from=made_from)
    if not parameters.trees:
        return fitted
    stage = stages[0] if stages else ranking.NO_SECOND_STAGE
    return pipeline.put_second_stage(fitted, stage, parameters)


def _fit_scores(
    cluster: Cluster,
    tables: Sequence[Sequence[Future]],
    about: tuple[float, Int64s],
    parameters: Parameters,
    progress: Progress,
) -> tuple[Float64s, dict[str, Array]]:
    """Do what `hakken.training.pipeline.fit_scores` does, given the mean score and the series of all items.

    `b_u` has the order of the tables.
    """
    mu, series = about
    n_items = len(series)
    with progress.stage("sorting", len(tables), "parts") as advance:
        matrices = cluster.each(_matrix, tables, mu)
        of_parts = cluster.each(_raters, matrices)
        cluster.gather([cluster.submit(_done, one) for one in of_parts], advance)
        raters = cluster.total(of_parts).result()
    b_i = None
    with progress.stage("biases", parameters.n_epochs, "rounds") as advance:
        for _ in range(parameters.n_epochs):
            deviations = cluster.total(cluster.each(_deviations, matrices, b_i, parameters.reg_u)).result()
            b_i = solved(deviations, raters, parameters.reg_i)
            advance(1)
        residuals = cluster.each(_residuals, matrices, b_i, parameters.reg_u)
        b_u = np.concatenate(cluster.gather([cluster.submit(getitem, one, 0) for one in residuals]))
    heaps = _add_up(
        cluster,
        ("similarities", n_items),
        partial(cluster.each, _pair_sums, list(zip(matrices, residuals, strict=True))),
        (_offered, cluster.submit(Heaps.empty, 1, n_items, parameters.k_stored)),
        progress,
        (raters, parameters.shrinkage, parameters.min_support, series, parameters.siblings),
    )
    neighbours = cluster.submit(Heaps.neighbours, heaps, parameters.min_similarity).result()
    return b_u, {"b_i": b_i, "raters": raters, **quantise(neighbours, int(raters.max()))}


def _matrix(tables: list[RatingTable], mu: float) -> ScoreMatrix:
    return dataclasses.replace(ScoreMatrix.of(*tables), mu=mu)


def _raters(matrix: ScoreMatrix) -> Int32s:
    return matrix.raters


def _deviations(matrix: ScoreMatrix, b_i: Float64s | None, reg_u: float) -> Float64s:
    return matrix.item_deviations(np.zeros(matrix.n_users) if b_i is None else matrix.user_biases(b_i, reg_u))


def _residuals(matrix: ScoreMatrix, b_i: Float64s, reg_u: float) -> tuple[Float64s, Float64s]:
    b_u = matrix.user_biases(b_i, reg_u)
    return b_u, matrix.residuals(b_u, b_i)


def _pair_sums(part: tuple[ScoreMatrix, tuple[Float64s, Float64s]], first: int) -> Array:
    matrix, (_, residuals) = part
    return later_pair_sums(matrix, residuals, first)


def _offered(heaps: Heaps, sums: Array, first: int, finishing: tuple[Any, ...]) -> Heaps:
    # A copy, since Dask may call this again with the same heaps.
    found = Heaps(*(one.copy() for one in heaps))
    offer_rows(sums, first, *finishing, *(one[0] for one in found))
    return found


def _add_up(
    cluster: Cluster,
    work: tuple[str, int],
    addends: Callable[[int], list[Future]],
    folded: tuple[Callable[..., object], Future],
    progress: Progress,
    *arguments: object,
) -> Future:
    """Add up blocks of `ITEMS_AT_ONCE` items, and put each total into a state: `put(state, total, first, *arguments)`.

    Args:
        cluster: computes it.
        work: name of the stage, and number of items.
        addends: submits what is added for the items from one on.
        folded: `put`, and the first state.
        progress: receives the items that are done.
        arguments: further arguments of `put`.
    """
    (name, n_items), (put, state) = work, folded
    on_their_way: deque[tuple[int, Future]] = deque()
    with progress.stage(name, n_items, "anime") as advance:
        for first in range(0, n_items, ITEMS_AT_ONCE):
            state = cluster.submit(put, state, cluster.total(addends(first)), first, *arguments)
            on_their_way.append((min(ITEMS_AT_ONCE, n_items - first), cluster.submit(_done, state)))
            while len(on_their_way) >= AT_ONCE or (on_their_way and first + ITEMS_AT_ONCE >= n_items):
                size, step = on_their_way.popleft()
                step.result()
                advance(size)
    return state


def _done(_: object) -> None:
    """Ends when its argument is there, which the client does not need."""


def _liked(tables: list[RatingTable], mu: float, parameters: Parameters, kept: Int64s) -> ScoreMatrix:
    return liking_by_title(vstack([liked_matrix(one, mu, parameters)[:, kept] for one in tables], format="csr"))


def _co_watched(liked: ScoreMatrix, first: int) -> Float64s:
    rows = np.zeros((min(ITEMS_AT_ONCE, liked.n_items - first), liked.n_items))
    add_co_watched(liked, first, rows)
    return np.ascontiguousarray(rows[:, first:])


def _put(gram: Float64s, total: Float64s, first: int) -> Float64s:
    # In place, since there is no memory for two; putting the same rows twice does no harm.
    gram[first : first + len(total), first:] = total
    return gram


def _unpacked(catalogue: bytes) -> Catalogue:
    found: Catalogue = pickle.loads(zlib.decompress(catalogue))  # noqa: S301 - our own client packed it
    return found


def _weights(
    anime_ids: Int32s, watching: Watching, gram: Float64s, titles: Catalogue, parameters: Parameters
) -> tuple[dict[str, Array], Unwatched]:
    with threadpool_limits(threads.N_THREADS):  # Dask allows one
        return weights_of(anime_ids, watching, gram, titles, parameters)


def _people_for_trees(
    cluster: Cluster, tables: Sequence[Sequence[Future]], people: People
) -> tuple[list[Future], list[Future], np.random.Generator] | None:
    """Arguments of `_second_stage`: tables of those who are set aside, and of those the inner model learns from."""
    rng = ranking.draws()
    chosen = ranking.choose_people(people.reading.scored, people.lengths, rng)
    if not chosen:
        return None
    each = list(zip((one for some in tables for one in some), people.numbers, strict=True))
    aside, inner = ([cluster.submit(RatingTable.of_users, one, who[users]) for one, users in each] for who in chosen)
    return aside, inner, rng


def _second_stage(
    aside: list[RatingTable],
    inner: list[RatingTable],
    rng: np.random.Generator,
    titles: Catalogue,
    parameters: Parameters,
) -> ranking.SecondStage:
    fit_inner = pipeline.inner_fit(parameters, titles)
    material = ranking.material_with(joined(aside), joined(inner), fit_inner, rng, SILENT)
    return ranking.second_stage(material, parameters.trees, SILENT)
