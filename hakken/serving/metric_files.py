"""The directory of the workers' metric files, from which any worker can report the sums; one per start of gunicorn.

prometheus_client keeps a file per worker there. The files of ended workers are merged into one: otherwise a server
whose workers are renewed every hour would fill memory with them.
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
"""Names the directory to prometheus_client, which reads it when it is imported."""
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # for a directory with a name of its own
_PREFIX = "hakken-metrics-"
_MIN_AGE = 10.0
"""Seconds after which a directory that nobody has locked is a leftover."""
_LOCK_TIMEOUT = 2.0
"""Seconds to wait for whoever reads or merges; after that one sum may be wrong once."""
_SUMMED = ("counter", "histogram")
_ENDED = 0
"""The process id of the merged file; no worker has it."""


def make_directory() -> Path:
    """Make the directory of this start, in memory where possible, and name it to all workers.

    Raises:
        OSError: it can't be made.
    """
    parent = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _remove_leftovers(parent)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    fcntl.flock(os.open(made, os.O_RDONLY), fcntl.LOCK_EX)  # until the last of our processes has ended
    os.environ[VARIABLE] = str(made)
    return made


def _remove_leftovers(parent: Path) -> None:
    """Remove the directories of servers that were killed: nobody holds their lock."""
    for old in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or already gone
            if time.time() - old.stat().st_ctime < _MIN_AGE:
                continue  # perhaps about to be locked
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
    """Remove the directory, when the server ends."""
    if made := directory():
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let nobody merge while the files are read: a worker's counts would be missing, or counted twice."""
    try:
        with filelock.FileLock(path / "lock").acquire(timeout=_LOCK_TIMEOUT):
            yield
    except filelock.Timeout:
        yield


def merge_ended_worker(pid: int) -> None:
    """Add an ended worker's counts to those of all that ended before, and remove its files."""
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415  # must be imported after `make_directory`
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # the same

    path = directory()
    if path is None or not path.is_dir():
        return
    with locked(path):
        mark_process_dead(pid, str(path))
        for kind in _SUMMED:
            ended = path / f"{kind}_{pid}.db"
            if not ended.exists():
                continue
            counts = list(MmapedDict.read_all_values_from_file(str(ended)))
            ended.unlink()
            sums = MmapedDict(str(path / f"{kind}_{_ENDED}.db"))
            for key, value, _, _ in counts:
                sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
            sums.close()
