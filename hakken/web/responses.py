"""What every response gets: security headers, https where the settings say so, compression and caching headers."""

from http import HTTPStatus

from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue
from flask_compress import Compress

from hakken.config import Settings
from hakken.serving.security_headers import PRIVATE, RESOURCE_POLICY, security_headers

HSTS = "max-age=31536000"
"""One year, for this host only: nothing is known of other hosts of the same domain."""
HTTP_ENDPOINTS = frozenset(("health.alive", "health.ready", "metrics.show"))
"""Requested from within a cluster or machine, where there may be no https."""
COMPRESSED_TYPES = [
    *("text/css", "text/csv", "text/html", "text/javascript", "text/plain", "text/xml"),
    *("application/json", "application/problem+json", "application/xml", "image/svg+xml"),
]


def add_security_headers(app: Flask, settings: Settings) -> None:
    """Send the headers with every response; raises ConfigError where a picture origin is not an origin."""
    headers = security_headers(settings.pictures_from)

    def add(response: Response) -> Response:
        response.headers.extend(headers)  # unlike `update`, it doesn't search for earlier values: there are none
        public = request.endpoint == "static" or response.cache_control.public
        # What is the same for everyone may be embedded anywhere; a page may hold someone's name and list.
        response.headers.add(RESOURCE_POLICY, "cross-origin" if public else PRIVATE)
        if not public:
            response.cache_control.private = True
        return response

    app.after_request(add)


def redirect_to_https(app: Flask) -> None:
    """Redirect visitors who come without TLS to https, and have browsers remember it."""

    def send() -> ResponseReturnValue | None:
        if request.is_secure or request.endpoint in HTTP_ENDPOINTS:
            return None
        return redirect(request.url.replace("http://", "https://", 1), 308)  # 308 keeps the method and the body

    def remember(response: Response) -> Response:
        if request.is_secure:  # browsers ignore the header otherwise
            response.headers["Strict-Transport-Security"] = HSTS
        return response

    app.before_request(send)
    app.after_request(remember)


def compress_responses(app: Flask) -> None:
    """Compress responses for clients that accept it: a page of twenty titles shrinks to a tenth.

    The levels are cheap ones, half a millisecond for a page of twenty titles; the next would save a few per cent more.
    No secret stands beside what a stranger can put into a page, so compressed sizes disclose nothing.
    """
    app.config.update(
        COMPRESS_MIMETYPES=COMPRESSED_TYPES,
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_ALGORITHM_STREAMING=["br", "gzip"],
        COMPRESS_BR_LEVEL=4,
        COMPRESS_LEVEL=3,
        COMPRESS_REGISTER=False,
    )
    compress = Compress(app)

    def compressed(response: Response) -> Response:
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            # Ranges count the bytes of the uncompressed file; Flask-Compress would compress the part all the same.
            response.vary.add("Accept-Encoding")
            return response
        # Flask-Compress reads a streamed body through a generator, which doesn't close the file behind it.
        if close := getattr(response.response, "close", None):
            response.call_on_close(close)
        return compress.after_request(response)

    app.after_request(compressed)


def cache_publicly(response: Response, seconds: int) -> Response:
    """Let any cache keep a response for some seconds, and revalidate it by its ETag afterwards."""
    response.cache_control.public = True
    response.cache_control.max_age = seconds
    response.add_etag()
    response.make_conditional(request)
    return response
