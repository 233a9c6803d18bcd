"""Hakken's KNN-with-baseline as a scikit-surprise algorithm, a replacement for `surprise.KNNBaseline`.

    r_hat = b_ui + Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij),  w_ij = sim_ij^amplification

With amplification 1 and prior 0 this is Surprise's item-based `KNNBaseline` with `pearson_baseline`: Koren, "Factor in
the neighbors" (TKDD 2010), equations 2-3.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array
from surprise import AlgoBase, Prediction, Trainset

from hakken.model.arrays import Array, Float64s, Int64s
from hakken.training.kernels import interpolate
from hakken.training.matrix import ScoreMatrix, als_baselines
from hakken.training.similarities import all_similarities
from hakken.training.threads import in_parts

SIM_DEFAULTS = {"name": "pearson_baseline", "user_based": False, "shrinkage": 100, "min_support": 1}
BSL_DEFAULTS = {"method": "als", "reg_u": 15, "reg_i": 10, "n_epochs": 10}
ONLY = {"name": "pearson_baseline", "user_based": False, "method": "als"}
"""Options for which Surprise has more values, which are refused here."""
WHOLE = {"k", "min_k", "min_support", "n_epochs"}
UNKNOWN = -1
"""Inner index of a user or an item that is not in the trainset."""


class HakkenKNNBaseline(AlgoBase):  # type: ignore[misc]  # Surprise ships no types
    """A replacement for `surprise.KNNBaseline`, item-based with `pearson_baseline`, which are the defaults here.

    Arguments, predictions, `details`, `get_neighbors`, `sim`, `bu`, `bi`, `bx` and `by` are Surprise's. `sim` is
    float64 too: float32 would save a tenth of the time, and choose other neighbours if similarities are almost equal. A
    pair whose residuals are all 0 has similarity 0; Surprise divides by zero.

    Args:
        k: neighbours used for a prediction, at most.
        min_k: with fewer neighbours, the prediction is the baseline.
        sim_options: `shrinkage` (100) and `min_support` (1); also `name` and `user_based`, with one value each.
        bsl_options: `reg_u` (15), `reg_i` (10) and `n_epochs` (10); also `method`, with one value, `als`.
        verbose: whether to print each step.
        amplification: exponent on a similarity when neighbours are weighted, see `hakken.model.Parameters`.
        prior: added to the sum of the weights, see there.

    Raises:
        ValueError: an unknown option, which Surprise ignores, or an invalid value.
    """

    bu: Any  # arrays of float64; AlgoBase sets None before a fit
    bi: Any

    def __init__(
        self,
        k: int = 40,
        min_k: int = 1,
        sim_options: Mapping[str, Any] | None = None,
        bsl_options: Mapping[str, Any] | None = None,
        verbose: bool = True,
        *,
        amplification: float = 1.0,
        prior: float = 0.0,
    ) -> None:
        # Copies: AlgoBase modifies its dictionaries, and a search passes the same ones to all candidates.
        sim_options = _complete("sim_options", sim_options or {}, SIM_DEFAULTS)
        bsl_options = _complete("bsl_options", bsl_options or {}, BSL_DEFAULTS)
        own = {"k": k, "min_k": min_k, "amplification": amplification, "prior": prior}
        for name, value in {**own, **sim_options, **bsl_options}.items():
            _require(name, value)
        if amplification == 0:
            raise ValueError("amplification must be above 0: it is the exponent on a similarity.")
        super().__init__(sim_options=sim_options, bsl_options=bsl_options)
        self.k, self.min_k, self.verbose = k, min_k, verbose
        self.amplification, self.prior = amplification, prior

    def fit(self, trainset: Trainset) -> Self:
        """Compute biases and similarities.

        Raises:
            ValueError: the trainset holds no rating.
        """
        super().fit(trainset)
        indptr, items, ratings = _rows_of(trainset)
        # Counting sorts, which keep repeated pairs; the scores of this matrix are float64, on any scale.
        numbered = csr_array((np.arange(len(items)), items, indptr), shape=(trainset.n_users, trainset.n_items))
        order = numbered.tocsc().tocsr().data
        users = np.repeat(np.arange(trainset.n_users, dtype=np.int32), np.diff(indptr))
        self._matrix = ScoreMatrix.of_entries(users, items[order], ratings[order], trainset.n_users, trainset.n_items)
        self.n_x, self.n_y, self.xr, self.yr = trainset.n_items, trainset.n_users, trainset.ir, trainset.ur
        self.compute_baselines()
        self.bx, self.by = self.bi, self.bu
        per_entry = np.repeat(self._matrix.mu + self.bu, np.diff(indptr)) + self.bi[items]
        self._entries = indptr, items, ratings - per_entry
        self.sim = self.compute_similarities()
        return self

    def compute_baselines(self) -> tuple[Float64s, Float64s]:
        """Estimate `bu` `(n_users,)` and `bi` `(n_items,)`, float64, score points, once for each `fit`."""
        if self.bu is not None:
            return self.bu, self.bi
        if self.verbose:
            print("Estimating biases using als...")  # noqa: T201 - as Surprise does when it is asked to
        reg_u, reg_i, n_epochs = (self.bsl_options[name] for name in ("reg_u", "reg_i", "n_epochs"))
        self.bu, self.bi = als_baselines(self._matrix, float(reg_u), float(reg_i), int(n_epochs))
        return self.bu, self.bi

    def compute_similarities(self) -> Float64s:
        """Compute `all_similarities`, by inner id, on all cores."""
        if self.verbose:
            print("Computing the pearson_baseline similarity matrix...")  # noqa: T201 - the same
        residuals = self._matrix.residuals(*self.compute_baselines())
        shrinkage = float(self.sim_options["shrinkage"])
        min_support = min(int(self.sim_options["min_support"]), 2**62)  # whatever fits into 64 bits
        sim = all_similarities(self._matrix, residuals, shrinkage, min_support)
        if self.verbose:
            print("Done computing similarity matrix.")  # noqa: T201 - the same
        return sim

    def estimate(self, u: int, i: int) -> float | tuple[float, dict[str, int]]:
        """Predict one rating; `AlgoBase.predict` calls this, with strings for ids that are not in the trainset.

        Returns:
            `r_hat` in score points, not clipped, with `actual_k`, the number of neighbours; for an unknown user or item
            only the known part of the baseline.
        """
        knows_user, knows_item = self.trainset.knows_user(u), self.trainset.knows_item(i)
        baseline = self._matrix.mu + (self.bu[u] if knows_user else 0.0) + (self.bi[i] if knows_item else 0.0)
        if not (knows_user and knows_item):
            return float(baseline)
        added, counts = np.zeros(1), np.zeros(1, dtype=np.int64)
        interpolate(0, 1, added, counts, *self._interpolated(np.array([u]), np.array([i])))
        return float(baseline + added[0]), {"actual_k": int(counts[0])}

    def test(self, testset: Iterable[tuple[Any, Any, float | None]], verbose: bool = False) -> list[Prediction]:
        """Predict all ratings of a testset, raw ids and true ratings, at once; each equals `predict` to the bit."""
        if (type(self).predict, type(self).estimate) != (AlgoBase.predict, HakkenKNNBaseline.estimate):
            return list(super().test(testset, verbose))  # a subclass predicts otherwise, one by one
        testset = list(testset)
        users = _inner_ids(self.trainset.to_inner_uid, [u for u, _, _ in testset])
        items = _inner_ids(self.trainset.to_inner_iid, [i for _, i, _ in testset])
        baseline = self._matrix.mu + np.where(users != UNKNOWN, self.bu[users], 0.0)
        baseline += np.where(items != UNKNOWN, self.bi[items], 0.0)
        known = np.flatnonzero((users != UNKNOWN) & (items != UNKNOWN))
        known = known[np.argsort(items[known], kind="stable")]
        added, counts = np.zeros(len(known)), np.zeros(len(known), dtype=np.int64)
        in_parts(interpolate, added, counts, *self._interpolated(users[known], items[known]))
        baseline[known] += added
        actual_k = np.full(len(testset), UNKNOWN)
        actual_k[known] = counts
        estimates = baseline.clip(*self.trainset.rating_scale).tolist()
        predictions = [
            Prediction(u, i, r_ui, est, ({} if n == UNKNOWN else {"actual_k": n}) | {"was_impossible": False})
            for (u, i, r_ui), est, n in zip(testset, estimates, actual_k.tolist(), strict=True)
        ]
        for prediction in predictions if verbose else ():
            print(prediction)  # noqa: T201 - as Surprise does when it is asked to
        return predictions

    def _interpolated(self, users: Int64s, items: Int64s) -> tuple[Any, ...]:
        """Arguments of `interpolate` for pairs of inner ids."""
        longest = int(np.diff(self._entries[0]).max())  # no user has more neighbours, and k may be any number
        k, min_k = min(int(self.k), longest), min(int(self.min_k), longest + 1)
        return users, items, *self._entries, self.sim, k, min_k, float(self.amplification), float(self.prior)


def _complete(what: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    for name in given.keys() - defaults.keys():
        raise ValueError(f"{what} has no option {name!r} here; the options are {', '.join(defaults)}.")
    return {**defaults, **given}


def _require(name: str, value: object) -> None:
    """Refuse other values than the only one, and numbers below 0 or infinite; NumPy's are numbers, booleans are not."""
    if name in ONLY:
        if (value.lower() if isinstance(value, str) else value) != ONLY[name]:
            raise ValueError(f"{name} can only be {ONLY[name]!r} here, not {value!r}; surprise.KNNBaseline has more.")
        return
    kinds = (int, np.integer) if name in WHOLE else (int, np.integer, float, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be {'a whole' if name in WHOLE else 'a'} number, 0 or above, not {value!r}.")


def _rows_of(trainset: Trainset) -> tuple[Int64s, Array, Float64s]:
    """Where each user's entries begin; of each entry the item, `(n,)` uint32, and the rating, `(n,)` float64.

    They have the trainset's order, by which Surprise decides between equal similarities. No object is created for each.
    """
    ratings = [trainset.ur.get(u, ()) for u in range(trainset.n_users)]
    indptr = np.cumsum([0, *map(len, ratings)], dtype=np.int64)
    if not indptr[-1]:
        raise ValueError("The trainset holds no rating: there is nothing to train from.")
    numbers = chain.from_iterable(chain.from_iterable(ratings))
    pairs = np.fromiter(numbers, np.float64, 2 * int(indptr[-1])).reshape(-1, 2)
    return indptr, pairs[:, 0].astype(np.uint32), pairs[:, 1].copy()


def _inner_ids(to_inner: Callable[[Any], int], raw_ids: list[Any]) -> Int64s:
    """Look up each distinct raw id once; `(len(raw_ids),)` int64, `UNKNOWN` for ids that are not in the trainset."""
    inner = dict.fromkeys(raw_ids, UNKNOWN)
    for raw in inner:
        with suppress(ValueError):
            inner[raw] = to_inner(raw)
    return np.fromiter(map(inner.__getitem__, raw_ids), np.int64, len(raw_ids))
