"""Damaged and hostile requests to a real server: python -m tests.fuzz [--seconds 1200] [--seed 1] [--only 17]

Each request follows from the seed and its number, so that `--only` sends it again. A status of 500 or above is a
finding, unless it is a 503 that says when to come back; so is an answer that is late or does not come.
"""

import contextlib
import gzip
import http.client
import io
import os
import random
import re
import socket
import subprocess
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import requests

from hakken.served_model import WARM_AFTER
from tests.exports import SAMPLE
from tests.serving import Process, started, until, wait_for, workers_of

SLOW = 1.0
"""Seconds."""
PATIENCE = 30.0
SETTINGS = {
    "HAKKEN_RATE_LIMIT": "off",
    "HAKKEN_FACTS_SOURCE": "off",
    "HAKKEN_PROXIES": "1",
    "HAKKEN_DEADLINE": "0.9",
    "HAKKEN_SITE_RATES": "facts=20/m",
    "HAKKEN_LOAD_JSON_URL": "http://127.0.0.1:9",
    "HAKKEN_ANILIST_URL": "http://127.0.0.1:9",
    "WEB_CONCURRENCY": "2",
}
FILES = (
    SAMPLE.read_bytes(),
    b'{"data":{"MediaListCollection":{"lists":[{"entries":[{"score":9,"status":"CURRENT","media":{"idMal":1}},null]}]}}}',
    b'[{"node":{"id":5},"list_status":{"status":"completed","score":8}},{"anime_id":6,"status":2,"score":"7,5"}]',
    b'{"libraryEntries":{"nodes":[]},"data":[],"included":[{"type":"mappings","attributes":{"externalId":"1"}}]}',
)
BODIES = (
    b'{"ratings":[{"anime_id":1,"score":8,"status":"completed"},{"anime_id":5,"score":null}],"n":5,"order":"rating"}',
    b'{"ratings":[{"anime_id":1}],"genres":["Action"],"ignore":[1],"hide":[6],"like":[5],"year_from":1990,"niche":0.5}',
)
PATHS = (
    b"/recommendations?username=spike&source=mal&n=20&view=table",
    b"/recommendations?sample=1&genre=Action&year_from=1990&niche=0.3&like=5&hide=6",
    b"/recommendations?list=17VBLS1VRFHade85--arL7WpivhBJvZkJU&pick=1-9",
    b"/picks?q=cowboy+bebop&pick=1-9&pick=5-8.5",
    b"/taste?sample=1",
    b"/season?sample=1&type=TV",
    b"/recommendations?season=2024-spring&studio=madhouse&series=1&franchise=all&undo=studio-madhouse",
    b"/together?sample=1&with_pick=1-9&season=2024-spring&n=5",
    b"/together?list=17VBLS1VRFHade85--arL7WpivhBJvZkJU&with_username=spike&with_source=mal",
    b"/anime/1/cover?w=200",
    b"/anime/1?sample=1",
    b"/api/v1/anime?q=naruto&n=5",
    b"/api/v1/recommendations?username=a&source=anilist",
    b"/static/style.css?v=1",
    b"/readyz",
    b"/metrics",
)
HOSTS = (b"127.0.0.1", b"hakken.example:8443", b"[2001:db8::1]:80", b"a..b", b"a" * 300, b"", b"[::1", b"h:99999999")
FORWARDED = (
    b"203.0.113.9:5100",
    b"[2001:db8::2]:443, 10.0.0.1",
    b"unknown",
    b"_hidden",
    b"/hakken",
    b"//evil.example",
    b"https",
)
TOKENS = (
    *(b"<anime>", b"</anime>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<![CDATA[", b"]]>", b"<a>" * 50, b"<?xml"),
    *(b"{", b"}", b"[" * 50, b"null", b"-1", b"1e999", b"9" * 400, b"0.5", b'"', b"\\u0000", b"\\ud800", b"NaN"),
    *(b"\x00", b"\x1b[31m", b"\xff\xfe", b"\xc3", "\u202e\u2028\U0010ffff".encode(), b"%00", b"%ff", b"%0d%0a", b"../"),
    *(b"&n=", b"&pick=1-", b"&list=", b"?", b"#", b";", b"%", b"+", b"//", b"completed", b"Rewatching", b"\r\n", b" "),
)


class Sent(NamedTuple):
    """A request as it goes over the wire."""

    method: bytes
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def wire(self, host: bytes) -> bytes:
        named = dict(self.headers)
        lines = [
            b"%s %s HTTP/1.1" % (self.method, self.path),
            b"Host: " + named.pop(b"Host", host),
            b"Connection: close",
        ]
        lines += [b"%s: %s" % header for header in named.items()]
        lines += [b"Content-Length: %d" % len(self.body)] if self.body else []
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


def request_of(seed: int, number: int) -> Sent:
    """The request of a number."""
    chance = random.Random(f"{seed} {number}")
    kind = chance.choice(("upload", "upload", "body", "host", "path"))
    if kind == "upload":
        data = packed(mutated(chance.choice(FILES), chance), chance)
        form = b'--b\r\nContent-Disposition: form-data; name="export"; filename="f"\r\n\r\n' + data + b"\r\n--b--\r\n"
        return Sent(b"POST", b"/recommendations", ((b"Content-Type", b"multipart/form-data; boundary=b"),), form)
    if kind == "body":
        path = chance.choice((b"/api/v1/recommendations", b"/api/v1/taste"))
        media = chance.choice((b"application/json",) * 5 + (b"application/json; charset=utf-16", b"text/plain"))
        return Sent(b"POST", path, ((b"Content-Type", media),), mutated(chance.choice(BODIES), chance))
    method, path = b"GET", chance.choice(PATHS)
    if kind == "path":
        method = chance.choice((b"GET",) * 8 + (b"HEAD", b"POST", b"OPTIONS", b"DELETE"))
        return Sent(method, one_line(mutated(path, chance)).replace(b" ", b"%20"))
    names = (
        b"Host",
        b"X-Forwarded-For",
        b"X-Forwarded-Host",
        b"X-Forwarded-Prefix",
        b"X-Forwarded-Proto",
        b"User-Agent",
    )
    headers = [(name, chance.choice(HOSTS + FORWARDED)) for name in names if chance.random() < 0.5]
    return Sent(method, path, tuple((name, one_line(mutated(value, chance, most=2))) for name, value in headers))


def mutated(data: bytes, chance: random.Random, most: int = 8) -> bytes:
    """The data after a few changes, or none."""
    for _ in range(chance.randint(0, most)):
        begin = chance.randint(0, len(data))
        end = min(len(data), begin + chance.choice((0, 1, 4, 50, 1000)))
        before, part, after = data[:begin], data[begin:end], data[end:]
        match chance.randrange(6):
            case 0:
                data = before + after
            case 1:
                data = before + part * chance.choice((2, 10, 500)) + after
            case 2 | 3:
                data = before + chance.choice(TOKENS) + (part if chance.random() < 0.5 else b"") + after
            case 4:
                data = before + chance.randbytes(len(part)) + after
            case 5:
                data = before
        data = data[:3_000_000]
    return data


def packed(data: bytes, chance: random.Random) -> bytes:
    """The data itself or packed, whole or not."""
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        if chance.random() < 0.5:
            data = gzip.compress(data) * chance.choice((1, 1, 3, 40))
        else:
            with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
                for number in range(chance.choice((1, 1, 2))):
                    archive.writestr(zipfile.ZipInfo(f"list{number}.xml"), data, zipfile.ZIP_DEFLATED)
            data = file.getvalue()
        data = mutated(data, chance, most=1)
    return data


def one_line(text: bytes) -> bytes:
    """A text without line breaks, which would end a header."""
    return re.sub(rb"[\r\n]", b"", text)[:4000]


def status_of(port: int, sent: Sent) -> tuple[int, bool]:
    """The status of the answer, 0 if there is none, and whether it says when to come back."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # answered before it was read whole
            connection.sendall(sent.wire(b"127.0.0.1:%d" % port))
        try:
            answer = http.client.HTTPResponse(connection, method=sent.method.decode())
            answer.begin()
            answer.read()
        except (http.client.HTTPException, OSError):
            return 0, False
    return answer.status, "Retry-After" in answer.headers


@contextlib.contextmanager
def fuzzed_server() -> Iterator[tuple[int, Process]]:
    """A server of two workers that asks no site; its port and process."""
    with tempfile.TemporaryDirectory(prefix="hakken-fuzz-") as cache:
        environment = {**SETTINGS, "HAKKEN_CACHE_DIR": cache, "HAKKEN_LOG_LEVEL": "warning"}
        address, process = started("ars_app:create_app()", environment, subprocess.DEVNULL)
        try:
            wait_for(address)
            # Of so many answers, each worker gives one.
            until(lambda: all(requests.get(f"{address}/readyz", timeout=PATIENCE).ok for _ in range(20)))
            yield int(address.rpartition(":")[2]), process
        finally:
            process.terminate()
            process.wait(PATIENCE)


def resident_mb(process: Process) -> float:
    """Resident memory of the workers together."""
    pages = (int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in workers_of(process))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def is_finding(status: int, says_when: bool, seconds: float = 0.0) -> bool:
    """Whether an answer is one that nobody should get."""
    return status == 0 or (status >= 500 and not (status == 503 and says_when)) or seconds > SLOW


@click.command()
@click.option("--seconds", default=1200.0)
@click.option("--seed", default=1)
@click.option("--only", type=int)
def main(seconds: float, seed: int, only: int | None) -> None:
    """Send requests for some time, and say what was found."""
    statuses: Counter[int] = Counter()
    findings, slowest, memory, number = 0, 0.0, [], only or 0
    with fuzzed_server() as (port, process):
        time.sleep(2 * WARM_AFTER)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            sent, at = request_of(seed, number), time.monotonic()
            status, says_when = status_of(port, sent)
            took = time.monotonic() - at
            statuses[status] += 1
            slowest = max(slowest, took)
            if only is not None or is_finding(status, says_when, took):
                findings += 1
                click.echo(f"{number}: {status} in {took:.2f} s: {sent.wire(b'')[:300]!r}")
            if only is not None:
                return
            number += 1
            if number % 500 == 0:
                memory.append(round(resident_mb(process)))
    click.echo(f"{number} requests, {findings} findings, slowest {slowest:.2f} s; {dict(sorted(statuses.items()))}")
    quarter = len(memory) // 4
    first, last = (max(some, default=0) for some in (memory[:quarter], memory[-quarter:]))
    click.echo(f"Resident memory at most {first} MB in the first quarter of the time, and {last} MB in the last")
    raise SystemExit(bool(findings))


if __name__ == "__main__":
    main()
