"""`refresh`, over the stand-in: from nothing to a server that swaps, what it refuses, and where it goes on."""

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click.testing
import numpy as np
import pyarrow as pa
import pytest
import requests
from pyarrow import parquet

from hakken.bundle import ModelBundle
from hakken.catalogue import FILE_NAME as CATALOGUE
from hakken.catalogue import Anime, Catalogue
from hakken.cli.main import main
from hakken.model import store
from hakken.ratings import Preferences, Rating, Status, UserList
from hakken.recommend import recommend
from tests.integration.test_collect import environment
from tests.serving import served, until, wait_for
from tests.standin.crowd import crowd
from tests.standin.faults import Faults
from tests.standin.server import Standin

TITLES = range(20, 240)
SEASON = range(60_001, 60_009)
RATES = {"HAKKEN_SITE_RATES": "mal=2000/s jikan=2000/s facts=2000/s", "HAKKEN_COLLECT_SHARE": "1"}


@pytest.fixture
def people(standin: Standin, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """A crowd, and titles of the stand-in in place of all that there are: a model of theirs is the embedded one."""
    crowd.size, crowd.titles = 2500, TITLES
    monkeypatch.setattr("tests.standin.anime.listed", [*TITLES])
    monkeypatch.setattr("hakken.model.store.EMBEDDED_PATH", trained)
    for name, value in (environment(standin) | RATES).items():
        monkeypatch.setenv(name, value)
    yield standin
    crowd.empty()


def run(target: Path, work: Path, *arguments: str, status: int = 0) -> str:
    result = click.testing.CliRunner().invoke(main, ["refresh", str(target), "--work", str(work), *arguments])
    assert result.exit_code == status, result.output
    return result.output


def collect(out: Path, *arguments: str) -> None:
    result = click.testing.CliRunner().invoke(main, ["collect", "--out", str(out), *arguments])
    assert result.exit_code == 0, result.output


def served_at(address: str) -> dict[str, Any]:
    """What a server tells of its model; nothing while it has none."""
    told: dict[str, Any] = requests.get(f"{address}/readyz", timeout=10).json().get("model", {})
    return told


@pytest.mark.timeout(600)  # 3,200 lists are fetched one by one
def test_from_nothing_to_a_server_that_swaps_to_a_new_season_and_keeps_out_a_poisoned_model(
    people: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, work = tmp_path / "published", tmp_path / "work"
    settings = {"HAKKEN_MODEL": str(target), "HAKKEN_MODEL_POLL": "0.2", "HAKKEN_CACHE_DIR": str(tmp_path / "cache")}
    taste = [{"anime_id": anime_id, "score": 10 if anime_id % 2 else 2} for anime_id in TITLES[:160]]

    def recommended() -> set[int]:
        answer = requests.post(f"{address}/api/v1/recommendations", json={"ratings": taste, "n": 40}, timeout=30)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["recommendations"]
        return {one["anime_id"] for one in found}

    with served("ars_app:create_app()", **settings) as (address, _):
        wait_for(address)
        assert requests.get(f"{address}/readyz", timeout=10).status_code == 503
        said = run(target, work, "--collect", "10m")
        assert "is the current version" in said
        until(lambda: bool(served_at(address)))
        first = served_at(address)["version"]
        assert not recommended() & {*SEASON}

        crowd.season = SEASON
        monkeypatch.setattr("tests.standin.anime.listed", [*TITLES, *SEASON])
        collect(work / "collected", "--refresh-after", "1s", "--lists", "700")
        said = run(target, work)
        assert "ndcg_liked" in said
        until(lambda: served_at(address)["version"] != first)
        second = served_at(address)
        of_their_taste = {one for one in SEASON if one % 2}
        assert of_their_taste <= recommended()
        assert second["judgement"]["served"] == first
        assert second["judgement"]["people"] >= 200

        everything = [*tmp_path.rglob("*"), *Path(people.cache.name).rglob("*")]
        written = [path for path in everything if path.is_file() and path.name != "names.sqlite"]
        assert len(written) > 50
        assert not [path for path in written if b"fan-" in content_of(path)]

        poisoned = tmp_path / "poisoned.parquet"
        parquet.write_table(with_tens(work / "collected" / "lists"), poisoned)
        (work / "collected").rename(tmp_path / "aside")
        said = run(target, work, "--ratings", str(poisoned), "--offline", status=4)
        assert "People score differently than before" in said
        assert served_at(address)["version"] == second["version"]
        assert of_their_taste <= recommended()


@pytest.fixture
def table(people: Standin, tmp_path: Path) -> Path:
    """A table of the crowd's lists."""
    return write_table(tmp_path / "table.csv")


def write_table(path: Path, numbers: range = range(1, 2501)) -> Path:
    rows = [
        f"fan-{number},{entry.anime_id},{entry.score},{entry.code}\n"
        for number in numbers
        for entry in crowd.list_of(f"fan-{number}") or ()
    ]
    path.write_text("username,anime_id,my_score,my_status\n" + "".join(rows))
    return path


def current(target: Path) -> store.Artefact:
    return store.open_artefact(target)


def test_a_model_names_what_it_was_made_from_and_is_made_again_to_the_byte(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, work = tmp_path / "published", tmp_path / "work"
    run(target, work, "--ratings", str(table), "--data-time", "2026-03", "--quiet")
    made = current(target)
    assert made.manifest.made_from is not None
    of_option = {part.option: part for part in made.manifest.made_from.parts}
    for option, path in (("ratings", table), ("anime", work / CATALOGUE)):
        assert of_option[option].name == path.name
        assert of_option[option].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    created = datetime.fromisoformat(made.manifest.created)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(created.timestamp())))
    given = ("--ratings", str(table), "--anime", str(work / CATALOGUE), "--data-time", "2026-03")
    result = click.testing.CliRunner().invoke(main, ["train", *given, "--hold-out", "--out", str(tmp_path / "again")])
    assert result.exit_code == 0, result.output
    assert store.open_artefact(tmp_path / "again").version == made.version
    monkeypatch.delenv("SOURCE_DATE_EPOCH")

    said = run(target, work, "--ratings", str(table), "--data-time", "2026-03", "--offline")
    assert "Nothing is new" in said
    assert current(target).version == made.version


def test_what_is_refused_or_tried_goes_on_and_force_publishes_it(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, work = tmp_path / "published", tmp_path / "work"
    run(target, work, "--ratings", str(table), "--offline")
    first = current(target).version
    fewer = str(write_table(tmp_path / "fewer.csv", range(1, 1501)))
    said = run(target, work, "--ratings", fewer, "--offline", status=4)
    assert "people from" in said
    assert "people are available to judge it" in said
    assert "--force publishes it anyway" in said
    assert current(target).version == first
    assert "would be published" in run(target, work, "--ratings", fewer, "--offline", "--force", "--dry-run")
    assert current(target).version == first
    monkeypatch.setattr("hakken.training.pipeline.fit", None)  # what was trained is not trained again
    said = run(target, work, "--ratings", fewer, "--offline", "--force")
    assert current(target).version != first
    assert f"{current(target).version} is the current version" in said
    judgement = current(target).manifest.judgement
    assert judgement is not None
    assert judgement.served == first
    shown = click.testing.CliRunner().invoke(main, ["inspect", str(target)]).output
    assert f"judged by {judgement.people} people, beside {first}" in shown
    assert "without the tenth of the people who judge models" in shown


def test_the_new_season_is_recommended_without_training(
    people: Standin, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)
    target, work = tmp_path / "published", tmp_path / "work"
    said = run(target, work, "--catalogue-only", status=1)
    assert "There is no model at" in said
    run(target, work, "--ratings", str(table))
    first = ModelBundle.read(current(target))
    assert "Nothing is new" in run(target, work, "--catalogue-only")
    monkeypatch.setattr("tests.standin.anime.listed", [*TITLES, *SEASON])
    people.fail("mal", Faults.OUT_OF_ORDER)
    assert "a server error" in run(target, work, "--catalogue-only", status=1)
    said = run(target, work, "--ratings", str(table))
    assert "The catalogue is unchanged: " in said
    assert "Nothing is new" in said
    people.mend("mal")
    said = run(target, work, "--catalogue-only")
    assert "rows        8 added" in said
    second = ModelBundle.read(current(target))
    assert second.model.version != first.model.version
    taste = UserList.of([Rating(one, 10 if one % 2 else 2, Status.COMPLETED) for one in TITLES])
    listed = [one.anime_id for one in recommend(taste, second, Preferences(n=100)).recommendations]
    assert {*SEASON} <= {*listed}
    assert not {*SEASON} & {one.anime_id for one in recommend(taste, first, Preferences(n=100)).recommendations}


def test_two_runs_keep_apart_and_one_that_is_killed_goes_on(people: Standin, tmp_path: Path) -> None:
    target, work = tmp_path / "published", tmp_path / "work"
    names = write_table(tmp_path / "table.csv")
    work.mkdir()
    Catalogue(Anime(anime_id=one, title=f"Title {one}", genres=("Drama",)) for one in TITLES).write(work / CATALOGUE)
    command = [sys.executable, "-m", "hakken", "refresh", str(target), "--work", str(work), "--ratings", str(names)]
    with subprocess.Popen([*command, "--offline"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        until_line(process.stderr, "reading")
        said = run(target, work, "--ratings", str(names), "--offline", status=1)
        assert "Another refresh is using" in said
        until_line(process.stderr, "checking the model")
        process.kill()
    assert not (target / "current.json").exists()
    trained = store.open_artefact(work / "model").version
    assert f"{trained} is the current version" in run(target, work, "--ratings", str(names), "--offline")

    (tmp_path / "params.json").write_text('{"k": 5}')
    command += ["--params", str(tmp_path / "params.json")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        until_line(process.stderr, "reading")
        process.send_signal(signal.SIGTERM)
        assert "run the same command again to continue" in process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert current(target).version == trained


def until_line(stream: IO[str], line: str) -> None:
    """Read up to a line; fails if there is none."""
    assert any(one.strip() == line for one in stream)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--offline",), 1, "There are no lists to train on"),
        (("--catalogue-only", "--collect", "1h"), 2, "--catalogue-only can't be combined with --collect"),
        (("--catalogue-only", "--offline"), 2, "--catalogue-only can't be combined with --offline"),
        (("--collect", "soon"), 2, "is not a time span"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    people: Standin, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert said in " ".join(run(tmp_path / "published", tmp_path / "work", *arguments, status=status).split())


def content_of(path: Path) -> bytes:
    """A file's content; of one that the server has removed meanwhile, none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def with_tens(lists: Path) -> pa.Table:
    table = parquet.read_table(lists)
    scores = np.where(table["my_score"].to_numpy() > 0, 10, 0).astype(np.int8)
    return table.set_column(table.schema.get_field_index("my_score"), "my_score", pa.array(scores))
