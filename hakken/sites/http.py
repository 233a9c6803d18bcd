"""A request to a site, its deadline, its response, and the errors for what means the same on every site.

The meaning of a 403 or a 404 differs between sites, so each site's module handles them.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3

from hakken.errors import InvalidResponse, SiteBusy, SiteDown, SiteError, SiteTimeout

MAX_RETRY_AFTER = 3600.0
"""Seconds; a longer `Retry-After` is cut to this."""

T = TypeVar("T")


class Deadline(NamedTuple):
    """The time, by the monotonic clock, by which something must be done, however many requests it takes."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Set a deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0.0, self.moment - time.monotonic())

    def share(self, among: int) -> "Deadline":
        """Make an earlier deadline after `1 / among` of the time left, for the first of several tasks that share it."""
        return Deadline.after(self.left / among)


class Request(NamedTuple):
    """A GET request to a site."""

    url: str
    params: Mapping[str, object] = {}
    headers: Mapping[str, str] = {}


class Answer(NamedTuple):
    """A site's response. Its status is 200 or a 4xx other than 429."""

    host: str
    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status == HTTPStatus.OK

    def decode(self, kind: type[T]) -> T:
        """Decode the body; raises InvalidResponse unless it is JSON of the given shape."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # The decoder's message may quote the body, and with it a username, so the cause is not chained.
            raise unreadable(self.host) from None


def check_status(status: int, host: str, retry_after: float | None = None) -> None:
    """Raise the error for a status that means the same on every site; 200 and most of the 4xx pass.

    `retry_after` is the number of seconds after which the site allows another request, where it says so.

    Raises:
        SiteBusy: for a 429.
        SiteDown: for a 5xx.
        InvalidResponse: for any other status, such as a redirect, which is unexpected at these URLs.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise SiteBusy(f"{host} asks for fewer requests; please try again in a minute.", retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SiteDown(f"{host} reports a server error (status {status}).", retry_after)
    if status != HTTPStatus.OK and status < HTTPStatus.BAD_REQUEST:
        raise InvalidResponse(f"{host} gave an unexpected answer (status {status}).")


def retry_after(response: requests.Response) -> float | None:
    """Value of the `Retry-After` header in seconds; None if it is missing or invalid."""
    text = response.headers.get("Retry-After")
    try:
        return min(urllib3.Retry().parse_retry_after(text), MAX_RETRY_AFTER) if text else None
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def host_of(url: str) -> str:
    """Host name for messages."""
    return urlsplit(url).hostname or "The site"


def unreadable(host: str) -> InvalidResponse:
    """Make the error for a response that is not what the site's API sends."""
    return InvalidResponse(f"{host} gave an answer that can't be read.")


def site_error(error: Exception, host: str) -> SiteError:
    """Convert an error of requests, urllib3 or the socket to one of ours."""
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return SiteTimeout(f"{host} did not answer in time.")
    if isinstance(error, urllib3.exceptions.DecodeError):
        return unreadable(host)
    return SiteDown(f"{host} could not be reached or cut its answer short.")
