"""How many requests a second a server answers, by h2load (nghttp2-client): it costs the server's cores the least."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.load.client import Request
from benchmarks.load.serving import Server

CONNECTIONS = 16
"""As many as two workers have threads."""
WARM_UP = 1


class NoTool(Exception):
    """h2load is not installed."""


def top_rate(server: Server, request: Request, seconds: int) -> float:
    """Answers a second while each of `CONNECTIONS` asks again as soon as it is answered.

    Raises:
        NoTool: there is no h2load.
        SystemExit: a request failed.
    """
    tool = shutil.which("h2load")
    if tool is None:
        raise NoTool("h2load is not installed (Debian: nghttp2-client).")
    with tempfile.NamedTemporaryFile() as body:
        Path(body.name).write_bytes(request.body or b"")
        posted = ["-d", body.name, "-H", f"content-type: {request.kind}"] if request.body is not None else []
        command = [tool, "--h1", "-c", str(CONNECTIONS), "-D", str(seconds), f"--warm-up-time={WARM_UP}", *posted]
        command += ["-H", "accept-encoding: gzip", f"{server.address}{request.path}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.findall(r"(\d+) failed, (\d+) errored, (\d+) timeout", said)
    good = re.findall(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", said)
    if failed != [("0", "0", "0")] or not good or good == ["0"]:
        raise SystemExit(f"Requests failed while the rate was measured:\n{said}")
    return int(good[0]) / seconds
