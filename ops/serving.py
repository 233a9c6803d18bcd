"""Serving an application: by two workers without limits, behind nginx, or from a socket as systemd hands it over."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

from ops.report import NotHere
from tests.serving import PATIENCE, ROOT, Process, free_port, started, until, wait_for, workers_of

APP = "ars_app:create_app()"
HELLO = "ops:create_hello()"
WORKERS = 2
UNHURRIED = {"HAKKEN_FACTS_SOURCE": "off", "HAKKEN_RATE_LIMIT": "off", "WEB_CONCURRENCY": str(WORKERS)}
STOPPING = 60.0
"""Seconds that a server gets to stop."""


class Server(NamedTuple):
    """A server that runs: its address, and gunicorn's own process."""

    address: str
    process: Process

    @property
    def workers(self) -> set[int]:
        """Its workers' process ids."""
        return set(workers_of(self.process))


@contextmanager
def serving(application: str = APP, **environment: str) -> Iterator[Server]:
    """Serve, and wait until all workers are there."""
    with tempfile.TemporaryDirectory(prefix="hakken-ops-") as cache:
        given = {"HAKKEN_CACHE_DIR": cache} | UNHURRIED | environment
        server = Server(*started(application, given, subprocess.DEVNULL))
        try:
            wait_for(server.address)
            until(lambda: len(server.workers) >= WORKERS and all_serve(server.address))
            yield server
        finally:
            server.process.terminate()
            server.process.wait(STOPPING)


def all_serve(address: str, version: str = "") -> bool:
    """Whether all workers have a model, of a version if one is given: of so many answers that no worker gives none."""
    answers = (requests.get(f"{address}/readyz", timeout=PATIENCE) for _ in range(12))
    return all(one.ok and (not version or one.json()["model"]["version"] == version) for one in answers)


def documented(place: Path, port: int, upstream: str) -> Path:
    """Write nginx's documented settings with what exists here: a port, the server behind it, a directory to write to.

    Raises:
        ValueError: the settings are no longer of the form that is replaced here.
    """
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    changes = {
        "user www-data;": "user root;" if os.geteuid() == 0 else "",
        "pid /run/nginx.pid;": f"pid {place}/nginx.pid;",
        "/var/log/nginx": str(place),
        "listen 80 ": f"listen 127.0.0.1:{port} ",
        "127.0.0.1:8000": upstream,
    }
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"deploy/nginx.conf has no {old!r}.")
        text = text.replace(old, new)
    (place / "nginx.conf").write_text(text)
    return place / "nginx.conf"


@contextmanager
def proxied(address: str) -> Iterator[str]:
    """Put nginx in front of a server; its address."""
    tool = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if tool is None:
        raise NotHere("nginx is not installed.")
    with tempfile.TemporaryDirectory(prefix="hakken-nginx-") as name:
        port = free_port()
        settings = documented(Path(name), port, address.removeprefix("http://"))
        command = [tool, "-p", name, "-c", str(settings), "-g", "daemon off;", "-e", f"{name}/begin.log"]
        with subprocess.Popen(command) as process:
            try:
                wait_for(f"http://127.0.0.1:{port}")
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


@contextmanager
def activated(listener: socket.socket, cache: Path) -> Iterator[None]:
    """Serve from a socket that is handed over as systemd does, as file 3."""
    # The shell becomes gunicorn, and so its number is the one that the socket is meant for.
    command = f"exec 3<&{listener.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec {sys.executable} -m hakken.serving '{APP}'"
    environment = {**os.environ, **UNHURRIED, "HAKKEN_CACHE_DIR": str(cache), "HAKKEN_LOG_LEVEL": "warning"}
    process = subprocess.Popen(["bash", "-c", command], cwd=ROOT, env=environment, pass_fds=[listener.fileno()])
    try:
        yield
    finally:
        process.terminate()
        process.wait(STOPPING)
