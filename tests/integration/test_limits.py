"""How much one client may ask for: alone, in two processes that share a Redis, and when that is gone."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from flask import Flask
from flask.testing import FlaskClient

from hakken.config import Settings
from hakken.errors import ConfigError
from hakken.serving.limit_storage import check_limit_storage
from hakken.web import Metrics, guard, register
from tests.fake_services import ROOT, FakeServices, words
from tests.serving import PATIENCE, free_port, served, until, wait_for

REDIS = shutil.which("redis-server")
MISSING = "redis-server is not installed, so limits were not tried across processes"
TOKEN = "a-token-of-these-tests"  # noqa: S105  # of no server that lasts
SOMEBODY, ANOTHER = "203.0.113.9", "203.0.113.10"

App = Callable[[Settings], Flask]


def from_address(app: Flask, address: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


@pytest.mark.parametrize(
    ("method", "path", "sent", "cost"),
    [
        ("GET", "/picks", {}, 1),
        ("GET", "/nowhere", {}, 1),
        ("PUT", "/picks", {}, 1),
        ("GET", "/healthzzz", {}, 1),
        ("GET", "/api/v1/anime/1", {}, 2),
        ("POST", "/api/v1/recommendations", {"json": {"ratings": []}}, 2),
        ("POST", "/recommendations", {"data": {"username": "spike"}}, 4),
        ("POST", "/recommendations", {"data": {"export": (b"", "x.xml")}}, 4),
        ("GET", "/taste?username=spike", {}, 4),
        ("GET", "/together?username=spike&with_username=faye", {}, 8),
        ("GET", "/together?sample=1&with_username=faye", {}, 4),
        ("GET", "/api/v1/recommendations?username=spike", {}, 4),
        ("GET", "/anime/1/cover", {}, 0),
        ("GET", "/healthz", {}, 0),
    ],
)
def test_what_a_request_draws(app_with: App, method: str, path: str, sent: dict[str, Any], cost: int) -> None:
    client = from_address(app_with(Settings(rate_limit="12/minute")), SOMEBODY)
    client.open(path, method=method, **sent)
    drawn = [client.get("/").status_code for _ in range(13)]
    assert drawn.count(200) == 12 - cost


def test_who_asks_too_much_hears_when_to_come_again_in_words_or_as_a_problem(app_with: App) -> None:
    app = app_with(Settings(rate_limit="1/minute"))
    client = from_address(app, SOMEBODY)
    client.get("/")
    page, problem = client.get("/"), client.get("/api/v1/anime/1")

    for answer in (page, problem):
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 61
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Too many requests" in words(page)
    assert "Wait a minute, then try again." in words(page)
    assert problem.content_type == "application/problem+json"
    assert problem.get_json()["type"].endswith("#too-many-requests")
    assert from_address(app, ANOTHER).get("/").status_code == 200
    for free in ("/static/hakken.css", "/healthz", "/readyz", "/anime/7/cover"):
        assert client.get(free, buffered=True).status_code == 200


def test_after_that_time_there_is_room_again(app_with: App) -> None:
    client = from_address(app_with(Settings(rate_limit="3/second")), SOMEBODY)
    refused = next(answer for _ in range(100) if (answer := client.get("/")).status_code == 429)
    time.sleep(int(refused.headers["Retry-After"]))
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "limit", "status"),
    [
        ("2001:db8::1", "2001:db8::ffff", "1/minute", 429),
        ("2001:db8::1", "2001:db8:0:1::1", "1/minute", 200),
        ("203.0.113.9", "::ffff:203.0.113.9", "1/minute", 429),
        ("203.0.113.9", "203.0.113.10", "1/minute", 200),
        ("", "not an address", "1/minute", 429),
        ("127.0.0.1", "127.0.0.1", "1/minute", 200),  # this machine itself
        ("::1", "::1", "1/minute", 200),
        (SOMEBODY, SOMEBODY, "off", 200),
    ],
)
def test_who_counts_as_one_client_and_who_is_not_limited(
    app_with: App, first: str, second: str, limit: str, status: int
) -> None:
    app = app_with(Settings(rate_limit=limit))
    from_address(app, first).get("/")
    assert from_address(app, second).get("/").status_code == status


@pytest.mark.parametrize("limits_url", ["memory://", "redis://127.0.0.1:1"])
def test_counts_in_memory_have_a_bound_and_the_oldest_leave_first(
    app_with: App, monkeypatch: pytest.MonkeyPatch, limits_url: str
) -> None:
    monkeypatch.setattr(guard, "MAX_COUNTS", 20)
    app = app_with(Settings(rate_limit="1/minute", limits_url=limits_url))
    clients = [f"203.0.113.{number}" for number in range(1, 101)]
    for number, one in enumerate(clients):
        assert from_address(app, one).get("/picks").status_code == 200
        assert from_address(app, clients[max(0, number - 10)]).get("/picks").status_code == 429
    found = [from_address(app, one).get("/picks").status_code for one in clients]
    assert found[:70] == [200] * 70


def test_a_storage_that_is_down_takes_nobody_down(fakes: FakeServices, caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    app = Flask("hakken_under_test", root_path=str(ROOT))
    settings = Settings(rate_limit="3/minute", limits_url=f"redis://127.0.0.1:{free_port()}")
    register(app, fakes.behind(settings), metrics)
    client = from_address(app, SOMEBODY)

    assert [client.get("/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    said = [one.getMessage() for one in caplog.records]
    assert [one for one in said if "HAKKEN_LIMITS_URL can't be reached" in one] == said
    assert len(said) == 1
    assert "hakken_limits_apart 1.0" in metrics.exposition().decode()
    assert 'hakken_refused_total{by="rate"} 2.0' in metrics.exposition().decode()


def test_a_storage_that_nobody_knows_or_that_lacks_its_library_ends_the_start_in_a_sentence() -> None:
    for scheme in ("nothing", "memcached"):
        with pytest.raises(ConfigError, match=f"HAKKEN_LIMITS_URL can't be used: {scheme}:// is not supported"):
            check_limit_storage(Settings(limits_url=f"{scheme}://host"))
    check_limit_storage(Settings(limits_url="redis://127.0.0.1:1"))  # it may be down


# With a real Redis


@contextlib.contextmanager
def redis_at(port: int, directory: Path) -> Iterator[redis.Redis]:
    if REDIS is None:
        if os.environ.get("REQUIRE_REDIS") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    command = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as connection:
            until(lambda: _answers(connection))
            yield connection
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(connection: redis.Redis) -> bool:
    with contextlib.suppress(redis.ConnectionError):
        return bool(connection.ping())
    return False


def apart(address: str) -> str:
    """What a process says of its storage."""
    said = requests.get(f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10).text
    found = re.search(r"^hakken_limits_apart (\S+)$", said, re.MULTILINE)
    return found[1] if found else ""


def test_limits_hold_across_processes_and_without_their_storage_each_counts_for_itself(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "HAKKEN_RATE_LIMIT": "10/hour",
        "HAKKEN_LIMITS_URL": f"redis://127.0.0.1:{port}",
        "HAKKEN_PROXIES": "1",
        "HAKKEN_METRICS_TOKEN": TOKEN,
        "HAKKEN_CACHE_DIR": str(tmp_path),
        "WEB_CONCURRENCY": "1",
    }
    with contextlib.ExitStack() as stack:
        storage = stack.enter_context(redis_at(port, tmp_path))
        here, there = (stack.enter_context(served("ars_app:create_app()", **settings))[0] for _ in range(2))
        for address in (here, there):
            wait_for(address)

        def ask(address: str, visitor: str) -> int:
            headers = {"X-Forwarded-For": visitor}
            return requests.get(f"{address}/picks", headers=headers, timeout=10).status_code

        statuses = [ask(address, SOMEBODY) for _ in range(8) for address in (here, there)]
        assert statuses == [200] * 10 + [429] * 6
        assert ask(there, ANOTHER) == 200
        keys = [key.decode() for key in storage.scan_iter()]
        assert len(keys) == 2
        assert not [key for key in keys if SOMEBODY in key or ANOTHER in key]

        storage.shutdown(nosave=True)
        assert [ask(here, SOMEBODY) for _ in range(11)] == [200] * 10 + [429]
        assert (apart(here), apart(there)) == ("1.0", "0.0")
        stack.enter_context(redis_at(port, tmp_path))
        until(lambda: ask(here, ANOTHER) == 200 and apart(here) == "0.0")
