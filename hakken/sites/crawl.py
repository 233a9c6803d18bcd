"""A crawl through all anime of a site, kept on disk page by page, so that one that was broken off goes on.

Its file of JSON Lines lies beside the catalogue: how the crawl began, then each page, then each title that was asked
for alone.
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
"""When so many titles in a row could not be fetched, it is the site that fails, and not they."""


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """How a crawl began: with which site."""

    site: str


class Alone(msgspec.Struct, frozen=True, tag="alone"):
    """A title that was asked for alone, and what came; None where it could not be fetched."""

    anime_id: AnimeId
    anime: Anime | None


Line = Begun | Page | Alone
_decoder = msgspec.json.Decoder(Line)


class Crawl:
    """What a crawl has given so far; each addition is on disk before it counts.

    Attributes:
        anime: what was found, by id; of repeated ones the last counts.
        skipped: entries that could not be read.
        position: of the next page; None before the first and after the last.
        is_done: whether the last page was read.
        total: how many anime the site has in all, where it said so.
        asked: the titles that were asked for alone.
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
        """Open the file of a crawl that was broken off, or begin a new one.

        Args:
            path: of the file. Nobody else may write to it meanwhile.
            site: whose anime are read.
            restart: begin anew, whatever is there.

        Raises:
            BadOption: the crawl that was broken off was of another site.
            StorageError: the file can't be used, or another crawl is using it.
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
                crawl = cls(file, lines)
                if not lines:
                    crawl.add(Begun(site))
                yield crawl
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


def crawl_pages(crawl: Crawl, site: FactsSite, http: HttpClient, advance: Callable[[int], None]) -> None:
    """Read all pages that are left.

    Args:
        crawl: what was read so far; each page is added to it.
        site: whose anime they are.
        http: asks it, as often as it allows.
        advance: told of each page how many entries it had.

    Raises:
        SiteError: a page could not be fetched. Those before it are kept.
    """
    while not crawl.is_done:
        page = site.fetch_page(http, crawl.position)
        crawl.add(page)
        advance(len(page.anime) + page.skipped)


def gaps(crawl: Crawl, before: Catalogue, limit: int) -> list[int]:
    """Ids of the anime to ask for alone, those that most people watch first.

    That is each of which no site was asked how it is related, since lists don't tell; and of those that the site's list
    lacks, each without a picture or a synopsis. Once in a run.

    Args:
        crawl: what was read so far.
        before: what was known before.
        limit: how many a run may ask for in all.
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
    """What was never asked for goes before what the site may just not have."""
    return anime.relations_asked, -(anime.members or 0), anime.anime_id


def crawl_titles(
    crawl: Crawl, site: FactsSite, http: HttpClient, anime_ids: Iterable[int], advance: Callable[[int], None]
) -> None:
    """Ask for some anime alone; one that can't be fetched is counted.

    Args:
        crawl: what each gave is added to it.
        site: the site to ask.
        http: asks it, as often as it allows.
        anime_ids: the anime to ask for.
        advance: told of each.

    Raises:
        SiteError: several in a row could not be fetched. Those before them are kept.
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
        for failed in failures:  # which are not the site's failures, then; else the next run asks for them again
            crawl.add(Alone(failed, None))
        crawl.add(Alone(anime_id, found))
        advance(1 + len(failures))
        failures.clear()
    for failed in failures:
        crawl.add(Alone(failed, None))
    advance(len(failures))
