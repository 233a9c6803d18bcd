"""python -m hakken train, as a person at a terminal meets it: what it makes, what it refuses and what it says."""

import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import pytest
import time_machine

from hakken.cli import progress_bars
from hakken.cli.main import main
from hakken.cli.signals import StopFlag
from hakken.model import Parameters, store
from hakken.training import stage_times
from hakken.training.stage_times import StageTimer
from tests.training.commands import Train, run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def flawed(ratings_csv: Path, tmp_path: Path) -> Path:
    """A folder of two parts, the second with rows that can't be used."""
    (tmp_path / "flawed").mkdir()
    head, *rows = ratings_csv.read_text().splitlines(keepends=True)
    (tmp_path / "flawed" / "0.csv").write_text("".join([head, *rows[::2]]))
    (tmp_path / "flawed" / "1.csv").write_text("".join([head, *rows[1::2], "1,1,11\n1,2,12\n1,0,5\nx,4,5\n"]))
    return tmp_path / "flawed"


def test_options_go_before_the_file_of_parameters_and_inspect_shows_the_model(train: Train, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"k": 7, "amplification": 1.5, "prior": 0.25, "k_stored": 9}')
    train("--params", tmp_path / "params.json", "--prior", "0.5", "--k-stored", "8")
    parameters = store.open_artefact(tmp_path / "model").manifest.parameters
    assert parameters == Parameters(k=7, amplification=1.5, prior=0.5, k_stored=8)
    shown = run("inspect", tmp_path / "model").output
    assert "checksums  correct" in shown
    assert "catalogue holds 1 titles" in shown


def test_every_hyper_parameter_has_an_option_that_is_told_of_and_keeps_its_range() -> None:
    options = {option.name: option for option in main.commands["train"].params if isinstance(option, click.Option)}
    for name, default in msgspec.structs.asdict(Parameters()).items():
        option = options[name]
        assert len(option.help or "") > 10
        assert option.show_default == str(default)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        *((option, value, option) for option in ("--shrinkage", "--prior") for value in ("-1", "nan", "inf")),
        *((option, "0", option) for option in ("--k", "--amplification")),
        ("--data-time", "2026-99", "there is no such day"),
        ("--data-time", "soon", "is not a time"),
        ("--data-time", "", "is not a time"),
        ("--data-time", "2026-03-03", "in the future"),
        ("--data-time", "2027", "in the future"),
        ("--report", "{}/anime.csv/report", "Nothing can be written to "),
    ],
)
def test_an_impossible_option_is_refused_before_any_work(
    train: Train, tmp_path: Path, option: str, value: str, said: str
) -> None:
    with time_machine.travel(NOW):
        refused = train(option, value.format(tmp_path), status=2)
    assert said in " ".join(refused.stderr.split())
    assert "reading" not in refused.stderr
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("time", ["2026-03-02", "2026-03-02T12:00:00Z", "2026-03", "2026"])
def test_a_clock_may_be_a_day_behind(time: str) -> None:
    with time_machine.travel(NOW, tick=False):
        option = next(one for one in main.commands["train"].params if one.name == "data_time")
        assert option.process_value(click.Context(main.commands["train"]), time) == time


def test_a_place_that_is_no_model_is_refused_before_anything_is_read(train: Train, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.txt").write_text("dear")
    said = train(status=1)
    assert "is not a model" in said.stderr
    assert "reading" not in said.stderr


# What it says


def figures(line: str) -> list[int]:
    return [int(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]*", line)]


def test_the_figures_of_the_summary_add_up_unless_strict_refuses_the_table(
    train: Train, flawed: Path, ratings_csv: Path, tmp_path: Path
) -> None:
    assert "1.csv, line " in train("--strict", ratings=flawed, status=1).stderr
    assert not (tmp_path / "model").exists()
    result = train(ratings=flawed)
    said = result.stdout.splitlines()
    named = {line.split()[0]: line for line in said if not line.startswith(" ")}
    read, kept, left_out = figures(named["rows"])
    assert read == len(ratings_csv.read_text().splitlines()) - 1 + 4
    assert read == kept + left_out
    reasons = said[said.index(named["rows"]) + 1 : said.index(named["catalogue"])]
    assert sum(figures(line)[0] for line in reasons) == left_out == 4
    assert any("impossible anime id (1.csv, line " in line for line in reasons)

    artefact = store.open_artefact(tmp_path / "model")
    sizes = artefact.manifest.sizes
    assert figures(named["users"]) == [sizes.users]
    assert figures(named["anime"]) == [sizes.items]
    assert figures(named["scores"]) == [sizes.scored]
    assert f"{sizes.scored / sizes.users / sizes.items:.2%}" in named["density"]
    assert named["model"].endswith(str(tmp_path / "model"))
    assert any(artefact.version in line for line in said)

    stages = [line.rsplit(maxsplit=3) for line in said[said.index(named["stages"]) + 1 : said.index(named["model"])]]
    names = [name.strip() for name, *_ in stages]
    assert names[-1] == "total"
    assert {"biases", "similarities", "writing"} < set(names)
    assert sum(float(seconds) for _, seconds, *_ in stages[:-1]) <= float(stages[-1][1]) + 0.1 * len(stages)
    assert result.stderr.splitlines() == names[:-1], "each stage is one plain line if there is no terminal"


@pytest.mark.parametrize(
    ("time", "told", "in_words"), [("2026-03", "2026-03", "up to March 2026"), (None, "unknown", "of unknown date")]
)
def test_the_datas_time_is_kept_and_told(
    train: Train, tmp_path: Path, time: str | None, told: str, in_words: str
) -> None:
    said = train("--report", tmp_path / "report", *(("--data-time", time) if time else ())).stdout
    assert store.open_artefact(tmp_path / "model").manifest.data_time == time
    assert re.search(rf"^data time +{told}$", said, re.MULTILINE)
    assert f"from ratings {in_words};" in (tmp_path / "report" / "index.html").read_text()


def test_quiet_says_nothing(train: Train, flawed: Path, tmp_path: Path) -> None:
    assert train("--report", tmp_path / "report", "--quiet", ratings=flawed).output == ""
    assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.parametrize(
    ("terminal", "quiet", "has_bars"), [("xterm", False, True), ("dumb", False, False), ("xterm", True, False)]
)
def test_bars_show_amount_rate_and_time_on_terminals(
    monkeypatch: pytest.MonkeyPatch, terminal: str, quiet: bool, has_bars: bool
) -> None:
    text = io.StringIO()
    monkeypatch.setattr(text, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", text)
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    with progress_bars.show_progress(StopFlag(), quiet=quiet) as shown:
        with shown.stage("sorting"):
            pass
        with shown.stage("similarities", 4_000, "anime") as advance:
            advance(1_000)
            advance(3_000)
        with shown.stage("reading", 2_700_000, "bytes") as advance:  # an estimate
            advance(2_500_000)
    if not has_bars:
        assert text.getvalue() == ("" if quiet else "sorting\nsimilarities\nreading\n")
        return
    sorting, similarities, reading = [line for line in text.getvalue().splitlines() if "━" in line][-3:]
    assert "sorting" in sorting
    assert re.search(r"4,000/4,000 anime +[\d,]+ anime/s +.*00:0\d", similarities)
    assert re.search(r"2\.5/2\.5 MB +[\d,.]+ MB/s +.*00:0\d", reading)


# What each stage takes


def test_a_stage_knows_its_own_peak_not_that_of_the_one_before() -> None:
    measured = StageTimer()
    with measured.stage("much"):
        much = bytearray(300_000_000)
        much[::4096] = b"x" * len(much[::4096])
    del much
    with measured.stage("little"):
        pass
    much_peak, little_peak = (stage.peak for stage in measured.stages)
    assert measured.peak > 300_000_000
    if much_peak is not None and little_peak is not None:  # elsewhere than on Linux nobody knows
        assert much_peak > little_peak + 200_000_000
        assert measured.peak >= much_peak


def test_where_the_system_knows_no_peak_of_a_stage_nothing_is_made_up(
    monkeypatch: pytest.MonkeyPatch, train: Train, tmp_path: Path
) -> None:
    monkeypatch.setattr(stage_times, "STATUS", tmp_path / "nowhere" / "status")
    monkeypatch.setattr(stage_times, "CLEAR", tmp_path / "nowhere" / "clear_refs")
    said = train().stdout
    assert "this system reports only the peak of the whole run" in said
    assert re.search(r"similarities +[\d.]+\n", said)
    assert re.search(r"total +[\d.]+ +\d+(\.\d)? [MG]B\n", said)
