"""What workers share, and how they ask for memory."""

import ctypes
import gc
from contextlib import suppress
from importlib import import_module

OBJECTS = 5000
"""For a page of twenty titles Python would look eight times, for a twelfth of the time that the page takes."""
M_ARENA_MAX = -8
"""As glibc's mallopt(3) numbers it."""


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
