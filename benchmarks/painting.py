"""How soon a browser shows a page of twenty titles: first contentful paint on loopback, each time with nothing cached.

python -m benchmarks.painting
"""

from playwright.sync_api import Browser

from benchmarks import machine
from benchmarks.serving import report
from hakken.serving.__main__ import APPLICATION
from tests.browser.browsing import launched, opened
from tests.browser.test_browser import TRANSFERRED, TWENTY
from tests.serving import served, wait_for
from tests.standin.__main__ import environment
from tests.standin.server import Standin

RUNS = 50
PAINTED = """() => new Promise(done => new PerformanceObserver(list => {
    for (const one of list.getEntriesByName("first-contentful-paint")) done(one.startTime);
}).observe({type: "paint", buffered: true}))"""


def main() -> None:
    """Measure with gunicorn's one worker and Chromium side by side on this machine."""
    standin = Standin()
    standin.start()
    try:
        with launched() as browser, served(APPLICATION, **environment(standin)) as (address, _):
            wait_for(address)
            print(f"{machine.describe('flask', 'gunicorn', 'playwright')}, Chromium {browser.version}")
            painted(browser, address)  # the first run of each is another matter
            runs = [painted(browser, address) for _ in range(RUNS)]
            report("first contentful paint, 20 titles", [seconds for seconds, _ in runs])
            print(f"markup, styles and script as transferred: {runs[-1][1] / 1000:.1f} kB")
    finally:
        standin.stop()


def painted(browser: Browser, address: str) -> tuple[float, int]:
    """Seconds from asking to the first contentful paint, and the bytes that came."""
    with opened(browser, address) as page:
        page.goto(TWENTY)
        files = page.evaluate(TRANSFERRED)
        return page.evaluate(PAINTED) / 1e3, sum(sent for sent, _ in files.values())


if __name__ == "__main__":
    main()
