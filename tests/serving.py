"""Serving an application on loopback: by gunicorn in a process of its own, as it is in earnest, or from a thread."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

import requests
from flask import Flask
from werkzeug.serving import make_server

Process = subprocess.Popen[str]
ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds that a server gets to start or to end, on a busy machine."""


@contextlib.contextmanager
def served(application: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve with gunicorn on a free port, by one worker unless told otherwise; the address, and the process.

    What it says is in the process's `stdout`, which has room for a hundred lines or so until it is read.
    """
    # A line for each request would soon fill it, and stop the server.
    environment = {"HAKKEN_LOG_LEVEL": "warning", **environment}
    address, process = started(application, environment, subprocess.PIPE)
    try:
        yield address, process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # nothing of it is to be in the way of other tests
            process.communicate()
            raise


def started(
    application: str, environment: Mapping[str, str], output: int | IO[str], *, apart: bool = False
) -> tuple[str, Process]:
    """Begin to serve, as `served` does; the address, and the process, which whoever calls ends.

    When it is `apart` it has a process group of its own, to which signals can be sent.
    """
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HAKKEN_", "MAL_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "hakken.serving", "--bind", f"127.0.0.1:{port}", application],
        cwd=ROOT,
        env={**clean, "WEB_CONCURRENCY": "1", **environment},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=apart,
    )
    return f"http://127.0.0.1:{port}", process


def check_server(command: list[str], environment: Mapping[str, str], place: Path = ROOT) -> str:
    """Serve with a command, ask for pages, and return what the server said."""
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [*command, "--bind", address],
        cwd=place,
        env={"PATH": os.defpath, "WEB_CONCURRENCY": "1", "HAKKEN_LOG_LEVEL": "warning", **environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until(lambda: _is_ready(address))
            paths = ("/", "/static/hakken.css", "/recommendations?sample=1")
            answers = [requests.get(f"http://{address}{path}", timeout=PATIENCE).status_code for path in paths]
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE)

    assert answers == [200, 200, 200], said
    assert "Traceback" not in said
    return said


def _is_ready(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/readyz", timeout=1).ok
    except requests.RequestException:
        return False


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def served_here(app: Flask) -> Iterator[str]:
    """Serve from a thread of this process: for an app made of a test's own parts; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_for(address: str) -> None:
    """Wait until an app answers."""

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            # Any answer will do, for not every app that is served has that page.
            requests.get(f"{address}/healthz", timeout=1)
            return True
        return False

    until(answers)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; for what happens in another process, and can only be looked at."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"It did not come true in {PATIENCE} s.")
        time.sleep(0.05)


def workers_of(process: Process) -> list[int]:
    """The processes that gunicorn has answer requests."""
    return [int(one) for one in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def private_bytes(worker: int) -> int:
    """Bytes of memory that a process shares with no other."""
    rollup = Path(f"/proc/{worker}/smaps_rollup").read_text()
    return sum(1024 * int(kb) for kb in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE))
