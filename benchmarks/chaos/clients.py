"""When clients are slow, or talk nonsense."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit

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
"""That a malformed request may be left without an answer: it may be waiting for what was announced."""
ERRORS = 500


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
        return judged(what, answers, recovered=recovered, allowed=allowed, more=_late(answers.late(0.99)))


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
    """Send so many malformed requests to gunicorn itself."""
    with serving() as server:
        with load(server.address, 5.0) as going:
            statuses = asyncio.run(_send_all(server.address, list(malformed(random.Random(11), count))))
            answers = going.answers()
        recovered = serves(server.address)
        log = server.log.read_text()
    said = ", ".join(f"{number:,} × {status or 'hung up'}" for status, number in sorted(statuses.items()))
    errors = {status for status in statuses if status >= ERRORS and status not in {501, *DELIBERATE}}
    traces = log.count("Traceback")
    more = f"the {sum(statuses.values()):,}: {said}; {traces} tracebacks"
    good = recovered and not errors and not traces
    return judged(f"{count:,} malformed requests", answers, recovered=good, allowed=(), more=more)


async def _send_all(address: str, requests: list[bytes]) -> Counter[int]:
    free, found = asyncio.Semaphore(AT_ONCE), Counter[int]()

    async def one(request: bytes) -> None:
        async with free:
            found[await _status(address, request)] += 1

    await asyncio.gather(*(one(request) for request in requests))
    return found


async def _status(address: str, request: bytes) -> int:
    """Status of the first answer; 0 where the server hung up, or waits for more."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        with suppress(OSError, TimeoutError):
            writer.write(request)
            with suppress(OSError):
                writer.write_eof()
            line = await asyncio.wait_for(reader.readline(), SECONDS)
            return int(line.split()[1]) if line.startswith(b"HTTP/") else 0
        return 0
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
