"""The HTTP client: its deadline, its limit, and what it makes of every way to fail."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest
import requests
import urllib3
from flask import Response, request

import hakken
from hakken.errors import InvalidResponse, SiteBusy, SiteDown, SiteError, SiteTimeout
from hakken.sites.adapter import MAX_BODY
from hakken.sites.client import HttpClient
from hakken.sites.http import Deadline, Request, check_status
from tests.serving import until
from tests.standin.faults import Faults, reply
from tests.standin.server import Standin

PATIENT = 20.0
DEADLINE = 0.5


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> HttpClient:
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)
    return HttpClient(PATIENT)


# Deadlines


def test_a_deadline_runs_out_and_no_further_and_a_share_is_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    deadline = Deadline.after(10)
    for passed, left in ((0, 10), (4, 6), (4, 2), (7, 0)):
        now[0] += passed
        assert (deadline.left, deadline.share(1).left) == (left, left)
        assert deadline.share(3).left == pytest.approx(left / 3)


def times_out(url: str, seconds: float = DEADLINE) -> float:
    """Ask a site that would take half a minute; the seconds until it is given up."""
    http = HttpClient(seconds)
    begun = time.monotonic()
    with pytest.raises(SiteTimeout):
        http.get(Request(url), http.new_deadline())
    took = time.monotonic() - begun
    assert took < seconds + 5
    return took


def no_request_goes_on() -> bool:
    return not [one for one in threading.enumerate() if one.name == "hakken-request"]


@pytest.mark.parametrize("fault", [Faults.DRIPPED_HEADERS, Faults.DRIPPED_BODY])
def test_a_site_that_drips_holds_no_thread_past_the_deadline(standin: Standin, fault: Faults) -> None:
    standin.fail("jikan", fault)
    times_out(standin.jikan_url)
    until(no_request_goes_on)


def test_a_deadline_holds_through_a_proxy(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", standin.url)
    standin.fail("jikan", Faults.DRIPPED_BODY)
    times_out("http://site.invalid/jikan/v4/users/everything/animelist")
    assert standin.asked() == ["jikan"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_site_that_accepts_and_says_nothing_times_out(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        times_out(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/")


@pytest.mark.parametrize("fault", [Faults.SLOW_HEADERS, Faults.DRIPPED_BODY])
def test_a_site_that_falls_silent_is_given_up_before_the_deadline(
    standin: Standin, monkeypatch: pytest.MonkeyPatch, fault: Faults
) -> None:
    monkeypatch.setattr("hakken.sites.adapter.READ_SECONDS", 1.0)
    standin.fail("jikan", fault)
    # One that drips is not silent: it has until the deadline.
    assert (times_out(standin.jikan_url, 3.0) < 3.0) == (fault is Faults.SLOW_HEADERS)


def test_a_look_up_that_takes_too_long_is_given_up(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "site.example" and not kwargs.get("flags"):
            over.wait(20)
            host = "127.0.0.1"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setenv("no_proxy", "site.example")
    times_out(standin.mal_url.replace("127.0.0.1", "site.example"))
    assert standin.requests == []
    over.set()
    until(no_request_goes_on)


def test_after_its_deadline_nothing_is_asked(standin: Standin, http: HttpClient) -> None:
    with pytest.raises(SiteTimeout):
        http.get(Request(standin.jikan_url), Deadline.after(0))
    assert standin.requests == []


# What is sent


def test_every_request_names_the_project(standin: Standin, http: HttpClient) -> None:
    http.get(Request(standin.jikan_url), http.new_deadline())
    http.post(standin.anilist_url, http.new_deadline(), json={"variables": {"name": "empty"}})

    for seen in standin.requests:
        assert seen.headers["User-Agent"] == f"Hakken/{hakken.__version__} (anime recommender)"
        assert seen.headers["Accept"] == "application/json"


class KeepsAlive(BaseHTTPRequestHandler):
    """Keeps its connections, which the stand-in's server can't do."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[object]] = set()

    def do_GET(self) -> None:
        self.connections.add(self.client_address)
        self.send_response(404 if "missing" in self.path else 200)
        if "chunks" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n"
        else:
            body = b"[1,2]"
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_connection_is_used_again(http: HttpClient) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), KeepsAlive) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        for path in ("length", "chunks", "missing", "chunks", "length"):
            answer = http.get(Request(f"http://127.0.0.1:{server.server_port}/{path}"), http.new_deadline())
            assert answer.body == b"[1,2]"
        server.shutdown()
        serving.join()

    assert len(KeepsAlive.connections) == 1


# What comes back


def test_a_status_that_means_the_same_everywhere_is_an_error() -> None:
    statuses = {SiteBusy: [429], SiteDown: [*range(500, 512), 999], InvalidResponse: [*range(201, 309), 100]}
    for error, status in ((error, status) for error, some in statuses.items() for status in some):
        with pytest.raises(error, match=r"^site\.example "):
            check_status(status, "site.example")


@pytest.mark.parametrize("packed", [True, False])
def test_a_body_may_be_as_large_as_the_limit(
    standin: Standin, http: HttpClient, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    monkeypatch.setattr("hakken.sites.adapter.MAX_BODY", 100_000)
    for size in (100_000, 100_001):
        body = b" " * size
        standin.fail("jikan", reply(200, gzip.compress(body), Content_Encoding="gzip") if packed else reply(200, body))
        with nullcontext() if size == 100_000 else pytest.raises(InvalidResponse, match="too large"):
            assert http.get(Request(standin.jikan_url), http.new_deadline()).body == body


def test_a_huge_body_is_cut_at_the_limit(standin: Standin, http: HttpClient) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 2**20
            yield b" " * 2**20

    standin.fail("jikan", lambda: Response(body()))
    with pytest.raises(InvalidResponse, match="too large"):
        http.get(Request(standin.jikan_url), http.new_deadline())

    assert sent < MAX_BODY + 16 * 2**20  # what the sockets between us may hold


# Ways to fail


def test_no_library_logs_a_name(standin: Standin, http: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    """Headers that can't be parsed are something urllib3 warns of, with the whole address."""

    def odd_headers() -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header at all\r\n\r\n{}"
        request.environ["werkzeug.socket"].sendall(answer)
        raise ConnectionAbortedError

    standin.fail("jikan", odd_headers)
    with suppress(SiteError):  # whether it can be read is no matter here
        http.get(Request(f"{standin.jikan_url}/users/somebody/animelist"), http.new_deadline())
    assert len(standin.requests) == 1
    assert "somebody" not in caplog.text


@pytest.mark.parametrize(
    "url", ["http://", "http://*", "http://a..b/", "http://host:99999/", "ftp://host/", "http://\u2603.\u2603\u2603-/"]
)
def test_an_address_that_is_none_is_down(http: HttpClient, url: str) -> None:
    with pytest.raises(SiteDown):
        http.get(Request(url), http.new_deadline())


def test_no_message_holds_an_address_or_a_secret(standin: Standin, http: HttpClient) -> None:
    url = standin.jikan_url.replace("//", "//user:secret@") + "/secret"
    standin.fail("jikan", Faults.RESET)

    with pytest.raises(SiteDown) as reset:
        http.get(Request(url, {"secret": "secret"}), http.new_deadline())
    with pytest.raises(SiteDown) as header:
        http.get(Request(url, headers={"X-MAL-CLIENT-ID": "secret\n"}), http.new_deadline())

    for caught in (reset, header):
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


RAISED: dict[type[SiteError], list[Exception]] = {
    SiteDown: [
        OSError(),
        requests.exceptions.ProxyError(),
        requests.exceptions.SSLError(),
        requests.exceptions.InvalidURL(),
        urllib3.exceptions.ProtocolError(),
        urllib3.exceptions.LocationParseError("x"),
    ],
    SiteTimeout: [TimeoutError(), requests.ReadTimeout(), urllib3.exceptions.TimeoutError()],
    InvalidResponse: [urllib3.exceptions.DecodeError()],
}


@pytest.mark.parametrize("error", RAISED)
def test_each_of_the_libraries_errors_is_one_of_ours(monkeypatch: pytest.MonkeyPatch, error: type[SiteError]) -> None:
    """No site can be brought to raise each of them, so here they are raised in the base class's place."""
    monkeypatch.setattr("hakken.sites.adapter.BACK_OFF_SECONDS", 0.0)
    for raised in RAISED[error]:
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", Mock(side_effect=raised))
        with pytest.raises(SiteError, match=r"^site\.example ") as caught:
            HttpClient(PATIENT).get(Request("http://site.example/"), Deadline.after(PATIENT))
        assert type(caught.value) is error, raised
