"""What a person sees and does on the pages, for tests that walk them."""

import re

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

FILMS_ONLY = re.compile(r"^(?!.*type=TV).*type=Movie")
PLAIN = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])


def entries(page: Page) -> Locator:
    return page.locator("#list > .ranking > .entry")


def titles(page: Page) -> list[str]:
    expect(page.locator("#list")).not_to_have_attribute("aria-busy", "true")
    page.wait_for_load_state("domcontentloaded")  # on a slow machine half a page is shown before the rest of it
    return entries(page).get_by_role("heading").all_text_contents()


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def by_username(page: Page, name: str, site: str = "MyAnimeList") -> None:
    page.goto("/")
    form = page.get_by_role("form", name="Your username")
    form.get_by_label("Username", exact=True).fill(name)
    form.get_by_label("Site").select_option(site)
    form.get_by_role("button").click()


def choose_file(page: Page, content: bytes, name: str = "animelist.xml") -> None:
    page.get_by_label("Export file").set_input_files(FilePayload(name=name, mimeType="text/xml", buffer=content))


def by_upload(page: Page, content: bytes) -> None:
    page.goto("/")
    choose_file(page, content)
    page.get_by_role("button", name="Recommend from this file").click()
