"""Interfaces of the site modules, for lists and for facts, and their shared code: pages, entries, refusals."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from hakken.catalogue import Anime
from hakken.errors import InvalidResponse, SiteBlocked
from hakken.ratings import MAX_ENTRIES, Rating, UserList
from hakken.sites.client import HttpClient
from hakken.sites.http import Answer, Deadline, Request

MAX_POSITION = 200_000
"""No site has as many anime: a crawl that gets this far is in a loop."""

T = TypeVar("T")


class ListSource(Protocol):
    """A site that provides the lists of its users, or of another site's users."""

    @property
    def name(self) -> str:
        """The source's name in settings and messages."""

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list: all of it or, if a page can't be read, none.

        Raises:
            SourceError: the list could not be fetched; see `hakken.errors` for the kinds.
        """


class FactsSite(Protocol):
    """A site that provides facts about anime."""

    @property
    def name(self) -> str:
        """The site's name in settings and messages."""

    def about(self, anime_id: int) -> Request:
        """Make the request for all facts about one anime."""

    def read(self, answer: Answer, anime_id: int) -> Anime | None:
        """Read the response to `about`; None if the site says that there is no such anime.

        Fields that are missing or invalid stay unknown, even the title, which is then empty.

        Raises:
            InvalidResponse: the response can't be read, or is about another anime.
            SiteBlocked: the site refused the request without a reason.
        """

    def fetch_page(self, http: HttpClient, position: int | None) -> "Page":
        """Fetch one page of a crawl, the first if `position` is None; entries that can't be read are counted.

        Raises:
            SiteError: the page could not be fetched or read.
        """


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


class ListPage(NamedTuple):
    """Some entries of a list, not yet decoded, and whether there are more."""

    entries: list[msgspec.Raw]
    more: bool


def read_pages(fetch_page: Callable[[int, int], ListPage], entry_type: type[Entry]) -> UserList:
    """Read all pages of a list.

    Args:
        fetch_page: fetches the next page, given the numbers of pages and of entries read so far.
        entry_type: type that an entry is decoded to.

    Raises:
        InvalidResponse: the list never ends.
    """
    found: list[Rating | None] = []
    pages = 0
    more = True
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
    """Return the anime found, if it is the one that was requested.

    Raises:
        InvalidResponse: it is another one, or none.
    """
    if found is None or found.anime_id != anime_id:
        raise InvalidResponse(f"{answer.host} gave an answer about another anime than requested.")
    return found


def page_of(found: list[Anime | None], following: int | None, total: int | None, answer: Answer) -> Page:
    """Make a page of its decoded entries; those without a title are counted as skipped.

    Raises:
        InvalidResponse: the list never ends.
    """
    if following is not None and (not found or following > MAX_POSITION):
        raise InvalidResponse(f"{answer.host} gave a list of anime that never ends.")
    anime = tuple(one for one in found if one is not None and one.title)
    return Page(anime, len(found) - len(anime), following, total)


def refusal_in(answer: Answer, kind: type[T]) -> T | None:
    """Decode the body of a refusal; None if it does not come from the API, such as the page of a firewall."""
    try:
        return answer.decode(kind)
    except InvalidResponse:
        return None


def blocked(answer: Answer, what: str = "show the list") -> SiteBlocked:
    """Make the error for a refusal that does not say whether the user, or the anime, exists."""
    return SiteBlocked(f"{answer.host} refused to {what} and did not say why (status {answer.status}).")
