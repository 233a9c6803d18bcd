"""What the site modules share: the interface of a source of lists, and pages, entries and refusals."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from hakken.catalogue import Anime
from hakken.errors import InvalidResponse, SiteBlocked
from hakken.ratings import MAX_ENTRIES, Rating, UserList
from hakken.sites.client import HttpClient
from hakken.sites.http import Answer, Deadline

MAX_POSITION = 200_000
"""No site has as many anime: a crawl that gets this far is in a loop."""


class ListSource(Protocol):
    """A site that provides the lists of its users, or of another site's users."""

    @property
    def name(self) -> str:
        """The source's name in settings and messages."""

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list, all of it or none; raises SourceError, see `hakken.errors` for the kinds."""


class Page(msgspec.Struct, frozen=True, tag="page"):
    """One page of a crawl through a site's anime.

    Attributes:
        anime: those that could be read, each with a title.
        skipped: number of entries that could not be read.
        following: position of the next page; None after the last.
        total: number of anime on the site, if it says so.
    """

    anime: tuple[Anime, ...]
    skipped: int
    following: int | None
    total: int | None = None


class Entry(Protocol):
    """A list entry in the format of a site."""

    def rating(self) -> Rating:
        """Convert it to a rating."""


def read_pages(fetch_page: Callable[[int, int], tuple[list[msgspec.Raw], bool]], entry_type: type[Entry]) -> UserList:
    """Read all pages of a list; raises InvalidResponse if it never ends.

    Args:
        fetch_page: given the numbers of pages and of entries read so far, fetches the entries of the next page, and
            whether there are more.
        entry_type: type that an entry is decoded to.
    """
    found: list[Rating | None] = []
    pages, more = 0, True
    while more:
        entries, more = fetch_page(pages, len(found))
        found += decoded(entries, entry_type)
        pages += 1
        if len(found) > MAX_ENTRIES or (more and not entries):
            raise InvalidResponse("The site gave a list that never ends.")
    return UserList.of(found)


def decoded(entries: Iterable[msgspec.Raw], entry_type: type[Entry]) -> Iterator[Rating | None]:
    """Decode entries one by one; one that can't be read gives None and does not affect the others."""
    decoder = msgspec.json.Decoder(entry_type)
    for entry in entries:
        try:
            yield decoder.decode(entry).rating()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield None


def about_it(found: Anime | None, anime_id: int, answer: Answer) -> Anime:
    """Return the anime found; raises InvalidResponse if it is another than was requested, or none."""
    if found is None or found.anime_id != anime_id:
        raise InvalidResponse(f"{answer.host} gave an answer about another anime than requested.")
    return found


def page_of(found: list[Anime | None], following: int | None, total: int | None, answer: Answer) -> Page:
    """Make a page of its decoded entries; raises InvalidResponse if the list never ends."""
    if following is not None and (not found or following > MAX_POSITION):
        raise InvalidResponse(f"{answer.host} gave a list of anime that never ends.")
    anime = tuple(one for one in found if one is not None and one.title)
    return Page(anime, len(found) - len(anime), following, total)


def blocked(answer: Answer, what: str = "show the list") -> SiteBlocked:
    """Make the error for a refusal that does not say whether the user, or the anime, exists."""
    return SiteBlocked(f"{answer.host} refused to {what} and did not say why (status {answer.status}).")
