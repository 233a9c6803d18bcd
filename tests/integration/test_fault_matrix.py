"""Every source at every fault: the error, the time it takes and the page that a visitor sees; and docs/sources.md.

`make sources` writes that page's table anew; otherwise it is held against what comes out, but for the seconds.
"""

import html
import os
import re
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from flask.testing import FlaskClient

from ars_app import create_app
from benchmarks import machine
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import (
    AllSourcesFailed,
    HakkenError,
    InvalidResponse,
    PrivateList,
    SiteBlocked,
    SiteBusy,
    SiteDown,
    SiteTimeout,
    UserNotFound,
)
from hakken.model import store
from hakken.ratings import UserList, Username
from hakken.sites.client import HttpClient
from hakken.sites.list_sources import ListSources
from tests.standin.faults import Faults
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
WRITE = os.environ.get("WRITE_DOCS") == "1"
BEGIN, END = "<!-- the table -->\n", "<!-- end of the table -->"
DEADLINE = 4.0
ENDLESS_DEADLINE = 10.0
"""For some 170 pages, until we give up."""
NAMES = ("mal", "jikan", "load_json", "anilist")
UNKNOWN, PRIVATE, ENDLESS = "unknown user", "private list", "pages that never end"
NONE = "\N{EN DASH}"
USERS = {UNKNOWN: "nobody", PRIVATE: "recluse", ENDLESS: "endless"}
FAULTS = {fault.name.lower().replace("_", " "): fault for fault in Faults}
ROWS = (*USERS, *FAULTS)
CELLS = [(name, row) for row in ROWS for name in NAMES if (name, row) != ("anilist", ENDLESS)]
"""AniList gives all lists in one answer."""

PAGES: dict[type[HakkenError], tuple[int, str]] = {
    UserNotFound: (404, "The site doesn't know that user"),
    PrivateList: (403, "This list is private"),
    SiteBlocked: (503, "The site refused our request"),
    SiteBusy: (503, "The site asks us to slow down"),
    SiteDown: (503, "The site is down"),
    InvalidResponse: (503, "The site's answer could not be read"),
    SiteTimeout: (504, "The site took too long"),
}


class Cell(NamedTuple):
    """What came of one source at one fault."""

    error: HakkenError | None
    status: int
    text: str
    seconds: float

    @property
    def heading(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.text, re.DOTALL)
        return html.unescape(found[1]).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") if found else ""

    @property
    def reason(self) -> HakkenError | None:
        """What the one source that was asked failed with."""
        return self.error.tried[0][1] if isinstance(self.error, AllSourcesFailed) else self.error

    def __str__(self) -> str:
        return f"`{type(self.reason).__name__}`, {self.status}, {self.seconds:.1f} s"


class Watched(ListSources):
    """Remembers how a fetch failed; can forget all that it knows of its sites."""

    error: HakkenError | None = None

    def renew(self, settings: Settings) -> None:
        fresh = ListSources.from_settings(settings, HttpClient.from_settings(settings))
        vars(self).update(vars(fresh), error=None)

    def fetch(self, username: Username | UserList) -> UserList:
        try:
            return super().fetch(username)
        except HakkenError as error:
            self.error = error
            raise


def expected(name: str, row: str) -> type[HakkenError]:
    if row in FAULTS:
        return FAULTS[row].error
    if row == PRIVATE:
        return PrivateList if name in {"mal", "anilist"} else SiteBlocked
    return InvalidResponse if row == ENDLESS else SiteBlocked if name == "load_json" else UserNotFound


def settings_for(standin: Standin, name: str, **changes: object) -> Settings:
    return standin.settings(list_sources=name if name != "anilist" else "", facts_source="off", **changes)


def measured(standin: Standin, client: FlaskClient, sources: Watched, name: str, row: str) -> Cell:
    """Ask as a visitor does, of sites that nothing is known of yet."""
    with tempfile.TemporaryDirectory(prefix="hakken-matrix-") as directory:
        deadline = ENDLESS_DEADLINE if row == ENDLESS else DEADLINE
        sources.renew(settings_for(standin, name, cache_dir=directory, deadline=deadline))
        if row in FAULTS:
            standin.fail(name, FAULTS[row])
        source = "anilist" if name == "anilist" else "mal"
        query = {"username": USERS.get(row, "everything"), "source": source}
        begun = time.monotonic()
        page = client.get("/recommendations", query_string=query)
        seconds = time.monotonic() - begun
        standin.mend(name)
        return Cell(sources.error, page.status_code, page.text, seconds)


@pytest.fixture(scope="module")
def matrix(standin_server: Standin) -> Iterator[dict[tuple[str, str], Cell]]:
    """All cells; the sites, which know nothing of each other, side by side."""
    standin_server.begin()
    bundle = ModelBundle.read(store.open_artefact("embedded"))
    bundle.warm()

    apps = {}
    for name in NAMES:
        settings = settings_for(standin_server, name)
        sources = Watched.from_settings(settings, HttpClient.from_settings(settings))
        apps[name] = create_app(settings, bundle=bundle, sources=sources).test_client(), sources

    def column(name: str) -> list[Cell]:
        return [measured(standin_server, *apps[name], name, row) for one, row in CELLS if one == name]

    with ThreadPoolExecutor(len(NAMES)) as threads:
        columns = dict(zip(NAMES, threads.map(column, NAMES), strict=True))
    yield {cell: columns[cell[0]].pop(0) for cell in CELLS}
    standin_server.end()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "row"), CELLS, ids=lambda part: part.replace(" ", "-"))
def test_a_fault_has_its_error_its_time_and_its_page(matrix: dict[tuple[str, str], Cell], name: str, row: str) -> None:
    cell = matrix[name, row]
    kind = expected(name, row)

    assert type(cell.reason) is kind
    assert cell.seconds < (ENDLESS_DEADLINE if row == ENDLESS else DEADLINE) + 1
    assert (cell.status, cell.heading) == PAGES[kind]
    assert str(cell.reason).endswith(".")
    # Neither message nor causes give away the name, the address or the client id.
    told = "".join(line for line in traceback.format_exception(cell.reason) if not line.startswith("  File"))
    assert not re.search(rf"{USERS.get(row, 'everything')}|animelist|load\.json|http:|{CLIENT_ID}|page=|offset=", told)
    assert 'name="export"' in cell.text
    assert ("not found, private, or blocked" in cell.text) == (kind is SiteBlocked)


def test_the_page_says_what_comes_out(matrix: dict[tuple[str, str], Cell]) -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    table = "\n".join(
        [
            f"By `make sources`, {machine.describe('requests')}:\n",
            f"| | {' | '.join(f'`{name}`' for name in NAMES)} |",
            f"|{'---|' * (len(NAMES) + 1)}",
            *(f"| {row} | {' | '.join(str(matrix.get((name, row), NONE)) for name in NAMES)} |" for row in ROWS),
            "",
        ]
    )
    if WRITE:
        PAGE.write_text(f"{before}{BEGIN}{table}{END}{after}")
    else:
        assert _timeless(written) == _timeless(table)


def _timeless(table: str) -> list[str]:
    return [re.sub(r"\d+\.\d s", "", line) for line in table.splitlines() if line.startswith("|")]
