"""Serving an application as it is served in earnest: by gunicorn, in a process of its own, on loopback."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
PATIENCE = 20.0
"""Seconds that a server gets to start or to end, on a busy machine."""


@contextlib.contextmanager
def served(application: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve with gunicorn on a free port, by one worker unless told otherwise; the address, and the process."""
    port = free_port()
    command = [sys.executable, "-m", "hakken.serving", "--bind", f"127.0.0.1:{port}", application]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HAKKEN_", "MAL_"))}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean | {"WEB_CONCURRENCY": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


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


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that gunicorn has answer requests."""
    return [int(one) for one in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
