"""The directory in which workers count, so that any of them can tell the sum; one for each start of gunicorn.

prometheus_client keeps a file of each worker there. The files of a worker that has ended are added up in one, or a
server whose workers are renewed every hour would fill memory with them.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""By which prometheus_client knows the directory; it looks when it is loaded."""
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # for a directory that is made under a name of its own
_PREFIX = "hakken-metrics-"
_FRESH = 10.0
"""Seconds in which a new directory comes to be held."""
_PATIENCE = 2.0
"""Seconds to wait for whoever reads or adds up; then it is done all the same, and one sum may be wrong once."""
_SUMMED = ("counter", "histogram")
_THE_DEAD = 0
"""The process that the sums of all ended workers go by; no worker has this number."""


def make_directory() -> Path:
    """Make the directory of this start, in memory where the machine has a place for that, and name it to all workers.

    Raises:
        OSError: there is no place for it.
    """
    place = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _clear_leftovers(place)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    fcntl.flock(os.open(made, os.O_RDONLY), fcntl.LOCK_EX)  # until the last of our processes has ended
    os.environ[VARIABLE] = str(made)
    return made


def _clear_leftovers(place: Path) -> None:
    """Remove what was left by those that were killed, all of their processes: nobody holds it any more."""
    for old in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or gone by now
            if time.time() - old.stat().st_ctime < _FRESH:
                continue  # perhaps about to be held
            handle = os.open(old, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                os.close(handle)


def directory() -> Path | None:
    """The directory; None where this process counts for itself."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def remove_directory() -> None:
    """Remove it, at the end."""
    if place := directory():
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def held(place: Path) -> Iterator[None]:
    """Let nobody add up while the files are read: between the two a sum would be missing or there twice."""
    try:
        with filelock.FileLock(place / "lock").acquire(timeout=_PATIENCE):
            yield
    except filelock.Timeout:
        yield


def bury(pid: int) -> None:
    """Add what an ended worker has counted to what all before it did, and forget what it was doing."""
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415  # it must not be loaded before the directory is
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # the same

    place = directory()
    if place is None or not place.is_dir():
        return
    with held(place):
        mark_process_dead(pid, str(place))
        for kind in _SUMMED:
            dead = place / f"{kind}_{pid}.db"
            if not dead.exists():
                continue
            counted = list(MmapedDict.read_all_values_from_file(str(dead)))
            dead.unlink()
            sums = MmapedDict(str(place / f"{kind}_{_THE_DEAD}.db"))
            for key, value, _, _ in counted:
                sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
            sums.close()
