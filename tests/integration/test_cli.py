"""python -m hakken: batch answers, inspection; each failure is one sentence and exit status 1."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.bundle import ModelBundle
from hakken.model import fold_in, store
from hakken.ratings import Rating, UserList
from tests.training import commands


def run(*arguments: str | Path, status: int = 0) -> str:
    return commands.run(*arguments, status=status).output


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


RATINGS = [{"anime_id": 10, "score": 9}, {"anime_id": 20, "score": 4, "status": "dropped"}]


def test_inspect_names_the_damaged_file(trained: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(trained, tmp_path / "model"))
    (model / "b_i.npy").write_bytes(b"x")
    (model / "raters.npy").unlink()
    said = run("inspect", model, status=1)
    assert "The model is damaged" in said
    verdicts = {line.split()[0]: line.split()[-1] for line in said.splitlines() if "bytes" in line}
    bad = {name: verdict for name, verdict in verdicts.items() if verdict != "ok"}
    assert bad == {"b_i.npy": "DAMAGED", "raters.npy": "MISSING"}
    assert "checksums  correct" in run("inspect", "embedded")
    assert "There is no model at" in run("inspect", tmp_path, status=1)


def test_recommend_answers_each_line_in_order(tmp_path: Path) -> None:
    lines = (
        {"user": "7", "ratings": [{"anime_id": 1, "score": 8, "status": "completed"}, {"anime_id": 5, "score": 7}]},
        {"user": "a", "ratings": []},
        {"user": "7", "ratings": [{"anime_id": 1, "score": 3}, {"anime_id": 1, "score": 9}]},
    )
    source = write_lines(tmp_path / "in.jsonl", *lines)
    run("recommend", "--model", "embedded", "--input", source, "--output", tmp_path / "out.jsonl", "-n", "20")
    first, empty, repeated = read_lines(tmp_path / "out.jsonl")
    assert [first["user"], empty["user"], repeated["user"]] == ["7", "a", "7"]
    assert len(first["recommendations"]) == 20
    assert list(first["recommendations"][0]) == [
        *("anime_id", "title", "predicted_rating", "match", "support", "neighbours", "reasons", "effects"),
        *("by_attributes", "part", "series_note"),
    ]
    assert [one["anime_id"] for one in repeated["continue"]] == [5]
    assert not {1, 5} & {one["anime_id"] for one in first["recommendations"]}
    assert all("is based on 2 scored titles" in note for note in first["notes"])
    assert "list is empty" in empty["notes"][0]
    assert "repeated" in repeated["notes"][-1]


def test_predict_is_not_clipped_and_says_what_is_unknown_or_nobody_scored(trained: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(trained, tmp_path / "model"))
    raters = np.load(directory / "raters.npy")
    raters[[9, 29]] = 0, 1
    np.save(directory / "raters.npy", raters)
    (directory / "manifest.json").unlink()
    model = ModelBundle.read(store.write_manifest(directory, store.read_manifest(trained).manifest)).model
    tens = [{"anime_id": i, "score": 10} for i in range(1, 60)]
    lines = (
        {"user": 7, "ratings": RATINGS, "candidates": [10, 30, 99_999]},
        {"user": 8, "ratings": tens, "candidates": list(range(60, 250))},
        {"user": 9, "ratings": [], "candidates": [99_999, 99_999]},
    )
    source = write_lines(tmp_path / "in.jsonl", *lines)
    run("predict", "--model", directory, "--input", source, "--output", tmp_path / "out.jsonl")
    first, high, nothing = read_lines(tmp_path / "out.jsonl")
    b_u = fold_in(model, UserList.of([Rating(10, 9), Rating(20, 4)])).b_u
    assert list(first["predictions"]) == ["10", "30", "99999"]
    of_nobody, of_one, of_unknown = first["predictions"].values()
    assert of_nobody == of_unknown == pytest.approx(model.mu + b_u) != of_one
    assert first["unknown"] == [10, 99_999]
    assert max(high["predictions"].values()) > 10
    assert "unknown" not in high
    assert nothing == {"user": 9, "predictions": {"99999": model.mu}, "unknown": [99_999]}


def test_lines_of_other_programs_are_read(trained: Path, tmp_path: Path) -> None:
    lines = ('{"user": 1, "ratings": [{"anime_id": 5, "score": 9}]}', '{"user": 2, "ratings": []}', "")
    (tmp_path / "plain.jsonl").write_text("\n".join(lines))
    (tmp_path / "other.jsonl").write_bytes(("\ufeff" + "\r\n".join(lines).replace("9}", "9.0}")).encode())
    for name in ("plain", "other"):
        run("recommend", "--model", trained, "--input", tmp_path / f"{name}.jsonl", "--output", tmp_path / name)
    assert (tmp_path / "other").read_bytes() == (tmp_path / "plain").read_bytes() != b""


UNREADABLE = [
    ("{", "truncated"),
    ("[]", "Expected `object`"),
    ('{"user": "1"}', "missing required field `ratings`"),
    (
        '{"user": "1", "ratings": [{"anime_id": 1}, {"anime_id": 0}], "candidates": []}',
        "entry 1 of `ratings` has no",
    ),
    ('{"user": "1", "ratings": [{"score": 1}], "candidates": []}', "entry 0 of `ratings` has no anime id"),
    ('{"user": "1", "ratings": [1]}', "Expected `object`"),
    ('{"user": "\xff", "ratings": []}', "Line 2"),
    ("[" * 200_000, "Line 2"),
]


@pytest.mark.parametrize(
    ("command", "line", "reason"),
    [
        *((command, *one) for command in ("recommend", "predict") for one in UNREADABLE),
        ("predict", '{"user": "7", "ratings": [], "candidate": [5]}', "missing required field `candidates`"),
    ],
)
def test_a_line_that_cant_be_read_ends_the_command_and_leaves_the_output_as_it_was(
    trained: Path, tmp_path: Path, command: str, line: str, reason: str
) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"user": "0", "ratings": [], "candidates": []}\n' + line.encode("latin-1") + b"\n")
    output.write_text("earlier\n")
    said = run(command, "--model", trained, "--input", source, "--output", output, status=1)
    assert "Line 2" in said
    assert reason in said
    assert output.read_text() == "earlier\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_standard_output_links_and_devices_are_written_not_replaced(trained: Path, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", {"user": "7", "ratings": RATINGS})
    ask = ("recommend", "--model", trained, "--input", source, "--output")
    assert json.loads(run(*ask, "-"))["user"] == "7"
    target, link, pipe = tmp_path / "target.jsonl", tmp_path / "link.jsonl", tmp_path / "pipe"
    link.symlink_to(target)
    run(*ask, link)
    assert link.is_symlink()
    assert read_lines(target)[0]["user"] == "7"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:  # noqa: S607  # found by the path, as in a shell
        run(*ask, pipe)
        assert reader.stdout is not None
        assert json.loads(reader.stdout.read())["user"] == "7"
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [(("--model", "."), 1, "There is no model"), (("--model", "embedded", "-n", "0"), 2, "0 is not in the range")],
)
def test_batch_commands_refuse_a_model_that_is_none_and_an_impossible_n(
    tmp_path: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    source, out = write_lines(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    assert sentence in run("recommend", "--input", source, "--output", out, *arguments, status=status)
    assert not out.exists()


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hakken", "inspect", "nowhere"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "Error: There is no model at nowhere: no manifest.json in it.\n"
