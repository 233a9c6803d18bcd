"""Documents and code say the same."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest
from flask.testing import FlaskClient

from create_gcs_local_file import main as fetch
from hakken import config, errors
from hakken.catalogue import FILE_NAME
from hakken.cli import recommend_once
from hakken.cli.main import main
from hakken.config import Settings, variable_names
from hakken.model import store
from hakken.model.arrays import Arrays
from hakken.web import Metrics
from make_recommendations import make_recommendations
from tests.screenshots import DRAWINGS, SHOTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (DOCS / "architecture.md").read_text()
SETTINGS, COMMANDS, ARTEFACT = (
    (DOCS / "reference" / f"{name}.md").read_text() for name in ("settings", "commands", "artefact")
)
CONTRACT = (ROOT / ".importlinter").read_text()
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/gce.md")),
    *sorted(DOCS.rglob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def test_the_configuration_table_is_the_settings() -> None:
    defaults = msgspec.structs.asdict(Settings())
    source = Path(config.__file__).read_text()
    described = dict(re.findall(r'^    (\w+): .* = .*\n    """((?:.|\n)+?)\."""$', source, re.MULTILINE))
    rows = []
    for field, variable in variable_names().items():
        default = f"`{defaults[field]}`" if defaults[field] != "" else ""
        rows.append(f"| `{variable}` | {default} | {' '.join(described[field].split())} |")
    found = [line for line in SETTINGS.splitlines() if re.match(r"\| `(HAKKEN_|MAL_)", line)]
    assert found == rows


def test_every_command_and_option_is_documented_and_no_other() -> None:
    sections = dict(re.findall(r"^## `?(.+?)`?\n(.*?)(?=^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL))
    found = {
        name: set(re.findall(r"`(-\w|--[\w-]+)`", "".join(re.findall(r"^\|[^|]*", text, re.MULTILINE))))
        for name, text in sections.items()
    }
    shared = found.pop("List options")
    for name, text in sections.items():
        if "(#list-options)" in text:
            found[name] |= shared
    commands = {f"python -m hakken {name}": command for name, command in main.commands.items()}
    once = recommend_once.command(make_recommendations)
    commands |= {"make_recommendations.py": once, "create_gcs_local_file.py": fetch}
    assert found == {
        name: {one for option in command.params if isinstance(option, click.Option) for one in option.opts}
        for name, command in commands.items()
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_command_and_option_in_an_example_exists(path: Path) -> None:
    text = path.read_text().replace("\\\n", " ")
    for name, rest in re.findall(r"^(?: {4}|)\.venv/bin/python -m hakken (\w+)(.*)", text, re.MULTILINE):
        options = {one for option in main.commands[name].params for one in option.opts}
        if name == "serve":
            options.add("--bind")  # gunicorn's
        assert set(re.findall(r"(?<= )--?[a-z][\w-]*", rest)) <= options, (name, rest)
    assert set(re.findall(r"python -m hakken (\w+)", text)) <= set(main.commands)


def test_the_commands_for_the_api_are_answered(embedded_client: FlaskClient) -> None:
    pages = README + (DOCS / "how-to" / "api.md").read_text()
    commands = re.findall(r"^    (curl (?:.*\\\n)*.*)", pages, re.MULTILINE)
    assert len(commands) > 3
    for command in commands:
        _, address, *rest = shlex.split(command.replace("\\\n", " "))
        path = address.removeprefix("http://127.0.0.1:5000")
        if rest:
            assert rest[:3] == ["-H", "Content-Type: application/json", "-d"]
            answer = embedded_client.post(path, data=rest[3], content_type="application/json")
        else:
            answer = embedded_client.get(path)
        assert answer.status_code == 200, command


def test_make_help_lists_every_target_and_documents_name_no_other() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607  # found by the path, as in a shell
    assert set(re.findall(r"^  make (\w+)", listed, re.MULTILINE)) == targets
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    assert {one or other for one, other in re.findall(r"`make (\w+)|^    make (\w+)", text, re.MULTILINE)} <= targets


def test_the_error_tree_is_drawn_as_it_is() -> None:
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if drawn := re.match(r" {4}(?P<branches>(?:[│├└─ ]{4})*)(?P<names>[A-Z]\w+(?:, [A-Z]\w+)*)$", line):
            del path[len(drawn["branches"]) // 4 :]
            names = drawn["names"].split(", ")
            parents |= dict.fromkeys(names, path[-1] if path else "Exception")
            path.append(names[0])
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert parents == {kind.__name__: kind.__bases__[0].__name__ for kind in kinds}


def test_the_layout_names_every_part_and_no_other() -> None:
    table = ARCHITECTURE.partition("## Folders")[2].partition("\n## ")[0]
    named = {name.rstrip("/") for name in re.findall(r"`([\w./]+)`(?=[^|]*\|)", table) if (ROOT / name).exists()}
    parts = {
        f"hakken/{path.name}" for path in (ROOT / "hakken").iterdir() if path.name not in {"__init__.py", "__pycache__"}
    }
    parts |= {path.name for path in ROOT.glob("*.py")} | {"templates", "static", "tests", "benchmarks", "ops"}
    assert parts <= named


def test_the_artefact_table_names_every_file() -> None:
    table = ARTEFACT.partition("\n## ")[0]
    named = set(re.findall(r"`([\w]+\.(?:npy|json|jsonl\.gz))`(?=[^|]*\|)", table))
    assert named == {*(f"{name}.npy" for name in Arrays.__dataclass_fields__), FILE_NAME, "manifest.json"}


def test_the_figure_of_the_embedded_model_is_its_own() -> None:
    scored = f"{store.open_artefact('embedded').manifest.sizes.scored:,}"
    assert f"trained on {scored} ratings" in " ".join(README.split())


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_nothing_is_left_to_be_filled_in(path: Path) -> None:
    others = """MAL_ID WEB_CONCURRENCY SCRIPT_NAME STORAGE_EMULATOR_HOST SOURCE_DATE_EPOCH ORIG_HEAD DATA_TIME
        REQUIRE_BROWSER REQUIRE_TOOLS REQUIRE_REDIS REQUIRE_AUDIT NUMBA_NUM_THREADS"""
    allowed = {*variable_names().values(), *others.split()}
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", path.read_text())) <= allowed


def test_every_picture_of_a_page_is_taken_by_the_command_and_shown() -> None:
    picture = r"!\[[^\]]+\]\(([^)]+)\)"
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    shown = {*re.findall(picture, README), *(f"docs/{one}" for one in re.findall(picture, tour))}
    assert shown == {f"docs/images/{name}.png" for name, *_ in SHOTS}
    for path in (*(ROOT / one for one in shown), *(target for _, target, *_ in DRAWINGS)):
        assert path.read_bytes().startswith(b"\x89PNG"), path
        assert path.stat().st_size < 100_000, path


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text()):
        page = path.parent / target if target else path
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), f"{target}#{anchor}"


def test_every_page_is_linked_from_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    for page in DOCS.rglob("*.md"):
        name = str(page.relative_to(DOCS))
        assert f"({name})" in index or name == "README.md" or page.parent.name == "decisions", name


COMPOSERS = {
    "ars_app": ("hakken.", "make_recommendations.", "flask."),
    "make_recommendations": ("hakken.",),
    "create_gcs_local_file": ("hakken.errors.", "hakken.registry.", "click.", "google.", "google_crc32c.", "requests."),
}
"""What the top-level files may import beside the standard library; import-linter reads packages only."""


@pytest.mark.parametrize("name", COMPOSERS)
def test_the_top_level_files_import_what_their_role_allows(name: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((ROOT / f"{name}.py").read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add(f"{node.module}.")
        elif isinstance(node, ast.Import):
            imported |= {f"{one.name}." for one in node.names}
    foreign = {module for module in imported if module.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign
    assert all(one.startswith(COMPOSERS[name]) and not one.startswith("hakken.training.") for one in foreign)


def test_the_contract_of_the_imports_is_the_one_that_is_documented() -> None:
    layers = CONTRACT.partition("layers =\n")[2].partition("\n\n")[0]
    in_contract = [re.findall(r"\w+", line) for line in layers.splitlines()]
    block = ARCHITECTURE.partition("## Who may import whom")[2].partition("\n## ")[0]
    documented = [re.findall(r"hakken\.(\w+)", line) for line in block.splitlines() if line.startswith("      ")]
    assert [sorted(line) for line in documented] == [sorted(line) for line in in_contract]


def test_every_metric_is_documented_and_no_other() -> None:
    told = set(re.findall(r"^# TYPE (hakken_\w+?)(?:_total)? ", Metrics().exposition().decode(), re.MULTILINE))
    named = set(re.findall(r"^\| `(hakken_\w+)`", (DOCS / "operations.md").read_text(), re.MULTILINE))
    assert named == {name for name in told if not name.endswith("_created")}
