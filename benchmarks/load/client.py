"""A client that keeps to a schedule and opens one connection for each request.

So it sees what a queue costs, and which request went unanswered. A request is due at a moment fixed beforehand, and its
time counts from that moment: a server that stalls makes all that was due meanwhile late, not only what it was asked in
time (what is called coordinated omission).
"""

import math
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from itertools import count
from multiprocessing.synchronize import Event
from typing import NamedTuple, Self
from urllib.parse import urlsplit

REFUSED, UNANSWERED = 0, -1
"""In place of a status: nobody listened; and a connection that was taken gave no whole answer."""
PATIENCE = 30.0
"""Seconds until a request counts as unanswered."""


class Request(NamedTuple):
    """What to ask; `path` with its query."""

    path: str
    body: bytes | None = None
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Answer(NamedTuple):
    """What came of one request.

    Attributes:
        due: second of the run at which it should have been sent.
        late: seconds from then until it was answered whole.
        status: of the answer, `REFUSED` or `UNANSWERED`.
        said: the reason of the latter two, else the body's encoding.
        body: the answer's, where it was to be kept.
    """

    due: float
    late: float
    status: int
    said: str
    body: bytes = b""


class Plan(NamedTuple):
    """How to ask.

    Attributes:
        rate: requests a second; infinity: each thread asks again as soon as it is answered.
        seconds: how long requests are sent.
        threads: how many may wait at once; with all of them waiting the rest is sent late, and counts as late.
        keep: whether bodies are wanted.
        reused: whether each thread asks again on the connection that it has, as a proxy may.
    """

    rate: float
    seconds: float
    threads: int = 32
    keep: bool = False
    reused: bool = False


class Answers(list[Answer]):
    """What came of a run, in the order in which it was answered."""

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(one.status for one in self)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self) / max((one.due + one.late for one in self), default=math.inf)

    def late(self, quantile: float) -> float:
        """Seconds within which this part of all requests was answered."""
        ordered = sorted(one.late for one in self)
        return ordered[min(len(ordered) - 1, math.ceil(quantile * len(ordered)) - 1)]


class Load:
    """Requests that are sent from a process of their own while something else is done to the server."""

    def __init__(self, address: str, requests: Sequence[Request], plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self._enough = context.Event()
        self._elsewhere = ProcessPoolExecutor(1, context, initializer=_obey, initargs=(self._enough,))
        self._elsewhere.submit(send, address, (), Plan(1.0, 0.0)).result()  # until the process is there
        self._begun = time.monotonic() + 0.05  # one clock for all processes of a machine
        self._sending: Future[list[Answer]] = self._elsewhere.submit(send, address, requests, plan, self._begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._elsewhere.shutdown(cancel_futures=True)

    @property
    def over(self) -> bool:
        """Whether the last request has been answered."""
        return self._sending.done()

    @property
    def passed(self) -> float:
        """Second of the run that it is now, as `Answer.due` counts them."""
        return time.monotonic() - self._begun

    def end(self) -> None:
        """Send no more, whatever the plan says."""
        self._enough.set()

    def answers(self) -> Answers:
        """Wait until all are answered."""
        return Answers(self._sending.result())


_enough: list[Event] = []
"""Tells the process of a `Load` to send no more: such a thing can be handed to a process only as it starts."""


def _obey(enough: Event) -> None:
    _enough.append(enough)


def send(address: str, requests: Sequence[Request], plan: Plan, begun: float | None = None) -> list[Answer]:
    """Send requests, one after another and from the first again, from this process; `begun` is its second 0."""
    numbers, found = count(), list[Answer]()
    begun = time.monotonic() + 0.05 if begun is None else begun

    def work() -> None:
        with closing(Asker(address, reused=plan.reused)) as asker:
            for number in numbers:
                due = number / plan.rate if math.isfinite(plan.rate) else max(0.0, time.monotonic() - begun)
                if due >= plan.seconds:
                    return
                time.sleep(max(0.0, begun + due - time.monotonic()))
                if any(one.is_set() for one in _enough):
                    return
                status, said, body = asker.ask(requests[number % len(requests)])
                late = time.monotonic() - begun - due
                found.append(Answer(due, late, status, said, body if plan.keep else b""))

    threads = [threading.Thread(target=work) for _ in range(plan.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class Asker:
    """Asks one request after another, each on a connection of its own unless told otherwise."""

    def __init__(self, address: str, *, reused: bool = False) -> None:
        parts = urlsplit(address)
        self._place = parts.hostname or "", parts.port or 80
        self._reused = reused
        self._connection: HTTPConnection | None = None

    def ask(self, request: Request) -> tuple[int, str, bytes]:
        """Ask once: status, what is said of it, and body."""
        headers = {"Accept-Encoding": "gzip", "Content-Type": request.kind, **dict(request.headers)}
        if not self._reused:
            headers["Connection"] = "close"
        try:
            connection = self._connected()
        except OSError as error:
            return REFUSED, repr(error), b""
        try:
            connection.request("POST" if request.body is not None else "GET", request.path, request.body, headers)
            answer = connection.getresponse()
            found = answer.status, answer.headers.get("Content-Encoding", ""), answer.read()
        except (OSError, HTTPException) as error:
            self.close()
            return UNANSWERED, repr(error), b""
        if not self._reused or answer.will_close:
            self.close()
        return found

    def _connected(self) -> HTTPConnection:
        if self._connection is None:
            connection = HTTPConnection(*self._place, timeout=PATIENCE)
            connection.connect()
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
