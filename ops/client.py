"""What the app is asked for: at a fixed rate by a client of our own, else by h2load.

Our client opens a connection for each request, so it sees which went unanswered. A request is due at a moment fixed
beforehand, and its time counts from then: a server that stalls makes all that was due meanwhile late.
"""

import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlencode

import msgspec
import numpy as np
import requests

from benchmarks.serving import popular_list
from hakken.bundle import ModelBundle
from hakken.lists import encoded_list
from hakken.model import store
from ops.report import NotHere

REFUSED, UNANSWERED = 0, -1
"""In place of a status: nobody listened; and a connection that was taken gave no whole answer, or none in time."""
PATIENCE = 30.0
THREADS, CONNECTIONS = 32, 16
"""Of our client, and of h2load: as many as two workers have threads."""


class Request(NamedTuple):
    """What to ask; `path` with its query, `body` as JSON."""

    path: str
    body: bytes | None = None


class Answer(NamedTuple):
    """What came of a request: the second of the run at which it was due, how late it was, status and body."""

    due: float
    late: float
    status: int
    body: bytes


class Answers(list[Answer]):
    """What came of a run, in the order in which it was answered."""

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(one.status for one in self)

    @property
    def late(self) -> str:
        """The time within which 99 of 100 requests were answered, in words."""
        return f"99th percentile {1000 * np.quantile([one.late for one in self], 0.99):.0f} ms"


def usual() -> tuple[Request, Request]:
    """The API and the results page, with a list of 300 entries that has the popularity and scores of real ones."""
    user_list = popular_list(ModelBundle.read(store.open_artefact(store.EMBEDDED)), 300)
    ratings = [{"anime_id": one.anime_id, "score": one.score} for one in user_list.ratings]
    query = urlencode({"list": encoded_list.packed(user_list)})
    body = msgspec.json.encode({"ratings": ratings, "n": 20})
    return Request("/api/v1/recommendations", body), Request(f"/recommendations?{query}")


class Load:
    """Requests that are sent `rate` times a second, in turn, while something else is done to the server."""

    def __init__(self, address: str, asked: Sequence[Request], rate: float, seconds: float) -> None:
        self._address, self._asked = address, asked
        self._rate, self._seconds = rate, seconds
        self._numbers, self._found = count(), Answers()
        self._begun = time.monotonic()
        self._pool = ThreadPoolExecutor(THREADS)
        self._threads = [self._pool.submit(self._send) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = 0.0
        self._pool.shutdown()

    @property
    def passed(self) -> float:
        """Second of the run that it is now."""
        return time.monotonic() - self._begun

    def answers(self) -> Answers:
        """Wait until all are answered."""
        for one in self._threads:
            one.result()
        return self._found

    def _send(self) -> None:
        for number in self._numbers:
            due = number / self._rate
            while self.passed < due < self._seconds:
                time.sleep(min(0.5, max(0.0, due - self.passed)))
            if due >= self._seconds:
                return
            status, body = ask(self._address, self._asked[number % len(self._asked)])
            self._found.append(Answer(due, self.passed - due, status, body))


def ask(address: str, request: Request) -> tuple[int, bytes]:
    """Ask once, on a connection of its own: status and body."""
    headers = {"Content-Type": "application/json", "Connection": "close"}
    method = "GET" if request.body is None else "POST"
    try:
        answer = requests.request(method, address + request.path, data=request.body, headers=headers, timeout=PATIENCE)
    except requests.RequestException as error:
        return REFUSED if "Connection refused" in str(error) else UNANSWERED, b""
    return answer.status_code, answer.content


def h2load(address: str, asked: Sequence[Request], seconds: int, rate: float = 0.0) -> list[float]:
    """Ask on kept connections, each as soon as it is answered, or all at a rate; milliseconds of each answer.

    Raises:
        NotHere: h2load is not installed.
        SystemExit: a request failed.
    """
    tool = shutil.which("h2load")
    if tool is None:
        raise NotHere("h2load is not installed (Debian: nghttp2-client).")
    with tempfile.TemporaryDirectory() as place:
        log, body = Path(place) / "log", Path(place) / "body"
        command = [tool, "--h1", f"-c{CONNECTIONS}", f"-D{seconds}", "--warm-up-time=1", f"--log-file={log}"]
        command += ["-H", "accept-encoding: gzip", *([f"--rps={rate / CONNECTIONS}"] if rate else [])]
        if asked[0].body is not None:
            body.write_bytes(asked[0].body)
            command += ["-d", str(body), "-H", "content-type: application/json"]
        command += [f"{address}{one.path}" for one in asked]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        took = [int(line.split("\t")[2]) / 1000 for line in log.read_text().splitlines()]
    if "0 failed, 0 errored, 0 timeout" not in said or not re.search(r"[1-9]\d* 2xx, 0 3xx, 0 4xx, 0 5xx", said):
        raise SystemExit(f"Requests failed while the rate was measured:\n{said}")
    return took
