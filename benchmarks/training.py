"""How training grows with the table, from CSV to a finished artefact, and how far ahead of scikit-surprise it is.

    python -m benchmarks.training --plot docs/images/scaling.svg

Each size is a process of its own, `python -m hakken train` on a synthetic table, so its peak memory is its own too.
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

from benchmarks import machine
from benchmarks.against_surprise import compare_scores
from benchmarks.synthetic import Entries, synthetic_entries
from hakken.training.tables import read_ratings

SIZES = {5_000_000: 12_000, 15_000_000: 36_000, 45_000_000: 108_000}
"""Entries → users; as many per user at each size."""
N_ITEMS = 14_000
AGAINST_SURPRISE = (20_000, 6_000, 4_800_000)
"""Users, items and entries of the largest table that Surprise trains in a minute or so: 3.8 million scores."""
CASES = ((), ("--trees", "0"))
"""Options of `train`: with the trees of the match, and without."""
ANIME_CSV = "anime_id,name,genre,type,episodes,rating,members\n1,One,Drama,TV,12,7.5,100\n"


class Run(NamedTuple):
    """One training process.

    Attributes:
        entries: rows of the table.
        pairs: Σ n_u², of scored entries: what comparing all pairs of items should cost.
        seconds: from its start to its end.
        peak_gb: the most memory it held at once, as its summary says.
    """

    entries: int
    pairs: float
    seconds: float
    peak_gb: float


@click.command()
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="SVG to draw the growth into.")
@click.option("--largest", default=max(SIZES), show_default=True, help="Leave out larger tables.")
@click.option("--surprise/--no-surprise", "with_surprise", default=True, help="Also train scikit-surprise.")
def main(plot: Path | None, largest: int, with_surprise: bool) -> None:
    """Measure training."""
    print(machine.describe("numpy", "numba", "pyarrow", "scikit-surprise"))
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
    ratings, anime = scratch / "ratings.csv", scratch / "anime.csv"
    entries.write_csv(ratings)
    anime.write_text(ANIME_CSV)
    command = [sys.executable, "-m", "hakken", "train", "--out", str(scratch / "model")]
    command += ["--ratings", str(ratings), "--anime", str(anime), *options]
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    # The system's count of a process that has ended is of no use: the trainer sets it back at each stage.
    peak = re.search(r"total +[\d.]+ +([\d.]+) ([GM])B", done.stdout)
    per_user = np.bincount(entries.user_id[entries.rating > 0]).astype(np.float64)
    peak_gb = float(peak[1]) / (1 if peak[2] == "G" else 1000) if peak else float("nan")
    return Run(len(entries.user_id), float((per_user**2).sum()), seconds, peak_gb)


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
