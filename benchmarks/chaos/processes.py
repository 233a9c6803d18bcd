"""When workers, or all of gunicorn, are killed, stopped or started anew."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from benchmarks.chaos.judging import DELIBERATE, judged, load, serves
from benchmarks.chaos.proxy import proxied
from benchmarks.load.client import REFUSED, UNANSWERED, Answers, Load
from benchmarks.load.serving import APP, STOPPING, UNHURRIED, WORKERS, serving
from benchmarks.operations import Figure
from tests.serving import ROOT, wait_for, workers_of

LISTEN_FD = 3
"""The first socket that systemd hands over."""


def killed(seconds: float) -> Figure:
    """Kill a worker every two seconds, behind the documented proxy."""
    with serving() as server, proxied(server.address) as address, load(address, seconds) as going:
        answers, kills = _killing(server.process, going)
        what = "a worker is killed every 2 s, behind nginx"
        recovered = serves(server.address)
        return judged(what, answers, recovered=recovered, allowed=(), more=f"{kills} kills")


def killed_directly(seconds: float) -> Figure:
    """Kill a worker every two seconds, with clients at gunicorn itself: what it was answering is lost."""
    with serving() as server, load(server.address, seconds) as going:
        answers, kills = _killing(server.process, going)
        what = "the same without nginx: requests in hand are lost with the worker"
        recovered = serves(server.address)
        allowed = {UNANSWERED, *DELIBERATE}
        return judged(what, answers, recovered=recovered, allowed=allowed, more=f"{kills} kills")


def _killing(process: subprocess.Popen[str], going: Load) -> tuple[Answers, int]:
    kills = 0
    while not going.over:
        time.sleep(2.0)
        for worker in workers_of(process)[:1]:
            os.kill(worker, signal.SIGKILL)
            kills += 1
    return going.answers(), kills


def hung_up(seconds: float) -> Figure:
    """Let gunicorn replace its workers again and again."""
    with serving() as server, load(server.address, seconds) as going:
        hangups = 0
        while not going.over:
            time.sleep(3.0)
            server.process.send_signal(signal.SIGHUP)
            hangups += 1
        answers = going.answers()
        recovered = serves(server.address)
        return judged("SIGHUP every 3 s", answers, recovered=recovered, allowed=(), more=f"{hangups} times")


def terminated(seconds: float, stops: int = 3) -> Figure:
    """Stop gunicorn in the middle, so many times; who comes later is refused, and that is all."""
    answers = Answers()
    for _ in range(stops):
        with serving() as server, load(server.address, seconds / stops, rate=60.0) as going:
            time.sleep(seconds / stops / 2)
            server.process.terminate()
            answers += going.answers()
            clean = server.process.wait(STOPPING) == 0
    said = [one for one in answers if one.status not in {REFUSED, HTTPStatus.OK}]
    what = "SIGTERM under load"
    return judged(what, answers, recovered=clean and not said, allowed={REFUSED}, more=f"{stops} times")


def recycled(seconds: float) -> Figure:
    """Let workers be replaced after every 40 requests."""
    options = "--max-requests 40 --max-requests-jitter 20"
    with serving(GUNICORN_CMD_ARGS=options) as server, load(server.address, seconds) as going:
        answers = going.answers()
        recovered = serves(server.address)
        booted = server.log.read_text().count("Booting worker")
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
        process = subprocess.Popen(  # noqa: S603  # ours
            ["bash", "-c", f"{command} exec {sys.executable} -m hakken.serving '{APP}'"],  # noqa: S607  # as above
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
