"""Malformed requests, from a seed: a good one in which something is not as it should be."""

import random
from collections.abc import Callable, Iterator

PATHS = ("/", "/recommendations", "/taste", "/picks", "/anime/1", "/covers/1", "/api/v1/recommendations", "/readyz")
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "G\x00T", "A" * 300)
NASTY = (
    "%",
    "%zz",
    "%00",
    "%ff%fe",
    "%u0041",
    "\x00",
    "\x7f",
    "\xff",
    "..%2f..%2f",
    "//",
    "\\",
    "{{7*7}}",
    "'\"<",
    " ",
)
TARGETS = ("*", "http://x/", "//x/y", "?", "#", "a:b", "/\x01", "/ /", "/" + "a" * 9000, "/?" + "a=1&" * 3000)
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "http/1.1", "HTTP/1.1 x", "", "HTTP/")


def malformed(rng: random.Random, count: int) -> Iterator[bytes]:
    """So many of them, each of a kind drawn at random; the same seed gives the same."""
    for _ in range(count):
        yield rng.choice(KINDS)(rng)


def _request(line: str, headers: str = "", body: bytes = b"") -> bytes:
    return f"{line}\r\nHost: x\r\n{headers}\r\n".encode("latin-1") + body


def _junk(rng: random.Random, most: int = 200) -> bytes:
    return rng.randbytes(rng.randrange(1, most))


def _line(rng: random.Random) -> bytes:
    target = rng.choice((*PATHS, *TARGETS))
    return _request(f"{rng.choice(METHODS)} {target} {rng.choice(VERSIONS)}")


def _bytes(rng: random.Random) -> bytes:
    return _junk(rng, 2000)


def _broken(rng: random.Random) -> bytes:
    whole = _json(rng)
    at = rng.randrange(len(whole))
    return whole[:at] + _junk(rng, 5) + whole[at + rng.randrange(3) :]


def _query(rng: random.Random) -> bytes:
    names = ("username", "list", "pick", "n", "ignore", "source", "format", "year_from", "undo", "x")
    pairs = "&".join(f"{rng.choice(names)}={''.join(rng.choices(NASTY, k=rng.randrange(1, 6)))}" for _ in range(3))
    return _request(f"GET {rng.choice(PATHS)}?{pairs.replace(' ', '%20')} HTTP/1.1")


def _path(rng: random.Random) -> bytes:
    return _request(f"GET {rng.choice(PATHS)}/{''.join(rng.choices(NASTY, k=3)).replace(' ', '%20')} HTTP/1.1")


def _headers(rng: random.Random) -> bytes:
    odd = (
        "X: " + "a" * rng.choice((8000, 9000, 100_000)),
        "\r\n".join(f"X-{number}: a" for number in range(rng.choice((90, 101, 500)))),
        " folded: yes",
        "No colon here",
        "Bad name: x",
        "X\x00Y: x",
        "X: \x00\x01",
        "Content-Length: -1",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 99999999999999999999",
        "Content-Length: 0x10",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: \x0bchunked",
        "Expect: 100-continue\r\nContent-Length: 3",
        "Expect: the unexpected",
        "Range: bytes=-1-,x",
        "If-Modified-Since: yesterday",
        "Accept-Encoding: ;q=x, gzip;q=nan",
        "Cookie: \xff=\xfe; a",
        "Host: y",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: !!",
    )
    return _request(f"{rng.choice(('GET', 'POST'))} {rng.choice(PATHS)} HTTP/1.1", rng.choice(odd) + "\r\n")


def _chunks(rng: random.Random) -> bytes:
    bodies = (
        b"ZZ\r\nx\r\n",
        b"5\r\nab\r\n0\r\n\r\n",
        b"-1\r\n",
        b"ffffffffffffffff\r\n",
        b"3;a=b\r\nabc0\r\n\r\n",
        b"0\r\nX",
    )
    return _request(
        f"POST {rng.choice(PATHS)} HTTP/1.1", "Transfer-Encoding: chunked\r\n", rng.choice(bodies) + _junk(rng)
    )


def _json(rng: random.Random) -> bytes:
    bodies = (
        b'{"ratings": [{"anime_id": 1, "score": 8}], "n": 20}',
        b'{"ratings": [{"anime_id": 1e400, "score": NaN}]}',
        b'{"ratings": [{"anime_id": -1, "score": 99}]}',
        b'{"ratings": "all", "n": []}',
        b'{"ratings": [' + b"[" * rng.choice((10, 100_000)),
        b'{"ratings": [{"anime_id": "\\ud800"}]}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"",
        b"null",
        _junk(rng),
    )
    body = rng.choice(bodies)
    kind = rng.choice(("application/json", "application/json; charset=utf-7", "text/plain", "", "\xff/\x01"))
    length = len(body) + rng.choice((0, 0, 0, -1, 5))
    headers = f"Content-Type: {kind}\r\nContent-Length: {max(0, length)}\r\n"
    return _request(f"POST {rng.choice(('/api/v1/recommendations', '/api/v1/taste'))} HTTP/1.1", headers, body)


def _multipart(rng: random.Random) -> bytes:
    part = 'Content-Disposition: form-data; name="export"; filename="{}"\r\n\r\n'
    bodies = (
        b"--b\r\n" + part.format("a.xml").encode() + b"<myanimelist>" + _junk(rng) + b"\r\n--b--\r\n",
        b"--b\r\n" + part.format("a.xml.gz").encode() + b"\x1f\x8b" + _junk(rng) + b"\r\n--b--\r\n",
        b"--b\r\n" + part.format("../../\x00").encode("latin-1") + b"\r\n--b",
        b"--b\r\nContent-Disposition: form-data; name=\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" * 2000,
        b"--b\r\nContent-Disposition: form-data\r\nContent-Type: \xff\r\n\r\n\r\n--b--",
        b"b--" + _junk(rng),
        b'<!DOCTYPE a [<!ENTITY b "c">]><myanimelist>&b;</myanimelist>',
    )
    boundary = rng.choice(("b", '"b', "", "b" * 300, "\xff", "b\x00"))
    body = rng.choice(bodies)
    headers = f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n"
    return _request(f"POST {rng.choice(PATHS)} HTTP/1.1", headers, body)


def _form(rng: random.Random) -> bytes:
    body = b"&".join(
        rng.choice((b"list=1%ff", b"list=1AAAA", b"pick=1-99", b"n=\x00", b"%%%", b"username=%00", _junk(rng)))
        for _ in range(4)
    )
    headers = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return _request("POST /recommendations HTTP/1.1", headers, body)


def _smuggled(rng: random.Random) -> bytes:
    second = _line(rng)
    headers = f"Content-Length: {rng.choice((0, 3, len(second)))}\r\n"
    return _request("POST /recommendations HTTP/1.1", headers, second) + _line(rng)


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _line,
    _bytes,
    _broken,
    _query,
    _path,
    _headers,
    _chunks,
    _json,
    _multipart,
    _form,
    _smuggled,
)
