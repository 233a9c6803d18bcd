"""Writing files so that nobody ever finds half of one, and places to keep what can be fetched again."""

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
"""In the cache directory: what was had from sites, and how often they were asked."""

_log = logging.getLogger(__name__)


def cache_directory(chosen: str) -> Path:
    """Where what can be fetched again is kept: where an operator says, or the user's cache directory."""
    return Path(chosen) if chosen else user_cache_path("hakken")


def is_file(path: Path) -> bool:
    """Whether there is a file; where nobody may look, or under a name that is too long, there is none."""
    return os.path.isfile(path)  # noqa: PTH113  # Path's own raises there


def unread(what: str, error: OSError) -> ArtefactCorrupt | StorageError:
    """What it means that a file of a model can't be read: the file's fault for good, or the machine's for now.

    A disk or a network that fails, too many open files, too little memory, a right that is lacking: none of them says
    anything against the model.

    Args:
        what: the file, as the beginning of a sentence.
        error: what reading it failed with.
    """
    missing = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
    if missing or error.errno is None:  # without a number it is not the system that complains, but a reader of formats
        return ArtefactCorrupt(f"{what} can't be read: {error.strerror or error}.")
    return StorageError(f"{what} could not be read just now: {error.strerror}.")


def is_ours(path: Path) -> bool:
    """Whether there is a file that we can read, and that nobody but us or the machine's own administrator wrote."""
    return is_file(path) and os.access(path, os.R_OK) and path.stat().st_uid in {0, os.geteuid()}


def private_directory(path: Path) -> Path | None:
    """Make a directory that no other user of the machine can look into.

    Where it can't be made or written to, a temporary one takes its place for as long as this process lives; None where
    there is no place for that either.
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
    """Make a directory that no other user of the machine can look into.

    Raises:
        OSError: it can't be made, or written to.
    """
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    with tempfile.TemporaryFile(dir=path):
        return


def check_database(file: Path, patience: float) -> None:
    """Make sure that a file of SQLite's can be written to now; it is made where there is none.

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
    """Open a file under another name; it takes its own when the block ends well, and vanishes when it does not.

    Raises:
        OSError: it can't be written. What stood there is untouched.
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
