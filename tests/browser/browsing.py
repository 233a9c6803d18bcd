"""Trying the pages in Chromium: tabs, and the app as gunicorn serves it, before a stand-in of the sites."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.conftest import NO_BROWSER
from tests.serving import served, wait_for
from tests.standin import faults
from tests.standin.__main__ import environment
from tests.standin.app import APP
from tests.standin.fixtures import standin_server
from tests.standin.server import Standin

CHROMIUM = shutil.which("chromium")
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PHONE, TABLET, DESK = 390, 768, 1280
PATIENCE_MS = 30_000
"""How long Playwright waits for what is to be there, on a busy machine."""

expect.set_options(timeout=PATIENCE_MS)

Open = Callable[..., Page]
"""Opens a tab; takes what Playwright's `new_context` takes."""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Chromium, which reaches nothing but this machine."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS) as chromium:
        yield chromium


@contextlib.contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """Open a tab in a context of its own; it must ask for nothing elsewhere, and complain of nothing."""
    # Of a language that titles have no names in here, so that they have their main ones.
    given = {"base_url": address, "viewport": {"width": DESK, "height": 800}, "locale": "de-DE"}
    with browser.new_context(**(given | options)) as context:
        context.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            # That a page is an error page, or that a test has cut the network off, Chromium reports too.
            path = urlsplit(message.location["url"]).path
            page_itself = not path.startswith(("/static/", "/covers/")) and not path.endswith("/cover")
            failed = message.text.startswith("Failed to load resource: the server responded")
            cut_off = message.text.startswith("Failed to load resource: net::ERR_INTERNET_DISCONNECTED")
            if not (cut_off or (page_itself and failed)):
                complaints.append(f"{message.text} ({message.location['url']})")

        def asked(request: Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in {"data", "blob"} and parts.hostname != "127.0.0.1":
                complaints.append(f"asked for {request.url}")

        context.on("console", heard)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", asked)
        yield context.new_page()
        assert not complaints


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    with launched() as chromium:
        yield chromium


stage = standin_server
"""The sites that the app asks which the browser looks at. It lives as long as that app, unlike `standin`."""


@pytest.fixture(scope="session")
def address(stage: Standin) -> Iterator[str]:
    """The app, with 1 MB as the largest upload."""
    with served(APP, **environment(stage, max_upload_mb=1)) as (found, _):
        wait_for(found)
        yield found


@pytest.fixture
def sites(stage: Standin) -> Iterator[Standin]:
    """The same sites, for a test that lets one fail."""
    faults.over.clear()
    yield stage
    for site in ("mal", "jikan", "load_json", "anilist"):
        stage.mend(site)


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Open]:
    """Opens tabs on the app, each in a context of its own."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(opened(browser, address, **options))


@pytest.fixture
def page(tab: Open) -> Page:
    return tab()
