"""A crawl through all anime of a site, saved to disk page by page, so that an interrupted crawl can be resumed.

Its JSON Lines file is stored beside the catalogue: how the crawl began, then each page, then each title that was
fetched individually.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.errors import BadOption, SiteError, StorageError
from hakken.ratings import AnimeId
from hakken.sites.base import FactsSite, Page
from hakken.sites.client import HttpClient
from hakken.sites.merge import updated, updated_all

MAX_FAILURES = 5
"""When so many titles in a row could not be fetched, the site is failing, not the titles."""


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """How a crawl began: with which site."""

    site: str


class Alone(msgspec.Struct, frozen=True, tag="alone"):
    """A title that was fetched individually, and the result; None if it could not be fetched or is unknown."""

    anime_id: AnimeId
    anime: Anime | None


Line = Begun | Page | Alone
_decoder = msgspec.json.Decoder(Line)


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
    """

    def __init__(self, file: BinaryIO, lines: list[Line]) -> None:
        self._file = file
        self.anime: dict[int, Anime] = {}
        self.skipped = 0
        self.position: int | None = None
        self.is_done = False
        self.total: int | None = None
        self.asked: set[int] = set()
        self.failed = 0
        for line in lines:
            self._count(line)

    @classmethod
    @contextmanager
    def at(cls, path: Path, site: str, *, restart: bool = False) -> Iterator[Self]:
        """Open the file of an interrupted crawl, or begin a new one.

        Args:
            path: path of the file, which is locked meanwhile.
            site: name of the site to crawl.
            restart: discard an interrupted crawl and begin anew.

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
                lines = _read(file, keep=not restart)
                match lines:
                    case [Begun(site=before), *_] if before != site:
                        raise BadOption(
                            f"An earlier run with {before} was interrupted: resume it with --source {before}, "
                            "or begin anew with --restart."
                        )
                crawl = cls(file, lines)
                if not lines:
                    crawl.add(Begun(site))
                yield crawl
        except OSError as error:
            raise StorageError(f"{path} can't be written: {error.strerror or error}.") from error

    def add(self, line: Line) -> None:
        """Write a line to disk, then count it.

        Raises:
            OSError: it can't be written.
        """
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._count(line)

    def over(self, catalogue: Catalogue) -> Catalogue:
        """Return a catalogue updated with everything that was found."""
        return updated_all(catalogue, Catalogue(self.anime.values()))

    def _count(self, line: Line) -> None:
        match line:
            case Page():
                self.anime.update((one.anime_id, one) for one in line.anime)
                self.skipped += line.skipped
                self.position, self.is_done = line.following, line.following is None
                self.total = line.total or self.total
            case Alone():
                self.asked.add(line.anime_id)
                if line.anime is None:
                    self.failed += 1
                else:
                    before = self.anime.get(line.anime_id)
                    self.anime[line.anime_id] = updated(before, line.anime) if before else line.anime


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
    """Fetch all remaining pages.

    Args:
        crawl: the crawl so far; each page is added to it.
        site: the site to crawl.
        http: sends the requests, within the site's rate limit.
        advance: called with the number of entries of each page.

    Raises:
        SiteError: a page could not be fetched. Earlier pages are kept.
    """
    while not crawl.is_done:
        page = site.fetch_page(http, crawl.position)
        crawl.add(page)
        advance(len(page.anime) + page.skipped)


def gaps(crawl: Crawl, before: Catalogue, limit: int) -> list[int]:
    """Ids of the anime to fetch individually, the most watched first.

    These are all anime whose relations no site was asked for, since the pages of a crawl lack them, and, of those that
    the crawl did not find, all without a picture or a synopsis. Each is fetched once in a run.

    Args:
        crawl: the crawl so far.
        before: the catalogue before the crawl.
        limit: maximum number of anime that a run may fetch individually, in total.
    """
    lacking = [
        one
        for one in crawl.over(before).values()
        if one.anime_id not in crawl.asked and (not one.relations_asked or _lacks(one, crawl))
    ]
    lacking.sort(key=_rank)
    return [one.anime_id for one in lacking[: max(0, limit - len(crawl.asked))]]


def _lacks(anime: Anime, crawl: Crawl) -> bool:
    return anime.anime_id not in crawl.anime and (anime.picture is None or anime.synopsis is None)


def _rank(anime: Anime) -> tuple[bool, int, int]:
    """Sort key; facts never requested come before facts that the site may not have."""
    return anime.relations_asked, -(anime.members or 0), anime.anime_id


def crawl_titles(
    crawl: Crawl, site: FactsSite, http: HttpClient, anime_ids: Iterable[int], advance: Callable[[int], None]
) -> None:
    """Fetch some anime individually; one that can't be fetched is counted.

    Args:
        crawl: the crawl so far; each result is added to it.
        site: the site to ask.
        http: sends the requests, within the site's rate limit.
        anime_ids: ids of the anime to fetch.
        advance: called with the number of anime done since the last call.

    Raises:
        SiteError: `MAX_FAILURES` in a row could not be fetched. Earlier results are kept.
    """
    failures: list[int] = []
    for anime_id in anime_ids:
        try:
            found = site.read(http.get(site.about(anime_id), http.new_deadline()), anime_id)
        except SiteError:
            failures.append(anime_id)
            if len(failures) == MAX_FAILURES:
                raise
            continue
        for failed in failures:  # the site works, so these titles failed; otherwise the next run retries them
            crawl.add(Alone(failed, None))
        crawl.add(Alone(anime_id, found))
        advance(1 + len(failures))
        failures.clear()
    for failed in failures:
        crawl.add(Alone(failed, None))
    advance(len(failures))
