"""Memory as a directory, glibc's malloc, and the limit on open files."""

import ctypes
import resource
import tempfile
from contextlib import suppress

MAX_FILES = 8192
OTHER_FILES = 300
"""Files that a worker has open beside its connections, at most: of its model, its threads, its requests to sites."""
M_ARENA_MAX = -8
"""A parameter of glibc's mallopt(3)."""
IN_MEMORY = "/dev/shm"  # noqa: S108  # nobody can guess a name: what is made there has none, or one of mkdtemp's


def memory_directory() -> str | None:
    """A directory whose files are in memory; None where there is none in which a file can be made."""
    try:
        tempfile.TemporaryFile(dir=IN_MEMORY).close()
    except OSError:
        return None
    return IN_MEMORY


def room_for(connections: int) -> int:
    """Raise the limit on open files as far as allowed, and return how many of the connections it has room for.

    A shell's usual 1,024 are less than a worker's connections, threads, model and logs together; and a worker at the
    limit accepts no connection until others are closed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard}:
        return connections
    files = max(soft, min(hard, MAX_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(1, min(connections, files - OTHER_FILES))


def use_one_malloc_arena() -> None:
    """Have all threads of this process share one malloc arena.

    By default glibc gives each thread its own, and memory freed in one can't be used by the others. Only one thread at
    a time runs Python anyway. Without glibc nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def release_memory() -> None:
    """Return freed memory to the system, which glibc otherwise keeps; takes some milliseconds."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
