"""What is compared: each method against its formula, worked out slowly, or against its own library's word."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.cli.evaluate import METHODS
from hakken.errors import TableError
from hakken.evaluation import protocol
from hakken.evaluation.comparison import makers
from hakken.evaluation.comparison_methods import surprise_methods
from hakken.evaluation.comparison_methods.implicit_feedback import (
    REGULARISATION,
    Als,
    Ease,
    Ease200,
    ItemKnn,
    cut,
    ease_weights,
)
from hakken.evaluation.comparison_methods.simple import Baseline, ItemMean, Original, Popularity
from hakken.evaluation.comparison_methods.surprise_methods import (
    SurpriseKnnBaseline,
    SurpriseMethod,
    SurpriseSvd,
    SurpriseSvdpp,
)
from hakken.evaluation.hakken_method import DEFAULT, RANKING, Hakken
from hakken.evaluation.method import Method
from hakken.evaluation.protocol import Split, split
from hakken.model import TEXTBOOK, fold_in, predict, store
from hakken.model.arrays import Array
from hakken.recommend import recommend
from hakken.training.tables import read_ratings
from tests import oracle
from tests.models import PARAMETERS, small_catalogue
from tests.training.learning import train
from tests.training.recorded_progress import RecordedProgress

FEW = 4
"""Users that a slow version is worked out for."""


@pytest.fixture(scope="module")
def divided(small_ratings_csv: Path) -> Split:
    return split(read_ratings(small_ratings_csv), "hakken")


@pytest.fixture(scope="module")
def matrix(divided: Split) -> Array:
    """`(n_users, n_items)`: 1 where the training user has the item on their list."""
    table = divided.training
    whole = np.zeros((table.n_users, divided.n_items))
    whole[table.users, table.items] = 1
    return whole


def row_of(divided: Split, user: protocol.TestUser) -> Array:
    ids = {rating.anime_id for rating in user.given.ratings}
    return np.array([float(anime_id in ids) for anime_id in divided.training.anime_ids.tolist()])


def fitted(method_class: type[Method], divided: Split) -> Method:
    method = method_class()
    method.fit(divided)
    return method


def test_the_names_that_the_command_offers_are_those_of_the_methods(divided: Split) -> None:
    made = makers(PARAMETERS, Catalogue([]))
    assert tuple(made) == METHODS
    methods = [make() for make in made.values()]
    assert [method.name for method in methods] == list(METHODS)
    assert len({method.title for method in methods}) == len(METHODS)
    assert {method.name for method in methods if not method.folds_in} == {"knn-baseline", "svd", "svdpp"}
    assert divided.users


def test_a_ranking_is_all_titles_but_those_of_the_list_and_the_lower_id_wins_a_tie(divided: Split) -> None:
    method = fitted(Popularity, divided)
    counts = np.bincount(divided.training.anime_ids[divided.training.items])
    for user in divided.users[:FEW]:
        on_list = {rating.anime_id for rating in user.given.ratings}
        others = [anime_id for anime_id in divided.training.anime_ids.tolist() if anime_id not in on_list]
        answer = method.answer(user)
        assert answer.ranking == sorted(others, key=lambda anime_id: (-counts[anime_id], anime_id))
        assert answer.default_list is None
        assert answer.r_hat is None


def test_item_means_and_baselines_are_those_of_their_formulas(divided: Split) -> None:
    table = divided.training
    scores = oracle.scores_of(table)
    mu = oracle.mean(scores)
    by_item = [[r for (_, i), r in scores.items() if i == item] for item in range(divided.n_items)]
    means = [sum(one) / len(one) if one else mu for one in by_item]
    assert fitted(ItemMean, divided).answer(divided.users[0]).r_hat == pytest.approx(means)
    _, b_i = oracle.baselines(scores, table.n_users, divided.n_items, TEXTBOOK.reg_u, TEXTBOOK.reg_i, 10)
    places = {anime_id: item for item, anime_id in enumerate(table.anime_ids.tolist())}
    method = fitted(Baseline, divided)
    for user in divided.users[:FEW]:
        off = [r.score - mu - b_i[places[r.anime_id]] for r in user.given.scored if r.anime_id in places]
        b_u = sum(off) / (TEXTBOOK.reg_u + len(off))
        assert method.answer(user).r_hat == pytest.approx(np.array(b_i) + mu + b_u)


def test_the_originals_rule_is_knn_with_baseline_over_all_neighbours(divided: Split) -> None:
    table = divided.training
    scores = oracle.scores_of(table)
    mu = oracle.mean(scores)
    sizes = TEXTBOOK.reg_u, TEXTBOOK.reg_i, TEXTBOOK.n_epochs
    b_u, b_i = oracle.baselines(scores, table.n_users, divided.n_items, *sizes)
    places = {anime_id: item for item, anime_id in enumerate(table.anime_ids.tolist())}
    user = divided.users[0]
    answer = fitted(Original, divided).answer(user)
    assert answer.r_hat is not None
    own = {places[r.anime_id]: r.score - mu - b_i[places[r.anime_id]] for r in user.given.scored}
    bias = sum(own.values()) / (TEXTBOOK.reg_u + len(own))
    deviations = {j: one - bias for j, one in own.items()}
    for item in range(0, divided.n_items, 9):
        sims = {j: oracle.similarity(scores, b_u, b_i, item, j, TEXTBOOK.shrinkage, 1) for j in own if j != item}
        expected = oracle.prediction(mu + bias + b_i[item], sims, deviations, TEXTBOOK.k)
        assert answer.r_hat[item] == pytest.approx(expected, abs=1e-9)
    best = places[answer.ranking[0]]
    assert answer.r_hat[best] == max(answer.r_hat[places[anime_id]] for anime_id in answer.ranking)


def test_item_knn_adds_up_the_nearest_cosines(divided: Split, matrix: Array) -> None:
    norms = np.linalg.norm(matrix, axis=0)
    cosines = matrix.T @ matrix / np.outer(norms, norms)
    np.fill_diagonal(cosines, -1)
    method = ItemKnn()
    method.fit(divided)
    compared = 0
    for user in divided.users[:FEW]:
        row, found = row_of(divided, user), method.scores(user)
        for item in range(divided.n_items):
            order = np.argsort(-cosines[item])
            nearest, gap = order[:50], cosines[item, order[49]] - cosines[item, order[50]]
            if row[item] == 0 and gap > 1e-9:  # of two that are equally near, either may be taken
                assert found[item] == pytest.approx(cosines[item, nearest] @ row[nearest], abs=1e-9)
                compared += 1
    assert compared > 100


def test_als_folds_a_list_in_with_the_items_fixed(divided: Split) -> None:
    method = Als()
    method.fit(divided)
    items = np.asarray(method._model.item_factors, dtype=np.float64)  # noqa: SLF001  # its own equation is checked
    assert items.shape == (divided.n_items, 128)
    gram = items.T @ items + REGULARISATION * np.eye(items.shape[1])
    for user in divided.users[:FEW]:
        factors = np.linalg.solve(gram, items.T @ row_of(divided, user))
        assert method.scores(user) == pytest.approx(items @ factors, abs=2e-3)


def test_each_column_of_ease_is_a_ridge_regression_on_the_other_items(matrix: Array) -> None:
    weights = ease_weights((matrix.T @ matrix).astype(np.float32), 200.0)
    assert not weights.diagonal().any()
    for item in (0, 17, len(weights) - 1):
        others = np.delete(np.arange(len(weights)), item)
        rest = matrix[:, others]
        expected = np.linalg.solve(rest.T @ rest + 200 * np.eye(len(others)), rest.T @ matrix[:, item])
        assert weights[others, item] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(TableError, match="EASE can't be solved"):
        ease_weights(np.full((3, 3), np.float32(-1e9)), 1.0)


def test_ease_scores_by_the_weights_of_what_is_on_the_list_and_may_keep_the_largest_only(
    divided: Split, matrix: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ease200, "keep", 20)
    weights = ease_weights((matrix.T @ matrix).astype(np.float32), 200.0)
    whole, few = Ease(), Ease200()
    whole.fit(divided)
    few.fit(divided)
    kept = np.zeros_like(weights)
    for item in range(len(weights)):
        largest = np.argsort(-np.abs(weights[:, item]), kind="stable")[:20]
        kept[largest, item] = weights[largest, item]
    assert (kept == 0).sum() > (weights == 0).sum()
    for user in divided.users[:FEW]:
        row = row_of(divided, user)
        assert whole.scores(user) == pytest.approx(row @ weights, abs=1e-4)
        assert few.scores(user) == pytest.approx(row @ kept, abs=1e-4)
    small = np.array([[0.0, 3.0], [-2.0, 1.0], [1.0, -4.0]])
    cut(small, 1)
    assert small.tolist() == [[0, 0], [-2, 0], [0, -4]]
    cut(small, 9)
    assert small.tolist() == [[0, 0], [-2, 0], [0, -4]]


# Surprise


@pytest.mark.parametrize("method_class", [SurpriseKnnBaseline, SurpriseSvd, SurpriseSvdpp])
def test_surprises_methods_say_what_surprise_says(
    divided: Split, method_class: type[SurpriseMethod], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surprise_methods, "EPOCHS", 3)
    monkeypatch.setattr(method_class, "epochs", method_class.epochs and 3)
    monkeypatch.setattr(surprise_methods, "NEIGHBOURS", 10)
    method, recorded, printed = method_class(), RecordedProgress(), StringIO()
    with redirect_stdout(printed):
        method.fit(divided, recorded)
    assert printed.getvalue() == ""
    assert recorded.done.total() == sum(total or 0 for total in recorded.totals.values())
    trainset = method._fitted.trainset  # noqa: SLF001  # Surprise's own
    n_given = sum(1 for user in divided.users for _ in user.given.scored)
    assert trainset.n_ratings == (divided.training.scores > 0).sum() + n_given
    assert trainset.n_users > len(divided.users)
    for user in divided.users[:FEW]:
        expected = [
            method._fitted.predict(user.name, anime_id, clip=False).est  # noqa: SLF001  # a test looks inside
            for anime_id in divided.training.anime_ids.tolist()
        ]
        assert method.scores(user) == pytest.approx(expected, abs=1e-9)
        assert method.answer(user).r_hat == pytest.approx(expected, abs=1e-9)


def test_a_title_that_nobody_scored_has_a_prediction_too(tmp_path: Path, small_ratings_csv: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(small_ratings_csv.read_text() + "1,9999,-1\n2,9999,-1\n3,9999,-1\n")
    divided = split(read_ratings(path), "hakken")
    assert divided.training.anime_ids[-1] == 9999
    method = SurpriseSvd()
    method.fit(divided)
    user = divided.users[0]
    expected = method._fitted.predict(user.name, 9999, clip=False).est  # noqa: SLF001  # a test looks inside
    assert method.scores(user)[-1] == pytest.approx(expected)
    assert fitted(ItemMean, divided).answer(user).r_hat is not None


# Hakken


def test_hakken_answers_as_its_artefact_does(divided: Split, tmp_path: Path) -> None:
    first = Hakken(PARAMETERS, Catalogue([]))
    first.fit(divided)
    adult_id = next(one for one in first.answer(divided.users[0]).ranking if one in small_catalogue())
    catalogue = Catalogue(
        msgspec.structs.replace(
            anime,
            adult=anime.anime_id == adult_id,
            series=anime.anime_id - (anime.anime_id - 1) % 3,
            part=(anime.anime_id - 1) % 3 + 1,
        )
        for anime in small_catalogue().values()
    )
    train(divided.training, catalogue, tmp_path / "model", PARAMETERS)
    bundle = ModelBundle.read(store.open_artefact(tmp_path / "model"))
    method = Hakken(PARAMETERS, catalogue)
    method.fit(divided)
    adult = 0
    for user in divided.users:
        answer = method.answer(user)
        ranked = recommend(user.given, bundle, RANKING).recommendations
        assert answer.ranking == [one.anime_id for one in ranked]
        default = recommend(user.given, bundle, DEFAULT)
        assert answer.default_list == [one.anime_id for one in default.recommendations]
        assert answer.continues == [one.anime_id for one in default.continues]
        assert answer.continues
        assert answer.r_hat is not None
        assert answer.r_hat.tolist() == predict(bundle.model, fold_in(bundle.model, user.given)).tolist()
        assert adult_id not in answer.default_list
        adult += adult_id in answer.ranking
    assert adult
