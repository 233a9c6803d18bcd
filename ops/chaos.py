"""What the served app does when the disk is full, workers are killed or replaced, or clients are slow."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path

import requests

from ops.client import REFUSED, UNANSWERED, Answers, Load, usual
from ops.load import marked, publish
from ops.report import Figure, NotHere
from ops.serving import STOPPING, WORKERS, Server, activated, all_serve, proxied, serving
from tests.serving import PATIENCE, wait_for

RATE = 20.0
"""Requests a second that go on in a scenario: what is asked for is to be answered, not fast."""
DELIBERATE = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
NAMES = {REFUSED: "refused", UNANSWERED: "unanswered"}
CROWD = 1000
OPENING = """\
Each scenario runs with two workers. A client requests the API and the results page with a list of 300 entries, at fixed
times, with one connection per request, and also counts requests without an answer. A scenario passes if every status is
one of those wanted, and if afterwards twenty more answers are good and come from the newest model, if there is one."""


def judged(what: str, answers: Answers, recovered: bool, allowed: Collection[int] = (), more: str = "") -> Figure:
    """A scenario's figure: there were good answers, and every other was of the statuses that are allowed."""
    statuses = answers.statuses
    said = ", ".join(f"{number:,} × {NAMES.get(status, status)}" for status, number in sorted(statuses.items()))
    found = f"{said}{'; ' + more if more else ''}; {'recovered' if recovered else 'NOT RECOVERED'}"
    allowance = " or ".join(["200", *(NAMES.get(status, str(int(status))) for status in sorted(allowed))])
    reached = recovered and set(statuses) <= {HTTPStatus.OK, *allowed} and statuses[HTTPStatus.OK] > 0
    return Figure(what, found, f"{allowance}, recovery", reached)


def comes_true(holds: Callable[[], bool]) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(requests.RequestException):
            if holds():
                return True
        time.sleep(0.05)
    return False


def serves(address: str, version: str = "") -> bool:
    """Whether a server answers twenty pages well and, where a version is given, all its workers come to have that."""
    page = f"{address}/recommendations?sample=1"
    is_well = comes_true(lambda: all_serve(address, version))
    return is_well and comes_true(lambda: all(requests.get(page, timeout=PATIENCE).ok for _ in range(20)))


def disk_full(seconds: float = 10.0) -> Iterator[Figure]:
    """Let the cache's disk have no room for the next version, and then room again."""
    with tempfile.TemporaryDirectory(prefix="hakken-chaos-") as name, ExitStack() as stack:
        published, cache = Path(name) / "published", Path(name) / "cache"
        one, two = (marked(Path(name) / mark, mark) for mark in ("one", "two"))
        publish(one, published)
        cache.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", cache], check=False).returncode:
            raise NotHere("A disk of its own can be made by root only.")
        stack.callback(partial(subprocess.run, ["umount", "--lazy", cache], check=True))
        told = {"HAKKEN_MODEL": published.as_uri(), "HAKKEN_MODEL_POLL": "0.5", "HAKKEN_CACHE_DIR": str(cache)}
        server = stack.enter_context(serving(**told))
        ready, filler = serves(server.address, one.version), cache / "filler"
        with Load(server.address, usual(), RATE, seconds) as load:
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(65536))
            publish(two, published)
            answers = load.answers()
        kept = serves(server.address, one.version)
        filler.unlink()
        yield judged("the disk is full", answers, ready and kept and serves(server.address, two.version))


def killed(seconds: float = 20.0) -> Iterator[Figure]:
    """Kill a worker every two seconds, behind the documented proxy, then with clients at gunicorn itself."""
    kill = partial(_replaced, lambda server: os.kill(min(server.workers), signal.SIGKILL), 1, 2.0, seconds)
    yield kill("a worker is killed every 2 s, behind nginx", front=proxied)
    what = "the same without nginx: requests in hand are lost with the worker"
    yield kill(what, allowed={UNANSWERED, *DELIBERATE})


def hung_up(seconds: float = 15.0) -> Iterator[Figure]:
    """Let gunicorn replace its workers again and again."""
    yield _replaced(lambda server: server.process.send_signal(signal.SIGHUP), WORKERS, 3.0, seconds, "SIGHUP every 3 s")


def _replaced(
    replace: Callable[[Server], None],
    number: int,
    every: float,
    seconds: float,
    what: str,
    *,
    allowed: Collection[int] = (),
    front: Callable[[str], AbstractContextManager[str]] = nullcontext,
) -> Figure:
    """Have a number of workers replaced again and again."""
    with serving() as server, front(server.address) as address, Load(address, usual(), RATE, seconds) as load:
        times = replaced = 0
        while load.passed < seconds:
            time.sleep(every / 2)
            old = server.workers
            replace(server)
            times += 1
            time.sleep(every / 2)
            replaced += comes_true(
                lambda: len(server.workers) == WORKERS and len(server.workers - old) == number  # noqa: B023  # at once
            )
        recovered = serves(server.address) and replaced == times
        return judged(what, load.answers(), recovered, allowed, f"{times} times, {replaced} of them replaced")


def terminated(seconds: float = 4.0, stops: int = 3, rate: float = 3 * RATE) -> Iterator[Figure]:
    """Stop gunicorn in the middle, so many times; who comes later is refused, and that is all."""
    answers, good = Answers(), []
    for _ in range(stops):
        with serving() as server, Load(server.address, usual(), rate, seconds) as load:
            time.sleep(seconds / 2)
            signalled = load.passed
            server.process.terminate()
            came = load.answers()
            good.append(server.process.wait(STOPPING) == 0)
        good.append(all(one.status == HTTPStatus.OK for one in came if one.due + one.late < signalled))
        answers += came
    yield judged("SIGTERM under load", answers, all(good), {REFUSED}, f"{stops} times")


def restarted(seconds: float = 10.0) -> Iterator[Figure]:
    """Stop gunicorn and start it anew while systemd holds the socket: nobody is even refused."""
    with tempfile.TemporaryDirectory() as cache, socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with activated(listener, Path(cache)):
            wait_for(address)
            load = Load(address, usual(), RATE, seconds)
            time.sleep(seconds / 3)
        with load, activated(listener, Path(cache)):
            answers = load.answers()
            recovered = serves(address)
    yield judged("a restart while systemd holds the socket", answers, recovered)


def slow_clients(seconds: float = 20.0) -> Iterator[Figure]:
    """Let a thousand clients send their headers byte by byte, behind the documented proxy, then to gunicorn itself."""
    with serving() as server, proxied(server.address) as address, _crowd(address):
        with Load(address, usual(), RATE, seconds) as load:
            answers = load.answers()
        what = f"{CROWD:,} slow clients, behind nginx"
        yield judged(what, answers, serves(server.address), more=answers.late)
    with serving() as server:
        with _crowd(server.address), Load(server.address, usual(), RATE / 4, seconds / 2) as load:
            answers = load.answers()
        recovered = serves(server.address)
    # That most wait for as long as it lasts is what the proxy is for; here only what comes after it is wanted.
    figure = judged(f"{CROWD:,} slow clients, without nginx", answers, recovered)
    yield figure._replace(wanted="recovery", reached=recovered)


@contextmanager
def _crowd(address: str) -> Iterator[None]:
    """Keep `CROWD` slow clients at an address, which send a byte a second; who is sent away comes again."""
    host, port = address.removeprefix("http://").split(":")
    over = threading.Event()

    def drip() -> None:
        clients: list[socket.socket] = []
        while not over.wait(1.0):
            there, clients = clients, []
            for client in there:
                with suppress(OSError):
                    client.sendall(b"a")
                    clients.append(client)
            while len(clients) < CROWD and not over.is_set():
                with suppress(OSError):
                    clients.append(socket.create_connection((host, int(port)), timeout=1.0))
                    clients[-1].sendall(b"GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ")

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(drip)
        time.sleep(3.0)
        try:
            yield
        finally:
            over.set()


SCENARIOS: Mapping[str, Callable[[], Iterator[Figure]]] = {
    one.__name__.replace("_", "-"): one for one in (disk_full, killed, hung_up, terminated, restarted, slow_clients)
}
