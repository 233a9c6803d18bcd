"""Tune what is learnt from watching: preference weights, match, and the implicit term of predicted ratings.

Optuna searches (tree-structured Parzen estimator: Bergstra et al., "Algorithms for hyper-parameter optimization", NIPS
2011) on splits of one table by the protocol with salts of its own. The objective is how well the two kinds of lists
find held-out titles that were liked: the mean of NDCG@10 liked over all titles, and over new series for the default
list. The search first chooses the weights, then, with the best of them, the constants of the match. The implicit term
follows by least squares, for several values of `trust` and then of `trend_reg`.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import optuna
import pandas as pd
from scipy.optimize import lsq_linear

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.errors import TableError
from hakken.evaluation import metrics
from hakken.evaluation.methods import RANKING, Answer, ranked_ids, unsaved
from hakken.evaluation.metrics import SeriesKeys, series_keys
from hakken.evaluation.protocol import Split, split
from hakken.model import Parameters, fold_in, predict, preference
from hakken.model.arrays import Float64s
from hakken.model.prediction import IMPLICIT_RANGE
from hakken.model.preference import USUAL_LENGTH
from hakken.model.trees import no_trees
from hakken.ratings import Preferences
from hakken.training import fit
from hakken.training.pipeline import Fitted, with_preference_weights, with_second_stage
from hakken.training.progress import SILENT, Progress
from hakken.training.tables import RatingTable
from hakken.training.tuning import N_FOLDS, Space, rounded

MOST_SCORES = 2_000_000
"""A table with more scores is tuned on a sample of its users by default."""
SALTS = ("tuning 1", "tuning 2", "tuning 3")
RANKED = msgspec.structs.replace(RANKING, n=metrics.TOP)
LISTED = Preferences(n=2 * metrics.TOP)
WEIGHTS: Space = {
    "liking": (0.05, 0.4),
    "unscored": (0.25, 1),
    "unknown": (0.1, 1),
    "planned": (0.1, 1),
    "activity": (0.05, 0.4),
    "pref_reg": (30, 200),
    "dropout": (0.05, 0.5),
    "late": (30, 300),
}
MATCH: Space = {
    "novelty": (0.02, 0.2),
    "pull": (0.05, 0.5),
    "quality": (0.02, 0.3),
    "everyone": (0.005, 0.1),
    "skipped": (1, 2.5),
    "ahead": (0.3, 1),
}
SECOND_STAGE = {"trees": (0, 50, 100, 200), "aversion": (0.0, 0.25, 0.5, 1.0)}
OF_RATINGS = {
    "trust": (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3),
    "trend_reg": (0.0, 12.5, 25.0, 50.0, 100.0, 200.0),
}
"""What is tried for predicted ratings, one parameter after the other, each time with the best implicit term."""
IMPLICIT = ("implicit_offset", "implicit_slope", "implicit_length")
TUNED = (*WEIGHTS, *MATCH, *SECOND_STAGE, *OF_RATINGS, *IMPLICIT)


def sampled(table: RatingTable, n_users: int | None, seed: int) -> RatingTable:
    """Take all entries of some users with a score, drawn at random, or the whole table if it has no more of them.

    None stands for as many as have about `MOST_SCORES`.

    Raises:
        TableError: there are fewer scores than folds.
    """
    scored = table.scores > 0
    users = np.unique(table.users[scored])
    n_scores = int(np.count_nonzero(scored))
    if n_users is None:
        n_users = math.ceil(len(users) * min(1.0, MOST_SCORES / max(1, n_scores)))
    if n_users < len(users):
        drawn = np.random.default_rng(seed).choice(users, n_users, replace=False)
        table = table.of_users(np.isin(np.arange(table.n_users), drawn))
        n_scores = int(np.count_nonzero(table.scores))
    if n_scores < N_FOLDS:
        raise TableError(f"There are {n_scores} scores to tune on: fewer than the {N_FOLDS} folds.")
    return table


def tune_match(
    table: RatingTable,
    catalogue: Catalogue,
    start: Parameters,
    n_candidates: int,
    *,
    seed: int = 0,
    progress: Progress = SILENT,
) -> tuple[Parameters, pd.DataFrame]:
    """Search for the constants whose lists find most of what people went on to like.

    The table must have user ids; with an empty catalogue nothing is known of series. The parameters of KNN-with-
    baseline do not change. A third of the `n_candidates` are drawn for the weights, the others for the match; each
    stage also tries its start.

    Returns:
        The start, with the best values found; and one row for each candidate, in the order in which they were tried:
        `stage`, "weights", "match" or "second stage"; `round`, 0 for the start of the stage, then counted; `liked`,
        NDCG@10 liked of all titles, and `discovery_liked`, that of the default list over new series, means over the
        splits; `value`, their mean; and the constants.

    Raises:
        TableError: the table is too small to be split.
    """
    without = msgspec.structs.replace(start, trees=0)
    divided = [split(table, salt) for salt in SALTS]  # all of them first: a table that cannot be split fails at once
    folds, keys = [], series_keys(catalogue)
    with progress.stage("fitting the splits", len(SALTS), "models") as advance:
        for one in divided:
            folds.append(_Fold(one, catalogue, keys, fit(one.training, without, catalogue)))
            advance(1)

    def measure(parameters: Parameters) -> Float64s:
        return np.asarray(np.mean([fold.measure(parameters) for fold in folds], axis=0))

    best, rows, for_weights = without, [], max(1, n_candidates // 3)
    for stage, space, n in (("weights", WEIGHTS, for_weights), ("match", MATCH, n_candidates - for_weights)):
        best, tried = search(stage, space, best, measure, n=n, seed=seed, progress=progress)
        rows += tried
    most = msgspec.structs.replace(best, trees=max(start.trees, *SECOND_STAGE["trees"]))
    with progress.stage("training the trees", len(folds), "models") as advance:
        for fold in folds:
            fold.train_trees(most)
            advance(1)
    best, tried = choose(msgspec.structs.replace(best, trees=start.trees), measure, progress)
    rows += tried
    with progress.stage("tuning ratings", sum(map(len, OF_RATINGS.values())), "candidates") as advance:
        for name, values in OF_RATINGS.items():
            fits = []
            for value in values:
                parameters = msgspec.structs.replace(best, **{name: value})
                error, implicit = _least_squares(np.concatenate([fold.residuals(parameters) for fold in folds]))
                fits.append((error, msgspec.structs.replace(parameters, **implicit)))
                advance(1)
            best = min(fits, key=lambda one: one[0])[1]
    return best, pd.DataFrame(rows)


def search(
    stage: str,
    space: Space,
    start: Parameters,
    measure: Callable[[Parameters], Float64s],
    *,
    n: int,
    seed: int,
    progress: Progress,
) -> tuple[Parameters, list[dict[str, Any]]]:
    """Try the start and `n` candidates; `measure` returns NDCG@10 liked of the two lists.

    Returns:
        The best of them, and the rows of all.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: getattr(start, name) for name in space})
    best, rows = start, []
    with progress.stage(f"tuning the {stage}", n + 1, "candidates") as advance:
        for number in range(n + 1):
            trial = study.ask()
            drawn = {name: rounded(trial.suggest_float(name, *ends, log=True)) for name, ends in space.items()}
            parameters = msgspec.structs.replace(start, **drawn)
            rows.append(_tried(stage, number, parameters, measure))
            study.tell(trial, rows[-1]["value"])
            if study.best_trial.number == number:
                best = parameters
            advance(1)
    return best, rows


def choose(
    start: Parameters, measure: Callable[[Parameters], Float64s], progress: Progress
) -> tuple[Parameters, list[dict[str, Any]]]:
    """Try the start, and then each value of `SECOND_STAGE`, one parameter after the other; returns as `search`."""
    stage = "second stage"
    best, rows = start, [_tried(stage, 0, start, measure)]
    value = rows[0]["value"]
    with progress.stage(f"tuning the {stage}", sum(map(len, SECOND_STAGE.values())), "candidates") as advance:
        for name, values in SECOND_STAGE.items():
            before = best
            for one in values:
                if one != getattr(before, name):
                    parameters = msgspec.structs.replace(before, **{name: one})
                    rows.append(_tried(stage, len(rows), parameters, measure))
                    if rows[-1]["value"] > value:
                        best, value = parameters, rows[-1]["value"]
                advance(1)
    return best, rows


def _tried(
    stage: str, number: int, parameters: Parameters, measure: Callable[[Parameters], Float64s]
) -> dict[str, Any]:
    """The row of a candidate."""
    liked, discovery = measure(parameters).tolist()
    row = {"stage": stage, "round": number, "value": (liked + discovery) / 2}
    row |= {"liked": liked, "discovery_liked": discovery}
    return row | {name: getattr(parameters, name) for name in (*WEIGHTS, *MATCH, *SECOND_STAGE)}


@dataclasses.dataclass
class _Fold:
    """A split, and the model of its training users, whose weights are trained again only when they change.

    Its trees are those of `train_trees`; a candidate with fewer has the first of them.
    """

    split: Split
    catalogue: Catalogue
    keys: SeriesKeys
    fitted: Fitted

    def train_trees(self, parameters: Parameters) -> None:
        """Train trees, of which later candidates may have fewer."""
        fitted = self._with_weights(parameters)
        self.fitted = with_second_stage(fitted, self.split.training, parameters, self.catalogue)

    def measure(self, parameters: Parameters) -> tuple[float, float]:
        """NDCG@10 liked of the two lists: over all titles, and over new series by default."""
        bundle, users, keys = self._bundle(parameters), self.split.users, self.keys
        everything, default = ([ranked_ids(user, bundle, chosen) for user in users] for chosen in (RANKED, LISTED))
        shown = [metrics.discoveries(Answer([], one), user, keys) for one, user in zip(default, users, strict=True)]
        new = [metrics.new_series(user.liked, user, keys) for user in users]
        return metrics.ndcg(everything, [user.liked for user in users]).mean, metrics.ndcg(shown, new).mean

    def residuals(self, parameters: Parameters) -> Float64s:
        """For each held-out score, `(n, 3)`: residual after the neighbours, clipped p_ui, and ln(n_u / 100)."""
        plain = self._bundle(msgspec.structs.replace(parameters, **dict.fromkeys(IMPLICIT, 0.0))).model
        found = [np.zeros((0, 3))]
        for user in self.split.users:
            scores = {anime_id: score for anime_id, score in user.held_out.items() if score}
            rows, known = plain.rows_of(list(scores))
            known &= plain.arrays.raters[rows] > 0
            visitor = fold_in(plain, user.given)
            if n_watched := visitor.taste.n_watched:
                left = np.array(list(scores.values()), dtype=np.float64) - predict(plain, visitor, rows)
                wanted = preference(plain, visitor.taste)[rows].clip(*IMPLICIT_RANGE)
                length = np.full(len(rows), np.log(n_watched / USUAL_LENGTH))
                found.append(np.column_stack((left, wanted, length))[known])
        return np.concatenate(found)

    def _with_weights(self, parameters: Parameters) -> Fitted:
        before = self.fitted.manifest.parameters
        if any(getattr(before, name) != getattr(parameters, name) for name in WEIGHTS):
            self.fitted = with_preference_weights(self.fitted, self.split.training, parameters, self.catalogue)
        return self.fitted

    def _bundle(self, parameters: Parameters) -> ModelBundle:
        fitted = self._with_weights(parameters)
        trees = {name: getattr(fitted.arrays, name)[:, : parameters.trees] for name in no_trees()}
        fewer = fitted._replace(arrays=dataclasses.replace(fitted.arrays, **trees))
        return unsaved(fewer, self.catalogue, parameters)


def _least_squares(residuals: Float64s) -> tuple[float, dict[str, Any]]:
    """Squared error that the best implicit term leaves, and that term; slope and length effect cannot be negative."""
    left, wanted, length = residuals.T
    design = np.column_stack((np.ones(len(left)), wanted, -length))
    found = lsq_linear(design, left, bounds=([-np.inf, 0.0, 0.0], np.inf))
    return float(found.cost), dict(zip(IMPLICIT, map(rounded, found.x.tolist()), strict=True))
