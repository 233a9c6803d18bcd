"""The search for hyper-parameters: what it tries, what it writes, and that it can be repeated and broken off."""

import dataclasses
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import surprise
from surprise.model_selection import KFold, cross_validate

from hakken.errors import ConfigError, TableError
from hakken.evaluation import match_tuning
from hakken.evaluation.match_tuning import MATCH, WEIGHTS, sampled
from hakken.model import TEXTBOOK
from hakken.training import tuning
from hakken.training.parameters import read_parameters
from hakken.training.tables import RatingTable
from hakken.training.tuning import N_FOLDS, SPACE, TUNED, Tuned, narrowed, save, tune
from tests.training.commands import run
from tests.training.recorded_progress import RecordedProgress

FILES = ["params.json", "rmse.svg", "table.csv"]
N_CANDIDATES = 12
TIMES = ["fit_seconds", "test_seconds"]


@pytest.fixture(scope="session")
def some(table: RatingTable) -> RatingTable:
    return sampled(table, 120, seed=0)


@pytest.fixture(scope="session")
def tuned(some: RatingTable) -> Tuned:
    return tune(some, N_CANDIDATES, seed=3)


def tune_command(*arguments: str | Path, status: int = 0) -> str:
    return run("tune", *arguments, status=status).output


def test_the_candidates_are_ranked_and_the_best_is_what_is_found(tuned: Tuned) -> None:
    rows = tuned.candidates
    assert rows["rank"].tolist() == list(range(1, N_CANDIDATES + 2))
    assert rows["rmse"].is_monotonic_increasing
    assert not rows["mae"].is_monotonic_increasing
    assert rows["rmse"][0] < tuned.textbook_rmse
    for name in TUNED:
        value = getattr(tuned.parameters, name)
        assert value == rows[name][0]
        assert type(value) is type(getattr(TEXTBOOK, name))
    for name in set(TEXTBOOK.__struct_fields__) - set(TUNED):
        assert getattr(tuned.parameters, name) == getattr(TEXTBOOK, name)


def test_each_round_draws_anew_and_nearer_to_the_best_so_far(tuned: Tuned) -> None:
    rows = tuned.candidates
    assert rows.groupby("round").size().tolist() == [5, 4, 4]
    space, drawn = dict(SPACE), []
    for number in (1, 2, 3):
        here = rows[(rows["round"] == number) & (rows["prior"] > 0)]
        for name, (low, high) in space.items():
            rounding = 0.5 if name == "k" else 0.005 * high
            assert here[name].between(low - rounding, high + rounding).all(), name
        low, high = np.log(space["prior"])
        drawn += ((np.log(here["prior"]) - low) / (high - low)).round(2).tolist()
        best = rows[rows["round"] <= number].iloc[0]
        narrower = {name: narrowed(*ends, best[name]) for name, ends in space.items()}
        assert all(np.divide(*narrower[name]) > low / high for name, (low, high) in space.items())
        space = narrower
    assert len(set(drawn)) > N_CANDIDATES / 2  # not the same draws again, only nearer


def test_the_default_parameters_are_always_tried_and_score_what_surprise_says(some: RatingTable, tuned: Tuned) -> None:
    scored = some.scores > 0
    frame = pd.DataFrame({"u": some.users[scored], "i": some.items[scored], "r": some.scores[scored]})
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 10)))
    original = surprise.KNNBaseline(
        k=TEXTBOOK.k, sim_options={"name": "pearson_baseline", "user_based": False}, verbose=False
    )
    expected = cross_validate(original, data, ["rmse", "mae"], KFold(N_FOLDS, random_state=3))
    assert tuned.textbook_rmse == pytest.approx(expected["test_rmse"].mean(), abs=1e-9)
    [row] = tuned.candidates[tuned.candidates["rmse"] == tuned.textbook_rmse].to_dict("records")
    assert row["mae"] == pytest.approx(expected["test_mae"].mean(), abs=1e-9)
    assert row["rmse_std"] == pytest.approx(expected["test_rmse"].std(), abs=1e-9)
    assert {name: row[name] for name in TUNED} == {name: getattr(TEXTBOOK, name) for name in TUNED}


def test_a_search_can_be_repeated_and_what_is_written_is_what_was_found(
    some: RatingTable, tuned: Tuned, tmp_path: Path
) -> None:
    again = tune(some, N_CANDIDATES, seed=3)
    pd.testing.assert_frame_equal(again.candidates.drop(columns=TIMES), tuned.candidates.drop(columns=TIMES))
    out, other = tmp_path / "deep" / "down", tmp_path / "other"
    save(tuned, out)
    save(again, other)
    assert sorted(path.name for path in out.iterdir()) == FILES
    for name in ("params.json", "rmse.svg"):
        assert (out / name).read_bytes() == (other / name).read_bytes()
    assert read_parameters(out / "params.json") == tuned.parameters
    assert set(json.loads((out / "params.json").read_text())) == set(TEXTBOOK.__struct_fields__)
    pd.testing.assert_frame_equal(pd.read_csv(out / "table.csv"), tuned.candidates, check_dtype=False, rtol=1e-5)
    drawn = (out / "rmse.svg").read_text()
    assert all(f"{name} (best: " in drawn for name in TUNED)
    assert tuned.description in drawn


def test_another_seed_is_another_search_and_progress_hears_of_each_fold(some: RatingTable, tuned: Tuned) -> None:
    progress = RecordedProgress()
    other = tune(some, 1, seed=4, progress=progress)
    assert set(other.candidates["prior"]).isdisjoint(tuned.candidates["prior"][lambda x: x > 0])
    assert progress.totals == progress.done == {"candidates": 2 * N_FOLDS}


def test_a_sample_holds_all_entries_of_users_with_a_score(table: RatingTable) -> None:
    fifty = sampled(table, 50, seed=1)
    assert fifty.n_users == len(fifty.user_names) == 50
    theirs = np.isin(np.array(table.user_names)[table.users], fifty.user_names)
    assert fifty.scores.tolist() == table.scores[theirs].tolist()
    assert fifty.anime_ids[fifty.items].tolist() == table.anime_ids[table.items][theirs].tolist()
    assert sampled(table, 50, seed=1).user_names == fifty.user_names != sampled(table, 50, seed=2).user_names
    assert sampled(table, 10**6, seed=1) is sampled(table, None, seed=0) is table
    unscored = dataclasses.replace(table, scores=np.where(table.users < 300, 0, table.scores))
    assert set(sampled(unscored, 50, seed=1).user_names) <= set(table.user_names[300:])


def test_a_large_table_is_sampled_unasked_and_a_tiny_one_refused(
    table: RatingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = table.scores > 0
    monkeypatch.setattr(match_tuning, "MOST_SCORES", scored.sum() // 2)
    half = sampled(table, None, seed=0)
    assert half.n_users == -(-len(np.unique(table.users[scored])) // 2)
    assert 0.4 < (half.scores > 0).sum() / scored.sum() < 0.6
    few = dataclasses.replace(table, scores=np.where(np.arange(len(table)) < 2, table.scores, 0))
    with pytest.raises(TableError, match="scores to tune on"):
        sampled(few, None, seed=0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"shrinkge": 3}', "unknown field `shrinkge`"),
        (b'{"k": 0}', ">= 1"),
        (b'{"k": "30"}', "Expected `int`"),
        (b"{", "truncated"),
        (b'{"k\xff": 1}', "params.json can't be used"),
        (b'{"x": ' + b"[" * 100_000, "params.json can't be used"),
        (None, "No such file"),
    ],
)
def test_parameters_that_cant_be_used_are_refused_with_a_sentence(
    tmp_path: Path, text: bytes | None, reason: str
) -> None:
    path = tmp_path / "params.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigError, match=reason):
        read_parameters(path)


def test_the_command_says_what_it_found_and_writes_it(ratings_csv: Path, tmp_path: Path) -> None:
    ask = ("--ratings", ratings_csv, "--out", tmp_path / "tuning", "--iterations", "2", "--sample-users", "60")
    said = tune_command(*ask)
    assert "of 60 of " in said
    assert "with textbook parameters" in said
    assert "NDCG@10 liked" in said
    assert sorted(path.name for path in (tmp_path / "tuning").iterdir()) == ["match.csv", *FILES]
    found = read_parameters(tmp_path / "tuning" / "params.json")
    assert all(f"{name:<16}{getattr(found, name):>8g}" in said for name in (*TUNED, *WEIGHTS, *MATCH))
    assert tune_command(*ask, "--quiet") == ""


def test_the_command_on_what_is_no_table_or_no_directory(ratings_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    assert "r.csv" in tune_command("--ratings", tmp_path / "r.csv", "--out", tmp_path / "out", status=1)
    place = ("--ratings", ratings_csv, "--out", tmp_path / "r.csv" / "out")
    said = tune_command(*place, "--iterations", "1", "--sample-users", "30", "--quiet", status=1)
    assert said.startswith("Error: ")
    assert "can't be written" in said
    assert "need --anime" in tune_command(*place, "--titles", ratings_csv, status=2)


def test_a_search_that_is_broken_off_leaves_everything_as_it_was(
    ratings_csv: Path, tuned: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tuned, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("tune", "_plot"):

        def broken_off(*_: Any) -> None:
            signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patched:
            patched.setattr(tuning, name, broken_off)
            few = ("--iterations", "1", "--sample-users", "60")
            said = tune_command("--ratings", ratings_csv, "--out", tmp_path, *few, status=130)
        assert "is unchanged" in said
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
