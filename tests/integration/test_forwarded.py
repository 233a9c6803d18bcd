"""Below a prefix, behind proxies, and with hosts that are none: a server in a process of its own, asked."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests
from flask import Flask, Response, request
from hypothesis import given
from hypothesis import strategies as st

from hakken.config import Settings
from hakken.web.forwarded import is_host, parsed_address
from tests.serving import PATIENCE, ROOT, started, wait_for

TOKEN = "a:token=with+all / of_it~=="  # noqa: S105  # of no server that lasts
APPLICATION = "ars_app:create_app()"
ALWAYS = {"Content-Security-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Referrer-Policy"}
ALWAYS |= {"Cross-Origin-Opener-Policy", "X-Content-Type-Options", "X-Frame-Options"}
App = Callable[[Settings], Flask]


@dataclass(frozen=True)
class Server:
    """A server, and the file that it logs to."""

    address: str
    log: Path

    def get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        return requests.get(self.address + path, headers=headers, timeout=PATIENCE, allow_redirects=False)


def running(directory: Path, **environment: str) -> Iterator[Server]:
    told = {"HAKKEN_CACHE_DIR": str(directory), "HAKKEN_FACTS_SOURCE": "off", "HAKKEN_LOG_LINES": "text", **environment}
    told["GUNICORN_CMD_ARGS"] = "--access-logfile -"
    with (directory / "log").open("w") as log:
        address, process = started(APPLICATION, told, log.fileno())
        try:
            wait_for(address)
            yield Server(address, directory / "log")
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind one proxy, which is whoever asks."""
    limits = {"HAKKEN_PROXIES": "1", "HAKKEN_RATE_LIMIT": "5/minute", "HAKKEN_METRICS_TOKEN": TOKEN}
    yield from running(tmp_path_factory.mktemp("server"), **limits)


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server below /hakken, by gunicorn's own variable."""
    yield from running(tmp_path_factory.mktemp("below"), SCRIPT_NAME="/hakken/")


# Below a prefix


class Addresses(HTMLParser):
    """All addresses in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"href", "src", "action"} and value]


PAGES = ("/", "/recommendations?sample=1", "/taste?sample=1", "/picks?q=a", "/anime/1", "/api/v1/", "/nowhere")


def leaving(page: str, prefix: str) -> list[str]:
    """Addresses of this server that are not below the prefix."""
    found = Addresses(page).found
    assert len(found) > 5
    ours = [one for one in found if one.startswith("/")]
    return [one for one in ours if one != prefix and not one.startswith(f"{prefix}/")]


@pytest.mark.parametrize("path", PAGES)
def test_links_stay_below_the_prefix_whoever_names_it(server: Server, below: Server, path: str) -> None:
    named = server.get(path, {"X-Forwarded-Prefix": "/hakken"})
    assert leaving(named.text, "/hakken") == []
    assert leaving(below.get(f"/hakken{path}").text, "/hakken") == []
    assert leaving(server.get(path).text, "/hakken") != []  # what was cached of one prefix is not another's


@pytest.mark.parametrize(
    "path", ["/recommendations?sample=1&n=", "/api/v1/problems", "/anime/99999/cover", "/taste?list=x", "/api/v1/taste"]
)
def test_redirects_and_problems_stay_below_the_prefix(server: Server, below: Server, path: str) -> None:
    for answer in (server.get(path, {"X-Forwarded-Prefix": "/hakken"}), below.get(f"/hakken{path}")):
        assert answer.status_code < 500
        if location := answer.headers.get("Location"):
            assert location.startswith("/hakken/")
        if answer.headers["Content-Type"] == "application/problem+json":
            assert answer.json()["type"].startswith("/hakken/api/v1/problems#")


PREFIXES = {
    "/hakken": "/hakken",
    "/hakken/": "/hakken",
    "/a/b-c_d.e~f": "/a/b-c_d.e~f",
    "/first, /last": "/last",  # the nearest proxy's own
    "/": "",
    "//evil.example": "",
    "/\\evil.example": "",
    "https://evil.example/x": "",
    "/a//b": "",
    "/a/../b": "",
    "/..": "",
    "/.": "",
    "/a/./b": "",
    "/%2e%2e": "",
    "/a%0d%0ab": "",
    "/a?b": "",
    "/a#b": "",
    "/a b": "",
    "/a\tb": "",
    "/ä": "",
    '/"onload="x': "",
    "/<b>": "",
    "hakken": "",
    "javascript:x": "",
    "/" + "a" * 201: "",
}


@pytest.mark.parametrize(("sent", "prefix"), PREFIXES.items(), ids=[one[:20] for one in PREFIXES])
def test_a_prefix_that_is_none_is_not_believed(server: Server, sent: str, prefix: str) -> None:
    told = server.get("/api/v1/openapi.json", {"X-Forwarded-Prefix": sent.encode().decode("latin-1")})
    assert told.json()["servers"] == [{"url": prefix or "/"}]


def test_without_the_setting_nobody_names_a_prefix(app_with: App) -> None:
    client = app_with(Settings()).test_client()
    told = client.get("/api/v1/openapi.json", headers={"X-Forwarded-Prefix": "/hakken"})
    assert told.get_json()["servers"] == [{"url": "/"}]


@pytest.mark.parametrize(("sent", "scheme"), [("https", "https"), ("HTTPS", "https"), ("javascript", "http")])
def test_a_scheme_is_one_of_two(app_with: App, sent: str, scheme: str) -> None:
    app = app_with(Settings(proxies=1))
    app.add_url_rule("/scheme", view_func=lambda: Response(request.scheme))
    assert app.test_client().get("/scheme", headers={"X-Forwarded-Proto": sent}).text == scheme


@pytest.mark.parametrize("prefix", ["/hakken", "/hakken/", " /hakken ", None])
def test_the_health_check_knows_the_prefix(below: Server, server: Server, prefix: str | None) -> None:
    asked = below if prefix else server
    environment = {**os.environ, "PORT": asked.address.rpartition(":")[2]} | ({"SCRIPT_NAME": prefix} if prefix else {})
    check = [sys.executable, "-m", "hakken.serving.healthcheck"]
    assert subprocess.run(check, cwd=ROOT, env=environment, check=False).returncode == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hakken", 308),
        ("/hakken/", 200),
        ("/hakken/healthz", 200),
        ("/", 404),
        ("/healthz", 404),
        ("/hakkenhealthz", 404),
    ],
)
def test_beside_the_prefix_nothing_is_served(below: Server, path: str, status: int) -> None:
    answer = below.get(path)
    assert answer.status_code == status
    assert answer.headers.keys() >= ALWAYS


@pytest.mark.parametrize("prefix", ["hakken", "//evil.example", "/a/../b", "https://evil.example"])
def test_a_prefix_that_is_none_ends_the_start_in_a_sentence(prefix: str) -> None:
    command = [sys.executable, "-m", "hakken.serving", "--bind", "127.0.0.1:0"]
    environment = {**os.environ, "SCRIPT_NAME": prefix}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 1
    assert "hakken: The setting SCRIPT_NAME can't be used" in ended.stderr
    assert "Traceback" not in ended.stderr


# Clients


@pytest.mark.parametrize(
    "clients",
    [
        [f"203.0.113.9:5100{n}" for n in range(7)],
        [f"[2001:db8:1::{n}]:443" for n in range(1, 8)],
        [
            "2001:db8:2::1",
            "[2001:db8:2::2]",
            "[2001:db8:2::3]:9",
            "2001:db8:2::4",
            '"[2001:db8:2::5]:6"',
            "[2001:db8:2::]:",
            "2001:db8:2::7",
        ],
        [
            "203.0.113.8",
            "::ffff:203.0.113.8",
            "[::ffff:203.0.113.8]:80",
            "203.0.113.8:",
            "::FFFF:cb00:7108",
            "1.2.3.4, 203.0.113.8",
            "[203.0.113.8]:1",
        ],
        ["unknown", "_hidden", "203.0.113.999", "[::1", "a:b:c:d", "203.0.113.9:port", "for=203.0.113.7"],
    ],
    ids=["ports", "IPv6 with ports", "IPv6 as proxies write it", "IPv4 in IPv6", "none"],
)
def test_a_client_is_one_whatever_its_port(server: Server, clients: list[str]) -> None:
    statuses = [server.get("/picks", {"X-Forwarded-For": one}).status_code for one in clients]
    assert statuses == [200] * 5 + [429] * 2


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_port_changes_no_address(address: object, port: int) -> None:
    plain = parsed_address(str(address))
    assert plain is not None
    assert parsed_address(f"[{address}]:{port}") == plain
    assert ":" in str(address) or parsed_address(f"{address}:{port}") == plain


@given(st.text())
def test_no_text_fails_to_be_an_address_or_a_host_or_none(text: str) -> None:
    assert parsed_address(text) is None or text.strip()
    assert is_host(text) in {True, False}


MISSING = ("nothing.css", "", "..%2fars_app.py", "%00", "a" * 300, "sub/x.js")


@pytest.mark.parametrize("number", range(len(MISSING)), ids=lambda number: MISSING[number][:20])
def test_a_file_that_is_not_there_counts_and_gets_a_line(server: Server, number: int) -> None:
    path, client = f"/static/{MISSING[number]}", f"198.51.100.{number}"
    answers = [server.get(path, {"X-Forwarded-For": client}) for _ in range(6)]
    assert [one.status_code for one in answers] == [404] * 5 + [429]
    for one in answers:
        assert len(one.content) < 100
        assert one.headers["Content-Type"].startswith("text/plain")
        assert one.headers.keys() >= ALWAYS
    free = [server.get("/static/hakken.css", {"X-Forwarded-For": client}).status_code for _ in range(7)]
    assert free == [200] * 7


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/hakken.css"])
def test_a_method_that_is_not_allowed_where_nothing_is_counted_gets_a_line(server: Server, path: str) -> None:
    answer = requests.post(server.address + path, timeout=PATIENCE)
    assert (answer.status_code, len(answer.content) < 100) == (405, True)


# Hosts


NO_HOSTS = [
    *("a..b", "..", ".", ".example.com", "a" * 64, f"{'a' * 64}.example", ".".join(["a" * 60] * 5), "", "-", "a.-b"),
    *("[::1", "::1", "[::1]x", "[1.2.3.4]", "[::g]", "[]", "[:]:80", "[::ffff:999.1.1.1]", "[fe80::1%25eth0]"),
    *(
        "localhost:0",
        "localhost:65536",
        "localhost:99999",
        "localhost:a",
        "localhost:",
        "localhost:-1",
        "localhost:080",
    ),
    *(
        "user@localhost",
        "localhost/x",
        "http://localhost",
        "local host",
        "local\\host",
        "a,b",
        "<b>",
        "a%00b",
        "\xe4.de",
    ),
]
PATHS = [
    "/",
    "/nowhere",
    "/recommendations?sample=1",
    "/picks",
    "/healthz",
    "/readyz",
    "/metrics",
    "/static/hakken.css",
]
PATHS += ["/static/none", "/anime/1", "/anime/1/cover", "/covers/1.svg", "/api/v1/anime/1", "/api/v1/nowhere"]
HOSTS = [
    "localhost",
    "example.com.",
    "a_b:8000",
    "127.0.0.1:1",
    "[::1]:65535",
    "[2001:DB8::1]",
    f"{'a' * 63}.example",
    "A-1",
]


def raw(server: Server, head: bytes) -> tuple[int, dict[str, str], bytes]:
    """What comes of a request that no library would send: status, headers, body."""
    host, _, port = server.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def asked(server: Server, path: str, host: str | None) -> tuple[int, dict[str, str], bytes]:
    named = "" if host is None else f"Host: {host}\r\n"
    return raw(
        server, f"GET {path} HTTP/1.{int(host is not None)}\r\n{named}Connection: close\r\n\r\n".encode("latin-1")
    )


@pytest.mark.parametrize("host", [*NO_HOSTS, "a\x01b", "a\x1b[31m", "a\x7fb", "a\x00b", "localhost\r\nHost: localhost"])
def test_a_host_that_is_none_gets_a_plain_400_everywhere(server: Server, host: str) -> None:
    for path in PATHS:
        status, headers, body = asked(server, path, host)
        assert (path, status) == (path, 400)
        assert headers.keys() >= ALWAYS
        assert len(body) < 400
        if path.startswith("/api/") and "X-Request-ID" in headers:
            assert headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("host", [*HOSTS, None])
def test_a_host_is_answered(server: Server, host: str | None) -> None:
    assert [asked(server, path, host)[0] for path in ("/", "/healthz", "/api/v1/anime/1")] == [200] * 3


def test_a_host_that_is_none_is_not_sent_to_https(app_with: App) -> None:
    client = app_with(Settings(https="on")).test_client()
    assert client.get("/", headers={"Host": "a..b"}).status_code == 400


# Metrics and the log


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_a_token_may_have_any_character_of_ascii(server: Server, form: str) -> None:
    assert server.get("/metrics", {"Authorization": form.format(TOKEN)}).status_code == 200


@pytest.mark.parametrize(
    "sent", [TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", f"Bearer {TOKEN}=", "Bearer", "", "Bearer \xe4"]
)
def test_anything_else_is_no_token(server: Server, sent: str) -> None:
    refused = server.get("/metrics", {"Authorization": sent})
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_no_line_of_the_log_has_what_a_terminal_obeys_and_none_a_traceback(server: Server) -> None:
    marks = "%1b[2J%0aforged%0d%c2%9b31m%e2%80%a8%e2%80%ae%7f"
    server.get(f"/picks/{marks}?username={marks}")
    raw(server, b"GET /\x1b[31m HTTP/1.1\r\nHost: localhost\r\nX: \x1b[2J\r\n\r\n")
    said = server.log.read_bytes().decode()
    assert "forged" in said  # gunicorn's access log, which the server was told to write
    assert not re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", said)
    assert not [line for line in said.splitlines() if line.startswith("forged")]
    assert "Traceback" not in said
