"""python -m hakken train, as a person at a terminal meets it: what it says, what stops it, what it leaves behind."""

import io
import re
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import click.testing
import msgspec
import pytest
import time_machine
from rich.console import Console

from hakken.cli import progress_bars
from hakken.cli.main import main
from hakken.cli.signals import StopFlag
from hakken.model import Parameters, store
from hakken.training import stage_times
from hakken.training.stage_times import StageTimer
from tests.training.commands import run


@pytest.fixture
def flawed_csv(ratings_csv: Path, tmp_path: Path) -> Path:
    path = tmp_path / "flawed.csv"
    path.write_text(ratings_csv.read_text() + "1,1,11\n1,2,12\n1,0,5\nx,4,5\n")
    return path


train = partial(run, "train")


def parameters_of(out: Path) -> Parameters:
    return store.open_artefact(out).manifest.parameters


# What it makes


def test_train_then_inspect(ratings_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    train("--ratings", ratings_csv, "--anime", anime_csv, "--out", out, "--k-stored", "7", "--shrinkage", "50")
    shown = click.testing.CliRunner().invoke(main, ["inspect", str(out)]).output
    assert "checksums  all right" in shown
    assert "catalogue holds 1 titles" in shown
    assert parameters_of(out) == Parameters(k_stored=7, shrinkage=50)


def test_options_go_before_the_file_of_parameters(ratings_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    out, params = tmp_path / "model", tmp_path / "params.json"
    params.write_text('{"k": 7, "amplification": 1.5, "prior": 0.25, "k_stored": 9}')
    options = ("--ratings", ratings_csv, "--anime", anime_csv, "--out", out, "--params", params)
    train(*options, "--prior", "0.5", "--k-stored", "8")
    assert parameters_of(out) == Parameters(k=7, amplification=1.5, prior=0.5, k_stored=8)


def test_every_hyper_parameter_has_an_option_that_is_told_of_and_keeps_its_range() -> None:
    options = {option.name: option for option in main.commands["train"].params if isinstance(option, click.Option)}
    for name, default in msgspec.structs.asdict(Parameters()).items():
        option = options[name]
        assert len(option.help or "") > 10
        assert option.show_default == str(default)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--k", "0"), ("--shrinkage", "-1"), ("--shrinkage", "nan"), ("--prior", "inf"), ("--amplification", "0")],
)
def test_impossible_hyper_parameters_are_refused(
    ratings_csv: Path, anime_csv: Path, tmp_path: Path, option: str, value: str
) -> None:
    out = tmp_path / "model"
    said = train("--ratings", ratings_csv, "--anime", anime_csv, "--out", out, option, value, status=2)
    assert option in said.stderr


def test_a_folder_of_parts_is_one_table(ratings_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    lines = ratings_csv.read_text().splitlines(keepends=True)
    parts = tmp_path / "parts"
    parts.mkdir()
    for n in range(2):
        (parts / f"{n}.csv").write_text("".join([lines[0], *lines[1 + n :: 2]]))
    for source, out in ((ratings_csv, tmp_path / "one"), (parts, tmp_path / "two")):
        train("--ratings", source, "--anime", anime_csv, "--out", out)
    assert (tmp_path / "one" / "b_i.npy").read_bytes() == (tmp_path / "two" / "b_i.npy").read_bytes()


# What it refuses


def test_strict_refuses_what_is_otherwise_left_out(flawed_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    options = ("--ratings", flawed_csv, "--anime", anime_csv, "--out", out)
    assert "flawed.csv" in train(*options, "--strict", status=1).stderr
    assert not out.exists()
    train(*options)


def test_a_place_that_is_no_model_is_refused_before_anything_is_read(
    ratings_csv: Path, anime_csv: Path, tmp_path: Path
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    said = train("--ratings", ratings_csv, "--anime", anime_csv, "--out", tmp_path / "letters", status=1)
    assert "is not a model" in said.stderr
    assert "reading" not in said.stderr


def test_a_report_without_a_place_is_refused_before_anything_is_read(
    ratings_csv: Path, anime_csv: Path, tmp_path: Path
) -> None:
    place = anime_csv / "report"
    options = ("--ratings", ratings_csv, "--anime", anime_csv, "--out", tmp_path / "model")
    said = train(*options, "--report", place, status=2)
    assert f"Nothing can be written to {place}" in " ".join(said.stderr.split())
    assert not (tmp_path / "model").exists()


# What it says


def figures(line: str) -> list[int]:
    return [int(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]*", line)]


def test_the_figures_of_the_summary_add_up(flawed_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    said = train("--ratings", flawed_csv, "--anime", anime_csv, "--out", out).stdout.splitlines()
    named = {line.split()[0]: line for line in said if not line.startswith(" ")}
    read, kept, left_out = figures(named["rows"])
    assert read == len(flawed_csv.read_text().splitlines()) - 1
    assert read == kept + left_out
    reasons = said[said.index(named["rows"]) + 1 : said.index(named["catalogue"])]
    assert sum(figures(line)[0] for line in reasons) == left_out
    assert any(f"flawed.csv, line {read - 2}" in line for line in reasons)

    artefact = store.open_artefact(out)
    sizes = artefact.manifest.sizes
    assert figures(named["users"]) == [sizes.users]
    assert figures(named["anime"]) == [sizes.items]
    assert figures(named["scores"]) == [sizes.scored]
    assert f"{sizes.scored / sizes.users / sizes.items:.2%}" in named["density"]
    assert named["model"].endswith(str(out))
    assert any(artefact.version in line for line in said)

    stages = [line.rsplit(maxsplit=3) for line in said[said.index(named["stages"]) + 1 : said.index(named["model"])]]
    names = [name.strip() for name, *_ in stages]
    assert names[-1] == "in all"
    assert {"biases", "similarities", "writing"} < set(names)
    assert sum(float(seconds) for _, seconds, *_ in stages[:-1]) <= float(stages[-1][1]) + 0.1 * len(stages)


def test_the_datas_time_is_kept_and_told(ratings_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    tables = ("--ratings", ratings_csv, "--anime", anime_csv, "--out", tmp_path / "model")
    said = train(*tables, "--data-time", "2026-03", "--report", tmp_path / "report").stdout
    assert store.open_artefact(tmp_path / "model").manifest.data_time == "2026-03"
    assert re.search(r"^data time +2026-03$", said, re.MULTILINE)
    assert "from ratings up to March 2026;" in (tmp_path / "report" / "index.html").read_text()
    said = train(*tables, "--report", tmp_path / "report").stdout
    assert store.open_artefact(tmp_path / "model").manifest.data_time is None
    assert re.search(r"^data time +unknown$", said, re.MULTILINE)
    assert "from ratings of unknown time;" in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2026-99", "there is no such day"),
        ("soon", "is no time"),
        ("2026-03-03", "in the future"),
        ("2027", "in the future"),
    ],
)
def test_a_time_that_is_impossible_or_to_come_is_refused_before_any_work(
    ratings_csv: Path, anime_csv: Path, tmp_path: Path, time: str, said: str
) -> None:
    tables = ("--ratings", ratings_csv, "--anime", anime_csv, "--out", tmp_path / "model")
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC)):
        refused = train(*tables, "--data-time", time, status=2)
        assert said in " ".join(refused.stderr.split())
        assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("time", ["2026-03-02", "2026-03-02T12:00:00Z", "2026-03", "2026"])
def test_a_clock_may_be_a_day_behind(time: str) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        option = next(one for one in main.commands["train"].params if one.name == "data_time")
        assert option.process_value(click.Context(main.commands["train"]), time) == time


def test_each_stage_is_one_plain_line_where_there_is_no_terminal(
    ratings_csv: Path, anime_csv: Path, tmp_path: Path
) -> None:
    said = train("--ratings", ratings_csv, "--anime", anime_csv, "--out", tmp_path / "model").stderr
    assert "\nsimilarities\n" in said
    assert "\x1b" not in said
    assert said.count("similarities") == 1


def test_quiet_says_nothing(flawed_csv: Path, anime_csv: Path, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "model", "--report", tmp_path / "report", "--quiet")
    said = train("--ratings", flawed_csv, "--anime", anime_csv, *options)
    assert said.output == ""
    assert (tmp_path / "report" / "index.html").is_file()


def test_bars_show_amount_rate_and_time() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, color_system=None)
    with progress_bars.bars(console, StopFlag()) as shown:
        with shown.stage("sorting"):
            pass
        with shown.stage("similarities", 4_000, "anime") as advance:
            advance(1_000)
            advance(3_000)
        with shown.stage("reading", 2_700_000, "bytes") as advance:  # reckoned
            advance(2_500_000)
    sorting, similarities, reading = [line for line in text.getvalue().splitlines() if "━" in line][-3:]
    assert "sorting" in sorting
    assert re.search(r"4,000/4,000 anime +[\d,]+ anime/s +00:0\d", similarities)
    assert re.search(r"2\.5/2\.5 MB +[\d,.]+ MB/s +00:0\d", reading)


def test_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def has_bars() -> bool:
        monkeypatch.setattr(sys, "stderr", text := Terminal())
        with progress_bars.show_progress(StopFlag()) as shown, shown.stage("sorting"):
            pass
        return "━" in text.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    assert has_bars()
    monkeypatch.setenv("TERM", "dumb")
    assert not has_bars()


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
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ratings_csv: Path, anime_csv: Path
) -> None:
    monkeypatch.setattr(stage_times, "STATUS", tmp_path / "nowhere" / "status")
    monkeypatch.setattr(stage_times, "CLEAR", tmp_path / "nowhere" / "clear_refs")
    said = train("--ratings", ratings_csv, "--anime", anime_csv, "--out", tmp_path / "model").stdout
    assert "this system tells the peak of the whole run only" in said
    assert re.search(r"similarities +[\d.]+\n", said)
    assert re.search(r"in all +[\d.]+ +\d+(\.\d)? [MG]B\n", said)
