"""What can go wrong with an answer, at any site. A fault answers a request in the site's place."""

import gzip
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cache, partial
from http import HTTPStatus
from typing import NoReturn

from flask import Response, request

from hakken.errors import InvalidResponse, SiteBlocked, SiteBusy, SiteDown, SiteError, SiteTimeout

Fault = Callable[[], Response | None]

MEGABYTE = 2**20

over = threading.Event()
"""Set when a test is over, so that no answer that takes its time goes on into the next."""


def reply(
    status: int, body: bytes | str | Iterable[bytes] = b"", mimetype: str = "application/json", **headers: str
) -> Fault:
    """Make the fault of answering just so; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: Response(body, status, named, mimetype=mimetype)


def held(go: threading.Event) -> Fault:
    """Make the fault of answering well, but not before it may."""

    def wait() -> None:
        go.wait(20)

    return wait


def _slow_headers() -> Response:
    over.wait(30)
    return Response("[]")


def _dripped_headers() -> NoReturn:
    _send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Drip: ")
    for byte in _drip(b"a"):
        _send(byte)
    raise ConnectionAbortedError


def _drip(byte: bytes) -> Iterator[bytes]:
    while not over.wait(0.05):
        yield byte


def _broken_off(data: bytes, *, reset: bool = False) -> Fault:
    def fault() -> NoReturn:
        _send(data)
        client = request.environ["werkzeug.socket"]
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
            os.close(client.detach())
        else:
            client.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    return fault


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * (40 * MEGABYTE), compresslevel=1)


def _send(data: bytes) -> None:
    request.environ["werkzeug.socket"].sendall(data)


_BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n["
_HTML = partial(reply, body="<!doctype html><title>Just a moment...</title>", mimetype="text/html")
_JIKAN_504 = '{"status": 504, "type": "BadResponseException", "message": "Jikan failed to connect to MyAnimeList"}'


class Faults(Enum):
    """The faults that have a name, and the error that a source makes of each."""

    NOT_FOUND_HTML = (_HTML(HTTPStatus.NOT_FOUND), SiteBlocked)
    UNAUTHORIZED = (reply(HTTPStatus.UNAUTHORIZED, '{"message": "invalid_token"}'), SiteBlocked)
    FORBIDDEN_HTML = (_HTML(HTTPStatus.FORBIDDEN), SiteBlocked)
    FORBIDDEN_EMPTY = (reply(HTTPStatus.FORBIDDEN), SiteBlocked)
    BUSY = (reply(HTTPStatus.TOO_MANY_REQUESTS), SiteBusy)
    BUSY_FOR_AN_HOUR = (reply(HTTPStatus.TOO_MANY_REQUESTS, Retry_After="3600"), SiteBusy)
    OUT_OF_ORDER = (_HTML(HTTPStatus.INTERNAL_SERVER_ERROR), SiteDown)
    GATEWAY_TIMEOUT = (reply(HTTPStatus.GATEWAY_TIMEOUT, _JIKAN_504), SiteDown)
    REDIRECT = (reply(HTTPStatus.FOUND, Location="/elsewhere"), InvalidResponse)
    REDIRECT_AT_LENGTH = (lambda: Response(_drip(b" "), HTTPStatus.FOUND, {"Location": "/elsewhere"}), InvalidResponse)
    SLOW_HEADERS = (_slow_headers, SiteTimeout)
    DRIPPED_HEADERS = (_dripped_headers, SiteTimeout)
    DRIPPED_BODY = (lambda: Response(_drip(b" "), mimetype="application/json"), SiteTimeout)
    CUT_SHORT = (_broken_off(_BEGUN), SiteDown)
    RESET = (_broken_off(_BEGUN, reset=True), SiteDown)
    NOT_HTTP = (_broken_off(b"220 mail.example ESMTP\r\n\r\n"), SiteDown)
    NOTHING = (reply(HTTPStatus.OK), InvalidResponse)
    NO_CONTENT = (reply(HTTPStatus.NO_CONTENT), InvalidResponse)
    HTML = (_HTML(HTTPStatus.OK), InvalidResponse)
    TRUNCATED_JSON = (reply(HTTPStatus.OK, '{"data": [{"node": {"id": 1'), InvalidResponse)
    DEEP_JSON = (reply(HTTPStatus.OK, b"[" * MEGABYTE), InvalidResponse)
    WRONG_TYPES = (reply(HTTPStatus.OK, '{"data": "none", "paging": []}'), InvalidResponse)
    NOT_UTF8 = (reply(HTTPStatus.OK, b'{"data": "\xff", "errors": [{"message": "\xff"}]}'), InvalidResponse)
    NOT_GZIP = (reply(HTTPStatus.OK, "[]", Content_Encoding="gzip"), InvalidResponse)
    HUGE_BODY = (lambda: Response((b" " * MEGABYTE for _ in range(200)), mimetype="application/json"), InvalidResponse)
    GZIP_BOMB = (lambda: Response(_bomb(), headers={"Content-Encoding": "gzip"}), InvalidResponse)

    def __call__(self) -> Response | None:
        fault: Fault = self.value[0]
        return fault()

    @property
    def error(self) -> type[SiteError]:
        error: type[SiteError] = self.value[1]
        return error
