"""Pictures of the pages for the README, and what is drawn: python -m tests.screenshots, or `make screenshots`.

The app runs before the stand-in of the sites, which draws the covers, so each run shows the same. What the pictures
show is decided here and nowhere else.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser.browsing import DESK, PHONE, launched, opened
from tests.serving import ROOT, served, wait_for
from tests.standin.__main__ import environment
from tests.standin.app import APP
from tests.standin.server import Standin

IMAGES = ROOT / "docs" / "images"
STATIC = ROOT / "static"
COLOURS = 128
"""Of a picture's palette: enough for pages of few colours, and a third of the size."""


SAMPLE_LIST = "/recommendations?sample=1"
SHOTS: tuple[tuple[str, str, int, int, str, str], ...] = (
    ("home", "/", DESK, 900, "light", ""),
    ("results", SAMPLE_LIST, DESK, 900, "light", ""),
    ("results-phone", SAMPLE_LIST, PHONE, 844, "dark", ""),
    ("taste", "/taste?sample=1", DESK, 1400, "light", ""),
    ("anime", "/anime/9253", DESK, 1100, "light", ""),
    ("tour-1", "/", PHONE, 700, "light", ""),
    ("tour-2", SAMPLE_LIST, PHONE, 700, "light", ".tools"),
    ("tour-3", SAMPLE_LIST, PHONE, 700, "light", ".entry:nth-child(4) .more > summary"),
    ("tour-4", SAMPLE_LIST, PHONE, 700, "light", ".entry:nth-child(5) .seen > summary"),
    ("tour-5", SAMPLE_LIST, PHONE, 700, "light", ".continue"),
    ("tour-6", "/recommendations?sample=1&season=2024-spring&franchise=all", PHONE, 700, "light", ".list"),
)
"""Pages, how much of each is shown, in which colours, and what is pressed, if it can be, and scrolled to."""
DRAWINGS = (
    (STATIC / "favicon.svg", STATIC / "favicon.png", 48, 48),
    (IMAGES / "card.svg", STATIC / "card.png", 1200, 630),
)
"""Drawings of ours, for those who take no SVG, and how large."""


def main() -> None:
    """Write all of them."""
    with launched() as browser:
        for target, picture in (*drawn(browser), *shot(browser)):
            small = packed(picture)
            target.write_bytes(small)
            click.echo(f"{target.relative_to(ROOT)}: {len(small) / 1000:.0f} kB")


def drawn(browser: Browser) -> Iterator[tuple[Path, bytes]]:
    """Each drawing as a PNG."""
    for source, target, width, height in DRAWINGS:
        with browser.new_context(viewport=ViewportSize(width=width, height=height)) as context:
            page = context.new_page()
            markup = source.read_text(encoding="utf-8")
            page.set_content(f"<!doctype html><style>*{{margin:0}}svg{{display:block;width:100vw}}</style>{markup}")
            yield target, page.screenshot(omit_background=True)


def shot(browser: Browser) -> Iterator[tuple[Path, bytes]]:
    """Each page as a PNG."""
    standin = Standin()
    standin.start()
    try:
        with served(APP, **environment(standin, facts_source="off")) as (address, _):
            wait_for(address)
            for name, path, width, height, scheme, at in SHOTS:
                size = ViewportSize(width=width, height=height)
                with opened(browser, address, viewport=size, color_scheme=scheme, reduced_motion="reduce") as page:
                    page.goto(path, wait_until="networkidle")
                    if at:
                        look_at(page, at)
                    yield IMAGES / f"{name}.png", page.screenshot(animations="disabled", caret="hide")
    finally:
        standin.stop()


def look_at(page: Page, at: str) -> None:
    """Press what can be pressed, and scroll to the entry that it is in or to itself; wait for the covers there."""
    shown = page.locator(at).first
    if at.endswith("summary"):
        shown.click()
        shown = shown.locator("xpath=ancestor::li")
    shown.evaluate("element => element.scrollIntoView({block: 'start'})")
    page.wait_for_load_state("networkidle")


def packed(picture: bytes) -> bytes:
    """The same picture with a palette, a fraction of the size."""
    with Image.open(BytesIO(picture)) as image:
        method = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
        small = image.quantize(COLOURS, method=method, dither=Image.Dither.NONE)
        buffer = BytesIO()
        small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
