"""A gthread worker in which nobody waits for long: room to refuse in, and an end to what is sent or taken slowly."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from hakken.serving.leaving import Leaving

SPARE = 4
"""Threads beside those that answer or wait their turn: they refuse, serve files and say that the process is alive."""
HEAD_SECONDS = 10.0
"""In which a request's line and headers must have come."""
DRAIN_SECONDS = 1.0
"""For the rest of a body that nobody read, if the connection is to be used again."""
GRACE_SECONDS = 5.0
"""After a request was cut off, for its answer to leave."""
_GLANCE_SECONDS = 0.5


class Connection(Protocol):
    """A connection as gunicorn has it: with TLS, its socket is another one once the first bytes are read."""

    sock: socket.socket


class Watched:
    """A connection and the moment at which it is cut.

    Attributes:
        connection: which.
        moment: by the clock that never runs backwards; at first the reading side is shut, `GRACE_SECONDS` later both.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.connection = connection
        self.moment = time.monotonic() + seconds
        self._steps = [(GRACE_SECONDS, socket.SHUT_RDWR), (0.0, socket.SHUT_RD)]

    def cut_if_due(self, now: float) -> None:
        """Shut what is due: whoever waits for the other end then finds that it has hung up."""
        while self._steps and now > self.moment + self._steps[-1][0]:
            _, how = self._steps.pop()
            with suppress(OSError):
                # Not TLS's own way, which waits for the other end.
                socket.socket.shutdown(self.connection.sock, how)


class Watchdog:
    """Cuts connections whose time is over, from a thread of its own; nothing else ends a read that waits."""

    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; a thread does not outlive a fork, so not before."""
        self._thread = threading.Thread(target=self._run, name="hakken-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def over(self, connection: Connection, seconds: float) -> Iterator[Watched]:
        """Give a connection so many seconds for what is done with it in the block."""
        watched = Watched(connection, seconds)
        self._watched[id(watched)] = watched
        try:
            yield watched
        finally:
            del self._watched[id(watched)]

    def look(self) -> None:
        """Cut what is due."""
        now = time.monotonic()
        for watched in list(self._watched.values()):
            watched.cut_if_due(now)

    def _run(self) -> None:
        while True:
            time.sleep(_GLANCE_SECONDS)
            self.look()


class Worker(Leaving):
    """Answers `threads` requests at once, with room for those that wait or are refused.

    In gthread itself, who finds all threads busy waits in a queue that has no end and that nobody is told of.

    Attributes:
        waiting: how many requests may wait for a place.
        seconds: in which a request must have been read, answered and taken.
    """

    waiting = 32
    seconds = 30.0

    def init_process(self) -> None:
        """Begin to watch, and serve."""
        self.watchdog = Watchdog()
        self.watchdog.start()
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Make threads, as they are needed, for those who are answered, who wait, and who are refused."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads + self.waiting + SPARE)

    def handle(self, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's own
        """Read a request and answer it; its head has little time, so that who sends nothing holds no thread."""
        with self.watchdog.over(conn, HEAD_SECONDS) as watched:
            conn.watched = watched
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's own
        """Answer a request whose head is read; there is more time for the rest."""
        conn.watched.moment = time.monotonic() + self.seconds
        return super().handle_request(req, conn)

    def handle_http2(self, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's own
        """Leave a connection that has many requests alone; nobody speaks HTTP/2 to us unless gunicorn is told to."""
        conn.watched.moment = math.inf
        return super().handle_http2(conn)

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:  # noqa: ANN401  # gunicorn's own
        """Keep a connection, unless a body that nobody read does not come to its end soon."""
        conn.watched.moment = time.monotonic() + DRAIN_SECONDS
        return bool(super()._keepalive_after(conn, keepalive))
