"""Log lines and metrics: what they say, that several workers add up, and that neither names anyone."""

import contextlib
import dataclasses
import io
import json
import logging
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, Response
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hakken import errors
from hakken.config import Settings
from hakken.errors import SiteDown
from hakken.ratings import Site, Username
from hakken.serving import logs, metric_files
from hakken.sites.client import HttpClient
from hakken.sites.list_sources import ListSources
from hakken.web import Metrics, register
from tests.fake_services import ROOT, FakeServices, bundle, words
from tests.serving import Process, served, until, wait_for, workers_of
from tests.standin.server import Standin

TOKEN = "a-token-of-these-tests"  # noqa: S105  # of no server that lasts
BEARER = {"Authorization": f"Bearer {TOKEN}"}
App = Callable[[Settings], Flask]


def value(text: str, sample: str) -> float | None:
    """What a sample says, such as `hakken_answers_total{route="pages.home",status="200"}`; None if it is not there."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


# Who may see metrics, and what they say


def test_metrics_are_for_whoever_has_the_token(app_with: App) -> None:
    client = app_with(Settings(metrics_token=TOKEN)).test_client()
    shown = client.get("/metrics", headers=BEARER)
    assert shown.status_code == 200
    assert shown.content_type.startswith("text/plain; version=0.0.4")
    for wrong in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Basic eDp5"}, {"Authorization": TOKEN}):
        refused = client.get("/metrics", headers=wrong)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "hakken_" not in refused.text
    assert app_with(Settings()).test_client().get("/metrics", headers=BEARER).status_code == 404


def test_routes_stages_and_the_model_are_told_of(app_with: App) -> None:
    client = app_with(Settings(metrics_token=TOKEN)).test_client()
    for path in ("/", "/nowhere/somebody"):
        client.get(path, buffered=True)
    text = client.get("/metrics", headers=BEARER).text
    assert value(text, 'hakken_answers_total{route="pages.home",status="200"}') == 1
    assert value(text, 'hakken_answers_total{route="none",status="404"}') == 1
    assert value(text, 'hakken_request_seconds_count{route="pages.home"}') == 1
    assert value(text, 'hakken_stage_seconds_count{stage="render"}') == 2
    assert value(text, 'hakken_model_workers{version="20261123T211635Z-abc"}') == 1
    assert value(text, "hakken_model_trained_timestamp_seconds") == 1795468595
    assert value(text, "hakken_model_data_timestamp_seconds") == 1772323200, "when March 2026 began"
    assert value(text, "hakken_requests_in_flight") == 0


def test_a_worker_that_changes_its_model_is_counted_once() -> None:
    metrics = Metrics()
    for version, data_time in (("old", "2025"), ("new", None), ("new", None)):
        metrics.model_used(dataclasses.replace(bundle(data_time).model, version=version))
    text = metrics.exposition().decode()
    assert value(text, "hakken_model_data_timestamp_seconds") == 0, "unknown"
    assert value(text, 'hakken_model_workers{version="old"}') == 0
    assert value(text, 'hakken_model_workers{version="new"}') == 1


def test_sites_breakers_and_what_was_there_already_are_told_of(standin: Standin) -> None:
    metrics = Metrics()
    chosen = standin.settings()
    sources = ListSources.from_settings(chosen, HttpClient.from_settings(chosen, metrics), metrics)
    spike = Username("spike", Site.ANILIST)
    for _ in range(2):
        with contextlib.suppress(errors.SourceError):
            sources.fetch(spike)
    standin.fail("anilist", lambda: Response(status=500))
    for name in ("someone", "sometwo"):
        with pytest.raises(errors.SourceError):
            sources.fetch(Username(name, Site.ANILIST))
    text = metrics.exposition().decode()
    outcomes = dict(
        re.findall(r'^hakken_site_requests_total{outcome="(\w+)",site="anilist"} (\S+)$', text, re.MULTILINE)
    )
    assert set(outcomes) >= {SiteDown.__name__}
    assert value(text, 'hakken_breaker_open{site="anilist"}') == 1
    assert value(text, 'hakken_lookups_total{found="no",store="lists"}') >= 2  # type: ignore[operator]  # it is there
    assert value(text, 'hakken_stage_seconds_count{stage="fetch"}') == 4
    assert sum(map(float, outcomes.values())) == value(text, 'hakken_site_seconds_count{site="anilist"}')


# Request ids


def test_each_answer_has_an_id_and_a_page_about_our_fault_names_it(client: FlaskClient, fakes: FakeServices) -> None:
    first, second = (client.get("/").headers["X-Request-ID"] for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert first != second
    fakes.failure = RuntimeError()
    failed = client.get("/recommendations?username=spike")
    assert f"tell whoever runs this server, and quote the id {failed.headers['X-Request-ID']}" in words(failed)


def test_an_id_is_taken_from_a_proxy_if_it_is_one(app_with: App) -> None:
    good = ("0123456789abcdef0123456789abcdef", "123e4567-e89b-12d3-a456-426614174000")
    for proxies, taken in ((1, good), (0, ())):
        client = app_with(Settings(proxies=proxies)).test_client()
        for given_id in (*good, "short", "somebody-from-203.0.113.9", "0" * 65, ""):
            answer = client.get("/", headers={"X-Request-ID": given_id})
            assert (answer.headers["X-Request-ID"] == given_id) is (given_id in taken)


# Log lines


@contextlib.contextmanager
def listening(form: str = "json") -> Iterator[io.StringIO]:
    """What a server would write to its log."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(logs.formatter(form))
    handler.addFilter(logs.RedactVisitors())
    root, hakken = logging.getLogger(), logging.getLogger("hakken")
    levels = root.level, hakken.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    hakken.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        hakken.setLevel(levels[1])


def test_a_request_is_one_line_with_its_id(client: FlaskClient) -> None:
    with listening() as heard:
        answer = client.get("/recommendations?username=spike")
    [line] = [json.loads(one) for one in heard.getvalue().splitlines()]
    assert line.pop("ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "answered",
        "level": "info",
        "logger": "hakken.requests",
        "method": "GET",
        "request": answer.headers["X-Request-ID"],
        "route": "pages.recommendations",
        "status": 200,
    }


@pytest.mark.parametrize("form", ["json", "text"])
def test_of_an_error_its_kind_and_place_are_told_and_not_its_words(
    client: FlaskClient, fakes: FakeServices, form: str
) -> None:
    cause = KeyError("somebody")
    fakes.failure = ValueError("somebody's list")
    fakes.failure.__cause__ = cause
    with listening(form) as heard:
        answer = client.get("/recommendations?username=somebody")
    said = heard.getvalue()
    assert answer.status_code == 500
    assert "ValueError at tests/fake_services.py:" in said
    assert " < KeyError" in said
    assert said.count(answer.headers["X-Request-ID"]) == 2
    assert "somebody" not in said


def test_what_gunicorn_says_of_a_visitor_is_cut_off() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "Invalid request from ip=%s: %s", ("::1", "a\nb"), None)
    assert logs.RedactVisitors().filter(record)
    assert record.getMessage() == "Invalid request"
    record = logging.LogRecord("x", logging.ERROR, "", 0, "Error handling request %s", ("/taste?username=me",), None)
    assert logs.RedactVisitors().filter(record)
    assert record.getMessage() == "Error handling request /taste?…"


@given(st.text(), st.sampled_from(["json", "text"]))
def test_no_text_breaks_a_line_or_commands_a_terminal(text: str, form: str) -> None:
    formatted = logs.formatter(form)
    for info in (None, (ValueError, ValueError(text), None)):
        said = formatted.format(logging.LogRecord("x", logging.WARNING, "", 0, "%s is %s", (text, "odd"), info))
        assert not re.search(r"[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", said)
        assert len(said.splitlines()) == 1
        said.encode()
        assert form == "text" or json.loads(said)["level"] == "warning"


FAILURES: list[Callable[[str], Exception | None]] = [
    lambda _: None,
    lambda _: errors.UserNotFound("MyAnimeList has no user of that name."),
    lambda _: errors.TooManyFetches("Too many people."),
    lambda _: errors.AllSourcesFailed("No source.", [("mal", SiteDown("It is down.")), ("jikan", SiteDown("Too."))]),
    lambda _: errors.ArtefactCorrupt("A checksum is wrong."),
    KeyError,
    lambda name: ValueError(f"invalid literal: {name!r}"),
    lambda name: UnicodeDecodeError("utf-8", name.encode(), 0, 1, name),
]
FIELDS = ("username", "q", "list", "pick", "genre", "add", "undo", "format", "view", "like", "source", "n")


@st.composite
def visits(draw: st.DrawFn) -> tuple[str, str, str, dict[str, str], str]:
    """A method, a path, the name that must not be seen, fields that hold it, and an address."""
    name = "zq" + draw(st.text("abcdefghij0123456789_-", min_size=6, max_size=14))
    paths = ["/", "/recommendations", "/taste", "/picks", "/anime/1", "/anime/1/cover", f"/anime/{name}", f"/{name}"]
    paths += ["/api/v1/recommendations", "/api/v1/taste", "/api/v1/anime", "/api/v1/", f"/api/v1/{name}", "/readyz"]
    fields = dict.fromkeys(draw(st.lists(st.sampled_from(FIELDS), unique=True)), name)
    address = draw(st.sampled_from(["203.0.113.77", "2001:db8:77::1"]))
    return draw(st.sampled_from(["GET", "POST", "PUT"])), draw(st.sampled_from(paths)), name, fields, address


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visit=visits(), failure=st.sampled_from(FAILURES), query=st.booleans())
def test_neither_log_nor_metrics_hold_a_name_a_query_or_an_address(
    visit: tuple[str, str, str, dict[str, str], str], failure: Callable[[str], Exception | None], query: bool
) -> None:
    method, path, name, fields, address = visit
    fakes, metrics = FakeServices(), Metrics()
    fakes.failure = failure(name)
    app = Flask("hakken_under_test", root_path=str(ROOT))
    chosen = Settings(rate_limit="2/minute", limits_url="memory://")
    register(app, fakes.behind(chosen), metrics)
    headers = {"X-Forwarded-For": address, "X-Request-ID": name, "User-Agent": name, "Referer": f"http://x/{name}"}
    sent: dict[str, Any] = {"query_string" if query else "data": fields, "headers": headers, "buffered": True}
    with listening() as heard:
        for _ in range(2):
            app.test_client().open(path, method=method, environ_base={"REMOTE_ADDR": address}, **sent)
    said = heard.getvalue() + metrics.exposition().decode()
    assert '"event":"answered"' in said
    assert name not in said
    assert address not in said


# Several workers


def test_workers_add_up_also_those_that_have_ended_and_all_says_it_in_json(tmp_path: Path) -> None:
    settings = {
        "WEB_CONCURRENCY": "2",
        "HAKKEN_METRICS_TOKEN": TOKEN,
        "HAKKEN_CACHE_DIR": str(tmp_path),
        "HAKKEN_FACTS_SOURCE": "off",
        "HAKKEN_LOG_LEVEL": "info",
    }
    with served("ars_app:create_app()", **settings) as (address, process):
        wait_for(address)

        def metrics() -> str:
            return requests.get(f"{address}/metrics", headers=BEARER, timeout=10).text

        counted = 'hakken_answers_total{route="covers.cover",status="302"}'
        timed = 'hakken_request_seconds_count{route="covers.cover"}'

        def ask() -> None:
            requests.get(f"{address}/anime/1/cover", allow_redirects=False, timeout=10)

        for _ in range(40):
            ask()
        text = metrics()
        assert (value(text, counted), value(text, timed)) == (40, 40)
        assert value(text, "hakken_requests_in_flight") == 0
        [version] = re.findall(r"^hakken_model_workers{version=\"(.+)\"} [12]\.0$", text, re.MULTILINE)
        assert version.startswith("20")

        place = _directory(process)
        workers = workers_of(process)
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: len(now := workers_of(process)) == 2 and workers[0] not in now)
        for _ in range(10):
            ask()
        text = metrics()
        assert (value(text, counted), value(text, timed)) == (50, 50)
        assert len(list(place.glob("*.db"))) == 2 * len(metric_files.FILES), (
            "the new worker has taken the other's place"
        )
        os.kill(process.pid, signal.SIGTERM)
        assert process.stdout
        lines = process.stdout.read().splitlines()
        process.wait(20)
        assert not place.exists()
    said = [json.loads(line) for line in lines]
    assert {"gunicorn.error", "hakken.requests"} <= {line["logger"] for line in said}
    assert "127.0.0.1" not in "".join(line for line in lines if "Listening" not in line)


def _directory(process: Process) -> Path:
    """Where the workers of a server count; the files that they have mapped give it away."""
    maps = "".join(Path(f"/proc/{worker}/maps").read_text() for worker in workers_of(process))
    [mapped] = set(re.findall(r"(/\S+/hakken-metrics-[^/]+)/counter", maps))
    return Path(mapped)
