"""Serving an application for the suites: two workers, no limits, what it says in a file."""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.serving import Process, private_bytes, started, until, wait_for, workers_of

APP = "ars_app:create_app()"
HELLO = "benchmarks.load.hello:create_hello()"
WORKERS = 2
UNHURRIED = {"HAKKEN_FACTS_SOURCE": "off", "HAKKEN_RATE_LIMIT": "off"}
STOPPING = 60.0
"""Seconds that a server gets to stop."""


class Server(NamedTuple):
    """A server that runs.

    Attributes:
        address: where it answers.
        process: gunicorn's own, which starts the workers.
        log: the file with what it said.
    """

    address: str
    process: Process
    log: Path

    @property
    def memory(self) -> int:
        """Bytes that its workers hold, each for itself."""
        return sum(map(private_bytes, workers_of(self.process)))


@contextmanager
def serving(application: str = APP, **environment: str) -> Iterator[Server]:
    """Serve, in a process group of its own, and wait until all workers are there."""
    given = {"WEB_CONCURRENCY": str(WORKERS)} | UNHURRIED | environment
    with tempfile.TemporaryDirectory(prefix="hakken-load-") as place:
        log = Path(place) / "log"
        with log.open("w") as file:
            given = {"HAKKEN_CACHE_DIR": f"{place}/cache"} | given
            address, process = started(application, given, file, apart=True)
        try:
            wait_for(address)
            until(lambda: len(workers_of(process)) >= int(given["WEB_CONCURRENCY"]))
            yield Server(address, process, log)
        finally:
            process.terminate()
            process.wait(STOPPING)


def grown(sizes: list[int]) -> float:
    """Growth from the first fifth, when everything has been asked for and is kept, to the end; a median of some."""
    few = max(1, len(sizes) // 10)
    early = sizes[len(sizes) // 5 :][:few]
    return statistics.median(sizes[-few:]) / statistics.median(early) - 1
