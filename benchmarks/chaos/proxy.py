"""nginx as deploy/nginx.conf has it, on loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.judging import NotHere
from tests.serving import ROOT, free_port, wait_for


def documented(place: Path, port: int, upstream: str) -> Path:
    """Write the documented settings with what exists here: ports, and places to write to.

    Args:
        place: the directory for all that nginx writes.
        port: that it listens at.
        upstream: host and port of gunicorn.

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
    path = place / "nginx.conf"
    path.write_text(text)
    return path


@contextmanager
def proxied(address: str) -> Iterator[str]:
    """Put nginx in front of a server; its address.

    Raises:
        NotHere: there is none.
    """
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
