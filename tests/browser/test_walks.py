"""Each path through the pages as a person walks it, before the stand-in of the sites."""

import csv
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from hakken.bundle import ModelBundle
from hakken.lists import mal_export
from hakken.ratings import Rating, Status
from tests.browser.browsing import Open
from tests.browser.walking import PLAIN, by_upload, by_username, choose_file, entries, heading, titles
from tests.exports import SAMPLE, export_of


def exported(path: Path) -> list[Rating]:
    return list(mal_export.parse([path.read_bytes()]).ratings)


@PLAIN
def test_from_a_username_to_a_list_that_can_be_kept(tab: Open, scripts: bool) -> None:
    page = tab(java_script_enabled=scripts)
    by_username(page, "visitor-1")
    expect(heading(page)).to_have_text("Recommended for visitor-1")
    all_of_them = titles(page)

    page.get_by_text("Choose what to see").click()
    page.get_by_role("checkbox", name="Movie", exact=True).check()
    if not scripts:
        page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("type=Movie"))
    films = titles(page)
    assert films != all_of_them
    expect(entries(page).locator(".facts")).to_have_text([re.compile("^Movie")] * len(films))

    another = tab(java_script_enabled=scripts)
    another.goto(page.url)
    assert titles(another) == films
    expect(another.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()

    page.go_back()
    expect(entries(page).get_by_role("heading")).to_have_text(all_of_them)
    expect(page.get_by_role("checkbox", name="Movie", exact=True, include_hidden=True)).not_to_be_checked()
    page.go_forward()
    expect(entries(page).get_by_role("heading")).to_have_text(films)
    expect(page.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()


@PLAIN
def test_a_newcomer_in_ninety_seconds(tab: Open, scripts: bool) -> None:
    """From the start page to a list, why, seen it and back, what continues, a season, and a list for two."""
    page = tab(java_script_enabled=scripts)
    by_username(page, "visitor-1")
    before = titles(page)
    first, second = entries(page).nth(0), entries(page).nth(1)
    expect(first.get_by_text("Rated by")).to_be_hidden()
    first.locator(".more > summary").click()
    expect(first.get_by_text("Rated by")).to_be_visible()
    expect(first.get_by_role("button", name="leave out").first).to_be_visible()

    second.locator(".seen > summary").click()
    second.get_by_role("group").get_by_role("button", name="9", exact=True).click()
    expect(page).to_have_url(re.compile("seen=[0-9]+-9"))
    expect(page.get_by_text(f"Seen: {before[1]} 9")).to_be_visible()
    assert before[1] not in titles(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the titles you marked as seen").click()
    assert [(one.score, one.status) for one in exported(download.value.path())] == [(9, Status.COMPLETED)]
    page.get_by_role("button", name=f"Undo: Seen {before[1]}").click()
    expect(entries(page).get_by_role("heading")).to_have_text(before)

    expect(page.locator(".continue .next").first).to_have_text(re.compile("^Next: "))
    page.get_by_role("link", name="By season").click()
    expect(heading(page)).to_have_text(re.compile(r"Recommended for visitor-1: \w+ 20\d\d"))
    page.get_by_role("link", name="For two").click()
    page.get_by_label("Username or Hakken link").nth(1).fill("visitor-4")
    page.get_by_role("button", name="Recommend for both").click()
    expect(heading(page)).to_have_text("For visitor-1 and visitor-4")
    expect(page.locator(".entry").first.locator(".person")).to_have_text(["visitor-1", "visitor-4"])


@PLAIN
def test_what_was_chosen_goes_along_to_the_taste_and_to_the_picks_and_back(tab: Open, scripts: bool) -> None:
    page = tab(java_script_enabled=scripts)
    page.goto("/recommendations?pick=1-9&pick=19-8&type=Movie&hide=578")
    chosen = titles(page)

    page.get_by_role("link", name="Your taste").click()
    page.get_by_role("link", name="Recommendations").click()
    assert titles(page) == chosen
    page.get_by_role("link", name="Change the titles on this list").click()
    page.get_by_role("button", name="Recommend").click()

    expect(heading(page)).to_have_text("Recommended from your list")
    assert titles(page) == chosen
    expect(page.get_by_text("Hidden: Hotaru no Haka")).to_be_visible()


def test_an_export_that_is_dropped_on_its_form(page: Page) -> None:
    page.goto("/")
    form = page.get_by_role("form", name="Your exported list")
    files = page.evaluate_handle(
        "text => { const files = new DataTransfer(); files.items.add(new File([text], 'list.xml')); return files; }",
        SAMPLE.read_text(encoding="utf-8"),
    )

    form.dispatch_event("dragover", {"dataTransfer": files})
    expect(form).to_have_class(re.compile("over"))
    form.dispatch_event("drop", {"dataTransfer": files})

    expect(form).not_to_have_class(re.compile("over"))
    expect(page.get_by_label("Export file")).to_have_value(re.compile("list.xml"))
    expect(page.get_by_label("Export file")).to_be_focused()
    form.get_by_role("button", name="Recommend from this file").click()
    expect(heading(page)).to_have_text("Recommended from your list")


@PLAIN
def test_a_list_too_long_for_an_address(tab: Open, embedded: ModelBundle, scripts: bool) -> None:
    page = tab(java_script_enabled=scripts)
    by_upload(page, export_of(5000, embedded))
    expect(page.get_by_text("be shared as a link")).to_be_visible()
    all_of_them = titles(page)

    page.get_by_text("Choose what to see").click()
    page.get_by_role("checkbox", name="Movie", exact=True).check()
    # Nothing changes at once, with scripts or without: what changed in place could not be gone back to.
    page.get_by_role("button", name="Show", exact=True).click()
    expect(entries(page).locator(".facts").first).to_have_text(re.compile("^Movie"))
    films = titles(page)
    assert films != all_of_them

    page.get_by_role("button", name=f"Not for me: {films[0]}").first.click()
    expect(page.get_by_text(f"Hidden: {films[0]}")).to_be_visible()
    assert films[0] not in titles(page)
    expect(page.get_by_role("checkbox", name="Movie", exact=True)).to_be_checked()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text(encoding="utf-8").splitlines()))
    assert [row["title"] for row in rows][: len(titles(page))] == titles(page)
    assert page.url.endswith("/recommendations#list"), "and the list is where one looks"
    page.go_back()
    expect(page.get_by_text(f"Hidden: {films[0]}")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_text(f"Hidden: {films[0]}")).to_be_visible()
    page.get_by_role("button", name="Your taste").click()
    expect(heading(page)).to_have_text("Your taste")
    page.get_by_role("button", name="Recommendations").click()
    expect(heading(page)).to_have_text("Recommended from your list")


def test_picking_with_search_while_typing(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Pick titles by hand").click()
    field = page.get_by_label("Find a title")
    field.press_sequentially("cowbow bep")
    expect(page.get_by_role("heading", name="Found")).to_be_visible()
    expect(field).to_be_focused()
    field.press_sequentially("op")
    expect(field).to_have_value("cowbow bepop")

    page.get_by_label("Score for Cowboy Bebop", exact=True).select_option("9")
    page.get_by_role("button", name="Add Cowboy Bebop", exact=True).click()
    expect(page.locator(".picks li")).to_have_text([re.compile("Cowboy Bebop")])
    expect(page.get_by_label("Score for Cowboy Bebop", exact=True)).to_have_value("1-9")
    expect(field).to_have_value("cowbow bepop")
    page.get_by_role("button", name="Recommend").click()

    expect(heading(page)).to_have_text("Recommended from your list")
    page.get_by_role("link", name="Change the titles on this list").click()
    expect(page.get_by_label("Score for Cowboy Bebop", exact=True)).to_have_value("1-9")


def test_a_list_that_takes_its_time_says_so_and_waits_no_more_after_going_back(page: Page) -> None:
    said: list[str] = []
    page.expose_function("said", lambda text: said.append(text))  # noqa: PLW0108  # Playwright marks it
    page.goto("/")
    form = page.get_by_role("form", name="Your username")
    form.get_by_role("status").evaluate(
        "status => new MutationObserver(() => said(status.textContent)).observe(status, {childList: true})"
    )
    form.get_by_label("Username", exact=True).fill("visitor-4")
    form.get_by_role("button").click()

    expect(heading(page)).to_have_text("Recommended for visitor-4")
    assert said == ["Fetching the list: a long one can take a few seconds."]
    page.go_back()
    expect(form.get_by_role("status")).to_be_empty()
    expect(form).not_to_have_attribute("aria-busy", "true")


@PLAIN
def test_from_a_private_list_by_an_upload_to_a_list(tab: Open, scripts: bool) -> None:
    page = tab(java_script_enabled=scripts)
    by_username(page, "recluse")
    expect(heading(page)).to_have_text("This list is private")
    expect(page.get_by_text("Or make it public in your account")).to_be_visible()
    expect(page.get_by_label("Username", exact=True)).to_have_value("recluse")

    choose_file(page, SAMPLE.read_bytes())
    page.get_by_role("button", name="Recommend from this file").click()
    expect(heading(page)).to_have_text("Recommended from your list")

    page.go_back()
    expect(heading(page)).to_have_text("This list is private")
    page.go_back()
    expect(heading(page)).to_contain_text("Find the anime")
