"""The pages by keyboard alone, with less motion, on paper; and text that was meant to do harm, shown as text."""

import re
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ars_app import create_app
from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from tests.browser.browsing import Open, opened
from tests.browser.walking import titles
from tests.serving import served_here
from tests.standin.server import Standin

FOCUS = """() => {
    const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
    const known = (window.visited ??= new Set()).has(one);
    window.visited.add(one);
    return {
        what: one.outerHTML.slice(0, 120),
        lost: one === document.body,
        known,
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 1,
    };
}"""
MISSED = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter(one => one.checkVisibility() && one.tabIndex >= 0 && !visited.has(one))
    .map(one => one.outerHTML.slice(0, 120))"""


def focus(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(FOCUS)
    return found


def must_show(page: Page) -> None:
    now = focus(page)
    assert not now["lost"]
    assert now["outlined"], now["what"]
    assert now["seen"], now["what"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/recommendations?sample=1&n=2&genre=Action&type=TV",
        "/recommendations?sample=1&n=2&view=table",
        "/picks?pick=1-9&q=monster",
        "/taste?sample=1",
        "/anime/1",
        "/recommendations?username=recluse&source=anilist",
    ],
)
def test_the_tab_key_reaches_everything_and_always_shows_where_it_is(page: Page, path: str) -> None:
    page.goto(path)
    for _ in range(400):
        page.keyboard.press("Tab")
        now = focus(page)
        if now["lost"] or now["known"]:
            break
        assert now["outlined"], now["what"]
        assert now["seen"], now["what"]
    assert page.evaluate(MISSED) == []


def test_from_the_start_page_to_a_list_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Username", exact=True)).to_be_focused()
    page.keyboard.type("visitor-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recommended for visitor-1")

    page.get_by_text("Choose what to see").press("Enter")
    page.get_by_label("How many titles").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")

    expect(page.locator("#list > .ranking > .entry")).to_have_count(2)
    expect(page.get_by_label("How many titles")).to_be_focused()


def pressed(page: Page, button: Locator) -> None:
    """Press a button with the keyboard, and wait for the page to change."""
    button.focus()
    page.evaluate("document.querySelector('[data-busy]').dataset.old = 'yes'")
    page.keyboard.press("Enter")
    expect(page.locator("[data-busy][data-old]")).to_have_count(0)


def test_no_change_of_a_list_loses_the_focus_and_all_can_be_taken_back(page: Page) -> None:
    page.goto("/recommendations?sample=1&n=3&type=Movie")
    before = titles(page)
    page.keyboard.press("Tab")  # from here on this is someone who works with the keyboard
    hide = page.get_by_role("button", name=re.compile("^Not for me"))
    pressed(page, hide.nth(1))
    expect(page.get_by_text(f"Hidden: {before[1]}")).to_be_visible()
    assert before[1] not in titles(page)
    expect(hide.nth(1)).to_be_focused()
    must_show(page)
    page.locator(".more > summary").first.click()
    leave_out = page.get_by_role("button", name=re.compile("^leave out"))
    pressed(page, leave_out.first)
    expect(leave_out.first).to_be_focused()
    must_show(page)
    pressed(page, page.get_by_role("button", name=re.compile("^More like this")).first)
    must_show(page)
    for _ in range(3):
        # After the last there is none left: then the list itself is where to go on.
        pressed(page, page.get_by_role("button", name=re.compile("^Undo")).first)
        must_show(page)
    assert titles(page) == before
    assert page.url.endswith("/recommendations?sample=1&n=3&type=Movie")
    pressed(page, page.get_by_role("button", name="Table"))
    expect(page.get_by_role("button", name="Table")).to_be_focused()
    must_show(page)


def test_no_change_of_picks_loses_the_focus(page: Page) -> None:
    page.goto("/picks?q=cowboy")
    page.keyboard.press("Tab")
    pressed(page, page.get_by_role("button", name="Add Cowboy Bebop", exact=True))
    must_show(page)
    pressed(page, page.get_by_role("button", name="Remove Cowboy Bebop", exact=True))
    must_show(page)


MOVING = """() => [...document.querySelectorAll("*")].filter(one => {
    const style = getComputedStyle(one);
    return style.transitionDuration.split(",").some(part => parseFloat(part) > 0) || style.animationName !== "none";
}).length"""


@pytest.mark.parametrize("path", ["/", "/recommendations?sample=1&n=2", "/picks"])
def test_who_wants_no_motion_gets_none(page: Page, path: str) -> None:
    page.goto(path)
    assert page.evaluate(MOVING) > 0, "or this test shows nothing"

    page.emulate_media(reduced_motion="reduce")

    assert page.evaluate(MOVING) == 0


def test_a_list_on_paper(tab: Open) -> None:
    page = tab(color_scheme="dark")
    page.goto("/recommendations?sample=1&n=3")

    page.emulate_media(media="print")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for entry in page.locator("#list > .ranking > .entry").all():
        expect(entry.get_by_role("heading")).to_be_visible()
        expect(entry.locator(".rating strong")).to_be_visible()
    for useless in (page.locator("form"), page.locator("nav"), page.get_by_role("button"), page.locator(".skip")):
        expect(useless.filter(visible=True)).to_have_count(0)
    colours = "one => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]"
    assert page.locator("html").evaluate(colours) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    assert page.pdf().startswith(b"%PDF")


HOSTILE = (
    "<script>document.title = 'taken'; window.taken = true</script>",
    "\"><img src=x onerror='window.taken = true'>",
    '</title></textarea></select><svg onload="window.taken = true">',
    "' onfocus='window.taken = true' autofocus='",
    "{{ 7 * 7 }} &lt;b&gt; &amp;",
    "🎬👩‍🚀 ☄️",
    "مسلسل ١٢٣ عربي",
    "\N{RIGHT-TO-LEFT OVERRIDE}desrever",
)


@pytest.fixture(scope="module")
def hostile(embedded: ModelBundle, stage: Standin) -> Iterator[str]:
    """An app whose catalogue is full of names that are markup, each with its id behind, so that no two are alike."""
    names = cycle(HOSTILE)
    evil = Catalogue(
        msgspec.structs.replace(one, title=f"{next(names)} {one.anime_id}", title_english=None, genres=(HOSTILE[0],))
        for one in embedded.catalogue.values()
    )
    app = create_app(
        stage.settings(facts_source="off", picture_origins=stage.url), bundle=ModelBundle(embedded.model, evil)
    )
    with served_here(app) as address:
        yield address


def test_whatever_a_title_is_it_is_shown_as_text(browser: Browser, hostile: str, embedded: ModelBundle) -> None:
    with opened(browser, hostile) as page:
        page.goto("/recommendations?sample=1&n=60")  # so many that each name is among them
        shown = page.locator("#list .entry h2").all_text_contents()
        for name in HOSTILE:
            assert any(re.fullmatch(re.escape(name) + r" \d+", title) for title in shown), name
        first = page.get_by_role("button", name=re.compile("^Not for me")).first
        first.click()
        expect(page.get_by_text("Hidden: ")).to_contain_text(shown[0])
        for path in (
            "/recommendations?sample=1&view=table",
            "/picks?pick=1-9&pick=5-8&pick=6-1&pick=7-0&pick=8-2&pick=15-3&pick=16-4&pick=17-5",
            "/picks?q=" + "window.taken",
            "/taste?sample=1",
            *(f"/anime/{one}" for one in list(embedded.catalogue)[: len(HOSTILE)]),
        ):
            page.goto(path)
            assert not page.evaluate("window.taken"), path
            assert "taken" not in page.title() or page.title().endswith("Hakken"), path
            assert page.locator("img[src=x], main script, svg[onload], [onfocus]").count() == 0, path
