"""A request to a site, its deadline, its answer, and the errors that stand for every way to fail.

What a 403 or a 404 means differs from site to site, so the site's own module decides about those. What means the same
everywhere is decided here: 429 is busy, 5xx is down, a redirect is nonsense, and a library's errors are ours.
"""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, Self, TypeVar

import msgspec
import requests
import urllib3

from hakken.errors import InvalidResponse, SiteBusy, SiteDown, SiteError, SiteTimeout

MAX_RETRY_AFTER = 3600.0
"""Seconds; a site that asks to be left alone for longer is asked again after this."""

_UNREADABLE = (
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidJSONError,
    requests.TooManyRedirects,
    urllib3.exceptions.BodyNotHttplibCompatible,
    urllib3.exceptions.DecodeError,
    urllib3.exceptions.HeaderParsingError,
    urllib3.exceptions.ResponseNotChunked,
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
        """Set a nearer deadline for the first of several that divide what is left between them."""
        return Deadline.after(self.left / among, self.clock)


class Request(NamedTuple):
    """What to ask a site for with GET."""

    url: str
    params: Mapping[str, object] = {}
    headers: Mapping[str, str] = {}


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
            InvalidResponse: it is not.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # A decoder's own words may quote the answer, and with it a username: they are not passed on.
            raise InvalidResponse(f"{self.host} gave an answer that can't be read.") from None


def check_status(status: int, host: str, retry_after: float | None = None) -> None:
    """Raise what a status means whichever site gave it. What is left are 200 and most of the 4xx.

    Args:
        status: of the answer.
        host: who gave it.
        retry_after: seconds after which the site says that it may be asked again.

    Raises:
        SiteBusy: for a 429.
        SiteDown: for a 5xx.
        InvalidResponse: for what answers no question of ours, such as a redirect: none of the addresses has moved.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise SiteBusy(f"{host} asks for fewer requests; please try again in a minute.", retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SiteDown(f"{host} is out of order (status {status}).", retry_after)
    if status != HTTPStatus.OK and status < HTTPStatus.BAD_REQUEST:
        raise InvalidResponse(f"{host} gave no answer to what we asked (status {status}).")


def retry_after(response: requests.Response) -> float | None:
    """Seconds after which a site says that it may be asked again; None when it does not say, or not so that we know."""
    text = response.headers.get("Retry-After")
    try:
        return min(urllib3.Retry().parse_retry_after(text), MAX_RETRY_AFTER) if text else None
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def site_error(error: Exception, host: str) -> SiteError:
    """Convert an error of requests, urllib3 or the socket."""
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return SiteTimeout(f"{host} did not answer in time.")
    if isinstance(error, _UNREADABLE):
        return InvalidResponse(f"{host} gave an answer that can't be read.")
    return SiteDown(f"{host} could not be reached or broke off its answer.")
