"""Tuning what lists are made with: what the search tries, what it is worth, and what it leaves."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from hakken.catalogue import Catalogue
from hakken.errors import TableError
from hakken.evaluation import match_tuning
from hakken.evaluation.hakken_methods import hakken_methods
from hakken.evaluation.match_tuning import IMPLICIT, MATCH, OF_RATINGS, SALTS, WEIGHTS, tune_match
from hakken.evaluation.methods import unsaved
from hakken.evaluation.protocol import split
from hakken.model import Parameters, fold_in, predict
from hakken.model.arrays import Float64s
from hakken.training import fit, ranking
from hakken.training.progress import SILENT
from hakken.training.tables import RatingTable
from tests.models import PARAMETERS, small_catalogue
from tests.training.commands import run
from tests.training.evaluation_oracle import ndcg

N_CANDIDATES = 4
START = msgspec.structs.replace(PARAMETERS, trees=6, aversion=0.5)
SECOND_STAGE = {"trees": (0, 3, 6), "aversion": (0.0, 2.0)}
Tuned = tuple[Parameters, pd.DataFrame]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """Trees are learnt, though few people are there, and soon done."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ranking, "FEWEST_PEOPLE", 5)
        monkeypatch.setattr(match_tuning, "SECOND_STAGE", SECOND_STAGE)
        yield


@pytest.fixture(scope="module")
def tuned(table: RatingTable) -> Tuned:
    return tune_match(table, small_catalogue(), START, N_CANDIDATES, seed=1)


def parameters_of(row: pd.Series) -> Parameters:
    values = {name: float(row[name]) for name in (*WEIGHTS, *MATCH, *SECOND_STAGE)}
    return msgspec.structs.replace(PARAMETERS, **values | {"trees": int(row["trees"])})


def test_the_best_of_each_stage_is_where_the_next_begins_and_only_its_own_are_changed(tuned: Tuned) -> None:
    stages = dict(list(tuned[1].groupby("stage", sort=False)))
    assert list(stages) == ["weights", "match", "second stage"]
    n_weights = N_CANDIDATES // 3
    assert stages["weights"]["round"].tolist() == [*range(1 + n_weights)]
    assert stages["match"]["round"].tolist() == [*range(1 + N_CANDIDATES - n_weights)]
    start = msgspec.structs.replace(START, trees=0)
    for name, space in (("weights", WEIGHTS), ("match", MATCH)):
        rows = stages[name]
        assert parameters_of(rows.iloc[0]) == start
        for one in map(parameters_of, (row for _, row in rows[1:].iterrows())):
            changed = {name for name in space if getattr(one, name) != getattr(start, name)}
            assert changed
            assert one == msgspec.structs.replace(start, **{name: getattr(one, name) for name in changed})
            assert all(0.99 * space[name][0] <= getattr(one, name) <= 1.01 * space[name][1] for name in changed)
        start = parameters_of(rows.iloc[int(rows["value"].to_numpy().argmax())])
    assert stages["match"]["value"].iloc[0] == stages["weights"]["value"].max()  # the same candidate again

    tried = [parameters_of(row) for _, row in stages["second stage"].iterrows()]
    values = dict(zip(tried, stages["second stage"]["value"], strict=True))
    start = msgspec.structs.replace(start, trees=START.trees)
    for name, allowed in SECOND_STAGE.items():
        own = [msgspec.structs.replace(start, **{name: value}) for value in (getattr(start, name), *allowed)]
        start = max(own, key=lambda one: values[one])
    assert len(tried) == len(values) == 1 + 2 + 2  # six trees are what it begins with
    assert len(set(values.values())) > 3
    kept = {name: getattr(tuned[0], name) for name in (*OF_RATINGS, *IMPLICIT)}
    assert tuned[0] == msgspec.structs.replace(start, **kept)


def test_the_search_draws_nearer_to_what_is_better() -> None:
    def measure(parameters: Parameters) -> Float64s:
        return np.array([-abs(np.log(parameters.novelty / 0.05)), 0.0])

    _, rows = match_tuning.search("match", MATCH, PARAMETERS, measure, n=60, seed=0, progress=SILENT)
    assert 0.045 < np.median([row["novelty"] for row in rows[-20:]]) < 0.055


def test_a_candidate_is_worth_what_its_lists_find(table: RatingTable, tuned: Tuned) -> None:
    """Asked as the pages ask, and judged by an NDCG that is written out; its trees are learnt anew."""
    row = tuned[1][tuned[1]["trees"] == 3].iloc[0]
    found = []
    for salt in SALTS:
        divided = split(table, salt)
        ask = hakken_methods(parameters_of(row), small_catalogue())["hakken"].fit(divided, SILENT)
        values = [ndcg(ask(user).ranking, set(user.liked)) for user in divided.users if user.liked]
        found.append(np.mean(values))
    assert row["liked"] == pytest.approx(np.mean(found), abs=1e-9)
    assert row["value"] == pytest.approx((row["liked"] + row["discovery_liked"]) / 2)


def test_what_is_chosen_for_ratings_leaves_less_error_than_something_else(table: RatingTable, tuned: Tuned) -> None:
    splits = [split(table, salt) for salt in SALTS]
    models = [fit(divided.training, msgspec.structs.replace(tuned[0], trees=0)) for divided in splits]

    def rmse(parameters: Parameters) -> float:
        errors: list[float] = []
        for divided, fitted in zip(splits, models, strict=True):
            model = unsaved(fitted, Catalogue([]), parameters).model
            for user in divided.users:
                scores = {anime_id: score for anime_id, score in user.held_out.items() if score}
                rows, known = model.rows_of(list(scores))
                r_hat = predict(model, fold_in(model, user.given), rows)
                errors += (r_hat - np.array(list(scores.values())))[known].tolist()
        return float(np.sqrt(np.mean(np.square(errors))))

    none = msgspec.structs.replace(tuned[0], **dict.fromkeys(IMPLICIT, 0.0))
    turned = msgspec.structs.replace(tuned[0], implicit_offset=-tuned[0].implicit_offset - 0.1)
    other = next(value for value in OF_RATINGS["trust"] if abs(value - tuned[0].trust) > 0.15)
    least, most = (msgspec.structs.replace(tuned[0], trend_reg=OF_RATINGS["trend_reg"][end]) for end in (0, -1))
    best = rmse(tuned[0])
    assert best <= min(rmse(least), rmse(most))
    for worse in (none, turned, msgspec.structs.replace(tuned[0], trust=other)):
        assert best < rmse(worse)


def test_a_search_can_be_repeated_and_another_seed_is_another_search(
    table: RatingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a catalogue, too."""
    monkeypatch.setattr(match_tuning, "SALTS", SALTS[:1])
    one, again, other = (tune_match(table, Catalogue([]), START, 2, seed=seed)[1] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(again, one)
    assert one["value"][0] > 0
    assert not other.equals(one)


def test_a_table_that_cant_be_split_keeps_the_defaults_and_says_so(table: RatingTable, tmp_path: Path) -> None:
    few = dataclasses.replace(table, scores=np.where(table.items < 3, table.scores, 0).astype(np.int8))
    with pytest.raises(TableError, match="no test user"):
        tune_match(few, Catalogue([]), START, 1)
    rows = [f"{user},{anime},{6 + (user + anime) % 4}" for user in range(1, 9) for anime in range(1, 9)]
    (tmp_path / "small.csv").write_text("\n".join(["user_id,anime_id,rating", *rows]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "match.csv").write_text("of an earlier table")
    result = run("tune", "--ratings", tmp_path / "small.csv", "--out", tmp_path / "out", "--iterations", "1")
    assert "keep their defaults" in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["params.json", "rmse.svg", "table.csv"]
