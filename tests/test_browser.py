"""The pages in a real browser, served by the real application; only the sites behind it are made up."""

import gzip
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hakken.knowledge import Knowledge
from tests.serving import served, wait_for

SAMPLE = Path(__file__).parent.parent / "static" / "sample-export.xml"
CHROMIUM = shutil.which("chromium")
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # also where a redirect leads, which no route sees
)
PHONE, DESK = 390, 1280


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Pictures(BaseHTTPRequestHandler):
    """The host that has the pictures: gives none, or the same one for all."""

    given: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.given else 404)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(self.given)))
        self.end_headers()
        self.wfile.write(self.given)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture(scope="module")
def pictures() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def address(pictures: str) -> Iterator[str]:
    with served("tests.made_up_app:create_made_up_app()", HAKKEN_PICTURE_ORIGINS=pictures) as (found, _):
        wait_for(found)
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        missing = "chromium is not installed, so no page was tried in a browser"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A tab whose page may load nothing from elsewhere, and must not have tried what its policy forbids."""
    with browser.new_context(base_url=address, viewport={"width": DESK, "height": 800}) as context:
        context.set_default_timeout(5_000)
        tab = context.new_page()
        tab.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
        complaints: list[str] = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        yield tab
        assert not [text for text in complaints if "net::ERR" not in text and "status of 4" not in text]


def test_one_click_on_the_sample_gives_a_list(page: Page) -> None:
    page.goto("/")

    page.get_by_role("link", name="Try it with a sample list").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended for the sample list")
    expect(page.locator(".results > .ranking > .entry")).to_have_count(10)
    expect(page.get_by_role("link", name="Try your own list")).to_be_visible()


def test_an_upload_gives_a_list_of_the_length_asked_for(page: Page, tmp_path: Path) -> None:
    export = tmp_path / "animelist.xml.gz"
    export.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    page.goto("/")

    page.get_by_label("Export file").set_input_files(export)
    page.get_by_role("form", name="Your MyAnimeList export").get_by_label("How many titles").fill("3")
    page.get_by_role("button", name="Recommend from the export").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended from your export")
    expect(page.locator(".results > .ranking > .entry")).to_have_count(3)


def test_from_a_private_list_back_to_the_form(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Username", exact=True).fill("private")
    page.get_by_role("button", name="Recommend by username").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This list is private")
    expect(page.get_by_label("Username", exact=True)).to_have_value("private")

    page.go_back()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Find the anime")


def test_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "username":
            break
    page.keyboard.type("spike")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended for spike")
    page.get_by_label("How many titles").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")

    expect(page.locator(".results > .ranking > .entry")).to_have_count(2)
    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended for spike")


def test_without_javascript(browser: Browser, address: str) -> None:
    with browser.new_context(base_url=address, java_script_enabled=False) as context:
        tab = context.new_page()
        tab.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
        tab.goto("/")

        tab.get_by_role("link", name="Try it with a sample list").click()

        expect(tab.locator(".results > .ranking > .entry")).to_have_count(10)


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_page_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})

    for path in (
        "/",
        "/recommendations?sample=1&n=100",
        "/recommendations?username=private",
        "/picks?pick=1-9",
        "/nowhere",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_choosing_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": PHONE, "height": 800})
    page.goto("/recommendations?sample=1")
    expect(page.get_by_label("Order")).to_be_hidden()

    page.get_by_text("Choose what to see").click()
    page.get_by_label("Niche or popular titles").fill("-0.5")
    page.get_by_role("checkbox", name="Movie", exact=True).check()
    page.locator("summary", has_text="With all of these genres").click()
    page.get_by_label("Drama").first.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()
    expect(page.get_by_label("Niche or popular titles")).to_have_value("-0.5")
    expect(page.locator("summary", has_text="With all of these genres")).to_contain_text("Drama")
    assert {"Drama" in each for each in page.locator(".results > .ranking .genres").all_text_contents()} == {True}
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_leaving_an_entry_out_and_taking_it_back(page: Page) -> None:
    page.goto("/recommendations?sample=1&type=Movie")
    leave = page.get_by_role("link", name="Leave out Mononoke Hime", exact=True)

    leave.first.click()
    expect(page.get_by_text("Left out: Mononoke Hime")).to_be_visible()
    expect(leave).to_have_count(0)
    page.get_by_role("link", name="Count it again: Mononoke Hime").click()

    expect(page.get_by_text("Left out:")).to_have_count(0)
    expect(leave.first).to_be_visible()
    expect(page.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()


def test_a_picture_lies_over_the_drawn_cover_and_moves_nothing(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def covers() -> list[list[float]]:
        page.goto("/recommendations?sample=1&n=5")
        page.wait_for_load_state("networkidle")
        boxes: list[list[float]] = page.evaluate(
            "[...document.querySelectorAll('.cover')].map(one => Object.values(one.getBoundingClientRect().toJSON()))"
        )
        return boxes

    without = covers()
    # A shape that covers don't have, and a picture must not push its cover out of shape.
    monkeypatch.setattr(Pictures, "given", png(100, 60))

    assert covers() == without
    image = page.locator(".cover img").first
    assert image.evaluate("image => image.naturalWidth") == 100
    assert image.bounding_box() == page.locator(".cover:has(img)").first.bounding_box()


def test_covers_are_drawn_without_network_and_nothing_moves(page: Page, embedded: Knowledge) -> None:
    drawn = next(one for one in embedded.catalogue.values() if one.picture is None and not one.adult)
    page.add_init_script("""
        window.shifts = 0;
        new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifts += one.value; })
            .observe({type: "layout-shift", buffered: true});
    """)

    page.goto("/picks?q=" + quote(drawn.title))
    page.wait_for_load_state("networkidle")

    image = page.locator(f'img[src="/anime/{drawn.anime_id}/cover"]')
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [225, 318]
    assert page.evaluate("window.shifts") == 0
    # And where the picture's own host is out of reach, what lies beneath shows instead of a torn picture.
    page.goto("/recommendations?sample=1&n=5")
    page.wait_for_load_state("networkidle")
    blocked = page.locator(".cover:has(img)").first
    assert blocked.locator("img").evaluate("image => image.naturalWidth") == 0
    assert "/covers/" in blocked.evaluate("cover => getComputedStyle(cover).backgroundImage")
    assert page.evaluate("window.shifts") == 0


def test_a_drawn_cover_opened_by_itself_keeps_to_the_policy(page: Page) -> None:
    for pattern in range(6):
        page.goto(f"/covers/{pattern}.svg")
        expect(page.locator("svg")).to_have_count(1)


def test_picking_by_keyboard_from_the_start_page_to_a_list(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Pick titles by hand").press("Enter")
    page.get_by_label("Find a title").fill("cowbow bepop")
    page.keyboard.press("Enter")
    page.get_by_label("Score for Cowboy Bebop", exact=True).select_option("9")
    page.get_by_role("button", name="Add Cowboy Bebop", exact=True).press("Enter")
    expect(page.get_by_label("Score for Cowboy Bebop", exact=True)).to_have_value("1-9")
    expect(page.get_by_label("Find a title")).to_have_value("cowbow bepop")

    page.get_by_role("button", name="Recommend").press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended from your picks")
    assert page.url.endswith("/recommendations?pick=1-9")


def test_picking_without_javascript(browser: Browser, address: str) -> None:
    with browser.new_context(base_url=address, java_script_enabled=False) as context:
        tab = context.new_page()
        tab.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
        tab.goto("/picks")
        # Several at once, one of them without pressing its button.
        tab.get_by_label("Score for Death Note").select_option("10")
        tab.get_by_label("Score for Naruto").select_option("3")
        tab.get_by_role("button", name="Add Naruto").click()
        expect(tab.locator(".picks li")).to_have_count(2)

        tab.get_by_label("Score for Death Note").select_option("8")
        tab.get_by_role("button", name="Remove Naruto").click()
        expect(tab.locator(".picks li")).to_have_count(1)
        tab.get_by_role("button", name="Recommend").click()

        expect(tab.locator(".results > .ranking > .entry")).to_have_count(10)
        assert tab.url.endswith("/recommendations?pick=1535-8")
        tab.get_by_role("link", name="Leave out Death Note").first.click()
        tab.get_by_role("link", name="Count it again: Death Note").click()
        tab.get_by_role("link", name="Change your picks").click()
        expect(tab.get_by_label("Score for Death Note")).to_have_value("1535-8")
