"""What browser tests share: Chromium, the app as it is served, and the sites' stand-in."""

from tests.browser.browsing import address, browser, page, sites, stage, tab
from tests.models import bundle, embedded, trained

__all__ = ["address", "browser", "bundle", "embedded", "page", "sites", "stage", "tab", "trained"]
