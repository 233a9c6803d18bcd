"""Machines as they are found: no home, a user without a name, code that can't be written to, another locale."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from tests.serving import PATIENCE, ROOT, free_port, until

NOBODY = ["setpriv", "--reuid=54321", "--regid=0", "--clear-groups"]
"""Runs a command as a user without an entry in the list of users, whose group may read the code."""
SAMPLE = "static/sample-export.xml"
HOMES: dict[str, dict[str, str]] = {
    "no home": {},
    "a home that is not there": {"HOME": "/dev/null/home"},
    "a home of another": {"HOME": "/root"},
    "a terminal of another encoding": {"PYTHONIOENCODING": "latin-1", "LC_ALL": "C"},
}
COMMANDS = {
    "make_recommendations": ["make_recommendations.py", "--file", SAMPLE, "-n", "1"],
    "recommend": ["-m", "hakken", "recommend", "--model", "embedded", "--input", "{lists}", "--output", "-"],
}
TRAIN = ["-m", "hakken", "train", "--ratings", "{ratings}", "--anime", "{anime}", "--out", "{out}/model"]


def run(command: list[str], environment: Mapping[str, str], who: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*who, sys.executable, *command],
        cwd=ROOT,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
        check=False,
    )


@pytest.fixture(scope="module")
def who() -> list[str]:
    """What a command begins with to be run by another user, who may not write the code; nothing where that can't be."""
    if os.getuid() or not shutil.which(NOBODY[0]):
        return []
    return [] if run(["-c", "import flask, hakken.config"], {}, NOBODY).returncode else NOBODY


@pytest.fixture
def files() -> Iterator[dict[str, str]]:
    """Input of the commands, in a directory that anyone may use; pytest's are its user's own."""
    with tempfile.TemporaryDirectory() as directory:
        tmp_path = Path(directory)
        tmp_path.chmod(0o777)
        (tmp_path / "lists.jsonl").write_text(json.dumps({"user": 1, "ratings": [{"anime_id": 1, "score": 9}]}) + "\n")
        rows = [f"{user},{1 + (user + n) % 7},{1 + (user * n) % 10}" for user in range(1, 30) for n in range(6)]
        (tmp_path / "ratings.csv").write_text("\n".join(["user_id,anime_id,rating", *rows]) + "\n")
        anime = [f"{n},Title {n},Drama,TV,12,7.5,{100 * n}" for n in range(1, 8)]
        (tmp_path / "anime.csv").write_text(
            "\n".join(["anime_id,name,genre,type,episodes,rating,members", *anime]) + "\n"
        )
        names = {"lists": "lists.jsonl", "ratings": "ratings.csv", "anime": "anime.csv", "out": "."}
        yield {name: str(tmp_path / file) for name, file in names.items()}


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES.keys())
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_works(home: dict[str, str], command: list[str], files: dict[str, str], who: list[str]) -> None:
    check(command, home, files, who)


def test_training_works_without_a_home_where_kernels_cannot_be_kept(files: dict[str, str], who: list[str]) -> None:
    check(TRAIN, HOMES["a home that is not there"], files, who)


def check(command: list[str], home: dict[str, str], files: dict[str, str], who: list[str]) -> None:
    done = run([word.format(**files) for word in command], home, who)

    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES.keys())
def test_a_server_works(home: dict[str, str], who: list[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = [*who, sys.executable, "-m", "hakken.serving", "--bind", address]
    environment = {"PATH": os.defpath, "WEB_CONCURRENCY": "1", "HAKKEN_LOG_LEVEL": "warning", **home}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: _is_ready(address))
            page = requests.get(f"http://{address}/recommendations?sample=1", timeout=PATIENCE)
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE)

    assert page.status_code == 200
    assert "Traceback" not in said


def _is_ready(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/readyz", timeout=1).ok
    except requests.RequestException:
        return False
