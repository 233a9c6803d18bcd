"""What browser tests share: Chromium, the app as it is served, and the sites' stand-in."""

from tests.browser.browsing import address, browser, page, sites, stage, tab
from tests.models import embedded, knowledge, trained

__all__ = ["address", "browser", "embedded", "knowledge", "page", "sites", "stage", "tab", "trained"]
