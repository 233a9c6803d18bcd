"""Writing files completely or not at all, and cache directories."""

import atexit
import logging
import os
import shutil
import sqlite3
import tempfile
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
    """The cache directory: the one that the operator chose, or the user's."""
    return Path(chosen) if chosen else user_cache_path("hakken")


def is_file(path: Path) -> bool:
    """Whether there is a file; False too where access is denied or the name is too long."""
    return os.path.isfile(path)  # noqa: PTH113  # Path's own raises there


def unread(what: str, error: OSError) -> ArtefactCorrupt | StorageError:
    """The error for a file of a model that can't be read: corrupt if it is missing or invalid, else a storage error.

    A failing disk or network, too many open files, too little memory or a missing permission say nothing about the
    model.

    Args:
        what: the file, as the beginning of a sentence.
        error: what reading it failed with.
    """
    missing = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
    if missing or error.errno is None:  # an error without a number comes from a decoder, not from the system
        return ArtefactCorrupt(f"{what} can't be read: {error.strerror or error}.")
    return StorageError(f"{what} could not be read just now: {error.strerror}.")


def is_ours(path: Path) -> bool:
    """Whether there is a readable file that belongs to us or to root."""
    return is_file(path) and os.access(path, os.R_OK) and path.stat().st_uid in {0, os.geteuid()}


def private_directory(path: Path) -> Path | None:
    """Make a directory that no other user can read.

    Where that fails, make a temporary one that is removed when the process ends; None where that fails too.
    """
    try:
        make_private(path)
    except OSError as error:
        _log.warning("Nothing can be kept in %s (%s): this process keeps to itself", path, error.strerror)
    else:
        return path
    try:
        instead = Path(tempfile.mkdtemp(prefix="hakken-"))
    except OSError:  # which FileNotFoundError is, of a machine without any place for temporary files
        return None
    atexit.register(shutil.rmtree, instead, ignore_errors=True)
    return instead


def make_private(path: Path) -> None:
    """Make a directory that no other user can read.

    Raises:
        OSError: it can't be made, or written to.
    """
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    with tempfile.TemporaryFile(dir=path):
        return


def check_database(file: Path, patience: float) -> None:
    """Check that an SQLite file can be written to; it is created where there is none.

    Args:
        file: to try.
        patience: seconds to wait for others who are writing.

    Raises:
        sqlite3.Error: it can't.
    """
    with closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file under a temporary name; it is renamed when the block succeeds, and removed when it raises.

    Raises:
        OSError: it can't be written. An existing file is untouched.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with staged.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a power cut may leave the new name with nothing in it
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
