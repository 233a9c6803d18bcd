"""What is shown, in a real browser: covers, how much a page weighs as it travels, and that late pictures move nothing.

How people get there: `test_walks`.
"""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.serving import until
from tests.standin.covers import WIDTH

COVERS = "**/anime/*/cover"
TWENTY = "/recommendations?sample=1&n=20"
FLAT, TALL = (f'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="{height}"/>' for height in (60, 900))
MOST_BYTES = 60_000
MOST_SHIFT = 0.05
TRANSFERRED = """() => Object.fromEntries(
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter(one => ["navigation", "link", "script", "css"].includes(one.initiatorType))
        .filter(one => !/\\.(svg|png)$/.test(one.name))
        .map(one => [one.name.replace(/.*\\//, ""), [one.transferSize, one.decodedBodySize]]))"""
"""Markup, styles and script: bytes that came over the wire, headers included, and what they became."""
WATCH_SHIFTS = """
    window.shifts = [];
    new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(one => one.value)))
        .observe({type: "layout-shift", buffered: true});
"""
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


def test_one_click_on_the_sample_gives_a_list(page: Page) -> None:
    page.goto("/")

    page.get_by_role("link", name="Try it with a sample list").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended for the sample list")
    expect(page.locator(".list > .ranking > .entry")).to_have_count(10)
    expect(page.get_by_role("link", name="Try your own list")).to_be_visible()


def test_a_picture_lies_over_the_drawn_cover_and_moves_nothing(page: Page) -> None:
    def covers() -> list[list[float]]:
        page.goto("/recommendations?sample=1&n=5")
        page.wait_for_load_state("networkidle")
        boxes: list[list[float]] = page.evaluate(
            "[...document.querySelectorAll('.cover')].map(one => Object.values(one.getBoundingClientRect().toJSON()))"
        )
        return boxes

    def all_facts_are_known() -> bool:
        page.goto("/recommendations?sample=1&n=5")
        return page.locator(".entry").count() == page.locator(".entry .synopsis").count()

    until(all_facts_are_known)  # they are fetched meanwhile, and would move what stands below them
    # Where a picture can't be had, what lies beneath shows instead of a torn one.
    page.route(COVERS, lambda route: route.fulfill(status=200, content_type="image/png", body=b"torn"))
    without = covers()
    torn = page.locator(".cover:has(img)").first
    assert torn.locator("img").evaluate("image => image.naturalWidth") == 0
    assert "/covers/" in torn.evaluate("cover => getComputedStyle(cover).backgroundImage")
    # A shape that covers don't have, and a picture must not push its cover out of shape.
    page.route(COVERS, lambda route: route.fulfill(content_type="image/svg+xml", body=FLAT))

    assert covers() == without
    image = page.locator(".cover img").first
    assert image.evaluate("image => image.naturalWidth") == 100
    assert image.bounding_box() == page.locator(".cover:has(img)").first.bounding_box()


def test_every_title_has_its_picture_at_once(page: Page) -> None:
    for path in (TWENTY, "/anime/9253", "/taste?sample=1", "/picks?pick=1-9&pick=5-0"):
        page.goto(path)
        for image in page.locator(".cover img").all():
            image.scroll_into_view_if_needed()  # those further down are loaded when they are needed
            expect(image).to_have_js_property("naturalWidth", WIDTH)
        assert page.locator(".cover img").count() >= 4, path


def test_a_drawn_cover_opened_by_itself_keeps_to_the_policy(page: Page) -> None:
    for pattern in range(6):
        page.goto(f"/covers/{pattern}.svg")
        expect(page.locator("svg")).to_have_count(1)


def test_a_page_of_twenty_titles_is_light(page: Page) -> None:
    page.goto(TWENTY)

    files: dict[str, tuple[int, int]] = page.evaluate(TRANSFERRED)
    assert {name.partition("?")[0] for name in files} == {"recommendations", "theme.js", "hakken.css", "hakken.js"}
    assert all(0 < sent < whole / 2 for name, (sent, whole) in files.items() if "theme" not in name), files
    assert sum(sent for sent, _ in files.values()) < MOST_BYTES, files


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(("order", "figure"), [("match", r"100"), ("predicted_rating", r"\d\.\d\d")])
def test_the_largest_figure_of_a_title_is_what_the_list_is_ordered_by(
    page: Page, width: int, order: str, figure: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/recommendations?sample=1&n=1&order={order}")
    rating = page.locator("#list > .ranking .rating")
    largest: str = rating.evaluate(
        """rating => [...rating.querySelectorAll("*")]
            .map(one => [parseFloat(getComputedStyle(one).fontSize), one.textContent])
            .reduce((one, other) => other[0] > one[0] ? other : one)[1]"""
    )
    assert re.fullmatch(figure, largest)
    expect(rating).to_contain_text(re.compile(r"\d\.\d\d\s*predicted"))


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_when_pictures_come_late(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.add_init_script(WATCH_SHIFTS)
    held: list[Route] = []
    page.route(COVERS, lambda route: held.append(route))  # noqa: PLW0108  # a built-in can't take Playwright's mark
    with page.expect_request(COVERS):
        page.goto(TWENTY, wait_until="domcontentloaded")
    page.evaluate(FRAMES)  # drawn, without any picture

    page.route(COVERS, late)
    for route in held:
        late(route)
    expect(page.locator(".cover img").first).to_have_js_property("naturalWidth", 100)
    last = page.locator(".cover img").last
    last.scroll_into_view_if_needed()
    expect(last).to_have_js_property("naturalWidth", 100)
    page.evaluate(FRAMES)

    assert page.evaluate("PerformanceObserver.supportedEntryTypes").count("layout-shift") == 1
    assert sum(page.evaluate("window.shifts")) < MOST_SHIFT


def late(route: Route) -> None:
    # Not of a cover's shape, so that it is not by luck that nothing moves.
    route.fulfill(content_type="image/svg+xml", body=TALL)
