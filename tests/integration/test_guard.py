"""Headers, proxies, places and deadlines: what keeps a server up, and its visitors safe."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import requests
from flask import Flask, Response, request
from flask.testing import FlaskClient

from hakken.config import Settings
from hakken.errors import ConfigError
from hakken.web.guard import ConcurrencyLimit
from hakken.web.observability import Metrics
from tests.fake_services import FakeServices, words
from tests.serving import served, until, wait_for

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ALWAYS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PRIVATE, PUBLIC = "same-origin", "cross-origin"
App = Callable[[Settings], Flask]


KINDS = [
    ("/", 200, PRIVATE),
    ("/recommendations?sample=1", 200, PRIVATE),
    ("/recommendations?sample=1&format=csv", 200, PRIVATE),
    ("/recommendations?sample=1&n=", 303, PRIVATE),
    ("/recommendations?sample=1&n=x", 400, PRIVATE),
    ("/nowhere", 404, PRIVATE),
    ("POST /", 405, PRIVATE),
    ("POST /recommendations", 413, PRIVATE),
    ("/recommendations?username=broken", 500, PRIVATE),
    ("/static/hakken.css", 200, PUBLIC),
    ("/static/nothing.css", 404, PUBLIC),
    ("/anime/1", 200, PUBLIC),
    ("/anime/1/cover", 302, PUBLIC),
    ("/anime/5/cover", 404, PUBLIC),
    ("/healthz", 200, PRIVATE),
    ("/metrics", 404, PRIVATE),
    ("/api/v1/anime/1", 200, PUBLIC),
    ("/api/v1/nowhere", 404, PRIVATE),
    ("OPTIONS /api/v1/anime/1", 200, PRIVATE),
]


@pytest.mark.parametrize(("asked", "status", "resource"), KINDS)
def test_every_kind_of_answer_has_the_headers(
    client: FlaskClient, fakes: FakeServices, asked: str, status: int, resource: str
) -> None:
    fakes.failure = RuntimeError() if status == 500 else None
    method, path = asked.split() if " " in asked else ("GET", asked)
    length = {"CONTENT_LENGTH": str(2**30)} if status == 413 else {}
    answer = client.open(path, method=method, environ_overrides=length)
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


def test_who_comes_when_all_places_are_taken_is_refused_and_files_and_health_checks_are_not(
    app_with: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(Settings(threads=2))
    gate = app.wsgi_app
    assert isinstance(gate, ConcurrencyLimit)
    begun, go_on = threading.Semaphore(0), threading.Event()

    @app.get("/wait")
    def wait() -> str:
        begun.release()
        return str(go_on.wait(10))

    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(app.test_client().get("/wait").status_code)) for _ in range(3)
    ]
    for thread in threads[:2]:
        thread.start()
        assert begun.acquire(timeout=5)
    monkeypatch.setattr(gate, "_wait", 10.0)
    monkeypatch.setattr(gate, "_queue", queue := threading.Semaphore(1))
    threads[2].start()  # who waits for a place
    until(lambda: not queue._value)  # noqa: SLF001  # it has no other way to be asked

    client = app.test_client()
    page, problem = client.get("/"), client.get("/api/v1/anime/1")
    assert answers == []
    free = ("/healthz", "/readyz", "/static/hakken.css")
    assert [client.get(path, buffered=True).status_code for path in free] == [200] * 3
    for answer in (page, problem):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "3"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "The server is busy just now" in words(page)
    assert problem.get_json()["type"].endswith("#full-house")
    assert page.headers["X-Request-ID"] in words(page)

    go_on.set()
    for thread in threads:
        thread.join(5)
    assert answers == [200] * 3
    assert client.get("/").status_code == 200
    counted = gate._metrics.exposition().decode()  # noqa: SLF001  # what it counts in
    assert 'hakken_stage_seconds_count{stage="wait"} 1.0' in counted
    assert "hakken_requests_in_flight 0.0" in counted
    assert 'hakken_refused_total{by="full"} 2.0' in counted


def test_a_place_is_taken_until_the_answer_is_read_closed_or_dropped_or_the_app_breaks_down() -> None:
    refused: list[bool] = []

    def app(environ: "WSGIEnvironment", _: object) -> list[bytes]:
        refused.append(environ["hakken.full"])
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError
        return [b"1", b"2"]

    gate = ConcurrencyLimit(app, Metrics(), slots=1, wait=0.01)

    def ask(path: str = "/") -> Iterator[bytes]:
        answer = iter(gate({"PATH_INFO": path}, lambda *_: lambda _: None))
        next(answer)
        return answer

    first = ask()
    next(first)
    ask()
    assert list(first) == []
    second = ask()
    second.close()  # type: ignore[attr-defined]  # it is a generator
    ask()
    with pytest.raises(RuntimeError):
        ask("/broken")
    ask()
    assert refused == [False, True, False, False, False, False]


# Deadlines


HOLD = b"POST /recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@contextlib.contextmanager
def sending(address: str, head: bytes) -> Iterator[socket.socket]:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        connection.sendall(head)
        yield connection


def test_slow_senders_hold_places_only_for_a_while_and_all_others_hear_so(tmp_path: Path) -> None:
    settings = {"HAKKEN_THREADS": "2", "HAKKEN_DEADLINE": "10", "HAKKEN_REQUEST_DEADLINE": "10"}
    settings |= {"HAKKEN_CACHE_DIR": str(tmp_path), "HAKKEN_WAITING": "1"}
    with served("ars_app:create_app()", **settings) as (address, process), contextlib.ExitStack() as stack:
        wait_for(address)

        def send() -> socket.socket:
            """Send a body of which the rest never comes."""
            return stack.enter_context(sending(address, HOLD + b"Content-Length: 100\r\n\r\nsample"))

        slow = [send(), send()]
        until(lambda: requests.get(address, timeout=5).status_code == 503)
        one_too_many = send()
        refused = requests.get(address, timeout=5)
        assert one_too_many.recv(1000).startswith(b"HTTP/1.1 503")
        alive = requests.get(f"{address}/healthz", timeout=5)
        assert (refused.status_code, alive.status_code) == (503, 200)
        assert refused.headers["Retry-After"] == "3"

        assert [int(one.recv(1000).split()[1]) for one in slow] == [HTTPStatus.REQUEST_TIMEOUT] * 2
        for one in slow:  # nothing that comes on a connection that was cut is taken for a request
            with contextlib.suppress(ConnectionError):
                one.sendall(b"x" * 94 + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b"HTTP/1.1 200" not in one.recv(1000)
        assert requests.get(address, timeout=5).status_code == 200
        process.terminate()
        assert process.stdout
        said = process.stdout.read()
    assert said.count("HAKKEN_WAITING") == 1
    assert "Socket error" not in said


def test_slow_heads_are_cut_off(tmp_path: Path) -> None:
    with served("tests.worker_probe:create_hurried_app()", HAKKEN_CACHE_DIR=str(tmp_path)) as (address, _):
        wait_for(address)
        with sending(address, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") as slow:
            slow.settimeout(0.1)

            def is_cut() -> bool:
                try:
                    slow.sendall(b"a")  # a byte from time to time
                    return slow.recv(100) == b""
                except TimeoutError:
                    return False
                except ConnectionError:
                    return True

            until(is_cut)


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


UNUSABLE = (
    *(
        "HAKKEN_RATE_LIMIT=many",
        "HAKKEN_RATE_LIMIT=0/minute",
        "HAKKEN_RATE_LIMIT=5/fortnight",
        "HAKKEN_LIMITS_URL=redis",
    ),
    *("HAKKEN_PROXIES=-1", "HAKKEN_HTTPS=yes", "HAKKEN_METRICS_TOKEN=short", "HAKKEN_REQUEST_DEADLINE=10"),
    "HAKKEN_WAITING=-1",
)


def test_what_cannot_be_used_is_refused_at_start_and_secrets_are_not_shown() -> None:
    for pair in UNUSABLE:
        variable, _, value = pair.partition("=")
        with pytest.raises(ConfigError, match=variable):
            Settings.from_environ({variable: value})
    settings = Settings(metrics_token="x" * 16, limits_url="redis://:secret@host", mal_client_id="0123")
    assert not [secret for secret in ("xxx", "secret", "0123") if secret in repr(settings)]
    assert msgspec.structs.asdict(settings)["metrics_token"] == "x" * 16
