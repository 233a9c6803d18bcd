"""What the pages' script does: lists that change in place, one question at a time, and nothing lost on the way."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from hakken.bundle import ModelBundle
from tests.browser.browsing import Open
from tests.browser.walking import FILMS_ONLY, PLAIN, by_upload, entries, heading, titles
from tests.exports import export_of
from tests.standin.server import Standin


def test_a_choice_changes_the_list_and_not_the_page(page: Page) -> None:
    page.goto("/recommendations?sample=1")
    page.evaluate("window.here = true")
    page.get_by_text("Choose what to see").click()

    page.get_by_label("Order").focus()
    page.get_by_label("Order").select_option("predicted_rating")

    expect(page).to_have_url(re.compile("order=predicted_rating"))
    expect(page.get_by_role("status")).to_have_text("10 titles are shown.")
    expect(page.get_by_label("Order")).to_be_focused()
    page.get_by_role("checkbox", name="Leave out titles that hardly anyone has rated").check()
    expect(page).to_have_url(re.compile("rated_only=1"))
    assert page.evaluate("window.here")


def test_two_choices_in_quick_succession_are_both_made(page: Page) -> None:
    page.goto("/recommendations?sample=1")
    held: list[Route] = []
    page.route(FILMS_ONLY, lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks it
    page.get_by_text("Choose what to see").click()
    with page.expect_request(FILMS_ONLY):
        page.get_by_role("checkbox", name="Movie", exact=True).check()
    # Before the answer is there, three more.
    first, second = titles_shown(page)[:2]
    page.get_by_role("checkbox", name="TV", exact=True).check()
    page.get_by_role("button", name=f"Not for me: {first}").first.click()
    page.get_by_role("button", name=f"Not for me: {second}").first.click()
    expect(page.get_by_role("status").filter(has_text="Fetching")).to_be_visible()

    held[0].continue_()

    expect(page).to_have_url(re.compile(r"type=TV&type=Movie&hide=\d+&hide=\d+$"))
    expect(page.get_by_text("Hidden: ")).to_have_count(2)
    assert not {first, second} & set(titles(page))
    expect(page.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()


def titles_shown(page: Page) -> list[str]:
    return entries(page).get_by_role("heading").all_text_contents()


def test_the_positions_that_a_slider_passes_are_not_gone_back_to(page: Page) -> None:
    page.goto("/recommendations?sample=1&type=Movie")
    slider = page.get_by_label("Niche or popular titles")
    for position in ("-0.2", "-0.6", "-1"):
        slider.fill(position)
        expect(page).to_have_url(re.compile(f"popularity={position}(&|$)"))

    page.go_back()

    expect(page).to_have_url(re.compile("type=Movie$"))
    expect(slider).to_have_value("0")
    expect(page.locator("main")).to_be_focused()


def test_a_jump_within_the_page_asks_for_nothing(page: Page, embedded: ModelBundle) -> None:
    by_upload(page, export_of(5000, embedded))
    expect(page.get_by_text("be shared as a link")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for long in (True, False):
        if not long:
            page.goto("/recommendations?sample=1")
        asked.clear()
        page.get_by_role("link", name="Skip to content").focus()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.evaluate("new Promise(done => setTimeout(done, 300))")
        assert [one for one in asked if "recommendations" in one] == []
        expect(page.locator("#list")).not_to_have_attribute("aria-busy", "true")


def test_an_error_is_asked_for_once_and_can_be_gone_back_from(page: Page, sites: Standin) -> None:
    page.goto("/recommendations?sample=1")
    before = titles(page)
    page.get_by_text("Choose what to see").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("From", exact=True).fill("2015")
    page.get_by_label("From", exact=True).press("Tab")
    expect(page).to_have_url(re.compile("year_from=2015$"))
    page.get_by_label("To", exact=True).fill("2000")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(heading(page)).to_have_text("Something in the form is missing or out of range")
    assert len([one for one in asked if "year_to=2000" in one]) == 1
    expect(page).to_have_title(re.compile("^Something in the form"))
    page.go_back()
    expect(heading(page)).to_have_text("Recommended for the sample list")
    page.go_back()
    expect(page).to_have_url(re.compile(r"sample=1$"))
    assert titles(page) == before


def test_without_an_answer_the_page_stays_as_it_is(page: Page) -> None:
    page.goto("/picks?pick=1-9")
    page.get_by_label("Score for Death Note", exact=True).select_option("8")
    page.context.set_offline(offline=True)
    page.get_by_label("Find a title").fill("monster")

    expect(page.get_by_role("status").filter(has_text="There was no answer")).to_be_visible()
    expect(page.locator(".picks li")).to_have_count(1)
    page.context.set_offline(offline=False)
    page.get_by_label("Find a title").press("Enter")

    expect(page.locator("#offered")).to_have_text("Found")
    # The score that was chosen beside a title is not lost either.
    expect(page.locator(".picks li")).to_have_count(2)


@PLAIN
def test_enter_searches_whatever_is_picked(tab: Open, scripts: bool) -> None:
    page = tab(java_script_enabled=scripts)
    for picked in ("", "?pick=1-9&pick=5-8"):
        page.goto(f"/picks{picked}")
        page.get_by_label("Find a title").fill("monster")
        page.get_by_label("Find a title").press("Enter")
        expect(page.locator("#offered")).to_have_text("Found")
        expect(page.locator(".picks li")).to_have_count(2 if picked else 0)
        expect(page.get_by_text("Pick a title first")).to_have_count(0)


def test_two_titles_added_in_quick_succession_keep_their_scores(page: Page) -> None:
    page.goto("/picks")
    held: list[Route] = []
    page.route(re.compile("add=1535"), lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks it
    page.get_by_label("Score for Death Note", exact=True).select_option("10")
    with page.expect_request(re.compile("add=1535")):
        page.get_by_role("button", name="Add Death Note", exact=True).click()
    # The answer on its way will offer other titles than these.
    page.get_by_label("Score for Naruto", exact=True).select_option("3")
    page.get_by_role("button", name="Add Naruto", exact=True).click()

    held[0].continue_()

    expect(page.locator(".picks li")).to_have_count(2)
    expect(page).to_have_url(re.compile("pick=1535-10&pick=20-3$"))


def test_the_names_of_titles_stay_chosen_in_the_browser(tab: Open) -> None:
    page = tab(locale="ja-JP")
    choices = page.get_by_role("navigation", name="Titles in")
    current = choices.locator("[aria-current]")
    page.goto("/recommendations?sample=1")
    expect(current).to_have_text("日本語")
    page.get_by_text("Choose what to see").click()
    page.get_by_label("Order").select_option("predicted_rating")
    expect(page).to_have_url(re.compile("order=predicted_rating"))
    japanese = titles(page)

    choices.get_by_role("link", name="English").click()

    # What was chosen since the page was loaded stays chosen too.
    expect(page).to_have_url(re.compile("order=predicted_rating&.*names=english$"))
    expect(current).to_have_text("English")
    assert not set(japanese) & set(titles(page))
    # An address without names takes those; one with others, perhaps someone else's, is shown as it is.
    for path, place in (("/", "/?names=english"), ("/?names=romaji", "/?names=romaji"), ("/", "/?names=english")):
        page.goto(path)
        expect(page).to_have_url(re.compile(re.escape(place) + "$"))
    page.go_back()
    expect(page).to_have_url(re.compile("names=romaji$"))
    page.goto("/anime/1#standing")
    expect(page).to_have_url(re.compile("/anime/1\\?names=english#standing$"))


FORBIDDEN = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden'); }})"


@pytest.mark.parametrize("storage", ["localStorage.setItem('names', '\"] *, klingon')", FORBIDDEN], ids=["odd", "none"])
def test_names_can_be_chosen_whatever_the_browser_stores(tab: Open, storage: str) -> None:
    page = tab()
    page.add_init_script(storage)
    page.goto("/anime/1")
    expect(page).to_have_url(re.compile("/anime/1$"))

    page.get_by_role("link", name="日本語").click()

    expect(page).to_have_url(re.compile(r"/anime/1\?names=japanese$"))
    expect(heading(page)).to_have_text("カウボーイビバップ")


def test_colours_can_be_chosen_and_stay_chosen(tab: Open) -> None:
    page = tab(color_scheme="light")
    page.goto("/")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Dark", exact=True).click()
    dark = page.evaluate(paper)
    assert dark != light
    page.goto("/picks")
    assert page.evaluate(paper) == dark
    expect(page.get_by_role("button", name="Dark", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="System", exact=True).click()
    page.reload()
    assert page.evaluate(paper) == light


def test_shortcuts_lead_through_a_list_and_can_be_switched_off(page: Page) -> None:
    page.goto("/recommendations?sample=1&n=3")
    links = entries(page).locator(".title a")
    for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(links.nth(at)).to_be_focused()
    page.keyboard.press("o")
    expect(entries(page).nth(1).locator(".more")).to_have_attribute("open", "")
    page.keyboard.press("s")
    expect(entries(page).nth(1).locator(".seen")).to_have_attribute("open", "")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    keys.get_by_label("Use keyboard shortcuts").uncheck()
    keys.get_by_role("button", name="Close").click()
    page.reload()
    page.keyboard.press("?")
    expect(keys).to_be_hidden()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(keys).to_be_visible()


def test_the_link_of_a_page_is_copied(tab: Open) -> None:
    page = tab(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/recommendations?sample=1&n=3")
    page.get_by_role("button", name="Table").click()
    expect(page).to_have_url(re.compile("view=table"))
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#news")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_a_table_is_sorted_in_place(page: Page) -> None:
    page.goto("/recommendations?sample=1&n=8&view=table")
    years = page.locator("#list > .wide tbody tr td:nth-child(7)")
    page.get_by_role("button", name="Year", exact=True).first.click()
    expect(page).to_have_url(re.compile("sort=year"))
    found = [int(one) for one in years.all_text_contents()]
    assert found == sorted(found)
    page.get_by_role("button", name="Year", exact=True).first.click()
    expect(page).to_have_url(re.compile("sort=-year"))
    assert [int(one) for one in years.all_text_contents()] == found[::-1]
