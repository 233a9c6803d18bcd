"""Every page can be used by everyone: axe finds nothing, nothing is wider than the screen, the console stays empty.

That the console stays empty, and the policy of the page with it, is what every tab looks after. A new page gets a line
in `PAGES`. Its pictures are kept under `build/screenshots`, to be looked at.
"""

import re
from collections.abc import Callable
from itertools import product
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ars_app import create_app
from hakken.config import Settings
from tests.browser.browsing import DESK, PHONE, TABLET, Open, opened
from tests.browser.walking import by_upload, heading
from tests.exports import SAMPLE
from tests.serving import ROOT, served_here
from tests.standin.faults import Faults
from tests.standin.server import Standin

SCREENSHOTS = ROOT / "build" / "screenshots"
NARROWEST = 320
"""What a screen of 1280 points has left at 400 %, see WCAG 1.4.10."""
RULES: dict[str, object] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
COLOUR_RULES: dict[str, object] = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What may be right in the light and wrong in the dark."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Visit = Callable[[Page], object]


def at(path: str) -> Visit:
    return lambda page: page.goto(path)


def pressed(path: str, *presses: str) -> Visit:
    def visit(page: Page) -> None:
        page.goto(path)
        for one in presses:
            page.locator(one).first.click()

    return visit


def uploaded(content: bytes) -> Visit:
    def visit(page: Page) -> None:
        by_upload(page, content)
        expect(heading(page)).not_to_contain_text("Find the anime")
        if "list=" in page.url:
            page.goto(f"{page.url}&n=6")  # as of the others: axe takes long for long pages

    return visit


PAGES: dict[str, Visit] = {
    "home": at("/"),
    "api": at("/api/v1/"),
    "results": at("/recommendations?sample=1&n=6"),
    "results of a username, with choices": at(
        "/recommendations?username=visitor-1&source=mal&type=TV&genre=Action&ignore=1&n=4"
    ),
    "results of an export": uploaded(SAMPLE.read_bytes()),
    "results as a grid": at("/recommendations?sample=1&n=6&view=grid&seen=578-9"),
    "results, opened": pressed("/recommendations?sample=1&n=6", ".more > summary", ".entry + .entry .seen > summary"),
    "results as an opened grid": pressed("/recommendations?sample=1&n=6&view=grid", ".more > summary"),
    "results as a table": at("/recommendations?sample=1&n=6&view=table"),
    "results, none": at("/recommendations?sample=1&type=Music&genre=Drama&year_to=1930"),
    "results of a season, without a list": at("/recommendations?season=2026-fall&franchise=all&n=4"),
    "results of a season, none": at("/recommendations?season=2150-fall&franchise=all"),
    "together": at("/together"),
    "together, for two usernames": at(
        "/together?username=visitor-1&source=mal&with_username=visitor-4&with_source=mal&n=4"
    ),
    "picks": at("/picks?pick=1-9&pick=5-0"),
    "picks, found": at("/picks?q=cowboy&pick=457-9"),
    "picks, nothing found": at("/picks?q=qqqqqqqq"),
    "picks, nothing picked": at("/picks?recommend=1"),
    "taste": at("/taste?sample=1"),
    "taste of a username": at("/taste?username=visitor-1&source=mal"),
    "taste, hardly anything": at("/taste?pick=1-9&pick=5-4"),
    "anime": at("/anime/1"),
    "anime, from a list": at("/anime/1?sample=1"),
    "anime, of which little is known": at("/anime/21"),
    "no such anime": at("/anime/2000000000"),
    "no such page": at("/nowhere"),
    "bad username": at("/recommendations?username=a+b"),
    "bad choice": at("/recommendations?sample=1&n=0"),
    "unknown user": at("/recommendations?username=nobody&source=anilist"),
    "private list": at("/recommendations?username=recluse&source=anilist"),
    "site down": at("/recommendations?username=visitor-2&source=anilist"),
    "no source left": at("/recommendations?username=visitor-3&source=mal"),
    "no export": uploaded(b"nothing of the kind"),
    "too large": uploaded(b" " * 1_200_000),
}
FAULTS = {
    "site down": {"anilist": Faults.OUT_OF_ORDER},
    "no source left": {"mal": Faults.UNAUTHORIZED, "jikan": Faults.HTML, "load_json": Faults.FORBIDDEN_EMPTY},
}
"""What is wrong with the sites meanwhile: nothing that a site is left alone for afterwards."""


def violations(page: Page, rules: dict[str, object]) -> str:
    found = Axe().run(page, options=rules)
    return found.generate_report() if found.violations_count else ""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_used_by_everyone(tab: Open, sites: Standin, name: str) -> None:
    page = tab(reduced_motion="reduce")
    for site, fault in FAULTS.get(name, {}).items():
        sites.fail(site, fault)
    PAGES[name](page)
    must_be_accessible(page, name)
    must_be_no_wider_than_the_screen(page)


@pytest.mark.parametrize("path", ["/", "/recommendations?sample=1"], ids=["home", "results"])
def test_the_same_of_a_server_without_model_and_usernames(browser: Browser, path: str) -> None:
    app = create_app(Settings(model="/nowhere", facts_source="off"))
    with served_here(app) as address, opened(browser, address) as page:
        page.goto(path)
        expect(page.get_by_text("could not open its prediction model")).to_be_visible()
        must_be_accessible(page, f"without a model {path.strip('/')}")


def must_be_accessible(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    file = re.sub(r"\W+", "-", name)
    for width, scheme in product((DESK, PHONE), SCHEMES):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=SCREENSHOTS / f"{file}-{width}-{scheme}.jpeg", type="jpeg", full_page=True)
        if scheme == "light" or width == DESK:
            found = violations(page, RULES if scheme == "light" else COLOUR_RULES)
            assert not found, f"{width}, {scheme}: {found}"


def must_be_no_wider_than_the_screen(page: Page) -> None:
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids)), "an id stands twice"
    for width in (NARROWEST, PHONE, TABLET, DESK):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    for width in (TABLET, DESK):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "text at 200 %"
