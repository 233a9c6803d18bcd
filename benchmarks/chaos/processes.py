"""When workers, or all of gunicorn, are killed, stopped or started anew."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from benchmarks.chaos.judging import DELIBERATE, judged, load, serves, until
from benchmarks.chaos.proxy import proxied
from benchmarks.load.client import REFUSED, UNANSWERED, Answers, Load
from benchmarks.load.serving import APP, STOPPING, UNHURRIED, WORKERS, serving
from benchmarks.operations import Figure
from tests.serving import ROOT, Process, wait_for, workers_of

LISTEN_FD = 3
"""The first socket that systemd hands over."""


def killed(seconds: float) -> Figure:
    """Kill a worker every two seconds, behind the documented proxy."""
    with serving() as server, proxied(server.address) as address, load(address, seconds) as going:
        answers, kills, replaced = _killing(server.process, going)
        what = "a worker is killed every 2 s, behind nginx"
        recovered = serves(server.address) and replaced == kills > 0
        return judged(what, answers, recovered=recovered, allowed=(), more=_said(kills, "kills", replaced))


def killed_directly(seconds: float) -> Figure:
    """Kill a worker every two seconds, with clients at gunicorn itself: what it was answering is lost."""
    with serving() as server, load(server.address, seconds) as going:
        answers, kills, replaced = _killing(server.process, going)
        what = "the same without nginx: requests in hand are lost with the worker"
        recovered = serves(server.address) and replaced == kills > 0
        allowed = {UNANSWERED, *DELIBERATE}
        return judged(what, answers, recovered=recovered, allowed=allowed, more=_said(kills, "kills", replaced))


def _killing(process: Process, going: Load) -> tuple[Answers, int, int]:
    """Kill; what came of the load, how often it was done, and after how many another worker was there instead."""
    kills = replaced = 0
    time.sleep(2.0)
    while not going.over:
        worker = workers_of(process)[0]
        os.kill(worker, signal.SIGKILL)
        kills += 1
        time.sleep(2.0)
        replaced += _replaced(process, {worker})
    return going.answers(), kills, replaced


def _replaced(process: Process, old: set[int]) -> bool:
    """Whether all workers come to be others than these, and as many as they should be."""

    def are_others() -> bool:
        now = workers_of(process)
        return old.isdisjoint(now) and len(now) == WORKERS

    return until(are_others)


def _said(number: int, what: str, replaced: int) -> str:
    return f"{number} {what}, {replaced} of them replaced workers"


def hung_up(seconds: float) -> Figure:
    """Let gunicorn replace its workers again and again."""
    with serving() as server, load(server.address, seconds) as going:
        hangups = replaced = 0
        time.sleep(1.0)
        while not going.over:
            old = set(workers_of(server.process))
            server.process.send_signal(signal.SIGHUP)
            hangups += 1
            time.sleep(3.0)
            replaced += _replaced(server.process, old)
        answers = going.answers()
        recovered = serves(server.address) and replaced == hangups > 0
        more = _said(hangups, "times", replaced)
        return judged("SIGHUP every 3 s", answers, recovered=recovered, allowed=(), more=more)


def terminated(seconds: float, stops: int = 3) -> Figure:
    """Stop gunicorn in the middle, so many times; who comes later is refused, and that is all."""
    return _stopped("SIGTERM under load", Process.terminate, seconds, stops)


def terminated_group(seconds: float, stops: int = 3) -> Figure:
    """Tell the workers to stop too, as a terminal does, and a service manager that signals all of a service."""
    what = "SIGTERM to the whole process group under load"
    return _stopped(what, lambda process: os.killpg(process.pid, signal.SIGTERM), seconds, stops)


def _stopped(what: str, stop: Callable[[Process], None], seconds: float, stops: int) -> Figure:
    answers, good, early = Answers(), [], 0
    for _ in range(stops):
        with serving() as server, load(server.address, seconds / stops, rate=60.0) as going:
            time.sleep(seconds / stops / 2)
            signalled = going.passed
            stop(server.process)
            came = going.answers()
            ended = server.process.wait(STOPPING)
        before = [one for one in came if one.due + one.late < signalled]  # answered by then, however late it was sent
        early += sum(one.status == REFUSED for one in before)
        good.append(ended == 0 and HTTPStatus.OK in {one.status for one in before})
        answers += came
    more = f"{sum(good)} of {stops} times gunicorn ended well, {early} refused before"
    return judged(what, answers, recovered=all(good) and not early, allowed={REFUSED}, more=more)


def recycled(seconds: float) -> Figure:
    """Let workers be replaced after every 40 requests."""
    options = "--max-requests 40 --max-requests-jitter 20"
    with serving(GUNICORN_CMD_ARGS=options) as server, load(server.address, seconds) as going:
        answers = going.answers()
        recovered = serves(server.address)
        booted = server.log.read_text().count("Booting worker")
        recovered = recovered and booted > WORKERS
        more = f"{booted} workers in all"
        return judged(
            "workers are replaced after 40 to 60 requests", answers, recovered=recovered, allowed=(), more=more
        )


def restarted(seconds: float) -> Figure:
    """Stop gunicorn and start it anew while systemd holds the socket: nobody is even refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with _activated(listener):
            wait_for(address)
            going = load(address, seconds)
            time.sleep(seconds / 3)
        with going, _activated(listener):
            answers = going.answers()
            recovered = serves(address)
    return judged("a restart while systemd holds the socket", answers, recovered=recovered, allowed=())


@contextmanager
def _activated(listener: socket.socket) -> Iterator[None]:
    """Serve from a socket that is handed over as systemd does."""
    # The shell becomes gunicorn, and so its number is the one that the socket is meant for.
    command = f"exec {LISTEN_FD}<&{listener.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$"
    with tempfile.TemporaryDirectory(prefix="hakken-chaos-") as cache, tempfile.TemporaryFile() as log:
        environment = {**os.environ, **UNHURRIED, "WEB_CONCURRENCY": str(WORKERS), "HAKKEN_CACHE_DIR": cache}
        process = subprocess.Popen(
            ["bash", "-c", f"{command} exec {sys.executable} -m hakken.serving '{APP}'"],
            cwd=ROOT,
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(STOPPING)
