"""Sending one request and reading its whole answer, under a deadline and a limit on size.

A read timeout, in requests and urllib3, bounds each read from the socket; a site that sends one byte now and then would
hold us for hours. The classes below make a deadline bound the whole answer, headers and body.
"""

import http.client
import io
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from hakken.errors import InvalidResponse, SiteTimeout
from hakken.http.answers import check_status, retry_after, site_error
from hakken.http.deadline import Deadline

CONNECT_SECONDS = 3.0
"""For looking up a host and trying its addresses, all together."""
READ_SECONDS = 10.0
"""A site that sends nothing for so long has forgotten us."""

_CHUNK = 2**16
_MOMENT = 0.01
"""Seconds; a timeout of none at all means something else to a socket."""

Turn = Callable[[], AbstractContextManager[None]]
_turn: ContextVar[Turn] = ContextVar("turn", default=nullcontext)


@contextmanager
def sending_in(turn: Turn) -> Iterator[None]:
    """Let each request of the block be sent within a turn, which is taken when all else is ready."""
    token = _turn.set(turn)
    try:
        yield
    finally:
        _turn.reset(token)


class BoundedAdapter(HTTPAdapter):
    """Sends a request once.

    Args:
        max_body: largest body that is read, in bytes after unpacking.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401  # handed on
        """Send a request and read its whole answer, whose status is 200, most of the 4xx or, if asked for, 304.

        Args:
            request: what is sent.
            args: of the base class.
            kwargs: of the base class, but that `timeout` is a `Deadline`: a session hands it on as it is.

        Raises:
            SiteError: see `hakken.errors` for the kinds; never SiteBlocked, which is the caller's to find.
        """
        deadline: Deadline = kwargs["timeout"]
        host = host_of(request)
        if not deadline.left:
            raise SiteTimeout(f"{host} was not asked, since no time was left.")
        kwargs["timeout"] = urllib3.Timeout(connect=min(deadline.left, CONNECT_SECONDS), total=deadline.left)
        kwargs["stream"] = True  # or the base class reads the body in its own way
        try:
            with super().send(request, *args, **kwargs) as response:
                if not _not_modified(request, response):
                    check_status(response.status_code, host, retry_after(response))
                response._content = self._body(response, host)  # noqa: SLF001  # where requests itself puts it
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' errors are OSErrors
            # Their words hold the whole address, and with it the username: not even the chain is passed on.
            raise site_error(error, host) from None
        return response

    def _body(self, response: requests.Response, host: str) -> bytes:
        body = bytearray()
        for chunk in response.raw.stream(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_body:
                raise InvalidResponse(f"{host} gave an answer that is too large.")
        return bytes(body)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # handed on
        """Let the pools' connections be bounded ones."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:  # noqa: ANN401  # handed on
        """Let the connections through a proxy be bounded ones."""
        manager = cast("urllib3.ProxyManager", super().proxy_manager_for(*args, **kwargs))
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


def host_of(request: requests.PreparedRequest) -> str:
    """The site's host, as messages have it."""
    return urlsplit(request.url or "").hostname or "The site"


def _not_modified(request: requests.PreparedRequest, response: requests.Response) -> bool:
    asked = "If-None-Match" in request.headers or "If-Modified-Since" in request.headers
    return asked and response.status_code == HTTPStatus.NOT_MODIFIED


class _Bounded(io.RawIOBase):
    """What arrives at a socket before the socket's timeout, counted from now, has passed."""

    def __init__(self, sock: socket.socket, stream: io.RawIOBase) -> None:
        self._sock = sock
        self._stream = stream
        self._deadline = Deadline.after(sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  # any writable buffer, as in the base class
        left = self._deadline.left
        if not left:
            raise TimeoutError
        self._sock.settimeout(min(left, READ_SECONDS))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _look_up(name: str, flags: int = 0) -> list[str]:
    """The addresses of a host, each once, in the order in which they are to be tried."""
    found = socket.getaddrinfo(name.strip("[]"), None, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # handed on
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(sock, self.fp.detach()))


class _InTurn(HTTPConnection):
    """Takes a turn for the moment in which the request's bytes leave: connecting may take long before that.

    Looking up the host's addresses is bounded like connecting to one of them; by itself it may take half a minute.
    """

    response_class = _BoundedResponse

    def _new_conn(self) -> socket.socket:
        name, seconds = self._dns_host, self.timeout
        # Of what is left, each of the addresses has an even share: the first may lead nowhere.
        deadline = Deadline.after(seconds if isinstance(seconds, int | float) else CONNECT_SECONDS)
        addresses = self._addresses(name, deadline)
        try:
            for place, address in enumerate(addresses, start=1):
                self._dns_host = address
                self.timeout = max(deadline.share(len(addresses) - place + 1).left, _MOMENT)
                try:
                    sock = super()._new_conn()
                except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
                    if place == len(addresses):
                        raise
                else:
                    sock.settimeout(max(deadline.left, _MOMENT))  # for what else connecting takes
                    return sock
        finally:
            self._dns_host, self.timeout = name, seconds
        raise urllib3.exceptions.NewConnectionError(self, "The host has no address.")

    def _addresses(self, name: str, deadline: Deadline) -> list[str]:
        with suppress(OSError, UnicodeError):  # what is an address already needs no looking up
            return _look_up(name, socket.AI_NUMERICHOST)
        answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(_look_up(name))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        # Nothing can break off a look-up: one that takes too long goes on for nobody, and ends by itself.
        threading.Thread(target=ask, name="hakken-look-up", daemon=True).start()
        try:
            found = answers.get(timeout=deadline.left)
        except queue.Empty:
            raise urllib3.exceptions.ConnectTimeoutError(self, "The look-up of the host took too long.") from None
        if isinstance(found, Exception):
            raise urllib3.exceptions.NewConnectionError(self, "The host could not be looked up.") from None
        return found

    def endheaders(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # handed on
        if self.sock is None:
            self.connect()
        with _turn.get()():
            super().endheaders(*args, **kwargs)


class _Connection(_InTurn):
    pass


class _SecureConnection(_InTurn, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
