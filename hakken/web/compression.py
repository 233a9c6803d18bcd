"""Answers are compressed on their way out: a page of twenty titles is a tenth of its size then."""

from http import HTTPStatus

from flask import Flask, Response
from flask_compress import Compress

TEXTS = [
    "application/json",
    "application/problem+json",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/xml",
    "application/xml",
]
"""What is worth it; pictures and archives are compressed already."""
ALGORITHMS = ["br", "gzip"]


def compress_answers(app: Flask) -> None:
    """Compress what an application answers, for those who take it so.

    The levels are cheap ones, half a millisecond for a page of twenty titles; the next would save a few per cent more.
    Nothing here is secret and stands beside what a stranger can put into a page, so sizes give nothing away.
    """
    app.config.update(
        COMPRESS_MIMETYPES=TEXTS,
        COMPRESS_ALGORITHM=ALGORITHMS,
        COMPRESS_ALGORITHM_STREAMING=ALGORITHMS,
        COMPRESS_BR_LEVEL=4,
        COMPRESS_LEVEL=3,
        COMPRESS_REGISTER=False,
    )
    compress = Compress(app)

    def compressed(response: Response) -> Response:
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            # Its bytes are counted in the file as it is, and Flask-Compress would compress the part all the same.
            response.vary.add("Accept-Encoding")
            return response
        # What is sent in pieces is read through a generator then, which doesn't close the file behind it.
        if close := getattr(response.response, "close", None):
            response.call_on_close(close)
        return compress.after_request(response)

    app.after_request(compressed)
