"""Headers, proxies, places and deadlines: what keeps a server up, and its visitors safe."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import pytest
import requests
from flask import Flask, Response, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hakken.config import Settings
from hakken.errors import ConfigError
from hakken.serving.worker import TimedConnection
from hakken.web.guard.concurrency_limit import ConcurrencyLimit
from hakken.web.observability import Metrics
from tests.fake_services import FakeServices, words
from tests.serving import served, until, wait_for

ALWAYS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PRIVATE, PUBLIC = "same-origin", "cross-origin"
App = Callable[[Settings], Flask]


def send_too_much(client: FlaskClient) -> TestResponse:
    return client.post("/recommendations", environ_overrides={"CONTENT_LENGTH": str(2**30)})


KINDS: list[tuple[Callable[[FlaskClient], TestResponse], int, str]] = [
    (lambda client: client.get("/"), 200, PRIVATE),
    (lambda client: client.get("/recommendations?sample=1"), 200, PRIVATE),
    (lambda client: client.get("/recommendations?sample=1&format=csv"), 200, PRIVATE),
    (lambda client: client.get("/recommendations?sample=1&n="), 303, PRIVATE),
    (lambda client: client.get("/recommendations?sample=1&n=x"), 400, PRIVATE),
    (lambda client: client.get("/nowhere"), 404, PRIVATE),
    (lambda client: client.post("/"), 405, PRIVATE),
    (send_too_much, 413, PRIVATE),
    (lambda client: client.get("/recommendations?username=broken"), 500, PRIVATE),
    (lambda client: client.get("/static/hakken.css"), 200, PUBLIC),
    (lambda client: client.get("/static/nothing.css"), 404, PUBLIC),
    (lambda client: client.get("/anime/1"), 200, PUBLIC),
    (lambda client: client.get("/anime/1/cover"), 302, PUBLIC),
    (lambda client: client.get("/anime/5/cover"), 404, PUBLIC),
    (lambda client: client.get("/healthz"), 200, PRIVATE),
    (lambda client: client.get("/metrics"), 404, PRIVATE),
    (lambda client: client.get("/api/v1/anime/1"), 200, PUBLIC),
    (lambda client: client.get("/api/v1/nowhere"), 404, PRIVATE),
    (lambda client: client.options("/api/v1/anime/1"), 200, PRIVATE),
]


@pytest.mark.parametrize(("ask", "status", "resource"), KINDS)
def test_every_kind_of_answer_has_the_headers(
    client: FlaskClient, fakes: FakeServices, ask: Callable[[FlaskClient], TestResponse], status: int, resource: str
) -> None:
    fakes.failure = RuntimeError() if status == 500 else None
    answer = ask(client)
    answer.close()

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert answer.headers["Cross-Origin-Resource-Policy"] == resource
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in answer.headers
    assert answer.headers["X-Request-ID"]


# Proxies and https


def test_without_a_setting_no_proxy_is_believed(app_with: App, caplog: pytest.LogCaptureFixture) -> None:
    client = app_with(Settings(https="on")).test_client()
    for _ in range(2):
        answer = client.get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"})
        assert (answer.status_code, answer.location) == (308, "https://localhost/")
        assert "Strict-Transport-Security" not in answer.headers
    assert [one.getMessage() for one in caplog.records if "HAKKEN_PROXIES is 0" in one.getMessage()] != []
    assert len([one for one in caplog.records if "HAKKEN_PROXIES" in one.getMessage()]) == 1


def test_of_so_many_proxies_scheme_and_address_are_believed_and_no_host(app_with: App) -> None:
    app = app_with(Settings(https="on", proxies=2))
    app.add_url_rule("/who", view_func=lambda: Response(f"{request.remote_addr} {request.host}"))
    told = {
        "X-Forwarded-For": "198.51.100.1, 203.0.113.7, 192.0.2.4",
        "X-Forwarded-Proto": "http, https, http",
        "X-Forwarded-Host": "evil.example, evil.example",
    }
    answer = app.test_client().get("/who", headers=told)

    assert answer.text == "203.0.113.7 localhost"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_without_tls_visitors_are_sent_there_and_health_checks_are_not(app_with: App) -> None:
    client = app_with(Settings(https="on")).test_client()

    posted = client.post("/recommendations?n=5", data={"sample": "1"})
    assert (posted.status_code, posted.location) == (308, "https://localhost/recommendations?n=5")
    assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
    safe = client.get("/", base_url="https://hakken.example")
    assert safe.status_code == 200
    assert safe.headers["Strict-Transport-Security"] == "max-age=31536000"


# Places


class Held(NamedTuple):
    """An app whose one page waits until it is told to go on."""

    gate: ConcurrencyLimit
    begun: threading.Semaphore
    go_on: threading.Event


@pytest.fixture
def held(app_with: App) -> Iterator[tuple[Flask, Held]]:
    app = app_with(Settings(threads=2, waiting=1))
    begun, go_on = threading.Semaphore(0), threading.Event()

    def wait() -> str:
        begun.release()
        go_on.wait(10)
        return "done"

    app.add_url_rule("/wait", view_func=wait)
    assert isinstance(app.wsgi_app, ConcurrencyLimit)
    yield app, Held(app.wsgi_app, begun, go_on)
    go_on.set()


def test_who_comes_when_all_places_are_taken_hears_so_in_milliseconds(held: tuple[Flask, Held]) -> None:
    app, told = held
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(app.test_client().get("/wait").status_code)) for _ in range(3)
    ]
    for thread in threads[:2]:
        thread.start()
        assert told.begun.acquire(timeout=5)
    threads[2].start()  # who waits for a place
    until(lambda: "hakken_requests_waiting 1.0" in _metrics(told.gate))

    client = app.test_client()
    begun = time.monotonic()
    page, problem = client.get("/"), client.get("/api/v1/anime/1")
    assert time.monotonic() - begun < 0.5
    free = ("/healthz", "/readyz", "/static/hakken.css")
    assert [client.get(path, buffered=True).status_code for path in free] == [200] * 3
    for answer in (page, problem):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "3"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Many people are being answered just now" in words(page)
    assert problem.get_json()["type"].endswith("#full-house")
    assert page.headers["X-Request-ID"] in words(page)

    told.go_on.set()
    for thread in threads:
        thread.join(5)
    assert answers == [200] * 3
    assert client.get("/").status_code == 200
    assert "hakken_requests_in_flight 0.0" in _metrics(told.gate)
    assert 'hakken_refused_total{by="full"} 2.0' in _metrics(told.gate)


def _metrics(gate: ConcurrencyLimit) -> str:
    return gate._metrics.exposition().decode()  # noqa: SLF001  # what it counts in


def test_a_place_is_waited_for_a_while_and_no_longer() -> None:
    gate = ConcurrencyLimit(lambda _, __: [b""], Metrics(), slots=1, waiting=1, wait=0.05)
    environ = {"PATH_INFO": "/"}
    first = gate(environ, lambda *_: lambda _: None)
    refused = dict(environ)
    gate(refused, lambda *_: lambda _: None)
    assert "hakken.full" in refused
    list(first)  # read to its end, if not closed
    again = dict(environ)
    gate(again, lambda *_: lambda _: None)
    assert "hakken.full" not in again


def test_a_place_comes_free_when_the_app_breaks_down() -> None:
    def broken(_: object, __: object) -> list[bytes]:
        raise RuntimeError

    gate = ConcurrencyLimit(broken, Metrics(), slots=1, waiting=0)
    for _ in range(3):
        environ = {"PATH_INFO": "/"}
        with pytest.raises(RuntimeError):
            gate(environ, lambda *_: lambda _: None)
        assert "hakken.full" not in environ


# Deadlines


def test_a_connection_whose_time_is_over_is_cut_for_reading_and_later_for_writing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watched = TimedConnection(SimpleNamespace(sock=ours), 10)
        watched.shut_down_if_due(watched.deadline - 1)
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
        watched.shut_down_if_due(watched.deadline + 1)
        assert ours.recv(1) == b""
        ours.send(b"too late")
        assert theirs.recv(100) == b"too late"
        watched.shut_down_if_due(watched.deadline + 6)
        with pytest.raises(BrokenPipeError):
            ours.send(b"y")


HOLD = b"POST /recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@contextlib.contextmanager
def sending(address: str, head: bytes) -> Iterator[socket.socket]:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        connection.sendall(head)
        yield connection


def test_slow_senders_hold_places_only_for_a_while_and_all_others_hear_so_at_once(tmp_path: Path) -> None:
    settings = {
        "WEB_CONCURRENCY": "1",
        "HAKKEN_THREADS": "2",
        "HAKKEN_WAITING": "1",
        "HAKKEN_DEADLINE": "4",
        "HAKKEN_REQUEST_DEADLINE": "4",
        "HAKKEN_CACHE_DIR": str(tmp_path),
    }
    with served("ars_app:create_app()", **settings) as (address, _), contextlib.ExitStack() as stack:
        wait_for(address)
        slow = [
            stack.enter_context(sending(address, HOLD + b"Content-Length: 100\r\n\r\nsample"))  # and no more of it
            for _ in range(2)
        ]
        time.sleep(0.5)
        # Of two more, the one waits for a place, the other is refused.
        slow.append(stack.enter_context(sending(address, HOLD + b"Content-Length: 100\r\n\r\nsample")))
        time.sleep(0.5)
        with sending(address, HOLD + b"Content-Length: 100\r\n\r\nsample") as one_too_many:
            one_too_many.settimeout(3)
            assert one_too_many.recv(1000).startswith(b"HTTP/1.1 503")
        refused = requests.get(address, timeout=5)
        alive = requests.get(f"{address}/healthz", timeout=5)
        assert (refused.status_code, alive.status_code) == (503, 200)
        assert refused.headers["Retry-After"] == "3"

        statuses = sorted(int(one.recv(1000).split()[1]) for one in slow)
        assert statuses == [HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.SERVICE_UNAVAILABLE]
        assert requests.get(address, timeout=5).status_code == 200


@pytest.mark.parametrize("path", ["/", "/taste", "/nowhere", "/api/v1/taste"])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: FlaskClient, path: str) -> None:
    class Untouched:
        def read(self, *_: object) -> bytes:
            raise AssertionError("it was read")

    declared = {"CONTENT_LENGTH": str(2**31), "wsgi.input": Untouched(), "wsgi.input_terminated": True}
    answer = client.post(path, environ_overrides=declared)
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_who_hangs_up_while_sending_is_told_that_it_took_too_long(client: FlaskClient) -> None:
    answer = client.post(
        "/recommendations",
        environ_overrides={"CONTENT_LENGTH": "100", "wsgi.input": BytesIO(b"sample"), "wsgi.input_terminated": True},
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == HTTPStatus.REQUEST_TIMEOUT
    assert "That took too long to arrive" in words(answer)


# Settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HAKKEN_PROXIES", "-1"),
        ("HAKKEN_HTTPS", "yes"),
        ("HAKKEN_RATE_LIMIT", "many"),
        ("HAKKEN_RATE_LIMIT", "0/minute"),
        ("HAKKEN_RATE_LIMIT", "5/fortnight"),
        ("HAKKEN_LIMITS_URL", "redis"),
        ("HAKKEN_METRICS_TOKEN", "short"),
        ("HAKKEN_REQUEST_DEADLINE", "10"),
        ("HAKKEN_WAITING", "-1"),
    ],
)
def test_what_cannot_be_used_is_refused_at_start(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        Settings.from_environ({variable: value})


def test_secrets_are_not_shown() -> None:
    settings = Settings(metrics_token="x" * 16, limits_url="redis://:secret@host", mal_client_id="0123")
    assert not [secret for secret in ("xxx", "secret", "0123") if secret in repr(settings)]
    assert msgspec.structs.asdict(settings)["metrics_token"] == "x" * 16
