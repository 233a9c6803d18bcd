"""Tune the hyper-parameters of KNN-with-baseline by random search, with cross-validation on one table.

The search is scikit-surprise's, over `HakkenKNNBaseline`, from coarse to fine: each round draws from a smaller space
around the best candidate so far. All rounds use the same folds. Random search: Bergstra & Bengio, "Random search for
hyper-parameter optimization" (JMLR 2012).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.stats import loguniform
from surprise import Dataset, Reader, Trainset
from surprise.model_selection import KFold, RandomizedSearchCV

from hakken.model.hyperparameters import TEXTBOOK, Parameters
from hakken.ratings import MAX_SCORE
from hakken.training.drawing import svg
from hakken.training.knn_baseline import HakkenKNNBaseline
from hakken.training.parameters import write_table, write_whole
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import RatingTable

N_FOLDS = 3
N_ROUNDS = 3
NARROWING = 0.4
"""Width of each distribution in the next round, relative to this one, in logarithms."""
TABLE, PLOT, PARAMETERS, LISTS = "table.csv", "rmse.svg", "params.json", "match.csv"
Space = Mapping[str, tuple[float, float]]
"""Least and greatest value of each parameter, which are drawn uniformly by their logarithm."""
SPACE: Space = {
    "k": (8, 80),
    "shrinkage": (10, 300),
    "reg_u": (0.5, 20),
    "reg_i": (0.5, 20),
    "amplification": (1, 4),
    "prior": (0.001, 0.5),
}
TUNED = tuple(SPACE)
MEASURED = (("mean", ""), ("std", "_std"))
DRAWN = ("amplification", "prior")
"""Drawn from a distribution; others from lists: `k` is a whole number, and the search has only lists within options."""


class Tuned(NamedTuple):
    """Result of a search.

    Attributes:
        parameters: the textbook's, with the values of the candidate with the lowest mean RMSE.
        candidates: one row for each candidate, by ascending RMSE. Columns: `rank`; `round`; `rmse`, `rmse_std`, `mae`,
            `mae_std`, score points, mean and standard deviation over the folds; those of `TUNED`; `fit_seconds` and
            `test_seconds`, means over the folds.
        textbook_rmse: mean RMSE of the textbook's parameters, which are among the candidates, score points.
        description: description of the search.
    """

    parameters: Parameters
    candidates: pd.DataFrame
    textbook_rmse: float
    description: str


def rounded(value: float) -> float:
    """Round to three significant digits."""
    return float(f"{value:.3g}")


def tune(table: RatingTable, n_candidates: int, seed: int = 0, progress: Progress = SILENT) -> Tuned:
    """Search for the hyper-parameters with the lowest RMSE on the scored entries of a table, at least `N_FOLDS`.

    The textbook's parameters are tried too; the seed is that of candidates and folds.
    """
    scored = table.scores > 0
    frame = pd.DataFrame({"user": table.users, "item": table.items, "rating": table.scores})[scored]
    data = Dataset.load_from_df(frame, Reader(rating_scale=(1, MAX_SCORE)))
    space, rounds = SPACE, []
    sizes = [len(part) for part in np.array_split(np.arange(n_candidates), min(N_ROUNDS, n_candidates))]
    with progress.stage("candidates", (n_candidates + 1) * N_FOLDS, "fits") as advance:
        for number, size in enumerate(sizes):
            values: dict[str, Any] = {name: [rounded(one) for one in np.geomspace(*space[name], 15)] for name in TUNED}
            values |= {name: loguniform(*space[name]) for name in DRAWN}
            values["k"] = sorted({round(k) for k in values["k"]})
            search = RandomizedSearchCV(
                _reporting(advance),
                _arguments({**values, "n_epochs": [TEXTBOOK.n_epochs], "verbose": [False]}),
                n_iter=size,
                measures=["rmse", "mae"],
                cv=KFold(N_FOLDS, random_state=seed),
                n_jobs=1,  # the algorithm itself uses all cores
                random_state=(seed + number) % 2**32,
            )
            for drawn in search.param_combinations:
                drawn.update({name: rounded(drawn[name]) for name in DRAWN})
            if number == 0:
                search.param_combinations.insert(0, _arguments(msgspec.structs.asdict(TEXTBOOK) | {"verbose": False}))
            search.fit(data)
            rounds.append(_tabulate(search.cv_results, number + 1))
            candidates = pd.concat(rounds).sort_values("rmse", kind="stable", ignore_index=True)
            space = {name: narrowed(*ends, candidates[name].iloc[0]) for name, ends in space.items()}
    candidates.insert(0, "rank", candidates.index + 1)
    description = (
        f"{np.count_nonzero(scored):,} scores of {frame['user'].nunique():,} users, "
        f"{n_candidates + 1} candidates in {len(sizes)} rounds, {N_FOLDS} folds, seed {seed}"
    )
    best = {name: candidates[name].iloc[0].item() for name in TUNED}
    return Tuned(msgspec.structs.replace(TEXTBOOK, **best), candidates, rounds[0]["rmse"].iloc[0], description)


def narrowed(low: float, high: float, best: float) -> tuple[float, float]:
    """Narrow a range around a value, to `NARROWING` of its width unless cut off at an end."""
    factor = (high / low) ** (NARROWING / 2)
    middle = min(max(best, low), high)
    return max(low, middle / factor), min(high, middle * factor)


def save(tuned: Tuned, out: Path, lists: pd.DataFrame | None = None) -> None:
    """Write `table.csv`, `rmse.svg`, `params.json` and, of the search for lists, `match.csv` into a directory.

    Each file is written completely or not at all; a `match.csv` of an earlier search is removed.

    Raises:
        TableError: one can't be written.
    """
    plot = _plot(tuned)  # before files are written: it takes a second
    write_table(out / TABLE, tuned.candidates)
    write_whole(out / PLOT, plot)
    write_whole(out / PARAMETERS, msgspec.json.format(msgspec.json.encode(tuned.parameters), indent=2) + b"\n")
    if lists is None:
        (out / LISTS).unlink(missing_ok=True)
    else:
        write_table(out / LISTS, lists)


def _reporting(advance: Advance) -> type[HakkenKNNBaseline]:
    """Make the algorithm report each fold; Surprise's search has no other way."""

    class Reporting(HakkenKNNBaseline):
        def fit(self, trainset: Trainset) -> Self:
            fitted = super().fit(trainset)
            advance(1)
            return fitted

    return Reporting


def _arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arrange values, or what they are drawn from, as arguments of `HakkenKNNBaseline`."""
    options = {"sim_options": ("shrinkage",), "bsl_options": ("reg_u", "reg_i", "n_epochs")}
    nested = {option: {name: values[name] for name in names} for option, names in options.items()}
    return {name: values[name] for name in ("k", "amplification", "prior", "verbose")} | nested


def _tabulate(results: Mapping[str, Any], number: int) -> pd.DataFrame:
    flat = pd.DataFrame([given | given["sim_options"] | given["bsl_options"] for given in results["params"]])
    measures = {f"{name}{end}": results[f"{kind}_test_{name}"] for name in ("rmse", "mae") for kind, end in MEASURED}
    times = {"fit_seconds": results["mean_fit_time"], "test_seconds": results["mean_test_time"]}
    return pd.DataFrame({"round": number, **measures, **flat[[*TUNED]], **times})


def _plot(tuned: Tuned) -> bytes:
    """Draw RMSE against each parameter as SVG, a point for each candidate."""
    rows = tuned.candidates
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    figure.suptitle(f"RMSE by cross-validation: {tuned.description}", fontsize=10)
    panels = figure.subplots(2, len(TUNED) // 2, sharey=True)
    for panel, name in zip(panels.flat, TUNED, strict=True):
        panel.scatter(rows[name], rows["rmse"], s=16, color="#4c72b0", alpha=0.7, linewidths=0)
        panel.scatter(rows[name][:1], rows["rmse"][:1], s=60, facecolors="none", edgecolors="#c44e52")
        if name == "prior":  # may be 0
            panel.set_xscale("symlog", linthresh=SPACE[name][0])
        else:
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set_xlabel(f"{name} (best: {rows[name].iloc[0]:g})")
        panel.grid(alpha=0.3)
    for panel in panels[:, 0]:
        panel.set_ylabel("RMSE, score points")
    return svg(figure)
