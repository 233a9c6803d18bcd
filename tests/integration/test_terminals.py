"""Terminals, pipes and files as they are found: another encoding, closed, ended, or without room."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from hakken.bundle import put_catalogue
from hakken.catalogue import FILE_NAME, Catalogue
from tests.models import SMALL, small_catalogue
from tests.serving import PATIENCE, ROOT

TITLE = "Pokémon ☆ タイトル"
WITHOUT_STARS = "Pokémon ? ????"
TERMINALS: dict[str, tuple[dict[str, str], str, str]] = {
    "latin-1": ({"PYTHONIOENCODING": "latin-1"}, "latin-1", WITHOUT_STARS),
    "cp1252": ({"PYTHONIOENCODING": "cp1252"}, "cp1252", WITHOUT_STARS),
    "shift_jis": ({"PYTHONIOENCODING": "shift_jis"}, "shift_jis", "Pok?mon ☆ タイトル"),
    "ascii": ({"PYTHONIOENCODING": "ascii"}, "utf-8", TITLE),  # for which click writes UTF-8
    "a C locale": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "utf-8", TITLE),
}
"""What sets the encoding, the encoding of what is printed, and how the title is printed."""
ONCE = [str(ROOT / "make_recommendations.py"), "--file", "list.json", "--min-members", "0", "-n", "2", "--format"]
MANY = ["-m", "hakken", "recommend", "--model", "モデル", "--input", "lists.jsonl", "--min-members", "0", "--output"]
UPDATE = ["-m", "hakken", "catalogue", "--out", "out.jsonl.gz", "--from", f"モデル/{FILE_NAME}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a model whose titles hardly any terminal can print, and lists for it."""
    place = tmp_path_factory.mktemp("terminals")
    shutil.copytree(SMALL, place / "モデル")
    titles = small_catalogue().values()
    put_catalogue(place / "モデル", Catalogue(msgspec.structs.replace(one, title=TITLE) for one in titles))
    ratings = [{"anime_id": n, "score": 9, "status": "completed"} for n in (1, 2, 4)]
    (place / "list.json").write_text(json.dumps(ratings))
    (place / "lists.jsonl").write_text(json.dumps({"user": "é", "ratings": ratings}) + "\n")
    return place


def run(
    place: Path, command: list[str], terminal: Mapping[str, str], redirect: str = "", stdout: int = subprocess.PIPE
) -> tuple[int, bytes, str]:
    """Run a command in the directory; its status, what it printed, and its errors."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, *command],
        cwd=place,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HAKKEN_MODEL": str(place / "モデル"), **terminal},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=PATIENCE,
    )
    said = done.stderr.decode(errors="replace")
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    return done.returncode, done.stdout, said


@pytest.mark.parametrize(("terminal", "encoding", "title"), TERMINALS.values(), ids=TERMINALS.keys())
def test_what_a_terminal_cannot_print_is_replaced(
    place: Path, terminal: dict[str, str], encoding: str, title: str
) -> None:
    status, printed, said = run(place, [*ONCE, "table"], terminal)
    assert status == 0, said
    assert title in printed.decode(encoding)


@pytest.mark.parametrize("terminal", ["latin-1", "a C locale"])
@pytest.mark.parametrize("form", ["json", "csv", "lines", "a file"])
def test_data_are_utf_8_whatever_the_terminal_is(place: Path, form: str, terminal: str) -> None:
    commands = {"lines": [*MANY, "-"], "a file": [*MANY, "written.jsonl"]}
    status, printed, said = run(place, commands.get(form, [*ONCE, form]), TERMINALS[terminal][0])
    assert status == 0, said
    text = ((place / "written.jsonl").read_bytes() if form == "a file" else printed).decode("utf-8")
    if form == "csv":
        titles = [row["title"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    else:
        titles = [one["title"] for one in json.loads(text)["recommendations"]]
    assert titles
    assert set(titles) == {TITLE}


COMMANDS = {"make_recommendations": [*ONCE, "json"], "recommend": [*MANY, "-"], "catalogue": UPDATE}
CLOSED = {"stdout": ">&-", "stderr": "2>&-", "all three": "<&- >&- 2>&-"}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize("redirect", CLOSED.values(), ids=CLOSED.keys())
def test_a_closed_stream_is_no_failure(place: Path, command: list[str], redirect: str) -> None:
    status, printed, _ = run(place, command, {}, redirect)
    assert status == 0
    assert bool(printed) == (redirect == CLOSED["stderr"])


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_disk_without_room_is_told_in_a_sentence(place: Path, command: list[str]) -> None:
    status, _, said = run(place, command, {}, "> /dev/full")
    assert status == 1
    assert said.endswith("Error: No space left on device.\n")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_pipe_that_nobody_reads_ends_a_command_without_words(place: Path, command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status, _, said = run(place, command, {}, stdout=writer)
    finally:
        os.close(writer)
    assert status == 1
    assert "rror" not in said
