"""Machines as they are found: no home, a user without a name, nothing to write to, little memory, another place."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.serving import ROOT, check_server

NOBODY = ["setpriv", "--reuid=54321", "--regid=0", "--clear-groups"]
"""Runs a command as a user without an entry in the list of users, whose group may read the code."""
SAMPLE = "static/sample-export.xml"
HOMES: dict[str, dict[str, str]] = {
    "no home": {},
    "a home that is not there": {"HOME": "/dev/null/home"},
    "a home of another": {"HOME": "/root"},
    "temporary files nowhere": {"TMPDIR": "/dev/null/tmp"},
    "a terminal of another encoding": {"PYTHONIOENCODING": "latin-1", "LC_ALL": "C"},
}
COMMANDS = {
    "make_recommendations": ["make_recommendations.py", "--file", SAMPLE, "-n", "1"],
    "recommend": ["-m", "hakken", "recommend", "--model", "embedded", "--input", "{lists}", "--output", "-"],
}
TRAIN = ["-m", "hakken", "train", "--ratings", "{ratings}", "--anime", "{anime}", "--out", "{out}/model"]


def run(
    command: list[str], environment: Mapping[str, str], who: list[str], place: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*who, sys.executable, *command],
        cwd=place,
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
    check_server([*who, sys.executable, *SERVER], home)


SERVER = ["-m", "hakken.serving"]
MOUNTED = ["unshare", "-m", "/bin/sh", "-c"]
"""Begins a command that has mounts of its own."""
NO_FILE = "without room for any file"
MEMORIES = {"small": "size=64k", NO_FILE: "size=4k,nr_inodes=1"}
"""Options of what is mounted at /dev/shm, where semaphores, metrics and workers' reports are."""
PLACES = ("/tmp", "/var/tmp", "/usr/tmp", "/dev/shm")  # noqa: S108  # where temporary files may go
READ_ONLY = "; ".join(
    [
        f"test ! -d {place} || mount --bind {place} {place} && mount -o remount,bind,ro {place}"
        for place in ("/", *PLACES)
    ]
    + ['exec "$@"']
)


def mounted(script: str) -> list[str]:
    """What a command begins with that runs in the script's mounts; skips the test where these are not allowed."""
    if os.getuid() or not shutil.which(MOUNTED[0]):
        pytest.skip("only root may mount, with unshare")
    begin = [*MOUNTED, script, "sh"]
    if subprocess.run([*begin, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system allows no mounts")
    return begin


def with_memory(memory: str) -> list[str]:
    return mounted(f'mount -t tmpfs -o {MEMORIES[memory]} tmpfs /dev/shm && exec "$@"')


@pytest.mark.parametrize(("memory", "token"), [("small", "a-token-of-the-metrics-page"), (NO_FILE, "")])
def test_a_server_works_with_a_small_memory(memory: str, token: str) -> None:
    command = [*with_memory(memory), sys.executable, *SERVER]
    check_server(command, {"HAKKEN_METRICS_TOKEN": token, "WEB_CONCURRENCY": "2"})


def test_commands_work_with_a_small_memory(files: dict[str, str]) -> None:
    begin = with_memory(NO_FILE)
    tune = ["-m", "hakken", "tune", "--ratings", "{ratings}", "--iterations", "1", "--out", "{out}/tuned"]
    for command in (TRAIN, tune, ["-m", "hakken", "publish", "{out}/model", "{out}/published"]):
        check(command, {}, files, begin)


def test_where_nothing_can_be_written_a_list_is_answered_and_the_rest_names_the_variable() -> None:
    begin = mounted(READ_ONLY)
    seen = run(COMMANDS["make_recommendations"], {}, begin)
    assert seen.returncode == 0, seen.stderr
    # The command ends before it reads its tables.
    for command in (["-m", "hakken", "train", "--ratings", SAMPLE, "--anime", SAMPLE, "--out", "model"], SERVER):
        done = run(command, {}, begin)
        assert done.returncode == 1
        assert done.stderr.rstrip().endswith("can be written to; set TMPDIR to one.")
        assert "Traceback" not in done.stderr


ELSEWHERE: dict[str, list[str]] = {
    "the module": SERVER,
    "gunicorn": ["-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "--chdir", str(ROOT), "ars_app:create_app()"],
}


@pytest.mark.parametrize("command", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_server_that_is_started_elsewhere_has_its_configuration(command: list[str], tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT)} if command[1] == SERVER[1] else {}
    assert "Using worker: Worker" in check_server([sys.executable, *command], environment, tmp_path)


def test_paths_are_those_of_the_directory_in_which_a_command_is_run(files: dict[str, str], trained: Path) -> None:
    place = Path(files["out"], "elsewhere")
    place.mkdir()
    shutil.copytree(trained, place / "model")
    shutil.copy(ROOT / SAMPLE, place / "list.xml")
    shutil.copy(files["lists"], place / "lists.jsonl")
    lists = ["--input", "lists.jsonl", "--output", "written.jsonl"]
    for command in (
        [str(ROOT / "make_recommendations.py"), "--file", "list.xml"],
        ["-m", "hakken", "recommend", "--model", "model", *lists],
        ["-m", "hakken", "inspect", "model"],
        ["-m", "hakken", "publish", "model", "published"],
        [str(ROOT / "create_gcs_local_file.py"), "published", "fetched"],
    ):
        done = run(command, {"PYTHONPATH": str(ROOT), "HAKKEN_MODEL": "model"}, [], place)
        assert done.returncode == 0, done.stderr
    assert {"written.jsonl", "published", "fetched"} <= {path.name for path in place.iterdir()}
    done = run([str(ROOT / "ars_app.py")], {}, [], place)
    assert "python -m hakken serve" in done.stderr
    assert "Traceback" not in done.stderr
