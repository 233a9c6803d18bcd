"""gunicorn's threaded worker, changed where it drops connections or lets one client keep all others waiting."""

import errno
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from hakken.serving.security_headers import PRIVATE, RESOURCE_POLICY, security_headers

SPARE_THREADS = 36
"""Threads beside those that answer: for requests that wait for a slot or are refused, files and health checks."""
HEAD_SECONDS = 10.0
"""In which a request's line and headers must arrive."""
DRAIN_SECONDS = 1.0
"""For the rest of a body that nobody read, if the connection is to be used again."""
SEND_SECONDS = 5.0
"""For sending a response, at least."""
LINGER_SECONDS = 0.5
"""In which a client may close its end."""
YIELD_SECONDS = 0.0005
"""In which another worker may accept a connection. A browser's or a proxy's connections come at once and stay open:
otherwise one worker may get all of them."""
NO_FILES_SECONDS = 0.1
"""Between two tries to accept a connection where no file descriptor is left."""
_HEADERS = "".join(
    f"{name}: {value}\r\n" for name, value in (security_headers() | {RESOURCE_POLICY: PRIVATE}).items()
).encode()


class SecuritySocket:
    """A socket that adds the security headers to the one response, with a status line, that gunicorn itself sends."""

    def __init__(self, sock: Any) -> None:  # noqa: ANN401  # a socket, or TLS around one
        self._sock = sock

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # the socket's own
        return getattr(self._sock, name)

    def sendall(self, response: bytes) -> None:
        """Send a whole response."""
        status, end, rest = response.partition(b"\r\n")
        self._sock.sendall(status + end + _HEADERS + rest)


class Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's connection with a deadline for all reads of a request."""

    deadline = math.inf
    """By the monotonic clock; then the request ends as if the client had hung up."""
    is_cut = False
    """Whether that has happened: no further request can be read."""

    def init(self) -> None:
        """Make the parser, whose reads end at the deadline. HTTP/2, which is off by default, has none."""
        if not self.initialized:
            super().init()
            if not self.is_http2:
                self._chunk, self.parser.unreader.chunk = self.parser.unreader.chunk, self._read

    def _read(self, size_hint: int | None = None) -> bytes:
        try:
            self.sock.settimeout(max(self.deadline - time.monotonic(), 0.001))  # 0 would mean something else
            found: bytes = self._chunk(size_hint)
        except TimeoutError:
            self.is_cut = True
            found = b""
        self.sock.settimeout(max(self.deadline - time.monotonic(), SEND_SECONDS))
        return found

    def close(self, graceful: bool = False) -> None:
        """Close it if it is open, and, if graceful, wait for a moment until the client has done so."""
        if self.sock.fileno() < 0:
            return
        if graceful:
            self.sock.setblocking(True)
            util.close_graceful(self.sock, timeout=LINGER_SECONDS)
        else:
            util.close(self.sock)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Answers `threads` requests at once, with more threads for those that wait or are refused.

    In gthread itself, requests that find all threads busy wait in an unbounded queue.
    """

    seconds = 30.0
    """In which a request must be read and answered; taking the answer may last as long again."""

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Threads, made when needed."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads + SPARE_THREADS)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting. A worker that ends accepts what the kernel has queued, and closes the socket.

        gunicorn leaves it open until all requests are answered; what was queued meanwhile would be reset.
        """
        super().set_accept_enabled(enabled)
        while not self.alive and not enabled and self.sockets:
            listener = self.sockets.pop()
            before = -1
            while self.nr_conns > before:
                before = self.nr_conns
                self.accept(listener)
            listener.close()

    def accept(self, listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
        """Accept a connection unless a less busy worker was faster, or no file descriptor is left.

        gunicorn's worker ends for the lack of one, and drops its requests.
        """
        if self.nr_conns and self.alive:
            time.sleep(YIELD_SECONDS)
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            self.log.warning("No file descriptors are left: new connections wait.")
            time.sleep(NO_FILES_SECONDS)
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))

    def handle(self, conn: Connection) -> Any:  # noqa: ANN401  # gunicorn's own marks
        """Read a request and answer it; runs in a thread of the pool, and closes the connection if it ends.

        gunicorn waits for the client to close its end in the thread that accepts.
        """
        conn.deadline = time.monotonic() + HEAD_SECONDS
        result = super().handle(conn)
        if result is False:
            conn.close(graceful=True)
        return result

    def handle_request(self, req: Any, conn: Connection) -> Any:  # noqa: ANN401  # gunicorn's own
        """Answer a request whose head is read; the rest has a longer deadline."""
        conn.deadline = time.monotonic() + self.seconds
        conn.sock.settimeout(self.seconds)
        prefix = os.environ.get("SCRIPT_NAME", "")
        if not f"{req.path}/".startswith(f"{prefix}/"):
            # gunicorn gives status 500 for it, and takes /hakkenx to be below /hakken.
            util.write_error(SecuritySocket(conn.sock), 404, "Not Found", "All pages are below another path.")
            return False
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:  # the client doesn't take the response
            raise StopIteration from error  # gunicorn closes the connection

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401  # gunicorn's own
        """Answer a request that can't be read, such as one with control characters in its headers."""
        super().handle_error(req, SecuritySocket(client), addr, exc)

    def _keepalive_after(self, conn: Connection, keepalive: Any) -> bool:  # noqa: ANN401  # gunicorn's own
        """Keep a connection, unless an unread body doesn't end soon."""
        conn.deadline = time.monotonic() + DRAIN_SECONDS
        return bool(super()._keepalive_after(conn, keepalive)) and not conn.is_cut
