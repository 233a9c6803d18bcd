"""Trends of predicted ratings. `tests/unit/test_golden.py` holds every formula against the oracle."""

import numpy as np
import pytest

from hakken.bundle import ModelBundle
from hakken.model import ListColumns, fold_in, predict
from hakken.model.prediction import baseline
from hakken.ratings import Rating, UserList
from tests.models import with_parameters


@pytest.mark.parametrize(
    ("covariate", "slope"), [(0, 0.8), (0, -1.0), (1, 1.0), (2, 1.0)], ids=["further", "the same", "popular", "new"]
)
def test_someone_whose_scores_follow_a_trend_is_predicted_to_go_on_with_it(
    bundle: ModelBundle, covariate: int, slope: float
) -> None:
    """Scores further from the mean than others' are, all the same, higher for what is popular, or for what is new."""
    model, arrays = bundle.model, bundle.model.arrays
    z = model.trend_covariates[:, covariate]
    would_give = (model.mu + arrays.b_i + slope * (z - z.mean())).clip(1, 10)
    given, asked = np.arange(0, model.n_items, 2), np.arange(1, model.n_items, 2)
    no = np.zeros(len(given), dtype=np.bool_)
    scores = would_give[given].round().astype(np.int64)
    columns = ListColumns(arrays.anime_ids[given].astype(np.int64), scores, no, no)

    def error(trend_reg: float) -> float:
        other = with_parameters(bundle, trend_reg=trend_reg).model
        return float(np.abs(predict(other, fold_in(other, columns), asked) - would_give[asked]).mean())

    assert error(5.0) < 0.85 * error(0.0)
    visitor = fold_in(with_parameters(bundle, trend_reg=5.0).model, columns)
    assert np.sign(visitor.slopes[covariate]) == np.sign(slope)
    np.testing.assert_allclose(baseline(model, visitor, visitor.rows) + visitor.residuals, scores)


@pytest.mark.parametrize("trend_reg", [1e-300, 1e-18, 1e9])
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_list_that_is_too_short_for_a_trend_is_predicted_whatever_the_regulariser(
    bundle: ModelBundle, n: int, trend_reg: float
) -> None:
    model = with_parameters(bundle, trend_reg=trend_reg).model
    listed = UserList.of(Rating(anime_id, 7) for anime_id in model.arrays.anime_ids[:n].tolist())
    assert np.isfinite(predict(model, fold_in(model, listed))).all()
