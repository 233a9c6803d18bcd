"""The composed application: in this process, and served by a real gunicorn on loopback."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from ars_app import create_app
from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.lists import uploads
from hakken.model import store
from hakken.model.manifest import SCHEMA_VERSION
from hakken.ratings import MAX_ANIME_ID, Rating, Site, UserList, Username
from hakken.sites.client import HttpClient
from hakken.sites.list_sources import ListCache, ListSources
from tests.exports import SAMPLE
from tests.fake_services import words
from tests.serving import served, wait_for


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served("tests.worker_probe:create_probed_app()") as (address, _):
        wait_for(address)
        yield address


def test_the_embedded_model_is_served(server: str) -> None:
    assert requests.get(f"{server}/healthz", timeout=5).json() == {"status": "alive"}
    ready = requests.get(f"{server}/readyz", timeout=5).json()
    embedded = store.open_artefact("embedded")
    loaded, age = ready["model"].pop("loaded"), ready["model"].pop("age_seconds")
    assert 0 <= (datetime.now(UTC) - datetime.fromisoformat(loaded)).total_seconds() < 60
    trained = datetime.fromisoformat(embedded.manifest.created)
    assert age == pytest.approx((datetime.now(UTC) - trained).total_seconds(), abs=60)
    assert ready == {
        "status": "ready",
        "model": {
            "version": embedded.version,
            "trained": embedded.manifest.created,
            "data_time": embedded.manifest.data_time,
            "judgement": None,
        },
        "latest": {"looked": None, "failed": False, "reason": None},
        "usernames": {"mal": ["load_json"], "anilist": ["anilist"]},
        "facts": "jikan",
    }
    sample = requests.get(f"{server}/recommendations", {"sample": 1, "n": 7}, timeout=5)
    assert sample.status_code == 200
    assert sample.text.partition('class="continue"')[0].count('<li class="entry">') == 7


def test_a_username_that_nobody_can_be_asked_for_is_refused_at_once(embedded: ModelBundle) -> None:
    client = create_app(Settings(list_sources="off", facts_source="off"), bundle=embedded).test_client()
    home = client.get("/")
    page = client.get("/recommendations?username=spike")
    problems = [client.get(f"/api/v1/{path}?username=spike") for path in ("recommendations", "taste")]

    assert page.status_code == 501
    lead = "MyAnimeList usernames can't be looked up on this server."
    assert lead in words(home)
    assert lead in words(page)
    assert "What was tried" not in page.text
    assert "If it keeps happening" not in page.text
    assert page.text.index('id="export"') < page.text.index('href="/picks"') < page.text.index('id="username"')
    assert '<option value="anilist" selected>' in page.text
    assert client.get("/taste?username=spike").status_code == 501
    for problem in problems:
        assert (problem.status_code, problem.get_json()["type"]) == (501, "/api/v1/problems#no-list-source")
        assert problem.get_json()["detail"].startswith(f"{lead} AniList usernames work here, and you can always upload")
        assert "tried" not in problem.get_json()
        assert "Retry-After" not in problem.headers, "asking again changes nothing"
    assert client.get("/readyz").get_json()["usernames"]["mal"] == []


def test_a_titles_page_knows_the_list_that_was_fetched_a_moment_ago(embedded: ModelBundle) -> None:
    cache = ListCache()
    sources = ListSources(HttpClient(20), {Site.MAL: []}, cache=cache)
    client = create_app(Settings(facts_source="off"), bundle=embedded, sources=sources).test_client()
    main = next(one for one in embedded.catalogue.series.values() if len(one) > 1)
    assert "Read it again" in words(client.get(f"/anime/{main[0]}?username=spike"))
    found = UserList.of([Rating(main[0], 9)])
    cache.fetch(Username("spike"), HttpClient(20).new_deadline(), lambda: found)
    page = words(client.get(f"/anime/{main[1]}?username=spike"))
    assert "seen, 9" in page
    assert "Read it again" not in page


def test_an_address_may_hold_all_that_can_be_picked_and_left_out(server: str) -> None:
    known = ModelBundle.read(store.open_artefact("embedded")).model.arrays.anime_ids[-100:].tolist()
    largest = range(MAX_ANIME_ID - 99, MAX_ANIME_ID + 1)
    query = {"pick": [f"{one}-{one % 11}" for one in (*known, *largest)], "ignore": known, "n": "5"}
    answer = requests.get(f"{server}/recommendations", query, timeout=10)
    assert len(answer.history[0].request.path_url) > 4094, "gunicorn's own limit"
    assert answer.status_code == 200
    assert answer.text.partition('class="continue"')[0].count('<li class="entry">') == 5


def test_a_body_that_is_not_framed_as_it_says_is_a_bad_request(server: str) -> None:
    host, port = server.removeprefix("http://").split(":")
    head = b"POST /recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n--b\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def corrupt(at: Path) -> None:
    (at / "b_i.npy").write_bytes(b"x")


def too_new(at: Path) -> None:
    (at / "manifest.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(corrupt, "is damaged"), (too_new, "by a later Hakken"), (shutil.rmtree, "There is no model")],
)
def test_without_a_usable_model_pages_say_so_and_readyz_says_why(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], reason: str
) -> None:
    directory = tmp_path / "model"
    shutil.copytree(trained, directory)
    damage(directory)
    client = create_app(Settings(model=str(directory))).test_client()
    assert "The latest model can't be served: " in caplog.text
    assert "Traceback" not in caplog.text
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert reason in ready.get_json()["reason"]
    assert ready.headers["Retry-After"] == "60"
    assert str(tmp_path) not in ready.text
    for _ in range(2):
        page = client.get("/recommendations?sample=1")
        assert page.status_code == 503
        assert "No recommendations just now" in page.text
        assert "This is our fault" in page.text
        assert str(tmp_path) not in page.text, "paths are the operator's, in the log"
    assert client.get("/").status_code == 200


def test_the_embedded_model_is_warm_before_anyone_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[ModelBundle] = []

    def warm(bundle: ModelBundle) -> None:
        warmed.append(bundle)

    monkeypatch.setattr(ModelBundle, "warm", warm)
    create_app(Settings(facts_source="off"))
    assert len(warmed) == 1


def test_the_sample_export_is_read_whole_and_known_to_the_embedded_model() -> None:
    with SAMPLE.open("rb") as file:
        user_list = uploads.parse(file)
    model = ModelBundle.read(store.open_artefact("embedded")).model
    assert user_list.skipped == user_list.repeats == 0
    _, known = model.rows_of([rating.anime_id for rating in user_list.scored])
    assert len(known) > 30
    assert known.all()
    assert len({rating.status for rating in user_list.ratings}) == 5
