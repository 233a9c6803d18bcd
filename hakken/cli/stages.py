"""Which stages of a long run are done, in a file, so that a run that was stopped is continued."""

import time
from contextlib import suppress
from pathlib import Path

import msgspec

from hakken.files import written_whole

FILE_NAME = "unfinished.json"
MAX_AGE = 24 * 3600
"""Seconds after which a run is begun anew."""


class _Run(msgspec.Struct):
    """When a run began, in seconds since 1970, and the stages that are done."""

    began: float
    done: list[str] = []


class Stages:
    """The stages of the unfinished run in a directory; of a new one if there is none, or if it is too old.

    Raises:
        OSError: the directory can't be read or written.
    """

    def __init__(self, directory: Path) -> None:
        self._file, now = directory / FILE_NAME, time.time()
        self._run = _Run(now)
        with suppress(FileNotFoundError, msgspec.DecodeError):
            found = msgspec.json.decode(self._file.read_bytes(), type=_Run)
            if 0 <= now - found.began < MAX_AGE:
                self._run = found
        self._write()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.time() - self._run.began

    def is_done(self, stage: str) -> bool:
        """Whether a stage is done."""
        return stage in self._run.done

    def end(self, stage: str) -> None:
        """Note that a stage is done; raises OSError if that can't be written."""
        self._run.done.append(stage)
        self._write()

    def forget(self) -> None:
        """End the run: the next begins anew."""
        self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        with written_whole(self._file) as file:
            file.write(msgspec.json.encode(self._run))
