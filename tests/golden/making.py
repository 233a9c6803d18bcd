"""Make the small model and the made-up lists, once: python -m tests.golden.making. Golden answers rest on both.

The small model is a part of the embedded one, cut out and not trained, so that it has all that a real one has: series,
universes, titles that hardly anyone or nobody watched, rows of any length. It needs no compiled kernel.
"""

import dataclasses
import json
import random

import click
import msgspec
import numpy as np

from hakken.bundle import ModelBundle
from hakken.catalogue import FILE_NAME, Catalogue
from hakken.model import store
from hakken.model.arrays import Array, Arrays, Int64s, gather, index_type
from hakken.ratings import CODE_OF_STATUS, Status
from tests.golden import LENGTHS, MODELS, entries_of, list_path, lists

N_TITLES, OF_THEM_RARE = 400, 60
LONGEST_ROW = 40
"""Neighbours and preference weights kept of each title: the file is to stay small."""
SEED = 16
UNKNOWN_ID = 2**31 - 1
"""In each made-up list there is a title that no model knows."""


def main() -> None:
    """Write both."""
    bundle = ModelBundle.read(store.open_artefact(store.EMBEDDED))
    for length in LENGTHS:
        list_path(length).parent.mkdir(exist_ok=True)
        entries = json.dumps(made_up(bundle, length), separators=(",", ":"))
        list_path(length).write_text(entries.replace("],[", "],\n[") + "\n")
    rows = chosen(bundle)
    with store.replacing(MODELS["small"]) as directory:
        part_of(bundle.model.arrays, rows).save(directory)
        some = map(bundle.catalogue.anime, bundle.model.arrays.anime_ids[rows].tolist())
        Catalogue(
            msgspec.structs.replace(one, picture=None, tags=(), synonyms=(), title_japanese=None) for one in some
        ).write(directory / FILE_NAME)
        store.write_manifest(directory, bundle.model.manifest)
    click.echo(f"{sum(path.stat().st_size for path in MODELS['small'].iterdir()):,} bytes")


def made_up(bundle: ModelBundle, length: int) -> list[tuple[int, int, str]]:
    """A list of so many entries of any status, popular titles first of all, and of the unknown one."""
    draw = random.Random(SEED + length)
    arrays = bundle.model.arrays
    # The smallest of exponential times, each going by a title's watchers, is a draw without replacement.
    times = [draw.expovariate(1) / (1 + watchers) ** 0.7 for watchers in arrays.watchers.tolist()]
    rows = sorted(range(len(times)), key=times.__getitem__)[: length - 1]
    statuses = draw.choices(list(CODE_OF_STATUS), weights=(3, 70, 5, 7, 15), k=length)
    anime_ids = [*arrays.anime_ids[rows].tolist(), UNKNOWN_ID]
    entries = []
    for anime_id, status in zip(anime_ids, statuses, strict=True):
        scored = draw.random() < (0.1 if status is Status.PLAN_TO_WATCH else 0.75)
        score = min(10, max(1, round(draw.gauss(5 if status is Status.DROPPED else 7.6, 1.4))))
        entries.append((anime_id, score if scored else 0, status.value))
    return entries


def chosen(bundle: ModelBundle) -> Int64s:
    """Rows of the sample's titles and the short list's, of their series, and of others, rare ones too."""
    draw = random.Random(SEED)
    arrays, catalogue = bundle.model.arrays, bundle.catalogue
    by_name = lists()
    wanted = {anime_id for name in ("sample", "20") for anime_id, _, _ in entries_of(by_name[name])}
    for series in {catalogue.series_of(one) for one in wanted}:
        wanted.update(catalogue.series.get(series, ()))
    rows, known = bundle.model.rows_of(sorted(wanted))
    found = set(rows[known].tolist())
    rare = np.flatnonzero(arrays.watchers <= 5).tolist()
    found |= set(draw.sample(rare, OF_THEM_RARE))
    watchers = arrays.watchers.tolist()
    times = {row: draw.expovariate(1) / (1 + watchers[row]) ** 0.7 for row in range(len(watchers)) if row not in found}
    others = sorted(times, key=times.__getitem__)[: N_TITLES - len(found)]
    return np.array(sorted([*found, *others]), dtype=np.int64)


def part_of(arrays: Arrays, rows: Int64s) -> Arrays:
    """The arrays of some rows, as if there were no others."""
    place = np.full(len(arrays.anime_ids), -1)
    place[rows] = np.arange(len(rows))
    sims, prefs = _cut(arrays.sim_indptr, arrays.sim_indices, rows, place), _strongest(arrays, rows, place)
    _, attributes = gather(arrays.attr_indptr, rows)
    lengths = np.diff(arrays.attr_indptr)[rows]
    kept = np.unique(arrays.attr_indices[attributes])
    attr_rows = arrays.attr_rows[rows]
    has_values = attr_rows >= 0
    indices = index_type(len(rows))
    by_row = {
        name: getattr(arrays, name)[rows]
        for name in ("anime_ids", "b_i", "raters", "sim_scale", "watchers", "popularity", "pref_scale", "attr_share")
    }
    return dataclasses.replace(
        arrays,
        **by_row,
        sim_indptr=sims[0],
        sim_indices=place[arrays.sim_indices[sims[1]]].astype(indices),
        sim_values=arrays.sim_values[sims[1]],
        sim_support=arrays.sim_support[sims[1]],
        pref_indptr=prefs[0],
        pref_indices=place[arrays.pref_indices[prefs[1]]].astype(indices),
        pref_values=arrays.pref_values[prefs[1]],
        attr_indptr=_indptr(lengths),
        attr_indices=np.searchsorted(kept, arrays.attr_indices[attributes]).astype(np.uint16),
        attr_rows=np.where(has_values, np.cumsum(has_values) - 1, -1).astype(np.int32),
        attr_values=np.ascontiguousarray(arrays.attr_values[attr_rows[has_values]][:, kept]),
        attr_scale=arrays.attr_scale[kept],
    )


def _cut(indptr: Int64s, indices: Array, rows: Int64s, place: Int64s) -> tuple[Int64s, Int64s]:
    """The first entries of some rows of a CSR matrix whose columns are among them: `indptr` and their positions."""
    positions = [range(indptr[row], indptr[row + 1]) for row in rows]
    kept = [[p for p in some if place[indices[p]] >= 0][:LONGEST_ROW] for some in positions]
    return _indptr(np.array([len(some) for some in kept])), np.concatenate(kept).astype(np.int64)


def _strongest(arrays: Arrays, rows: Int64s, place: Int64s) -> tuple[Int64s, Int64s]:
    """The same of the preference weights: the strongest of each row, in their order."""
    kept = []
    for row in rows:
        positions = np.arange(arrays.pref_indptr[row], arrays.pref_indptr[row + 1])
        positions = positions[place[arrays.pref_indices[positions]] >= 0]
        weight = np.abs(arrays.pref_scale[arrays.pref_indices[positions]] * arrays.pref_values[positions])
        kept.append(np.sort(positions[np.argsort(-weight, kind="stable")[:LONGEST_ROW]]))
    return _indptr(np.array([len(some) for some in kept])), np.concatenate(kept)


def _indptr(lengths: Int64s) -> Int64s:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


if __name__ == "__main__":
    main()
