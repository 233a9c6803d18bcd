"""gunicorn's threaded worker with four fixes.

**Stopping drops no connection.** gunicorn's worker stops accepting, and closes the listening socket once its requests
are answered. As long as one process holds that socket, the kernel goes on taking connections for it; those that are
never accepted are reset, with their requests. Here the kernel is told to take no more, and those in the queue are
answered. That is done only when gunicorn itself has closed the socket: in a reload, and when one worker is replaced,
other workers go on with the same queue, and where systemd owns the socket, so does the next start.

**Closing blocks nobody.** When an answer ends a connection, gunicorn waits up to two seconds for the client to close
its end, in the one thread that accepts. A client that never does stops the whole worker for that time, and fifteen at
once make gunicorn take it for dead. Here the thread that answered waits, and for a shorter time.

**Connections are shared between workers.** The worker that wakes first accepts all connections that come at once, and
keeps those that stay open. Here a worker that has some lets the others go first.

**It survives a lack of file descriptors.** gunicorn's worker ends when it can open no more, and drops its requests.
"""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

SO_ATTACH_FILTER = 26
"""Linux's number; Python has no name for it."""
DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""A classic BPF filter: load the byte of TCP's flags; drop the packet if SYN is set, else accept it whole."""
HANDSHAKE_SECONDS = 0.1
"""For connections that are being opened."""
RELEASE_SECONDS = 0.5
"""In which gunicorn closes the socket if it is to stop too."""
YIELD_SECONDS = 0.0005
"""In which another worker may accept a connection. A browser's or a proxy's connections come at once and stay open:
otherwise one worker may get all of them."""
LINGER_SECONDS = 0.5
"""In which a client may close its end."""


class GracefulStopWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's threaded worker with the fixes above."""

    stop_signalled = False
    """Whether a signal told it to stop; otherwise it reached `max_requests`, and other workers go on."""

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401  # gunicorn's own
        """Begin to stop."""
        self.stop_signalled = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting; when gunicorn stops for good, the connections in the queue are accepted first."""
        if not self.alive and not enabled and self._is_last_owner():
            for listener in self.sockets:
                drop_new_connections(listener)
            time.sleep(HANDSHAKE_SECONDS)
            for listener in self.sockets:
                self._accept_all(listener)
        super().set_accept_enabled(enabled)

    def accept(self, listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
        """Accept a connection unless a less busy worker was faster; wait where no file descriptor is left."""
        if self.nr_conns and self.alive:
            time.sleep(YIELD_SECONDS)
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            self.log.warning("No file descriptors are left: new connections wait.")
            time.sleep(HANDSHAKE_SECONDS)

    def _accept_all(self, listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
        before = -1
        while self.nr_conns > before:
            before = self.nr_conns
            self.accept(listener)

    def _is_last_owner(self) -> bool:
        """Whether no other process goes on with the queue.

        A signal to the whole process group reaches workers and gunicorn at once, so gunicorn gets time to close the
        socket.
        """
        until = time.monotonic() + (RELEASE_SECONDS if self.stop_signalled else 0.0)
        while self._others_hold_socket():
            if time.monotonic() >= until or getattr(self, "of_systemd", False):
                return False
            time.sleep(RELEASE_SECONDS / 20)
        return True

    def _others_hold_socket(self) -> bool:
        """Whether another process keeps the queue when this worker has ended; assumed where that can't be read."""
        if getattr(self, "of_systemd", False):
            return True
        ours = {os.fstat(listener.fileno()).st_ino for listener in self.sockets}
        try:
            gunicorns = list(Path(f"/proc/{self.ppid}/fd").iterdir())
        except OSError:
            return True
        return any(_inode(path) in ours for path in gunicorns)

    def handle(self, conn: TConn) -> Any:  # noqa: ANN401  # gunicorn's own marks
        """Answer a request; runs in a thread of the pool."""
        result = super().handle(conn)
        if result is False:
            with contextlib.suppress(OSError):  # the client is gone
                conn.sock.setblocking(True)
                util.close_graceful(conn.sock, timeout=LINGER_SECONDS)
        return result

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection for its next request, or stop counting it; runs in the thread that accepts."""
        if not fs.cancelled() and fs.exception() is None and fs.result() is False:
            self.nr_conns -= 1  # `handle` has closed it
        else:
            super().finish_request(conn, fs)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:  # closed since
        return 0


def drop_new_connections(listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
    """Have the kernel take no further connection for a socket, and keep those in its queue.

    Only on Linux. A client tries again after a second, and is refused if the socket is closed by then.
    """
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in DROP_SYN))
    program = struct.pack("HxxxxxxP" if struct.calcsize("P") == 8 else "HxxP", len(DROP_SYN), ctypes.addressof(code))  # noqa: PLR2004  # bytes of an address
    with contextlib.suppress(OSError):  # not supported: then one connection may be lost within a few microseconds
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
