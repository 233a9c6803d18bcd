"""What workers share, how they ask for memory, and how many files they may open."""

import ctypes
import gc
import resource
from contextlib import suppress
from importlib import import_module

ENOUGH_FILES = 8192
OTHER_FILES = 300
"""Files that a worker has open beside its connections, at most: of its model, its threads, sites that it asks."""
OBJECTS = 5000
"""For a page of twenty titles Python would look eight times, for a twelfth of the time that the page takes."""
M_ARENA_MAX = -8
"""As glibc's mallopt(3) numbers it."""


def room_for(connections: int) -> int:
    """Open as many files as the machine allows, and say how many connections there is room for, of so many.

    A shell's usual 1,024 are less than a worker's connections, threads, model and logs together; and a worker that can
    open no more would take nobody in until others have left.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard}:
        return connections
    files = max(soft, min(hard, ENOUGH_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(1, min(connections, files - OTHER_FILES))


def load_code(name: str) -> None:
    """Load a module and all that it needs into the process that starts the workers, so that there is one copy of it.

    What loading leaves behind is collected at once; a collector that looks at it later would copy it.
    """
    import_module(name)
    gc.collect()


def collect_less_often() -> None:
    """Look for circles after so many more objects than Python would: a page makes thousands, and leaves few circles."""
    gc.set_threshold(OBJECTS)


def use_one_arena() -> None:
    """Let all threads of this process take memory from one place.

    Else glibc gives each a place of its own, and what one has given back the others can't have. Only one thread at a
    time runs Python anyway. Without glibc nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what this process has freed, which glibc else keeps for later; some milliseconds' work."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
