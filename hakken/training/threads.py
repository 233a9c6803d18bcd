"""Compiled loops on several of Python's own threads.

Numba has threads too, but not for a library: its OpenMP layer kills a process that was forked from one that used it,
and its own layer ends one in which two threads compute at once.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba import config
from numba.core.compiler_lock import global_compiler_lock

# A child that is forked while another thread compiles would wait for that thread for ever, which it doesn't have.
os.register_at_fork(
    before=global_compiler_lock.acquire,
    after_in_parent=global_compiler_lock.release,
    after_in_child=global_compiler_lock.release,
)

N_THREADS: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # Numba sets it at run time
"""Threads that share a loop: one for each core that this process may use, or the environment's `NUMBA_NUM_THREADS`."""


def in_parts(loop: Callable[..., None], *arguments: object) -> None:
    """Call a compiled loop for each part of its work, `loop(part, n_parts, *arguments)`, each on a thread.

    The threads end with the call, so that there are none when the process is forked later.
    """
    if N_THREADS == 1:
        loop(0, 1, *arguments)
        return
    with ThreadPoolExecutor(N_THREADS) as pool:
        for part in [pool.submit(loop, number, N_THREADS, *arguments) for number in range(N_THREADS)]:
            part.result()
