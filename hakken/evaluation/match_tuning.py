"""Tune what is learnt from watching: preference weights, match, and the implicit term of predicted ratings.

This is Optuna's search (tree-structured Parzen estimator: Bergstra et al., "Algorithms for hyper-parameter
optimization", NIPS 2011) on splits of one table by the protocol with salts of its own. The objective is how well the
two kinds of lists find held-out titles that were liked: the mean of NDCG@10 liked over all titles, and over new series
for the default list. The search first chooses the weights, then, with the best of them, the constants of the match. The
implicit term follows by least squares, for several values of `trust`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import optuna
import pandas as pd
from scipy.optimize import lsq_linear

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.evaluation import metrics
from hakken.evaluation.hakken_method import RANKING, ranked_ids, unsaved
from hakken.evaluation.method import Answer
from hakken.evaluation.protocol import Split, of_users, split
from hakken.evaluation.series_keys import keys_of
from hakken.model import Parameters, fold_in, predict, preference
from hakken.model.arrays import Float64s
from hakken.model.prediction import IMPLICIT_RANGE
from hakken.model.preference import USUAL_LENGTH
from hakken.ratings import Preferences
from hakken.training import fit
from hakken.training.parameters import write_whole
from hakken.training.pipeline import Fitted, with_preference_weights
from hakken.training.progress import SILENT, Advance, Progress
from hakken.training.tables import RatingTable

SALTS = ("tuning 1", "tuning 2", "tuning 3")
LISTS = {
    "liked": msgspec.structs.replace(RANKING, n=metrics.TOP),
    "discovery_liked": Preferences(n=2 * metrics.TOP),
}
# Least and greatest value of each constant, on a logarithmic scale.
WEIGHTS: Mapping[str, tuple[float, float]] = {
    "liking": (0.05, 0.4),
    "unscored": (0.25, 1),
    "unknown": (0.1, 1),
    "planned": (0.1, 1),
    "activity": (0.05, 0.4),
    "pref_reg": (30, 200),
    "dropout": (0.05, 0.5),
    "late": (30, 300),
}
MATCH: Mapping[str, tuple[float, float]] = {
    "novelty": (0.02, 0.2),
    "pull": (0.05, 0.5),
    "quality": (0.02, 0.3),
    "everyone": (0.005, 0.1),
    "skipped": (1, 2.5),
    "ahead": (0.3, 1),
}
TRUST = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3)
IMPLICIT = ("implicit_offset", "implicit_slope", "implicit_length")
TABLE = "match.csv"


class Candidate(NamedTuple):
    """A candidate and its quality.

    Attributes:
        stage: "weights" or "match".
        trial: 0 for the start of the stage.
        value: mean of the two metrics.
        liked: NDCG@10 liked, all titles, mean over the splits.
        discovery_liked: the same of the default list over new series.
        parameters: the candidate.
    """

    stage: str
    trial: int
    value: float
    liked: float
    discovery_liked: float
    parameters: Parameters


class TunedMatch(NamedTuple):
    """Result of the search.

    Attributes:
        parameters: the start, with the best values found.
        candidates: in the order in which they were tried; none if there was no search.
    """

    parameters: Parameters
    candidates: list[Candidate]

    @property
    def table(self) -> pd.DataFrame:
        """A row for each candidate, with its constants in columns."""
        constants = [{name: getattr(one.parameters, name) for name in (*WEIGHTS, *MATCH)} for one in self.candidates]
        rows = pd.DataFrame([one._asdict() for one in self.candidates]).drop(columns="parameters")
        return pd.concat([rows, pd.DataFrame(constants)], axis=1)


def sampled(table: RatingTable, n_users: int | None, seed: int) -> RatingTable:
    """All entries of `n_users` users drawn at random; the whole table if it has no more users, or for None."""
    total = table.n_users
    if n_users is None or n_users >= total:
        return table
    chosen = np.zeros(total, dtype=np.bool_)
    chosen[np.random.default_rng(seed).choice(total, n_users, replace=False)] = True
    return of_users(table, chosen)


def tune_match(
    table: RatingTable,
    catalogue: Catalogue,
    start: Parameters,
    n_candidates: int,
    *,
    seed: int = 0,
    progress: Progress = SILENT,
) -> TunedMatch:
    """Search for the constants whose lists find most of what people went on to like.

    Args:
        table: the ratings, with user ids; all of it is used.
        catalogue: of its titles; if it is empty, nothing is known of series.
        start: start of the search; the parameters of KNN-with-baseline do not change.
        n_candidates: candidates to draw, a third of them for the weights; each stage also tries its start.
        seed: seed of the draws.
        progress: receives each candidate.

    Raises:
        TableError: the table is too small to be split.
    """
    divided = [split(table, salt) for salt in SALTS]  # all of them first: a table that cannot be split fails at once
    with progress.stage("fitting the splits", len(SALTS), "models") as advance:
        folds = []
        for one in divided:
            folds.append(_Fold(one, catalogue, start))
            advance(1)

    def measure(parameters: Parameters) -> tuple[float, float]:
        liked, discovery_liked = np.mean([fold.measure(parameters) for fold in folds], axis=0).tolist()
        return liked, discovery_liked

    candidates: list[Candidate] = []
    best = start
    for_weights = max(1, n_candidates // 3)
    for stage, space, n in (("weights", WEIGHTS, for_weights), ("match", MATCH, n_candidates - for_weights)):
        with progress.stage(f"tuning the {stage}", n + 1, "candidates") as advance:
            tried = search(stage, space, best, measure, n_candidates=n, seed=seed, advance=advance)
        best = max(tried, key=lambda one: one.value).parameters  # the first of equal ones
        candidates += tried
    with progress.stage("tuning trust", len(TRUST), "values") as advance:
        fits = []
        for trust in TRUST:
            trusting = msgspec.structs.replace(best, trust=trust)
            error, implicit = _least_squares(np.concatenate([fold.residuals(trusting) for fold in folds]))
            fits.append((error, msgspec.structs.replace(trusting, **implicit)))
            advance(1)
    return TunedMatch(min(fits, key=lambda one: one[0])[1], candidates)


def save(tuned: TunedMatch, out: Path) -> None:
    """Write `match.csv`; without candidates, remove that of an earlier search.

    Raises:
        TableError: it can't be written.
    """
    if tuned.candidates:
        write_whole(out / TABLE, tuned.table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    else:
        (out / TABLE).unlink(missing_ok=True)


def search(
    stage: str,
    space: Mapping[str, tuple[float, float]],
    start: Parameters,
    measure: Callable[[Parameters], tuple[float, float]],
    *,
    n_candidates: int,
    seed: int,
    advance: Advance,
) -> list[Candidate]:
    """Search for the best values of some constants.

    Args:
        stage: name of the stage.
        space: least and greatest value of each constant.
        start: tried first.
        measure: NDCG@10 liked of a candidate's two lists.
        n_candidates: candidates to draw.
        seed: seed of the draws.
        advance: called with 1 for each candidate.

    Returns:
        The start and the candidates, in the order in which they were tried.
    """
    tried: list[Candidate] = []

    def objective(trial: optuna.Trial) -> float:
        drawn = {name: trial.suggest_float(name, *bounds, log=True) for name, bounds in space.items()}
        chosen = {name: float(f"{value:.3g}") for name, value in drawn.items()}
        parameters = msgspec.structs.replace(start, **chosen) if trial.number else start
        liked, discovery_liked = measure(parameters)
        value = (liked + discovery_liked) / 2
        tried.append(Candidate(stage, trial.number, value, liked, discovery_liked, parameters))
        advance(1)
        return value

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: getattr(start, name) for name in space})
    study.optimize(objective, n_trials=n_candidates + 1)
    return tried


class _Fold:
    """A split, and the model of its training users, whose weights are trained again only when they change."""

    def __init__(self, divided: Split, catalogue: Catalogue, start: Parameters) -> None:
        self._split = divided
        self._catalogue = catalogue
        self._keys = keys_of(catalogue)
        self._fitted: Fitted = fit(divided.training, start, catalogue)

    def measure(self, parameters: Parameters) -> tuple[float, float]:
        """NDCG@10 liked of the two lists: over all titles, and over new series by default."""
        bundle, users = self._bundle(parameters), self._split.users
        everything, default = ([ranked_ids(user, bundle, chosen) for user in users] for chosen in LISTS.values())
        liked = metrics.ndcg([list(map(str, one)) for one in everything], [map(str, user.liked) for user in users])
        discovered = [
            metrics.discoveries(Answer([], one, None), user, self._keys)
            for one, user in zip(default, users, strict=True)
        ]
        new = [metrics.new_series(user.liked, user, self._keys) for user in users]
        return liked.mean, metrics.ndcg(discovered, new).mean

    def residuals(self, parameters: Parameters) -> Float64s:
        """For each held-out score, `(n, 3)`: residual after the neighbours, clipped p_ui, and ln(n_u / 100)."""
        plain = self._bundle(msgspec.structs.replace(parameters, **dict.fromkeys(IMPLICIT, 0.0))).model
        found = [np.zeros((0, 3))]
        for user in self._split.users:
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

    def _bundle(self, parameters: Parameters) -> ModelBundle:
        before = self._fitted.manifest.parameters
        if any(getattr(before, name) != getattr(parameters, name) for name in WEIGHTS):
            self._fitted = with_preference_weights(self._fitted, self._split.training, parameters, self._catalogue)
        return unsaved(self._fitted, self._catalogue, parameters)


def _least_squares(residuals: Float64s) -> tuple[float, dict[str, Any]]:
    """Squared error that the best implicit term leaves, and that term; slope and length effect cannot be negative."""
    left, wanted, length = residuals.T
    design = np.column_stack((np.ones(len(left)), wanted, -length))
    found = lsq_linear(design, left, bounds=([-np.inf, 0.0, 0.0], np.inf))
    constants = {name: float(f"{value:.3g}") for name, value in zip(IMPLICIT, found.x.tolist(), strict=True)}
    return float(found.cost), constants
