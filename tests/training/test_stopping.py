"""What a signal, or a kill, leaves of a training run: nothing half-written, and nothing in the next one's way."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.synthetic import synthetic_entries
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import StopFlag, StopSignal, stop_on_signal
from hakken.errors import StorageError
from hakken.model import store
from hakken.training import report
from tests.training.commands import Train

# What stops it


@contextmanager
def training_in_the_middle(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has just begun to compare items."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's child would not hear it
    try:
        command = [sys.executable, "-m", "hakken", "train", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("similarities"):
                break
        yield process
        process.kill()


@pytest.fixture(scope="module")
def large_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough that comparing its items takes seconds."""
    path = tmp_path_factory.mktemp("large") / "ratings.csv"
    synthetic_entries(1_500, 4_000, 1_500_000, seed=5).write_csv(path)
    return path


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_signal_stops_it_and_it_can_be_started_again(
    large_csv: Path, anime_csv: Path, trained: Path, tmp_path: Path, train: Train, number: signal.Signals, status: int
) -> None:
    out = Path(shutil.copytree(trained, tmp_path / "model"))
    before, files = store.open_artefact(out), {*tmp_path.iterdir()}
    with training_in_the_middle("--ratings", large_csv, "--anime", anime_csv, "--out", out) as process:
        process.send_signal(number)
        said, complaint = process.communicate(timeout=30)
    assert process.returncode == status
    assert said == ""
    assert store.open_artefact(out) == before
    left = {*tmp_path.iterdir()} - files
    if number == signal.SIGKILL:
        assert [path.name.startswith(".model.staged-") for path in left] == [True]
        train("--k", "7")
        assert store.open_artefact(out).manifest.parameters.k == 7
        assert {*tmp_path.iterdir()} == files
    else:
        # A signal that comes while Python clears an object away is told of by Python too, before it is acted on.
        assert complaint.endswith("Stopped; nothing was written.\n"), complaint
        assert not left


def test_a_run_that_is_stopped_after_its_model_was_written_says_so(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "write_report", lambda *_: signal.raise_signal(signal.SIGINT))
    said = train("--report", tmp_path / "report", status=130)
    assert said.stderr.endswith(f"Stopped; the model had already been written to {tmp_path / 'model'}.\n")
    assert said.stdout == ""
    assert store.open_artefact(tmp_path / "model")


def test_a_second_ctrl_c_does_not_break_the_cleaning_up_and_what_was_ignored_stays_ignored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cleaned = []
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    handler = signal.getsignal(signal.SIGINT)

    def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append("all")

    try:
        with pytest.raises(SystemExit) as ended, stop_on_signal(lambda: "Stopped."):
            work()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 130
    assert cleaned == ["all"]
    assert capsys.readouterr().err == "Stopped.\n"
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_signal_whose_exception_got_lost_stops_it_at_the_next_step() -> None:
    def work(stop: StopFlag) -> None:
        with show_progress(stop, quiet=True) as progress, progress.stage("similarities") as advance:
            with suppress(StopSignal):  # as a callback from compiled code does
                signal.raise_signal(signal.SIGTERM)
            advance(1)
            pytest.fail("it went on")

    with pytest.raises(SystemExit) as ended, stop_on_signal(lambda: "Stopped.") as stop:
        work(stop)
    assert ended.value.code == 143


# What it leaves beside its place


def stage(target: Path, name: str = "0aaaaaa_") -> Path:
    staging = target.with_name(f".{target.name}.staged-{name}")
    (staging / "new").mkdir(parents=True)
    (staging / "new" / "b_i.npy").write_bytes(b"half")
    return staging


def test_only_leftovers_are_swept_away(trained: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(trained, tmp_path / "model"))
    leftover = stage(out)
    others = [stage(tmp_path / "another"), stage(out, "my-own"), tmp_path / ".model.backup01", tmp_path / ".model.old"]
    others[2].mkdir()
    others[3].write_text("mine")
    with store.replacing(out) as staged:
        assert not leftover.exists()
        with store.replacing(out) as inner:  # two at once, and both live
            (inner / "manifest.json").write_text("{}")
        assert staged.is_dir()
        (staged / "manifest.json").write_text("[]")
    assert (out / "manifest.json").read_text() == "[]"
    assert sorted(tmp_path.iterdir()) == sorted([*others, out])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("disk")])
def test_a_swap_that_is_broken_off_or_killed_leaves_the_old_model(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    out = tmp_path / "model"
    shutil.copytree(trained, stage(out) / "old")  # as a killed run had set it aside
    rename = Path.rename

    def broken(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises((KeyboardInterrupt, StorageError)), store.replacing(out) as staged:
        (staged / "manifest.json").write_text("{}")
    assert store.open_artefact(out)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_a_place_that_cant_be_replaced_as_a_whole_is_refused_at_once(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="choose a named directory"), store.replacing(Path(place)):
        pytest.fail("it began")
