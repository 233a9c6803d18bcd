"""What workers share, and how they ask for memory."""

import ctypes
import gc
from contextlib import suppress
from importlib import import_module

M_ARENA_MAX = -8
"""As glibc's mallopt(3) numbers it."""


def load_code(name: str) -> None:
    """Load a module and all that it needs into the process that starts the workers, so that there is one copy of it.

    What loading leaves behind is collected at once; a collector that looks at it later would copy it.
    """
    import_module(name)
    gc.collect()


def use_one_arena() -> None:
    """Let all threads of this process take memory from one place.

    Else glibc gives each a place of its own, and what one has given back the others can't have. Only one thread at a
    time runs Python anyway. Without glibc nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
