"""gunicorn's threaded worker, with four things mended.

**Stopping drops nobody.** gunicorn's worker stops accepting, and closes the listening socket once its requests are
answered. As long as one process holds that socket the kernel goes on taking connections for it; whoever was taken and
not accepted is reset, with his request on its way. Here the kernel is told to take no more, and what it has taken is
answered. That is done only when gunicorn itself has let go of the socket: in a reload, and when one worker is replaced,
others go on with the same queue, and so does systemd, where the socket is its own, at the next start.

**Closing makes nobody wait.** When an answer ends a connection, gunicorn waits up to two seconds for the client to
close its end, in the one thread that accepts. A client that never does stops the whole worker for so long, and fifteen
at once make gunicorn take it for dead. Here the thread that answered waits, and not as long.

**Connections are shared out.** Whichever worker wakes first takes all that come at once, and keeps those that stay.
Here one that has some lets the others go first.

**Without files left it waits.** gunicorn's worker ends when it can open no more, with all that it has in hand.
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
"""As Linux numbers it; Python has no name for it."""
DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""A filter as bpf(2) of old has it: load TCP's byte of flags; with SYN in it drop the packet, else take it whole."""
HANDSHAKE = 0.1
"""Seconds that connections which were being opened get to be so."""
MOMENT = 0.5
"""Seconds in which gunicorn lets go of the socket, if it is to stop too."""
AFTER_YOU = 0.0005
"""Seconds in which another worker may take who comes. A browser's or a proxy's connections come at once and stay: else
all of them may end up with one."""
LINGER = 0.5
"""Seconds that a client gets to close its end."""


class Leaving(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's threaded worker, with what is said above."""

    told = False
    """Whether a signal told it to stop; else it has done its share, and others go on."""

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401  # gunicorn's own
        """Begin to stop."""
        self.told = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept, or accept no more; what is still in the queue when gunicorn stops for good is accepted first."""
        if not self.alive and not enabled and self._is_left_to_us():
            for listener in self.sockets:
                refuse_more(listener)
            time.sleep(HANDSHAKE)
            for listener in self.sockets:
                self._accept_all(listener)
        super().set_accept_enabled(enabled)

    def accept(self, listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
        """Accept one that waits, if a worker with less to do was not faster; where no file can be opened, later."""
        if self.nr_conns and self.alive:
            time.sleep(AFTER_YOU)
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            self.log.warning("No more files can be opened: visitors wait.")
            time.sleep(HANDSHAKE)

    def _accept_all(self, listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
        before = -1
        while self.nr_conns > before:
            before = self.nr_conns
            self.accept(listener)

    def _is_left_to_us(self) -> bool:
        """Whether nobody goes on with the queue.

        Who stops a whole group of processes tells workers and gunicorn at once: it gets a moment to let the socket go.
        """
        until = time.monotonic() + (MOMENT if self.told else 0.0)
        while self._held_by_others():
            if time.monotonic() >= until or getattr(self, "of_systemd", False):
                return False
            time.sleep(MOMENT / 20)
        return True

    def _held_by_others(self) -> bool:
        """Whether the queue is still somebody's when this worker has gone; where that can't be seen, it is."""
        if getattr(self, "of_systemd", False):
            return True
        ours = {os.fstat(listener.fileno()).st_ino for listener in self.sockets}
        try:
            theirs = list(Path(f"/proc/{self.ppid}/fd").iterdir())
        except OSError:
            return True
        return any(_inode(path) in ours for path in theirs)

    def handle(self, conn: TConn) -> Any:  # noqa: ANN401  # gunicorn's own marks
        """Answer a request; runs in a thread of the pool."""
        result = super().handle(conn)
        if result is False:
            with contextlib.suppress(OSError):  # the client is gone
                conn.sock.setblocking(True)
                util.close_graceful(conn.sock, timeout=LINGER)
        return result

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection for its next request, or count it off; runs in the thread that accepts."""
        if not fs.cancelled() and fs.exception() is None and fs.result() is False:
            self.nr_conns -= 1  # `handle` has closed it
        else:
            super().finish_request(conn, fs)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:  # closed meanwhile
        return 0


def refuse_more(listener: Any) -> None:  # noqa: ANN401  # gunicorn's own wrapper of a socket
    """Let the kernel take no further connection for a socket, and leave it those that it has taken.

    Only Linux can. A client asks again after a second, and is refused when the socket is closed by then.
    """
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in DROP_SYN))
    program = struct.pack("HxxxxxxP" if struct.calcsize("P") == 8 else "HxxP", len(DROP_SYN), ctypes.addressof(code))  # noqa: PLR2004  # bytes of an address
    with contextlib.suppress(OSError):  # a kernel without it: then a few microseconds remain in which one may be lost
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
