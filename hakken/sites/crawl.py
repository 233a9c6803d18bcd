"""A crawl through all anime of a site, saved to disk page by page, so that an interrupted crawl can be resumed.

Its JSON Lines file is stored beside the catalogue: how the crawl began, then each page, then each title that was
fetched individually.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.errors import BadOption, SiteError, StorageError
from hakken.ratings import AnimeId
from hakken.sites.client import HttpClient
from hakken.sites.decoding import Page
from hakken.sites.facts import FactsSite, lacking, updated, updated_all

MAX_FAILURES = 5
"""When so many titles in a row could not be fetched, the site is failing, not the titles."""


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """How a crawl began: with which site."""

    site: str


class Alone(msgspec.Struct, frozen=True, tag="alone"):
    """A title that was fetched individually, and the result; None if it could not be fetched or is unknown."""

    anime_id: AnimeId
    anime: Anime | None


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The titles in a row at whose failure a run stopped; the next run tries them again, but does not stop at them."""

    anime_ids: tuple[AnimeId, ...]


Line = Begun | Page | Alone | Stopped
_decoder = msgspec.json.Decoder(Line)


@dataclass
class Crawl:
    """The results of a crawl so far; each addition is written to disk before it is counted.

    Attributes:
        anime: anime found, by id; the last page that has an anime counts.
        skipped: number of entries that could not be read.
        position: position of the next page; None before the first and after the last.
        is_done: whether the last page was read.
        total: number of anime on the site, if it said so.
        asked: ids of the titles that were fetched individually.
        failed: how many of them could not be fetched.
        stopped_at: ids of the titles at which an earlier run stopped.
    """

    _file: BinaryIO
    anime: dict[int, Anime] = field(default_factory=dict)
    skipped: int = 0
    position: int | None = None
    is_done: bool = False
    total: int | None = None
    asked: set[int] = field(default_factory=set)
    failed: int = 0
    stopped_at: set[int] = field(default_factory=set)

    @classmethod
    @contextmanager
    def at(cls, path: Path, site: str, *, restart: bool = False) -> Iterator[Self]:
        """Open the file of an interrupted crawl of the site of that name, or begin a new one, as always on `restart`.

        The file is locked meanwhile.

        Raises:
            BadOption: the interrupted crawl was of another site.
            StorageError: the file can't be used, or another crawl is using it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise StorageError(f"Another run is using {path}: let it finish first.") from None
                crawl = cls(file)
                lines = _read(file, keep=not restart)
                match lines:
                    case []:
                        crawl.add(Begun(site))
                    case [Begun(site=before), *_] if before != site:
                        raise BadOption(
                            f"An earlier run with {before} was interrupted: resume it with --source {before}, "
                            "or begin anew with --restart."
                        )
                for line in lines:
                    crawl._count(line)
                yield crawl
        except OSError as error:
            raise StorageError(f"{path} can't be written: {error.strerror or error}.") from error

    def add(self, *lines: Line) -> None:
        """Write lines to disk, then count them; raises OSError if they can't be written."""
        for line in lines:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._count(line)

    def _count(self, line: Line) -> None:
        match line:
            case Page():
                self.anime.update((one.anime_id, one) for one in line.anime)
                self.skipped += line.skipped
                self.position, self.is_done = line.following, line.following is None
                self.total = line.total or self.total
            case Alone(anime_id, anime):
                self.asked.add(anime_id)
                if anime is None:
                    self.failed += 1
                else:
                    before = self.anime.get(anime_id)
                    self.anime[anime_id] = updated(before, anime) if before else anime
            case Stopped():
                self.stopped_at.update(line.anime_ids)


def _read(file: BinaryIO, *, keep: bool) -> list[Line]:
    """Read the lines of a file; truncate it before the first incomplete line, which a killed run leaves."""
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


def crawl_pages(crawl: Crawl, site: FactsSite, http: HttpClient, advance: Callable[[int], None]) -> None:
    """Fetch all remaining pages, add each to the crawl, and call `advance` with the number of its entries.

    Raises SiteError if a page could not be fetched; earlier pages are kept.
    """
    while not crawl.is_done:
        page = site.fetch_page(http, crawl.position)
        crawl.add(page)
        advance(len(page.anime) + page.skipped)


def gaps(crawl: Crawl, before: Catalogue, limit: int | None = None) -> list[int]:
    """Ids of the anime to fetch individually, the most watched first, each once in a run.

    These are all anime whose relations no site was asked for, since the pages of a crawl lack them, and, of those that
    the crawl did not find, all without a picture or a synopsis. Facts never requested come before facts that the site
    may not have. A run may fetch `limit` anime individually, in total; None: no limit. `before` is the catalogue
    before the crawl.
    """
    wanted = [
        one
        for one in updated_all(before, Catalogue(crawl.anime.values())).values()
        if one.anime_id not in crawl.asked
        and (not one.relations_asked or (one.anime_id not in crawl.anime and lacking(one)))
    ]
    wanted.sort(key=lambda one: (one.relations_asked, -(one.members or 0), one.anime_id))
    return [one.anime_id for one in wanted[: None if limit is None else max(0, limit - len(crawl.asked))]]


def crawl_titles(
    crawl: Crawl, site: FactsSite, http: HttpClient, anime_ids: Iterable[int], advance: Callable[[int], None]
) -> None:
    """Fetch some anime individually, add each result to the crawl, and call `advance` with the number done.

    One that can't be fetched is counted as soon as another can: until then it may be the site that fails. Raises
    SiteError, with earlier results kept, if `MAX_FAILURES` in a row could not be fetched, at none of which an earlier
    run stopped.
    """
    failures: list[Alone] = []
    for anime_id in anime_ids:
        try:
            found = site.read(http.get(site.about(anime_id), http.new_deadline()), anime_id)
        except SiteError:
            failures.append(Alone(anime_id, None))
            failed = [one.anime_id for one in failures]
            if len(set(failed) - crawl.stopped_at) == MAX_FAILURES:
                crawl.add(Stopped(tuple(failed)))
                raise
        else:
            crawl.add(*failures, Alone(anime_id, found))
            advance(1 + len(failures))
            failures.clear()
    crawl.add(*failures)
    advance(len(failures))
