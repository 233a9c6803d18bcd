"""With every site down, all that needs none of them works: under gunicorn, with sites that hang."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hakken.lists.encoded_list import packed
from hakken.ratings import Rating, UserList
from tests.fake_services import SAMPLE
from tests.serving import served, wait_for
from tests.standin.faults import Faults
from tests.standin.server import Standin

DEADLINE, PATIENCE = 9, 8.0
"""Seconds; a page that waited for a site would take the deadline."""


@pytest.fixture
def app(standin: Standin, tmp_path: Path) -> Iterator[str]:
    for name in ("jikan", "mal", "load_json", "anilist", "pictures"):
        standin.fail(name, Faults.SLOW_HEADERS)
    environment = {
        "HAKKEN_JIKAN_URL": standin.jikan_url,
        "HAKKEN_MAL_URL": standin.mal_url,
        "HAKKEN_ANILIST_URL": standin.anilist_url,
        "HAKKEN_PICTURE_ORIGINS": standin.url,
        "HAKKEN_CACHE_DIR": str(tmp_path),
        "HAKKEN_DEADLINE": str(DEADLINE),
        "HAKKEN_SITE_RATES": "facts=600/m",
        "MAL_CLIENT_ID": "id",
    }
    with served("ars_app:create_app()", **environment) as (address, _):
        wait_for(address)
        yield address


def test_all_that_needs_no_site_works_and_a_username_gets_a_page_that_offers_it(app: str) -> None:
    def get(path: str, **query: str) -> requests.Response:
        return requests.get(f"{app}{path}", query, timeout=30, allow_redirects=False)

    pages = [
        get("/"),
        get("/recommendations", sample="1", n="20"),
        get("/picks", q="steins gate"),
        get("/recommendations", list=packed(UserList.of([Rating(9253, 10)]))),
        requests.post(f"{app}/recommendations", files={"export": ("list.xml", SAMPLE.read_bytes())}, timeout=10),
    ]
    assert [page.status_code for page in pages] == [200] * len(pages)
    assert all('/cover"' in page.text for page in pages[1:])
    assert get("/readyz").json()["status"] == "ready"
    covers = [get(f"/anime/{anime_id}/cover") for anime_id in (1, 5, 9253) for _ in range(3)]  # drawn at once
    kinds = {(cover.status_code, cover.headers["Content-Type"].split(";")[0]) for cover in covers}
    assert kinds == {(200, "image/svg+xml")}
    assert max(one.elapsed.total_seconds() for one in (*pages, *covers)) < PATIENCE

    page = get("/recommendations", username="everything")
    assert page.status_code in {503, 504}
    assert page.elapsed.total_seconds() < DEADLINE + PATIENCE
    for offered in ("What was tried", 'name="export"', 'href="/picks'):
        assert offered in page.text
