"""What is shown, in a real browser: covers, and the choices on a narrow screen. How people get there: `test_walks`."""

from urllib.parse import quote

from playwright.sync_api import Page, expect

from hakken.bundle import ModelBundle
from tests.browser.browsing import PHONE, Open
from tests.serving import until
from tests.standin.anime import png

COVERS = "**/anime/*/cover"
PICTURED, WITHOUT_PICTURE = 1, 7
"""By the stand-in's facts."""


def test_one_click_on_the_sample_gives_a_list(page: Page) -> None:
    page.goto("/")

    page.get_by_role("link", name="Try it with a sample list").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended for the sample list")
    expect(page.locator(".list > .ranking > .entry")).to_have_count(10)
    expect(page.get_by_role("link", name="Try your own list")).to_be_visible()


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

    expect(page.locator(".list > .ranking .genres").filter(has_not_text="Drama")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()
    expect(page.get_by_label("Niche or popular titles")).to_have_value("-0.5")
    expect(page.locator("summary", has_text="With all of these genres")).to_contain_text("Drama")
    assert {"Drama" in each for each in page.locator(".list > .ranking .genres").all_text_contents()} == {True}
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_a_picture_lies_over_the_drawn_cover_and_moves_nothing(page: Page) -> None:
    def covers() -> list[list[float]]:
        page.goto("/recommendations?sample=1&n=5")
        page.wait_for_load_state("networkidle")
        boxes: list[list[float]] = page.evaluate(
            "[...document.querySelectorAll('.cover')].map(one => Object.values(one.getBoundingClientRect().toJSON()))"
        )
        return boxes

    # Where a picture can't be had, what lies beneath shows instead of a torn one.
    page.route(COVERS, lambda route: route.fulfill(status=200, content_type="image/png", body=b"torn"))
    without = covers()
    torn = page.locator(".cover:has(img)").first
    assert torn.locator("img").evaluate("image => image.naturalWidth") == 0
    assert "/covers/" in torn.evaluate("cover => getComputedStyle(cover).backgroundImage")
    # A shape that covers don't have, and a picture must not push its cover out of shape.
    page.route(COVERS, lambda route: route.fulfill(content_type="image/png", body=png(0x808080, 100, 60)))

    assert covers() == without
    image = page.locator(".cover img").first
    assert image.evaluate("image => image.naturalWidth") == 100
    assert image.bounding_box() == page.locator(".cover:has(img)").first.bounding_box()


def test_a_cover_is_drawn_where_no_picture_is_known(page: Page, embedded: ModelBundle) -> None:
    page.goto("/picks?q=" + quote(embedded.catalogue.title(WITHOUT_PICTURE)))

    image = page.locator(f'img[src="/anime/{WITHOUT_PICTURE}/cover"]')
    expect(image).to_have_js_property("naturalWidth", 225)
    expect(image).to_have_js_property("naturalHeight", 318)


def test_a_cover_is_the_picture_once_it_is_known(page: Page, embedded: ModelBundle) -> None:
    source = f"/anime/{PICTURED}/cover"
    until(lambda: page.request.get(source, max_redirects=0).status == 302)

    page.goto("/picks?q=" + quote(embedded.catalogue.title(PICTURED)))

    expect(page.locator(f'img[src="{source}"]')).to_have_js_property("naturalWidth", 45)


def test_a_drawn_cover_opened_by_itself_keeps_to_the_policy(page: Page) -> None:
    for pattern in range(6):
        page.goto(f"/covers/{pattern}.svg")
        expect(page.locator("svg")).to_have_count(1)


def test_picking_without_javascript(tab: Open) -> None:
    page = tab(java_script_enabled=False)
    page.goto("/picks")
    # Several at once, one of them without pressing its button.
    page.get_by_label("Score for Death Note").select_option("10")
    page.get_by_label("Score for Naruto").select_option("3")
    page.get_by_role("button", name="Add Naruto").click()
    expect(page.locator(".picks li")).to_have_count(2)

    page.get_by_label("Score for Death Note").select_option("8")
    page.get_by_role("button", name="Remove Naruto").click()
    expect(page.locator(".picks li")).to_have_count(1)
    page.get_by_role("button", name="Recommend").click()

    expect(page.locator(".list > .ranking > .entry")).to_have_count(10)
    page.get_by_role("button", name="leave out: Death Note").first.click()
    page.get_by_role("button", name="Undo: Left out of your list Death Note").click()
    page.get_by_role("link", name="Change the titles on this list").click()
    expect(page.get_by_label("Score for Death Note")).to_have_value("1535-8")
