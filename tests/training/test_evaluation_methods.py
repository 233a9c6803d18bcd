"""What is compared: each method against its formula, worked out slowly, or against its own library's word."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import surprise
from implicit.als import AlternatingLeastSquares

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.cli.evaluate import ABLATIONS, METHODS
from hakken.errors import TableError
from hakken.evaluation import implicit_methods, protocol, surprise_methods
from hakken.evaluation.comparison import all_methods
from hakken.evaluation.hakken_methods import hakken_methods
from hakken.evaluation.implicit_methods import (
    ALPHA,
    BETA,
    REGULARISATION,
    RP3_WEIGHTS,
    als,
    ease_scores,
    ease_weights,
    item_knn,
    rp3beta,
    rp3beta_weights,
)
from hakken.evaluation.methods import DEFAULT, RANKING, Ask, ranked_ids, unsaved
from hakken.evaluation.protocol import Split, split
from hakken.evaluation.simple_methods import baseline, item_mean, original, popularity
from hakken.evaluation.surprise_methods import trainset_of
from hakken.model import TEXTBOOK, fold_in, predict, store
from hakken.model.arrays import Array, Arrays, Float64s
from hakken.model.store import Artefact
from hakken.model.trees import FACTORS, FEATURES, POPULARITY, RATING, SERIES, TIME
from hakken.recommend import recommend
from hakken.training import pipeline, ranking
from hakken.training.progress import SILENT
from hakken.training.tables import RatingTable, read_ratings
from tests import oracle
from tests.models import PARAMETERS, small_catalogue
from tests.training.learning import train
from tests.training.recorded_progress import RecordedProgress

FEW = 4
"""Users that a slow version is worked out for."""
UNSCORED = 9999
"""A title that is on lists, and that nobody scored."""


@pytest.fixture(scope="module")
def divided(small_ratings_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Split:
    path = tmp_path_factory.mktemp("tables") / "r.csv"
    path.write_text(small_ratings_csv.read_text() + "".join(f"{user},{UNSCORED},-1\n" for user in (1, 2, 3)))
    divided = split(read_ratings(path), "hakken")
    assert divided.training.anime_ids[-1] == UNSCORED
    return divided


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


def r_hat(ask: Ask, user: protocol.TestUser) -> Float64s:
    return np.asarray(ask(user).r_hat)


def test_the_names_that_the_command_offers_are_those_of_the_methods() -> None:
    methods = all_methods(PARAMETERS, Catalogue([]))
    assert tuple(name for name in methods if name not in ABLATIONS) == METHODS
    assert tuple(name for name in methods if name in ABLATIONS) == ABLATIONS
    assert {name for name, method in methods.items() if not method.folds_in} == {"knn-baseline", "svd", "svdpp"}


def test_a_ranking_is_all_titles_but_those_of_the_list_and_the_lower_id_wins_a_tie(divided: Split) -> None:
    ask = popularity.fit(divided, SILENT)
    counts = np.bincount(divided.training.anime_ids[divided.training.items])
    for user in divided.users[:FEW]:
        on_list = {rating.anime_id for rating in user.given.ratings}
        others = [anime_id for anime_id in divided.training.anime_ids.tolist() if anime_id not in on_list]
        ranking = sorted(others, key=lambda anime_id: (-counts[anime_id], anime_id))
        assert ask(user) == (ranking, None, None, None)


def test_means_baselines_and_the_originals_rule_are_those_of_their_formulas(divided: Split) -> None:
    table = divided.training
    given = oracle.scores_of(table)
    mu = oracle.mean(given)
    by_item = [[r for (_, i), r in given.items() if i == item] for item in range(divided.n_items)]
    means = [sum(one) / len(one) if one else mu for one in by_item]
    assert r_hat(item_mean.fit(divided, SILENT), divided.users[0]) == pytest.approx(means)
    sizes = TEXTBOOK.reg_u, TEXTBOOK.reg_i, TEXTBOOK.n_epochs
    b_u, b_i = oracle.baselines(given, table.n_users, divided.n_items, *sizes)
    places = {anime_id: item for item, anime_id in enumerate(table.anime_ids.tolist())}
    of_baseline, of_original = baseline.fit(divided, SILENT), original.fit(divided, SILENT)
    for user in divided.users[:FEW]:
        own = {places[r.anime_id]: r.score - mu - b_i[places[r.anime_id]] for r in user.given.scored}
        bias = sum(own.values()) / (TEXTBOOK.reg_u + len(own))
        assert r_hat(of_baseline, user) == pytest.approx(np.array(b_i) + mu + bias)
        found, deviations = r_hat(of_original, user), {j: one - bias for j, one in own.items()}
        for item in range(0, divided.n_items, 9):
            sims = {j: oracle.similarity(given, b_u, b_i, item, j, TEXTBOOK.shrinkage, 1) for j in own if j != item}
            expected = oracle.prediction(mu + bias + b_i[item], sims, deviations, TEXTBOOK.k)
            assert found[item] == pytest.approx(expected, abs=1e-9)


def test_item_knn_adds_up_the_nearest_cosines(divided: Split, matrix: Array) -> None:
    norms = np.linalg.norm(matrix, axis=0)
    cosines = matrix.T @ matrix / np.outer(norms, norms)
    np.fill_diagonal(cosines, -1)
    assert item_knn.scores
    scores_of = item_knn.scores(divided)
    compared = 0
    for user in divided.users[:FEW]:
        row, found = row_of(divided, user), scores_of(user)
        for item in range(divided.n_items):
            order = np.argsort(-cosines[item])
            nearest, gap = order[:50], cosines[item, order[49]] - cosines[item, order[50]]
            if row[item] == 0 and gap > 1e-9:  # of two that are equally near, either may be taken
                assert found[item] == pytest.approx(cosines[item, nearest] @ row[nearest], abs=1e-9)
                compared += 1
    assert compared > 100


def test_rp3beta_walks_to_who_has_a_title_and_on_to_another(
    divided: Split, matrix: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha, beta, keep = 0.7, 0.3, 20
    of_user, of_item = matrix.sum(axis=1), matrix.sum(axis=0)
    weights, clear = np.zeros((divided.n_items, divided.n_items)), []
    for item in range(divided.n_items):
        for other in set(range(divided.n_items)) - {item}:
            both = np.flatnonzero(matrix[:, item] * matrix[:, other])
            walks = [(1 / of_item[other]) ** alpha * (1 / of_user[u]) ** alpha for u in both]
            weights[other, item] = sum(walks) / of_item[item] ** beta
        order = np.argsort(-weights[:, item])
        if weights[order[keep - 1], item] - weights[order[keep], item] > 1e-6:  # else either may be kept
            clear.append(item)
        weights[order[keep:], item] = 0
    assert len(clear) > 60
    for at_once in (7, 1000):
        monkeypatch.setattr(implicit_methods, "ITEMS_AT_ONCE", at_once)
        found = rp3beta_weights(divided.lists(), alpha, beta, keep)
        assert found.toarray()[:, clear] == pytest.approx(weights[:, clear], abs=1e-6)
    assert rp3beta.scores
    scores_of, settings = rp3beta.scores(divided), (ALPHA, BETA, RP3_WEIGHTS)
    whole = rp3beta_weights(divided.lists(), *settings).toarray()
    for user in divided.users[:FEW]:
        assert scores_of(user) == pytest.approx(row_of(divided, user) @ whole, abs=1e-5)


def test_als_folds_a_list_in_with_the_items_fixed(divided: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[Any] = []

    def kept(**settings: Any) -> Any:
        models.append(AlternatingLeastSquares(**settings))
        return models[-1]

    monkeypatch.setattr(implicit_methods, "AlternatingLeastSquares", kept)
    assert als.scores
    scores_of = als.scores(divided)
    items = np.asarray(models[0].item_factors, dtype=np.float64)
    assert items.shape == (divided.n_items, 128)
    gram = items.T @ items + REGULARISATION * np.eye(items.shape[1])
    for user in divided.users[:FEW]:
        factors = np.linalg.solve(gram, items.T @ row_of(divided, user))
        assert scores_of(user) == pytest.approx(items @ factors, abs=2e-3)


def test_ease_scores_by_ridge_regressions_on_the_other_items_and_may_keep_the_largest_weights_only(
    divided: Split, matrix: Array
) -> None:
    weights, kept = (np.zeros((divided.n_items, divided.n_items)) for _ in range(2))
    for item in range(divided.n_items):
        others = np.delete(np.arange(divided.n_items), item)
        rest = matrix[:, others]
        weights[others, item] = np.linalg.solve(rest.T @ rest + 200 * np.eye(len(others)), rest.T @ matrix[:, item])
        largest = np.argsort(-np.abs(weights[:, item]), kind="stable")[:20]
        kept[largest, item] = weights[largest, item]
    whole, few = ease_scores(divided), ease_scores(divided, keep=20)
    for user in divided.users[:FEW]:
        row = row_of(divided, user)
        assert whole(user) == pytest.approx(row @ weights, abs=1e-4)
        assert few(user) == pytest.approx(row @ kept, abs=1e-4)
    with pytest.raises(TableError, match="EASE can't be solved"):
        ease_weights(np.full((3, 3), np.float32(-1e9)), 1.0)


ALGORITHMS = {
    "knn-baseline": lambda: surprise.KNNBaseline(
        k=10, sim_options={"name": "pearson_baseline", "user_based": False}, verbose=False
    ),
    "svd": lambda: surprise.SVD(n_epochs=3, random_state=0),
    "svdpp": lambda: surprise.SVDpp(n_epochs=3, random_state=0),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_surprises_methods_say_what_surprise_says(divided: Split, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surprise_methods, "EPOCHS", 3)
    monkeypatch.setattr(surprise_methods, "NEIGHBOURS", 10)
    recorded, printed = RecordedProgress(), StringIO()
    with redirect_stdout(printed):
        ask = all_methods(PARAMETERS, Catalogue([]))[name].fit(divided, recorded)
    assert printed.getvalue() == ""
    assert recorded.done.total() == (0 if name == "knn-baseline" else 3)
    trainset = trainset_of(divided)
    n_given = sum(1 for user in divided.users for _ in user.given.scored)
    assert trainset.n_ratings == (divided.training.scores > 0).sum() + n_given
    algorithm = ALGORITHMS[name]().fit(trainset)
    for user in divided.users[:FEW]:
        expected = [
            algorithm.predict(user.name, anime_id, clip=False).est for anime_id in divided.training.anime_ids.tolist()
        ]
        assert r_hat(ask, user) == pytest.approx(expected, abs=1e-9)


def test_hakken_answers_as_its_artefact_does(divided: Split, tmp_path: Path) -> None:
    first = hakken_methods(PARAMETERS, Catalogue([]))["hakken"].fit(divided, SILENT)
    adult_id = next(one for one in first(divided.users[0]).ranking if one in small_catalogue())
    catalogue = Catalogue(
        msgspec.structs.replace(one, adult=n == adult_id, series=n - (n - 1) % 3, part=(n - 1) % 3 + 1)
        for n, one in small_catalogue().items()
    )
    train(divided.training, catalogue, tmp_path / "model", PARAMETERS)
    bundle = ModelBundle.read(store.open_artefact(tmp_path / "model"))
    ask = hakken_methods(PARAMETERS, catalogue)["hakken"].fit(divided, SILENT)
    adult = 0
    for user in divided.users:
        answer = ask(user)
        ranked, default = (recommend(user.given, bundle, chosen) for chosen in (RANKING, DEFAULT))
        assert answer.ranking == [one.anime_id for one in ranked.recommendations]
        assert answer.default_list == [one.anime_id for one in default.recommendations]
        assert answer.continues == [one.anime_id for one in default.continues] != []
        assert answer.r_hat is not None
        # Titles that are on no list have a row in the model, and none in the split.
        r_hat = predict(bundle.model, fold_in(bundle.model, user.given)).tolist()
        of_anime = dict(zip(bundle.model.arrays.anime_ids.tolist(), r_hat, strict=True))
        assert len(of_anime) > divided.n_items
        assert answer.r_hat.tolist() == [of_anime[one] for one in divided.training.anime_ids.tolist()]
        assert adult_id not in answer.default_list
        adult += adult_id in answer.ranking
    assert adult


def test_hakkens_methods_share_what_is_trained_and_differ_in_one_part_each(
    divided: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "FEWEST_PEOPLE", 5)
    trained, fit, save = [], pipeline.fit, pipeline.save
    models: list[pipeline.Fitted] = []

    def noted(table: RatingTable, *rest: Any) -> pipeline.Fitted:
        trained.append(table.n_users)
        return fit(table, *rest)

    def kept(fitted: pipeline.Fitted, *rest: Any) -> Artefact:
        models.append(fitted)
        return save(fitted, *rest)

    monkeypatch.setattr(pipeline, "fit", noted)
    monkeypatch.setattr(pipeline, "save", kept)
    parameters = msgspec.structs.replace(PARAMETERS, trees=6, aversion=0.5)
    methods = hakken_methods(parameters, small_catalogue())
    ask = {name: method.fit(divided, SILENT) for name, method in methods.items()}
    assert len(trained) == 2  # the first stage, and the one that lists are made with
    model = dict(zip(methods, models, strict=True))
    whole = pipeline.fit(divided.training, parameters, small_catalogue())
    assert whole.manifest.parameters == model["hakken"].manifest.parameters
    for name in Arrays.__dataclass_fields__:
        assert getattr(whole.arrays, name).tobytes() == getattr(model["hakken"].arrays, name).tobytes(), name
        if not name.startswith("tree_") and name not in ("factors", "factor_scale"):
            assert all(getattr(one.arrays, name) is getattr(models[0].arrays, name) for one in models), name

    subjects = np.array([*FEATURES.values()])
    split_on = {
        name: {*subjects[one.arrays.tree_features[np.isfinite(one.arrays.tree_borders)]]} for name, one in model.items()
    }
    assert split_on["first-stage"] == set()
    for subject in (TIME, POPULARITY, SERIES, RATING, FACTORS):
        assert subject not in split_on[f"hakken-without-{subject}"]
    everything = split_on["hakken"]
    assert everything == split_on["hakken-without-aversion"] == split_on["hakken-without-variety"]
    assert {TIME, POPULARITY, RATING} <= everything  # no title of this catalogue has a series
    changed = {name: one.manifest.parameters for name, one in model.items()}
    assert changed["first-stage"] == msgspec.structs.replace(parameters, trees=0, aversion=0.0)
    assert changed["hakken-without-aversion"] == msgspec.structs.replace(parameters, aversion=0.0)
    assert changed["hakken-without-variety"] == changed["hakken-without-time"] == parameters

    not_varied = msgspec.structs.replace(DEFAULT, variety=0.0)
    for name in ("first-stage", "hakken-without-variety", "hakken-without-aversion"):
        shown = not_varied if name != "hakken-without-aversion" else DEFAULT
        bundle = unsaved(model[name], small_catalogue())
        for user in divided.users[:FEW]:
            assert ask[name](user).default_list == ranked_ids(user, bundle, shown)
    trained.clear()
    methods["first-stage"].fit(divided._replace(salt="another"), SILENT)
    assert trained == [divided.training.n_users]
