"""When clients are slow, or talk nonsense."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.chaos.fuzz import malformed
from benchmarks.chaos.judging import DELIBERATE, judged, load, serves
from benchmarks.chaos.proxy import proxied
from benchmarks.load.client import UNANSWERED
from benchmarks.load.serving import serving
from benchmarks.operations import Figure

CROWD = 1000
BYTES_EVERY = 1.0
"""Seconds between two bytes of a slow client."""
AT_ONCE = 16
SECONDS = 5.0
"""That a connection with a malformed request is listened to: it may be waiting for what was announced."""
LEAST, MOST = 2.0, 900.0
"""Seconds of well-behaved requests beside the malformed ones."""
ERRORS = 500
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})\b")


def slow_behind_nginx(seconds: float) -> Figure:
    """Let a thousand clients send their headers byte by byte, behind the documented proxy."""
    with serving() as server, proxied(server.address) as address, _crowd(address):
        time.sleep(2.0)
        with load(address, seconds) as going:
            answers = going.answers()
        recovered = serves(server.address)
        what = f"{CROWD:,} slow clients, behind nginx"
        return judged(what, answers, recovered=recovered, allowed=(), more=_late(answers.late(0.99)))


def slow_directly(seconds: float) -> Figure:
    """Let them do it at gunicorn itself, which is not how it is meant to be served."""
    with serving() as server:
        with _crowd(server.address):
            time.sleep(2.0)
            with load(server.address, seconds, rate=5.0) as going:
                answers = going.answers()
        recovered = serves(server.address)
        what = f"{CROWD:,} slow clients, without nginx"
        allowed = {UNANSWERED, *DELIBERATE}
        figure = judged(what, answers, recovered=recovered, allowed=allowed, more=_late(answers.late(0.99)))
        # That most wait for as long as it lasts is what the proxy is for; here only what comes after it is wanted.
        return figure._replace(wanted="recovery", reached=recovered)


def _late(seconds: float) -> str:
    return f"99th percentile {1000 * seconds:.0f} ms"


@contextmanager
def _crowd(address: str) -> Iterator[None]:
    """Keep `CROWD` slow clients at an address; who is sent away comes again."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    crowd = [asyncio.run_coroutine_threadsafe(_slow(address), loop) for _ in range(CROWD)]
    try:
        yield
    finally:
        for one in crowd:
            one.cancel()
        time.sleep(0.5)  # in which they hang up
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _slow(address: str) -> None:
    parts = urlsplit(address)
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
                while not reader.at_eof():
                    await asyncio.sleep(BYTES_EVERY)
                    writer.write(b"a")
                    await writer.drain()
            finally:
                writer.close()
        await asyncio.sleep(BYTES_EVERY)


def fuzzed(count: int) -> Figure:
    """Send so many malformed requests to gunicorn itself, and well-behaved ones for as long as that takes."""
    with serving() as server:
        with load(server.address, MOST) as going:
            statuses = asyncio.run(_send_all(server.address, list(malformed(random.Random(11), count))))
            time.sleep(max(0.0, LEAST - going.passed))
            beside = going.passed
            going.end()
            answers = going.answers()
        recovered = serves(server.address)
        told = errors_in(server.log.read_text())
    said = ", ".join(f"{number:,} × {status or 'no answer'}" for status, number in sorted(statuses.items()))
    errors = {status for status in statuses if status >= ERRORS and status not in {501, *DELIBERATE}}
    more = f"beside it, for {beside:.0f} s: {said}; {told} errors logged"
    good = recovered and not errors and not told and beside < MOST
    return judged(f"{count:,} malformed requests", answers, recovered=good, allowed=(), more=more)


def errors_in(log: str) -> int:
    """Lines of a log that tell of an error, and whatever came around the log as Python tells it by itself."""
    return sum(map(_tells_of_error, log.splitlines()))


def _tells_of_error(line: str) -> bool:
    try:
        told = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return line.startswith(("Traceback", "Exception ignored", "Fatal Python error"))
    return "error" in told or told.get("level") in {"error", "critical"}


async def _send_all(address: str, requests: list[bytes]) -> Counter[int]:
    free, found = asyncio.Semaphore(AT_ONCE), Counter[int]()

    async def one(request: bytes) -> None:
        async with free:
            found.update(statuses_in(await _said(address, request)) or [0])

    await asyncio.gather(*(one(request) for request in requests))
    return found


def statuses_in(said: bytes) -> list[int]:
    """Statuses of all final answers on a connection; one that is to be continued (1xx) is none.

    Status lines are looked for everywhere, since where a body ends depends on what the server took the malformed
    request for; no page of Hakken's has one in its text.
    """
    return [int(status) for status in STATUS_LINE.findall(said) if not status.startswith(b"1")]


async def _said(address: str, request: bytes) -> bytes:
    """All that the server says until it hangs up, or until it has waited long for more."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    said = bytearray()
    try:
        with suppress(OSError, TimeoutError):
            writer.write(request)
            with suppress(OSError):
                writer.write_eof()
            async with asyncio.timeout(SECONDS):
                while some := await reader.read(65_536):
                    said += some
        return bytes(said)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
