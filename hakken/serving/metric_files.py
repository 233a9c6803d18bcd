"""The directory of the workers' metric files, from which any worker can report the sums; one per start of gunicorn.

prometheus_client keeps some files per worker there. They are named by the worker's slot: a worker that replaces another
goes on with its counters, so neither sums decrease nor files pile up.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hakken.files import temporary_directory
from hakken.serving import memory

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the directory to prometheus_client, which reads it when it is imported."""
FILES = ("counter", "histogram", "gauge_livesum", "gauge_livemin")
"""Of each worker."""
FILE_BYTES = 2**18
"""Twice what the largest takes, all of it written at once: a mapped page without room on the disk kills a worker."""
LEAST_BYTES = 2**22
"""Room that the directory must have."""
_PREFIX = "hakken-metrics-"


def make_directory() -> None:
    """Make the directory of this start, in memory where possible, and name it to all workers.

    Raises OSError where it can't be made, or has no room.
    """
    parent = Path(memory.memory_directory() or temporary_directory())
    for old in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, already gone, or locked: its server runs
            _lock(old)
            shutil.rmtree(old)
    made = Path(tempfile.mkdtemp(prefix=f"new-{_PREFIX}", dir=parent))
    try:
        with tempfile.TemporaryFile(dir=made) as file:
            file.write(bytes(LEAST_BYTES))
        _lock(made)
        os.environ[VARIABLE] = str(made.rename(parent / made.name.removeprefix("new-")))
    except OSError:
        shutil.rmtree(made)
        raise


def _lock(path: Path) -> None:
    """Lock a directory until the last process with this handle has ended, or raise OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise


def directory() -> Path | None:
    """The directory; None where this process counts for itself."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def remove_directory() -> None:
    """Remove the directory, when the server ends."""
    if made := directory():
        shutil.rmtree(made, ignore_errors=True)


def use_slot(slot: int) -> None:
    """Have this process, a worker, count in a slot's files.

    Raises OSError where there is no room for them any more; it counts for itself.
    """
    made = directory()
    if made is None:
        return
    from prometheus_client import values  # noqa: PLC0415  # must be imported after `make_directory`

    try:
        for path in (made / f"{name}_{slot}.db" for name in FILES):
            if not path.exists():
                unread = path.with_suffix(".new")  # which a worker that reports doesn't read
                unread.write_bytes(bytes(FILE_BYTES))
                unread.rename(path)
    except OSError:
        del os.environ[VARIABLE]
        values.ValueClass = values.MutexValue
        raise
    values.ValueClass = values.MultiProcessValue(lambda: slot)


def drop_gauges(slot: int) -> None:
    """Remove the gauges of an ended worker; its counters stay."""
    if made := directory():
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # after `make_directory`

        mark_process_dead(slot, str(made))
