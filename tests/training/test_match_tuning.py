"""Tuning what lists are made with: what the search tries, what it is worth, and what it leaves."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from hakken.catalogue import Catalogue
from hakken.errors import TableError
from hakken.evaluation import match_tuning
from hakken.evaluation.hakken_method import Hakken, unsaved
from hakken.evaluation.match_tuning import (
    IMPLICIT,
    MATCH,
    SALTS,
    TRUST,
    WEIGHTS,
    Candidate,
    TunedMatch,
    sampled,
    tune_match,
)
from hakken.evaluation.protocol import split
from hakken.model import Parameters, fold_in, predict
from hakken.training import fit
from hakken.training.tables import RatingTable
from tests.models import PARAMETERS, small_catalogue
from tests.training.commands import run
from tests.training.evaluation_oracle import ndcg

N_CANDIDATES = 4


@pytest.fixture(scope="module")
def tuned(table: RatingTable) -> TunedMatch:
    return tune_match(table, small_catalogue(), PARAMETERS, N_CANDIDATES, seed=1)


def test_the_best_of_each_stage_is_where_the_next_begins(tuned: TunedMatch) -> None:
    stages = {name: [one for one in tuned.candidates if one.stage == name] for name in ("weights", "match")}
    assert [len(one) for one in stages.values()] == [1 + N_CANDIDATES // 3, 1 + N_CANDIDATES - N_CANDIDATES // 3]
    assert stages["weights"][0].parameters == PARAMETERS
    best = max(stages["weights"], key=lambda one: one.value)
    assert stages["match"][0].parameters == best.parameters
    assert stages["match"][0].value == best.value  # the same candidate is worth the same again
    found = max(stages["match"], key=lambda one: one.value).parameters
    kept = {name: getattr(tuned.parameters, name) for name in ("trust", *IMPLICIT)}
    assert tuned.parameters == msgspec.structs.replace(found, **kept)


def test_the_search_draws_nearer_to_what_is_better() -> None:
    def measure(parameters: Parameters) -> tuple[float, float]:
        return -abs(np.log(parameters.novelty / 0.05)), 0.0

    tried = match_tuning.search("match", MATCH, PARAMETERS, measure, n_candidates=60, seed=0, advance=lambda _: None)
    assert 0.045 < np.median([one.parameters.novelty for one in tried[-20:]]) < 0.055


def test_only_what_a_stage_searches_for_is_changed(tuned: TunedMatch) -> None:
    for one in tuned.candidates:
        start = (
            PARAMETERS if one.stage == "weights" else next(c for c in tuned.candidates if c.stage == "match").parameters
        )
        space = WEIGHTS if one.stage == "weights" else MATCH
        changed = {
            name for name in Parameters.__struct_fields__ if getattr(one.parameters, name) != getattr(start, name)
        }
        assert changed <= set(space)
        assert bool(changed) == (one.trial > 0)
        for name in changed:
            assert 0.99 * space[name][0] <= getattr(one.parameters, name) <= 1.01 * space[name][1]


def test_a_candidate_is_worth_what_its_lists_find(table: RatingTable, tuned: TunedMatch) -> None:
    """Asked as the pages ask, and judged by an NDCG that is written out."""
    one: Candidate = tuned.candidates[1]
    found = []
    for salt in SALTS:
        divided = split(table, salt)
        method = Hakken(one.parameters, small_catalogue())
        method.fit(divided)
        values = [ndcg(method.answer(user).ranking, set(user.liked)) for user in divided.users if user.liked]
        found.append(np.mean(values))
    assert one.liked == pytest.approx(np.mean(found), abs=1e-9)
    assert one.value == pytest.approx((one.liked + one.discovery_liked) / 2)


def test_the_implicit_term_leaves_less_error_than_none(table: RatingTable, tuned: TunedMatch) -> None:
    splits = [split(table, salt) for salt in SALTS]
    models = [fit(divided.training, tuned.parameters) for divided in splits]

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

    none = msgspec.structs.replace(tuned.parameters, **dict.fromkeys(IMPLICIT, 0.0))
    turned = msgspec.structs.replace(tuned.parameters, implicit_offset=-tuned.parameters.implicit_offset - 0.1)
    other = next(value for value in TRUST if abs(value - tuned.parameters.trust) > 0.15)
    best = rmse(tuned.parameters)
    for worse in (none, turned, msgspec.structs.replace(tuned.parameters, trust=other)):
        assert best < rmse(worse)


def test_a_search_can_be_repeated_and_another_seed_is_another_search(
    table: RatingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a catalogue, too."""
    monkeypatch.setattr(match_tuning, "SALTS", SALTS[:1])
    one, again, other = (tune_match(table, Catalogue([]), PARAMETERS, 2, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(again.table, one.table)
    assert one.candidates[0].value > 0
    assert other.candidates[1].parameters not in [candidate.parameters for candidate in one.candidates]


def test_a_sample_holds_all_entries_of_its_users(table: RatingTable) -> None:
    some = sampled(table, 50, seed=1)
    assert some.n_users == len(some.user_names) == 50
    assert set(some.user_names) < set(table.user_names)
    counts = dict(zip(table.user_names, np.bincount(table.users).tolist(), strict=True))
    assert dict(zip(some.user_names, np.bincount(some.users).tolist(), strict=True)).items() <= counts.items()
    assert sampled(table, None, seed=1) is table
    assert sampled(table, 10**6, seed=1) is table


def test_a_table_that_cant_be_split_keeps_the_defaults_and_says_so(table: RatingTable, tmp_path: Path) -> None:
    few = dataclasses.replace(table, scores=np.where(table.items < 3, table.scores, 0).astype(np.int8))
    with pytest.raises(TableError, match="no test user"):
        tune_match(few, Catalogue([]), PARAMETERS, 1)
    rows = [f"{user},{anime},{6 + (user + anime) % 4}" for user in range(1, 9) for anime in range(1, 9)]
    (tmp_path / "small.csv").write_text("\n".join(["user_id,anime_id,rating", *rows]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "match.csv").write_text("of an earlier table")
    result = run("tune", "--ratings", tmp_path / "small.csv", "--out", tmp_path / "out", "--iterations", "1")
    assert "stays as it is by default" in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["params.json", "rmse.svg", "table.csv"]


def test_a_titles_table_without_anime_is_refused(ratings_csv: Path, tmp_path: Path) -> None:
    result = run("tune", "--ratings", ratings_csv, "--titles", ratings_csv, "--out", tmp_path / "out", status=2)
    assert "go with --anime" in result.output
