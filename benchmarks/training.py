"""How training grows with the table, from CSV to a finished artefact, and how far ahead of scikit-surprise it is.

    python -m benchmarks.training --plot docs/images/scaling.svg

Each size is a process of its own, `python -m hakken train` on a synthetic table, so its peak memory is its own too.
With `--scheduler local:2`, the largest table is instead trained by one process and by a Dask cluster, in turn.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy.sparse import csr_array

from benchmarks import machine
from benchmarks.against_surprise import compare_scores
from benchmarks.synthetic import Entries, synthetic_entries
from hakken.model import store
from hakken.model.arrays import Arrays, unpack
from hakken.training.tables import read_ratings

SIZES = {5_000_000: 12_000, 15_000_000: 36_000, 45_000_000: 108_000}
"""Entries → users; as many per user at each size."""
N_ITEMS = 14_000
AGAINST_SURPRISE = (20_000, 6_000, 4_800_000)
"""Users, items and entries of the largest table that Surprise trains in a minute or so: 3.8 million scores."""
CASES = ((), ("--trees", "0"))
"""Options of `train`: with the trees of the match, and without."""
N_PARTS = 12
"""Files of the table that a cluster reads."""
ANIME_CSV = "anime_id,name,genre,type,episodes,rating,members\n1,One,Drama,TV,12,7.5,100\n"


class Run(NamedTuple):
    """One training process.

    Attributes:
        entries: rows of the table.
        pairs: Σ n_u², of scored entries: what comparing all pairs of items should cost.
        seconds: from its start to its end.
        peak_gb: the most memory it held at once, as its summary says.
        summary: what it printed.
    """

    entries: int
    pairs: float
    seconds: float
    peak_gb: float
    summary: str


@click.command()
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="SVG to draw the growth into.")
@click.option("--largest", default=max(SIZES), show_default=True, help="Leave out larger tables.")
@click.option("--surprise/--no-surprise", "with_surprise", default=True, help="Also train scikit-surprise.")
@click.option("--scheduler", help="Compare one process with a Dask cluster, such as local:2, on the largest table.")
def main(plot: Path | None, largest: int, with_surprise: bool, scheduler: str | None) -> None:
    """Measure training."""
    print(machine.describe("numpy", "numba", "pyarrow", "scikit-surprise"))
    if scheduler:
        _compare_with_cluster(scheduler, max(size for size in SIZES if size <= largest))
        return
    with tempfile.TemporaryDirectory() as scratch:
        if with_surprise:
            path = Path(scratch) / "ratings.csv"
            synthetic_entries(*AGAINST_SURPRISE, seed=1).write_csv(path)
            compare_scores(read_ratings(path), pairs=1_000)
        _train_in_a_process(Path(scratch), synthetic_entries(500, 200, 20_000, seed=0))  # compiles
        tables = (
            synthetic_entries(n_users, N_ITEMS, n_entries, seed=0)
            for n_entries, n_users in SIZES.items()
            if n_entries <= largest
        )
        runs = [[_train_in_a_process(Path(scratch), table, *options) for options in CASES] for table in tables]
    print("entries in the table | Σ n_u² | CSV to artefact, s; without trees | peak memory, GB; without trees")
    for run, bare in runs:
        times, memory = f"{run.seconds:.1f}; {bare.seconds:.1f}", f"{run.peak_gb:.2f}; {bare.peak_gb:.2f}"
        print(f"{run.entries:,} | {run.pairs:.2e} | {times} | {memory}")
    if plot:
        _draw([run for run, _ in runs], plot)


def _train_in_a_process(scratch: Path, entries: Entries, *options: str) -> Run:
    ratings = scratch / "ratings.csv"
    entries.write_csv(ratings)
    return _train(scratch, ratings, entries, *options)


def _train(scratch: Path, ratings: Path, entries: Entries, *options: str) -> Run:
    anime = scratch / "anime.csv"
    anime.write_text(ANIME_CSV)
    command = [sys.executable, "-m", "hakken", "train", "--out", str(scratch / "model")]
    command += ["--ratings", str(ratings), "--anime", str(anime), *options]
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - begin
    # The system's count of a process that has ended is of no use: the trainer sets it back at each stage.
    peak = re.search(r"total +[\d.]+ +([\d.]+) ([GM])B", done.stdout)
    per_user = np.bincount(entries.user_id[entries.rating > 0]).astype(np.float64)
    peak_gb = float(peak[1]) / (1 if peak[2] == "G" else 1000) if peak else float("nan")
    return Run(len(entries.user_id), float((per_user**2).sum()), seconds, peak_gb, done.stdout)


def _compare_with_cluster(scheduler: str, n_entries: int) -> None:
    """Train a table in one process and on a cluster, from the same files; print times, memory and differences."""
    entries = synthetic_entries(SIZES[n_entries], N_ITEMS, n_entries, seed=0)
    with tempfile.TemporaryDirectory() as scratch:
        ratings = Path(scratch) / "ratings"
        ratings.mkdir()
        frame = entries.frame()
        for part in range(N_PARTS):
            frame.iloc[part::N_PARTS].to_parquet(ratings / f"part-{part}.parquet", index=False)
        del frame
        found = []
        for options in ((), ("--scheduler", scheduler)):
            run = _train(Path(scratch), ratings, entries, *options)
            found.append((run, _learnt(Path(scratch) / "model")))
            print(run.summary)
    (alone, one), (many, other) = found
    print(f"{alone.entries:,} entries, Σ n_u² {alone.pairs:.2e}")
    ratio = many.seconds / alone.seconds
    print(f"one process {alone.seconds:.1f} s, {scheduler} {many.seconds:.1f} s: {ratio:.2f} times as long")
    for name, array in one.items():
        print(f"largest difference of {name}: {abs(array - other[name]).max():.1e}")


def _learnt(directory: Path) -> dict[str, csr_array]:
    """What a model learnt, by name, a row or a column for each title."""
    arrays = Arrays.load(store.open_artefact(directory))
    sims = arrays.sim_scale.repeat(np.diff(arrays.sim_indptr)) * unpack(arrays.sim_values)
    preferences = arrays.pref_scale[arrays.pref_indices] * arrays.pref_values.astype(np.float64)
    shape = (len(arrays.b_i),) * 2
    return {
        "a bias": csr_array(arrays.b_i[np.newaxis]),
        "a similarity": csr_array((sims, arrays.sim_indices.astype(np.int32), arrays.sim_indptr), shape),
        "a preference weight": csr_array(
            (preferences, arrays.pref_indices.astype(np.int32), arrays.pref_indptr), shape
        ),
        "a tree's value": csr_array(arrays.tree_parts.reshape(1, -1)),
    }


def _draw(runs: list[Run], path: Path) -> None:
    mpl.rcParams["svg.hashsalt"] = "hakken"  # the same figures give the same file
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    pairs = [run.pairs for run in runs]
    axes.loglog(pairs, [run.seconds for run in runs], "o-", label="measured")
    axes.loglog(pairs, [runs[0].seconds * x / pairs[0] for x in pairs], "--", label="in proportion to Σ n_u²")
    for run in runs:
        axes.annotate(f"{run.entries / 1e6:.0f}M", (run.pairs, run.seconds), (8, -12), textcoords="offset points")
    axes.set(xlabel="Σ n_u² of the scored entries", ylabel="seconds, CSV to artefact")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
