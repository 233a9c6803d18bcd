"""What is deployed with: image, units, proxy, and the page that tells a stranger how, as far as it can be checked."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import requests
from dockerfile_parse import DockerfileParser

from hakken.cli.main import main
from hakken.config import Settings, variable_names
from hakken.web.forms import body_limit
from ops.serving import documented
from tests.serving import ROOT, free_port, served, wait_for

DEPLOY = ROOT / "deploy"
GCE = (DEPLOY / "gce.md").read_text()
SNIPPETS = re.findall(r"^```sh\n(.*?)^```$", GCE, re.MULTILINE | re.DOTALL)


def tool(name: str) -> str:
    """A program that a machine may lack; one that has to have all says so by REQUIRE_TOOLS=1."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        (pytest.fail if os.environ.get("REQUIRE_TOOLS") else pytest.skip)(f"{name} is not installed: NOT CHECKED")
    return found


UNUSED = ("hakken.training", "hakken.evaluation", "hakken.cli", "google.cloud", "duckdb", "optuna")
OPTIONAL = {"setuptools", "msgpack", "pyyaml", "greenlet", "tomlkit"}
"""What libraries load where it happens to be, and do without."""


Steps = list[tuple[str, str]]
"""Of a stage of the image: instructions and their values."""


@pytest.fixture(scope="module")
def stages() -> list[Steps]:
    with (ROOT / "Dockerfile").open("rb") as file:
        structure = DockerfileParser(fileobj=file).structure
    stages: list[Steps] = []
    for one in structure:
        if one["instruction"] == "FROM":
            stages.append([])
        if one["instruction"] != "COMMENT":
            stages[-1].append((one["instruction"], one["value"]))
    return stages


FORMS = {
    "FROM": r"python:3\.11\.\d+-slim-\w+( AS \w+)?",
    "CMD": r"\[.*",
    "ENTRYPOINT": r"\[.*",
    "HEALTHCHECK": r'.*CMD \["python".*',
    "WORKDIR": "/.*",
}
"""What values of instructions look like: images are pinned and slim, and nothing needs a shell to stop."""


def test_images_and_commands_are_as_they_should_be(stages: list[Steps]) -> None:
    steps = [step for stage in stages for step in stage]
    assert {"FROM", "CMD", "HEALTHCHECK", "WORKDIR", "RUN"} <= {instruction for instruction, _ in steps}
    for instruction, value in steps:
        assert instruction not in {"ADD", "MAINTAINER"}
        assert re.fullmatch(FORMS.get(instruction, ".*"), value, re.DOTALL), value
        if instruction == "RUN":
            assert not re.search("curl|wget|sudo|cd ", value)
            assert "pip install" not in value or "--no-cache-dir" in value
            if "apt-get install" in value:
                assert "--no-install-recommends" in value
                assert "rm -rf /var/lib/apt/lists/*" in value


def test_packages_are_pinned_with_their_hashes() -> None:
    pins = [line for line in (DEPLOY / "requirements.txt").read_text().splitlines() if re.match(r"[a-z]", line)]
    assert len(pins) > 20
    assert all(re.fullmatch(r"[\w.-]+(\[\w+\])?==\S+.*\\", line) for line in pins)
    # `make run` installs these where training's may be: neither may change a version of the other.
    assert set(pins) <= set((ROOT / "requirements.txt").read_text().splitlines())


def test_the_last_stage_has_no_tools_to_build_with_and_runs_as_nobody_in_particular(stages: list[Steps]) -> None:
    last = stages[-1]
    assert not any(re.search(r"pip install|apt-get|gcc|build-essential", value) for _, value in last)
    instructions = [instruction for instruction, _ in last]
    [user] = [value for instruction, value in last if instruction == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert not {"COPY", "RUN"} & set(instructions[instructions.index("USER") :])
    assert {"HEALTHCHECK", "CMD", "VOLUME"} <= set(instructions)


def copied(stages: list[Steps]) -> Iterator[Path]:
    """What the last stage copies from the repository."""
    for instruction, value in stages[-1]:
        if instruction == "COPY" and not value.startswith("--from"):
            *sources, _ = value.split()
            yield from (ROOT / one for one in sources)


def test_all_that_is_copied_is_sent_and_nothing_else(stages: list[Steps]) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert sent == {str(path.relative_to(ROOT)) for path in copied(stages)} | {"deploy/requirements.txt"}
    for name in (".git", "tests", ".venv", "docs", "benchmarks", "ops"):
        assert not any(fnmatch.fnmatch(name, one) for one in sent)


def contents(place: Path) -> dict[Path, int]:
    """Each file below a place, and when it was last changed."""
    return {path: path.stat().st_mtime_ns for path in place.rglob("*")}


def test_the_files_of_the_image_serve_and_nothing_is_written_beside_the_cache(
    stages: list[Steps], tmp_path: Path
) -> None:
    place = tmp_path / "srv"
    place.mkdir()
    for path in copied(stages):
        if path.is_dir():
            shutil.copytree(path, place / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, place)
    before = contents(place)
    environment = {
        "PORT": str(free_port()),
        "PATH": os.environ["PATH"],
        "HAKKEN_CACHE_DIR": str(tmp_path / "cache"),
        "HAKKEN_FACTS_SOURCE": "off",
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    address = f"http://127.0.0.1:{environment['PORT']}"
    check = [sys.executable, "-m", "hakken.serving.healthcheck"]
    with subprocess.Popen([sys.executable, "-m", "hakken.serving"], cwd=place, env=environment) as process:
        try:
            wait_for(address)
            for page in ("readyz", "static/hakken.css", "recommendations?sample=1"):
                assert requests.get(f"{address}/{page}", timeout=10).status_code == 200
            assert subprocess.run(check, cwd=place, env=environment, check=False).returncode == 0
        finally:
            process.terminate()
    assert subprocess.run(check, cwd=place, env=environment, check=False).returncode == 1
    assert contents(place) == before
    assert not Path("/nonexistent").exists()


def test_a_worker_loads_nothing_that_the_image_lacks_or_that_only_training_needs() -> None:
    pinned = set(map(plain, re.findall(r"^([\w.-]+)==", (DEPLOY / "requirements.txt").read_text(), re.MULTILINE)))
    with served("tests.worker_probe:create_probed_app()") as (address, _):
        wait_for(address)
        requests.get(f"{address}/recommendations", {"sample": 1}, timeout=5)
        names = requests.get(f"{address}/modules", timeout=5).json()["modules"]
    assert "hakken.recommend" in names
    assert not [name for name in names if name.startswith(UNUSED)]
    loaded = {name.partition(".")[0] for name in names}
    assert not loaded & {"numba", "llvmlite", "pandas", "surprise", "sklearn", "scipy", "implicit", "ir_measures"}
    found = packages_distributions()
    modules = loaded - {"threadpoolctl"} - sys.stdlib_module_names
    owners = {plain(owner) for module in modules for owner in found.get(module, [])} - OPTIONAL
    assert "numpy" in owners
    assert owners <= pinned


def plain(name: str) -> str:
    """A distribution's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with what exists here for the paths of a VM."""
    units = sorted(path for path in DEPLOY.iterdir() if path.suffix in {".service", ".socket", ".timer"})
    assert len(units) == 4
    for path in units:
        text = path.read_text().replace("/srv/hakken/.venv/bin/python", sys.executable)
        (tmp_path / path.name).write_text(text.replace("/srv/hakken", str(ROOT)))
    return [tmp_path / path.name for path in units]


def test_systemd_understands_the_units(units: list[Path]) -> None:
    command = [tool("systemd-analyze"), "verify", "--man=no", *map(str, units)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize(("name", "threshold"), [("hakken.service", 15), ("hakken-refresh.service", 16)])
def test_systemd_calls_the_services_little_exposed(units: list[Path], name: str, threshold: int) -> None:
    [unit] = [one for one in units if one.name == name]
    command = [tool("systemd-analyze"), "security", "--offline=yes", f"--threshold={threshold}", str(unit)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-300:]


def test_the_timer_runs_a_command_with_options_that_there_are() -> None:
    [line] = re.findall(
        r"^ExecStart=\S+ -m hakken (.*)$", (DEPLOY / "hakken-refresh.service").read_text(), re.MULTILINE
    )
    name, target, *options = line.split()
    assert target == "${HAKKEN_MODEL}"
    context = main.commands[name].make_context(name, ["a-directory", *options])
    assert context.params["seconds"] == 6 * 3600


def test_nginx_understands_the_example(tmp_path: Path) -> None:
    settings = documented(tmp_path, free_port(), "127.0.0.1:8000")
    command = [tool("nginx"), "-t", "-p", str(tmp_path), "-c", str(settings)]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr


def test_systemd_and_nginx_wait_for_and_let_through_what_hakken_takes() -> None:
    unit, text = ((DEPLOY / name).read_text() for name in ("hakken.service", "nginx.conf"))
    assert int(re.findall(r"^TimeoutStopSec=(\d+)", unit, re.MULTILINE)[0]) > Settings().request_deadline + 10
    assert int(re.findall(r"client_max_body_size (\d+)m;", text)[0]) * 2**20 >= body_limit(Settings())
    assert int(re.findall(r"large_client_header_buffers \d+ (\d+)k;", text)[0]) * 1024 > 8190
    assert int(re.findall(r"proxy_read_timeout (\d+)s;", text)[0]) > Settings().deadline + 10
    [port] = re.findall(r"ListenStream=(\S+)", (DEPLOY / "hakken.socket").read_text())
    assert f"server {port} " in text
    assert f"http://{port}/readyz" in GCE


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_what_the_page_says_to_type_is_shell(number: int, tmp_path: Path) -> None:
    script = tmp_path / "snippet.sh"
    script.write_text("#!/bin/bash\n" + SNIPPETS[number])
    subprocess.run([tool("bash"), "-n", script], check=True)
    # The names of step 1 are set in one snippet and used in the next.
    checked = subprocess.run(
        [tool("shellcheck"), "--exclude=SC2154,SC2034", script], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_what_the_page_names_is_there() -> None:
    for path in re.findall(r"/srv/hakken/([\w./-]+\w)", GCE):
        assert (ROOT / path).exists() or path.startswith(".venv"), path
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", GCE):
        assert (DEPLOY / target).exists(), target
    assert set(re.findall(r"\b(?:HAKKEN|MAL)_[A-Z_]+\b", GCE + (DEPLOY / "nginx.conf").read_text())) <= {
        *variable_names().values()
    }
    assert set(re.findall(r"python -m hakken (\w+)", GCE)) <= set(main.commands)
    used = set(re.findall(r"\$\{?([A-Z]+)\b", GCE))
    assert used <= set(re.findall(r"\b([A-Z]+)=", "".join(re.findall(r"^export .*$", GCE, re.MULTILINE))))
