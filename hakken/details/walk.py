"""What a run through a site has given so far, kept on disk page by page, so that a run that was broken off goes on.

A file of JSON Lines beside the catalogue: how the run began, then each page, then each title that was asked for alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.details.base import Page
from hakken.details.merging import updated, updated_all
from hakken.errors import BadOption, StorageError
from hakken.ratings import AnimeId


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """How a run began: with which site."""

    site: str


class Alone(msgspec.Struct, frozen=True, tag="alone"):
    """A title that was asked for alone, and what came; None where it could not be had."""

    anime_id: AnimeId
    anime: Anime | None


Line = Begun | Page | Alone
_decoder = msgspec.json.Decoder(Line)


class Walk:
    """What a run has given so far; each addition is on disk before it counts.

    Attributes:
        anime: what was found, by id; of repeated ones the last counts.
        skipped: entries that could not be read.
        place: where the next page begins; None before the first and after the last.
        walked: whether the last page was read.
        total: how many anime the site has in all, where it said so.
        asked: the titles that were asked for alone.
        failed: how many of them could not be had.
    """

    def __init__(self, file: BinaryIO, lines: list[Line]) -> None:
        self._file = file
        self.anime: dict[int, Anime] = {}
        self.skipped = 0
        self.place: int | None = None
        self.walked = False
        self.total: int | None = None
        self.asked: set[int] = set()
        self.failed = 0
        for line in lines:
            self._count(line)

    @classmethod
    @contextmanager
    def at(cls, path: Path, site: str, *, restart: bool = False) -> Iterator[Self]:
        """Open the file of a run that was broken off, or begin a new one.

        Args:
            path: of the file. Nobody else may write to it meanwhile.
            site: with which the run is made.
            restart: begin anew, whatever is there.

        Raises:
            BadOption: the run that was broken off was made with another site.
            StorageError: the file can't be used, or another run is using it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise StorageError(f"Another run is at work on {path}: let it finish first.") from None
                lines = _read(file, keep=not restart)
                match lines:
                    case [Begun(site=before), *_] if before != site:
                        raise BadOption(
                            f"An earlier run with {before} was broken off: go on with --source {before}, "
                            "or begin anew with --restart."
                        )
                walk = cls(file, lines)
                if not lines:
                    walk.add(Begun(site))
                yield walk
        except OSError as error:
            raise StorageError(f"{path} can't be written: {error.strerror or error}.") from error

    def add(self, line: Line) -> None:
        """Count what came, once it is on disk.

        Raises:
            OSError: the disk refuses.
        """
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._count(line)

    def over(self, catalogue: Catalogue) -> Catalogue:
        """A catalogue brought up to date with all that was found."""
        return updated_all(catalogue, Catalogue(self.anime.values()))

    def _count(self, line: Line) -> None:
        match line:
            case Page():
                self.anime.update((one.anime_id, one) for one in line.anime)
                self.skipped += line.skipped
                self.place, self.walked = line.following, line.following is None
                self.total = line.total or self.total
            case Alone():
                self.asked.add(line.anime_id)
                if line.anime is None:
                    self.failed += 1
                else:
                    before = self.anime.get(line.anime_id)
                    self.anime[line.anime_id] = updated(before, line.anime) if before else line.anime


def _read(file: BinaryIO, *, keep: bool) -> list[Line]:
    """The lines of a file, which from the first on that is not whole, where a run was killed, is cut off."""
    lines: list[Line] = []
    end = 0
    file.seek(0)
    for text in file if keep else ():
        try:
            line = _decoder.decode(text) if text.endswith(b"\n") else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line = None
        if line is None or isinstance(line, Begun) != (not lines):
            break
        lines.append(line)
        end += len(text)
    file.truncate(end)
    return lines
