"""The one HTTP client: every request to a site goes through it, under a deadline and a limit on size.

What a 403 or a 404 means differs from site to site, so the caller decides about those. What means the same everywhere
is decided here: 429 is busy, 5xx is down, a redirect is nonsense, and each of the libraries' errors is one of ours.
"""

import http.client
import http.cookiejar
import io
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Self, TypeVar, cast
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from hakken import __version__
from hakken.errors import SiteBusy, SiteDown, SiteError, SiteNonsense, SiteTimeout

USER_AGENT = f"Hakken/{__version__} (anime recommender)"
MAX_BODY = 16 * 2**20
"""Largest answer that is read, in bytes after unpacking; 1,000 entries of a list come to about 1 MB."""

_CHUNK = 2**16
_CONNECT_SECONDS = 3.0
"""A host's addresses are tried in turn, each with the whole of this, so it is kept far below a deadline."""

_UNREACHABLE = "could not be reached or broke off its answer"
_MEANING: tuple[tuple[type[SiteError], str, tuple[type[Exception], ...]], ...] = (
    (SiteDown, _UNREACHABLE, (urllib3.exceptions.NewConnectionError,)),  # which urllib3 has among its time-outs
    (SiteTimeout, "did not answer in time", (requests.Timeout, urllib3.exceptions.TimeoutError)),
    (
        SiteNonsense,
        "gave an answer that can't be read",
        (
            requests.exceptions.ContentDecodingError,
            requests.exceptions.InvalidJSONError,
            requests.TooManyRedirects,
            urllib3.exceptions.BodyNotHttplibCompatible,
            urllib3.exceptions.DecodeError,
            urllib3.exceptions.HeaderParsingError,
            urllib3.exceptions.ResponseNotChunked,
        ),
    ),
    (SiteDown, _UNREACHABLE, (Exception,)),
)

T = TypeVar("T")


class Deadline(msgspec.Struct, frozen=True):
    """The moment by which something must be done, however many requests it takes."""

    moment: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """Set a deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0.0, self.moment - self.clock())

    def share(self, among: int) -> "Deadline":
        """Set a nearer deadline for the first of several that have what is left to divide between them."""
        return Deadline.after(self.left / among, self.clock)


class Answer(msgspec.Struct, frozen=True):
    """What a site answered. Its status is 200 or, 429 excepted, a 4xx."""

    host: str
    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the site gave what it was asked for."""
        return self.status == HTTPStatus.OK

    def decode(self, kind: type[T]) -> T:
        """Decode the body, which must be JSON of the given shape.

        Raises:
            SiteNonsense: it is not.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # A decoder's own words may quote the answer, and with it a username: they are not passed on.
            raise SiteNonsense(f"{self.host} gave an answer that can't be read.") from None


class HttpClient:
    """Sends requests; may be shared between threads.

    Args:
        deadline: seconds that fetching one thing may take in all, pages and fallbacks included.
        max_body: largest body that is read, in bytes.
        clock: seconds that never run backwards.
    """

    def __init__(
        self, deadline: float, *, max_body: int = MAX_BODY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = deadline
        self._max_body = max_body
        self._clock = clock
        self._local = threading.local()  # requests does not promise that a session may be shared between threads

    def new_deadline(self) -> Deadline:
        """Start the time that fetching one thing may take."""
        return Deadline.after(self._seconds, self._clock)

    def get(
        self,
        url: str,
        deadline: Deadline,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for JSON with GET.

        Raises:
            SiteError: see `hakken.errors` for the kinds; never SiteBlocked, which is the caller's to find.
        """
        return self._send("GET", url, deadline, params=params, headers=headers)

    def post(self, url: str, deadline: Deadline, *, json: object) -> Answer:
        """Ask for JSON with POST, sending `json`; raises as `get` does."""
        return self._send("POST", url, deadline, json=json)

    def _send(self, method: str, url: str, deadline: Deadline, **arguments: Any) -> Answer:  # noqa: ANN401  # handed on
        host = urlsplit(url).hostname or "The site"
        left = deadline.left
        if not left:
            raise SiteTimeout(f"{host} was not asked, since no time was left.")
        timeout = urllib3.Timeout(connect=min(left, _CONNECT_SECONDS), total=left)
        try:
            with self._session.request(
                method, url, timeout=cast("float", timeout), allow_redirects=False, stream=True, **arguments
            ) as response:
                check_status(response.status_code, host)
                return Answer(host, response.status_code, self._body(response, host))
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' errors are OSErrors
            # Their words hold the whole address, and with it the username: not even the chain is passed on.
            raise site_error(error, host) from None

    def _body(self, response: requests.Response, host: str) -> bytes:
        body = bytearray()
        for chunk in response.raw.stream(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_body:
                raise SiteNonsense(f"{host} gave an answer that is too large.")
        return bytes(body)

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _new_session()
        return session


def check_status(status: int, host: str) -> None:
    """Raise what a status means whichever site gave it. What is left are 200 and most of the 4xx.

    Raises:
        SiteBusy: for a 429.
        SiteDown: for a 5xx.
        SiteNonsense: for what answers no question of ours, such as a redirect: none of the addresses has moved.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise SiteBusy(f"{host} asks for fewer requests; please try again in a minute.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SiteDown(f"{host} is out of order (status {status}).")
    if status != HTTPStatus.OK and status < HTTPStatus.BAD_REQUEST:
        raise SiteNonsense(f"{host} gave no answer to what we asked (status {status}).")


def site_error(error: Exception, host: str) -> SiteError:
    """Put an error of requests, urllib3 or the socket in our words."""
    return next(ours(f"{host} {words}.") for ours, words, theirs in _MEANING if isinstance(error, theirs))


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No answer is a redirect: told not to follow one, a session would still read its whole body."""


def _new_session() -> requests.Session:
    session = _Session()
    session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
    # Requests for different visitors share a session, so a site's cookies are refused.
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


# A read timeout, in requests and urllib3, bounds each read from the socket; a site that sends one byte now and then
# would hold us for hours. The classes below make it bound the whole answer, headers and body.


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
        self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # handed on
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _BoundedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _BoundedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # handed on
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:  # noqa: ANN401  # handed on
        manager = cast("urllib3.ProxyManager", super().proxy_manager_for(*args, **kwargs))
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager
