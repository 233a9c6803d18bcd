"""Serving an application on loopback: by gunicorn in a process of its own, as it is in earnest, or from a thread."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from flask import Flask
from werkzeug.serving import make_server

ROOT = Path(__file__).parent.parent
PATIENCE = 20.0
"""Seconds that a server gets to start or to end, on a busy machine."""


@contextlib.contextmanager
def served(application: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve with gunicorn on a free port; the address, and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", application]
    # Nobody reads what it says before the end, so a line for each request would fill the pipe and stop it.
    environment = {"HAKKEN_LOG_LEVEL": "warning", **environment}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HAKKEN_", "MAL_"))}
    process = subprocess.Popen(
        command, cwd=ROOT, env=clean | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


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
