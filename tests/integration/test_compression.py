"""What is compressed, for whom, and that caches and conditional requests stay right."""

import gzip

import pyarrow as pa
import pytest
from flask.testing import FlaskClient

from tests.serving import ROOT

STYLES = "/static/hakken.css"
UNPACK = {"br": lambda data: pa.CompressedInputStream(pa.BufferReader(data), "brotli").read(), "gzip": gzip.decompress}


AS_IT_IS = ("/static/favicon.png", "/healthz")
"""What is compressed already, or very small."""


@pytest.mark.parametrize("path", ["/", "/recommendations?username=spike", "/nowhere", STYLES, *AS_IT_IS])
@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0.1, gzip", "gzip"), ("identity", None), ("", None)],
)
def test_a_text_goes_out_as_its_reader_takes_it(
    client: FlaskClient, path: str, accepted: str, chosen: str | None
) -> None:
    with client.get(path) as plain, client.get(path, headers={"Accept-Encoding": accepted}) as answer:
        assert "Accept-Encoding" in answer.vary
        assert answer.headers["Content-Security-Policy"]
        if chosen is None or path in AS_IT_IS or not plain.status_code < 300:
            assert "Content-Encoding" not in answer.headers
            assert answer.data == plain.data
        else:
            assert answer.headers["Content-Encoding"] == chosen
            assert len(answer.data) == answer.content_length < len(plain.data)
            assert UNPACK[chosen](answer.data) == plain.data


@pytest.mark.parametrize("accepted", ["br", "gzip", "identity"])
def test_who_has_a_file_already_is_told_so(client: FlaskClient, accepted: str) -> None:
    headers = {"Accept-Encoding": accepted}
    with client.get(STYLES, headers=headers) as first:
        tag = first.headers["ETag"]
    with client.get(STYLES, headers={**headers, "If-None-Match": tag}) as again:
        assert again.status_code == 304
        assert again.data == b""
        assert again.headers["ETag"] == tag
        assert "Accept-Encoding" in again.vary
    with client.get(STYLES, headers={"Accept-Encoding": "identity", "If-None-Match": tag}) as other:
        # One tag names one form of the file, or a cache would hand the wrong one out.
        assert other.status_code == (304 if accepted == "identity" else 200)


def test_a_part_of_a_file_is_counted_in_the_file_as_it_is(client: FlaskClient) -> None:
    with client.get(STYLES, headers={"Accept-Encoding": "br", "Range": "bytes=100-999"}) as part:
        assert part.status_code == 206
        assert "Content-Encoding" not in part.headers
        assert "Accept-Encoding" in part.vary
        assert part.data == (ROOT / "static" / "hakken.css").read_bytes()[100:1000]
