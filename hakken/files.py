"""Writing files completely or not at all, and cache directories."""

import atexit
import errno
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from platformdirs import user_cache_path

from hakken.errors import ArtefactCorrupt, StorageError

SITES = "sites"
"""Subdirectory of the cache directory for the HTTP cache and rate limits of sites."""

_log = logging.getLogger(__name__)


def cache_directory(chosen: str) -> Path:
    """The cache directory: the one that the operator chose, or the user's; without a home, a temporary one."""
    if chosen:
        return Path(chosen)
    try:
        return user_cache_path("hakken")
    except RuntimeError:  # neither HOME nor an entry for the user
        return Path(temporary_directory(), f"hakken-{os.getuid()}")


def shipped(name: str) -> Path:
    """Where a file or folder that comes with the code is: an installed package holds it, in a checkout it is beside it.

    Args:
        name: `templates`, `static` or `gunicorn.conf.py`.
    """
    package = Path(__file__).parent
    installed = package / name
    return installed if installed.exists() else package.parent / name


def temporary_directory() -> str:
    """The directory for temporary files; FileNotFoundError, whose words name the variable to set, if there is none."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        words = "No directory for temporary files can be written to; set TMPDIR to one"
        raise FileNotFoundError(error.errno, words) from error


def is_file(path: Path) -> bool:
    """Whether the path is a file; also False if access is denied or the name is too long."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises in these cases


def unread(what: str, error: OSError) -> ArtefactCorrupt | StorageError:
    """Make the error for a model file that can't be read: corrupt if it is missing or invalid, else a storage error.

    A disk or network failure, too many open files, too little memory or a missing permission do not mean that the model
    is corrupt.

    Args:
        what: names the file; the message starts with it.
        error: the error raised by reading the file.
    """
    missing = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
    if missing or error.errno is None:  # an error without a number comes from a decoder, not from the system
        return ArtefactCorrupt(f"{what} can't be read: {error.strerror or error}.")
    return StorageError(f"{what} could not be read just now: {error.strerror}.")


def is_ours(path: Path) -> bool:
    """Whether the path is a readable file owned by the current user or by root."""
    return is_file(path) and os.access(path, os.R_OK) and path.stat().st_uid in {0, os.geteuid()}


def private_directory(path: Path) -> Path | None:
    """As `make_private`; instead of failing, create a temporary one that is deleted when the process ends.

    A directory that is only full is used all the same: there may be room again while the process runs.

    Returns:
        The directory; None where there can be none.
    """
    try:
        make_private(path)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT} and path.is_dir():
            return path
        _log.warning("Nothing can be kept in %s (%s): this process keeps to itself", path, error.strerror)
    else:
        return path
    try:
        instead = Path(tempfile.mkdtemp(prefix="hakken-"))
    except OSError:  # FileNotFoundError if the machine has no usable temporary directory
        return None
    atexit.register(shutil.rmtree, instead, ignore_errors=True)
    return instead


def make_private(path: Path) -> None:
    """Create a directory that no other user can read; raises OSError where it can't be created or written to."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    tempfile.TemporaryFile(dir=path).close()


def check_database(file: Path, patience: float) -> None:
    """Check that an SQLite file can be written to; create it if there is none.

    Args:
        file: the database file.
        patience: seconds to wait while another connection is writing.

    Raises:
        sqlite3.Error: it can't be written to.
    """
    with closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file under a temporary name; rename it if the block succeeds, delete it if the block raises.

    Several threads and processes may write the same file: the last to finish wins.

    Raises:
        OSError: it can't be written. An existing file is unchanged.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with staged.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # otherwise a power cut may leave an empty file under the new name
        staged.replace(path)
        sync(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the disk keep what was written to a file, or which files a directory has."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
