"""The wheel: what it holds, what it asks for, and that it works where there is nothing else."""

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution, distributions, packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hakken.cli.main import main
from hakken.cli.plain_errors import TRAINING, TrainingCommand
from tests.serving import ROOT, check_server

MODULES = {"ars_app.py", "create_gcs_local_file.py", "make_recommendations.py"}
SAMPLE = str(ROOT / "static" / "sample-export.xml")


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-index", "--no-deps", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", place, ROOT)
    [wheel] = place.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel, and of our own libraries only those that it requires."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place)
    programs = place / "bin"
    pip("--python", programs / "python", "install", wheel)
    for one in required(installed(programs)):
        for file in one.files or ():
            link = libraries(programs) / file
            if ".." not in file.parts and not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(str(one.locate_file(file)))
    return programs


def libraries(programs: Path) -> Path:
    [libraries] = programs.parent.glob("lib/python*/site-packages")
    return libraries


def installed(programs: Path) -> Distribution:
    [hakken] = distributions(name="hakken", path=[str(libraries(programs))])
    return hakken


def required(root: Distribution, extra: str = "") -> list[Distribution]:
    """What a distribution requires, and all that these require in turn."""
    found: dict[tuple[str, str], Distribution] = {}
    waiting = [(root, extra)]
    while waiting:
        one, extra = waiting.pop()
        for requirement in map(Requirement, one.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                for wanted in ("", *requirement.extras):
                    key = canonicalize_name(requirement.name), wanted
                    if key not in found:
                        found[key] = distribution(requirement.name)
                        waiting.append((found[key], wanted))
    return list(found.values())


def run(command: Sequence[str | Path], place: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.defpath, "HAKKEN_CACHE_DIR": str(place / "cache")}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_has_all_of_the_package_and_takes_no_names_of_others(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    [metadata] = {name.partition("/")[0] for name in held if ".dist-info/" in name}
    assert {name.partition("/")[0] for name in held} == {*MODULES, "hakken", metadata}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "hakken").rglob("*") if path.is_file()}
    folders = (ROOT / "static", ROOT / "templates")
    ours |= {f"hakken/{path.relative_to(ROOT)}" for one in folders for path in one.iterdir()}
    missing = {*ours, "hakken/gunicorn.conf.py"} - held
    assert not [name for name in missing if "__pycache__" not in name]


def test_the_command_is_there_under_both_names(programs: Path, tmp_path: Path) -> None:
    version = f"hakken, version {installed(programs).version}\n"
    assert run([programs / "python", "-m", "hakken", "--version"], tmp_path).stdout == version
    assert run([programs / "hakken", "--version"], tmp_path).stdout == version
    assert run([programs / "hakken", "--help"], tmp_path).stdout.startswith("Usage: hakken [OPTIONS] COMMAND")


def test_an_installed_hakken_serves_from_any_directory(programs: Path, tmp_path: Path) -> None:
    environment = {"HAKKEN_CACHE_DIR": str(tmp_path), "HAKKEN_FACTS_SOURCE": "off"}
    assert "Using worker: Worker" in check_server([str(programs / "hakken"), "serve"], environment, tmp_path)


def test_commands_that_need_no_training_work(programs: Path, tmp_path: Path) -> None:
    for program, *arguments in (
        ("hakken", "publish", str(libraries(programs) / "hakken" / "embedded"), "published"),
        ("python", "-m", "make_recommendations", "--file", SAMPLE),
        ("python", "-m", "create_gcs_local_file", "--help"),
    ):
        done = run([programs / program, *arguments], tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_a_command_that_trains_says_what_it_needs(programs: Path, tmp_path: Path) -> None:
    done = run([programs / "hakken", "train"], tmp_path)
    words = 'This command needs the libraries for training: run "make venv", or pip install "hakken[training]".'
    assert (done.returncode, done.stderr) == (2, f"Error: {words}\n")
    assert run([programs / "hakken", "train", "--help"], tmp_path).returncode == 0
    need_it = {name for name, command in main.commands.items() if isinstance(command, TrainingCommand)}
    assert need_it == {"collect", "train", "tune", "evaluate", "refresh"}


def test_the_demonstration_needs_no_more(programs: Path) -> None:
    done = run([programs / "python", "-B", "-c", "import tests.standin.__main__"], ROOT)
    assert done.returncode == 0, done.stderr


def test_what_is_looked_for_is_what_the_extra_installs(programs: Path) -> None:
    requirements = map(Requirement, installed(programs).requires or ())
    extra = {canonicalize_name(one.name) for one in requirements if one.marker and "training" in str(one.marker)}
    owners = packages_distributions()
    assert {canonicalize_name(owner) for module in TRAINING for owner in owners[module]} == extra
