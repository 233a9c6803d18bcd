"""Tune the hyper-parameters of KNN-with-baseline by random search, with cross-validation on one table.

The search is scikit-surprise's, over `HakkenKNNBaseline`, from coarse to fine: each round draws from a smaller space
around the best candidate so far. All rounds use the same folds. Random search: Bergstra & Bengio, "Random search for
hyper-parameter optimization" (JMLR 2012).
"""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from surprise import Dataset, Prediction, Reader
from surprise.model_selection import KFold, RandomizedSearchCV

from hakken.errors import TableError
from hakken.model.arrays import Array
from hakken.model.manifest import TEXTBOOK, Parameters
from hakken.ratings import MAX_SCORE
from hakken.training.knn_baseline import HakkenKNNBaseline
from hakken.training.parameters import write_whole
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import RatingTable

N_FOLDS = 3
N_ROUNDS = 3
NARROWING = 0.4
"""Width of each distribution in the next round, relative to this one, in logarithms."""
MOST_SCORES = 2_000_000
"""A table with more scores is tuned on a sample of its users by default."""
TABLE, PLOT, PARAMETERS = "table.csv", "rmse.svg", "params.json"


class LogUniform(NamedTuple):
    """A log-uniform distribution, rounded to three significant digits.

    Attributes:
        low: least value.
        high: greatest value.
        whole: whether values are whole numbers.
    """

    low: float
    high: float
    whole: bool = False

    def rvs(self, random_state: np.random.RandomState) -> float:
        """Draw a value; Surprise's search requires SciPy's name for it."""
        return self.at(random_state.uniform(0.0, 1.0))

    def values(self, count: int = 15) -> list[float]:
        """Values at equal distances, where a search takes lists only."""
        return [self.at(n / (count - 1)) for n in range(count)]

    def around(self, best: float) -> "LogUniform":
        """Narrow the distribution around a value, `NARROWING` as wide unless cut off at an end."""
        factor = (self.high / self.low) ** (NARROWING / 2)
        middle = min(max(best, self.low), self.high)
        return self._replace(low=max(self.low, middle / factor), high=min(self.high, middle * factor))

    def at(self, part: float) -> float:
        """Quantile of the distribution."""
        value = self.low * (self.high / self.low) ** part
        return round(value) if self.whole else float(f"{value:.3g}")


SPACE: Mapping[str, LogUniform] = {
    "k": LogUniform(8, 80, whole=True),
    "shrinkage": LogUniform(10, 300),
    "reg_u": LogUniform(0.5, 20),
    "reg_i": LogUniform(0.5, 20),
    "amplification": LogUniform(1, 4),
    "prior": LogUniform(0.001, 0.5),
}
TUNED = tuple(SPACE)


class Scores(NamedTuple):
    """Scored entries to tune on.

    Attributes:
        users: `(n,)` integers, user of each entry.
        items: `(n,)` integers, item of each entry.
        scores: `(n,)` int8, 1-10.
        n_users: number of distinct users.
    """

    users: Array
    items: Array
    scores: Array
    n_users: int


class Tuned(NamedTuple):
    """Result of a search.

    Attributes:
        parameters: the textbook's, with the values of the candidate with the lowest mean RMSE.
        candidates: one row for each candidate, by ascending RMSE. Columns: `rank`; `round`; `rmse`, `rmse_std`, `mae`,
            `mae_std`, score points, mean and standard deviation over the folds; those of `TUNED`; `fit_seconds` and
            `test_seconds`, means over the folds.
        description: description of the search.
    """

    parameters: Parameters
    candidates: pd.DataFrame
    description: str

    @property
    def rmse(self) -> float:
        """Mean RMSE of the best candidate, score points."""
        return float(self.candidates["rmse"].iloc[0])

    @property
    def textbook_rmse(self) -> float:
        """Mean RMSE of the textbook's parameters, which are among the candidates, score points."""
        rows = self.candidates
        same = np.logical_and.reduce([rows[name] == getattr(TEXTBOOK, name) for name in TUNED])
        return float(rows["rmse"][same].iloc[0])


def take_scores(table: RatingTable, n_users: int | None = None, seed: int = 0) -> Scores:
    """Take the scored entries of a table, or of some of its users.

    Args:
        table: the ratings.
        n_users: users to draw at random; None: all, or as many as have about `MOST_SCORES`.
        seed: seed of the draw.

    Raises:
        TableError: there are fewer scores than folds.
    """
    scored = np.asarray(table.scores) > 0
    users, items, scores = (np.asarray(column)[scored] for column in (table.users, table.items, table.scores))
    everyone = np.unique(users)
    if n_users is None:
        n_users = math.ceil(len(everyone) * min(1.0, MOST_SCORES / max(1, len(scores))))
    if n_users < len(everyone):
        drawn = np.random.default_rng(seed).choice(everyone, n_users, replace=False)
        chosen = np.isin(users, drawn)
        users, items, scores = users[chosen], items[chosen], scores[chosen]
    if len(scores) < N_FOLDS:
        raise TableError(f"There are {len(scores)} scores to tune on: fewer than the {N_FOLDS} folds.")
    return Scores(users, items, scores, min(n_users, len(everyone)))


def tune(scores: Scores, n_candidates: int, seed: int = 0, progress: Progress = SILENT) -> Tuned:
    """Search for the hyper-parameters with the lowest RMSE.

    Args:
        scores: what to tune on.
        n_candidates: candidates to draw in all rounds; the textbook's parameters are tried too.
        seed: seed of the candidates and of the folds.
        progress: receives each candidate's fit on each fold.
    """
    frame = pd.DataFrame({"user": scores.users, "item": scores.items, "rating": scores.scores})
    data = Dataset.load_from_df(frame, Reader(rating_scale=(1, MAX_SCORE)))
    space = SPACE
    candidates = pd.DataFrame()
    sizes = [len(part) for part in np.array_split(np.arange(n_candidates), min(N_ROUNDS, n_candidates))]
    with progress.stage("candidates", (n_candidates + 1) * N_FOLDS, "fits") as advance:
        for number, size in enumerate(sizes):
            search = RandomizedSearchCV(
                _reporting(advance),
                _distributions(space),
                n_iter=size,
                measures=["rmse", "mae"],
                cv=KFold(N_FOLDS, random_state=seed),
                n_jobs=1,  # the algorithm itself uses all cores
                random_state=seed + number,
            )
            if number == 0:
                search.param_combinations.insert(0, _arguments(TEXTBOOK))
            search.fit(data)
            candidates = _ranked(pd.concat([candidates, _tabulate(search.cv_results, number + 1)]))
            space = {name: space[name].around(candidates[name].iloc[0]) for name in TUNED}
    best = {name: type(getattr(TEXTBOOK, name))(candidates[name].iloc[0]) for name in TUNED}
    description = (
        f"{len(scores.scores):,} scores of {scores.n_users:,} users, "
        f"{n_candidates + 1} candidates in {len(sizes)} rounds, {N_FOLDS} folds, seed {seed}"
    )
    return Tuned(msgspec.structs.replace(TEXTBOOK, **best), candidates, description)


def save(tuned: Tuned, out: Path) -> None:
    """Write `table.csv`, `rmse.svg` and `params.json` into a directory; each file completely or not at all.

    Raises:
        TableError: one can't be written.
    """
    table = tuned.candidates.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
    plot = _plot(tuned)  # before files are written: it takes a second
    write_whole(out / TABLE, table)
    write_whole(out / PLOT, plot)
    write_whole(out / PARAMETERS, msgspec.json.format(msgspec.json.encode(tuned.parameters), indent=2) + b"\n")


def _reporting(advance: Advance) -> type[HakkenKNNBaseline]:
    """Make the algorithm report each fold; Surprise's search has no other way."""

    class Reporting(HakkenKNNBaseline):
        def test(self, testset: Sequence[tuple[Any, Any, float | None]], verbose: bool = False) -> list[Prediction]:
            predictions = super().test(testset, verbose)
            advance(1)
            return predictions

    return Reporting


def _distributions(space: Mapping[str, LogUniform]) -> dict[str, Any]:
    """The space for Surprise's search, which takes no distributions within its two dictionaries."""
    return {
        "k": space["k"],
        "amplification": space["amplification"],
        "prior": space["prior"],
        "sim_options": {"shrinkage": space["shrinkage"].values()},
        "bsl_options": {
            "reg_u": space["reg_u"].values(),
            "reg_i": space["reg_i"].values(),
            "n_epochs": [TEXTBOOK.n_epochs],
        },
        "verbose": [False],
    }


def _arguments(parameters: Parameters) -> dict[str, Any]:
    """A candidate as arguments of `HakkenKNNBaseline`."""
    return {
        "k": parameters.k,
        "amplification": parameters.amplification,
        "prior": parameters.prior,
        "sim_options": {"shrinkage": parameters.shrinkage},
        "bsl_options": {"reg_u": parameters.reg_u, "reg_i": parameters.reg_i, "n_epochs": parameters.n_epochs},
        "verbose": False,
    }


def _tabulate(results: Mapping[str, Any], number: int) -> pd.DataFrame:
    columns = {
        "round": number,
        "rmse": results["mean_test_rmse"],
        "rmse_std": results["std_test_rmse"],
        "mae": results["mean_test_mae"],
        "mae_std": results["std_test_mae"],
    }
    flat = [given | given["sim_options"] | given["bsl_options"] for given in results["params"]]
    columns |= {name: np.array([one[name] for one in flat]) for name in TUNED}
    columns |= {"fit_seconds": results["mean_fit_time"], "test_seconds": results["mean_test_time"]}
    return pd.DataFrame(columns)


def _ranked(candidates: pd.DataFrame) -> pd.DataFrame:
    ordered = candidates.sort_values("rmse", kind="stable", ignore_index=True)
    return ordered.assign(rank=ordered.index + 1)[["rank", *ordered.columns.drop("rank", errors="ignore")]]


def _plot(tuned: Tuned) -> bytes:
    """Draw RMSE against each parameter as SVG, a point for each candidate; equal searches give equal bytes."""
    rows = tuned.candidates
    with rc_context({"svg.hashsalt": "hakken", "svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 6.4), layout="constrained")
        figure.suptitle(f"RMSE by cross-validation: {tuned.description}", fontsize=10)
        panels = figure.subplots(2, len(TUNED) // 2, sharey=True)
        for panel, name in zip(panels.flat, TUNED, strict=True):
            panel.scatter(rows[name], rows["rmse"], s=16, color="#4c72b0", alpha=0.7, linewidths=0)
            panel.scatter(rows[name][:1], rows["rmse"][:1], s=60, facecolors="none", edgecolors="#c44e52")
            if name == "prior":  # may be 0
                panel.set_xscale("symlog", linthresh=SPACE[name].low)
            else:
                panel.set_xscale("log")
                panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.set_xlabel(f"{name} (best: {rows[name].iloc[0]:g})")
            panel.grid(alpha=0.3)
        for panel in panels[:, 0]:
            panel.set_ylabel("RMSE, score points")
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()
