"""A gthread worker with threads for refusing requests, and with deadlines for slow clients."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from hakken.serving.graceful_stop import GracefulStopWorker

SPARE_THREADS = 4
"""Threads beside those that answer or wait for a slot: they refuse, serve files and answer health checks."""
HEAD_SECONDS = 10.0
"""In which a request's line and headers must arrive."""
DRAIN_SECONDS = 1.0
"""For the rest of a body that nobody read, if the connection is to be used again."""
GRACE_SECONDS = 5.0
"""After a request was cut off, for sending its response."""
_CHECK_SECONDS = 0.5


class Connection(Protocol):
    """gunicorn's connection; with TLS, its socket is replaced when the first bytes are read."""

    sock: socket.socket


class TimedConnection:
    """A connection and its deadline.

    Attributes:
        connection: gunicorn's.
        deadline: by the monotonic clock; then its reading side is shut down, and `GRACE_SECONDS` later both sides.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.connection = connection
        self.deadline = time.monotonic() + seconds
        self._steps = [(GRACE_SECONDS, socket.SHUT_RDWR), (0.0, socket.SHUT_RD)]

    def shut_down_if_due(self, now: float) -> None:
        """Shut down what is due: a thread that reads or writes then sees a closed connection."""
        while self._steps and now > self.deadline + self._steps[-1][0]:
            _, how = self._steps.pop()
            with suppress(OSError):
                # Not TLS's own shutdown, which waits for the other end.
                socket.socket.shutdown(self.connection.sock, how)


class Watchdog:
    """Shuts down connections after their deadline, from its own thread; nothing else ends a blocked read."""

    def __init__(self) -> None:
        self._connections: dict[int, TimedConnection] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, after the fork: threads don't survive it."""
        self._thread = threading.Thread(target=self._run, name="hakken-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def deadline(self, connection: Connection, seconds: float) -> Iterator[TimedConnection]:
        """Give a connection so many seconds for what the block does with it."""
        timed = TimedConnection(connection, seconds)
        self._connections[id(timed)] = timed
        try:
            yield timed
        finally:
            del self._connections[id(timed)]

    def check(self) -> None:
        """Shut down the connections that are due."""
        now = time.monotonic()
        for timed in list(self._connections.values()):
            timed.shut_down_if_due(now)

    def _run(self) -> None:
        while True:
            time.sleep(_CHECK_SECONDS)
            self.check()


class Worker(GracefulStopWorker):
    """Answers `threads` requests at once, with more threads for those that wait or are refused.

    In gthread itself, requests that find all threads busy wait in an unbounded queue.

    Attributes:
        waiting: how many requests may wait for a slot.
        seconds: in which a request must be read, answered and its response taken.
    """

    waiting = 32
    seconds = 30.0

    def init_process(self) -> None:
        """Start the watchdog, and serve."""
        self.watchdog = Watchdog()
        self.watchdog.start()
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Threads, made when needed, for requests that are answered, wait or are refused."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads + self.waiting + SPARE_THREADS)

    def handle(self, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's own
        """Read a request and answer it; its head has a short deadline, so that a silent client holds no thread."""
        with self.watchdog.deadline(conn, HEAD_SECONDS) as timed:
            conn.timed = timed
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's own
        """Answer a request whose head is read; the rest has a longer deadline."""
        conn.timed.deadline = time.monotonic() + self.seconds
        return super().handle_request(req, conn)

    def handle_http2(self, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's own
        """Set no deadline for a connection with many requests; HTTP/2 is off unless gunicorn is told otherwise."""
        conn.timed.deadline = math.inf
        return super().handle_http2(conn)

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:  # noqa: ANN401  # gunicorn's own
        """Keep a connection, unless an unread body doesn't end soon."""
        conn.timed.deadline = time.monotonic() + DRAIN_SECONDS
        return bool(super()._keepalive_after(conn, keepalive))
