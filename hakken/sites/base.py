"""What a site's module offers, lists or facts, and what all of them do alike: pages, entries, refusals."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from hakken.catalogue import Anime
from hakken.errors import BadUsername, InvalidResponse, SiteBlocked
from hakken.ratings import MAX_ENTRIES, Rating, UserList
from hakken.sites.client import HttpClient
from hakken.sites.http import Answer, Deadline, Request

MAX_POSITION = 200_000
"""No site knows as many anime: a crawl that comes this far goes round in circles."""

_NAME = re.compile(r"[A-Za-z0-9_-]{2,20}")

T = TypeVar("T")


class ListSource(Protocol):
    """A site that knows the lists of its users, or of another site's."""

    @property
    def name(self) -> str:
        """The source's name, as settings and messages have it."""

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list: all of it or, if a page can't be read, none.

        Raises:
            BadUsername: the site can't have such a user.
            SourceError: the list could not be fetched; see `hakken.errors` for the kinds.
        """


class FactsSite(Protocol):
    """A site that knows facts about anime."""

    @property
    def name(self) -> str:
        """The site's name, as settings and messages have it."""

    def about(self, anime_id: int) -> Request:
        """What to ask for all facts about one anime."""

    def read(self, answer: Answer, anime_id: int) -> Anime | None:
        """Read the answer to that; None where the site says that it knows no such anime.

        What the answer lacks, or has of an impossible kind, is left unknown; even the title, which is then empty.

        Raises:
            InvalidResponse: it can't be read, or is about another anime.
            SiteBlocked: the site refused and did not say why.
        """

    def fetch_page(self, http: HttpClient, position: int | None) -> "Page":
        """Fetch a page of a crawl, the first where there is no position; entries that can't be read are counted.

        Raises:
            SiteError: it could not be fetched, or can't be read.
        """


class Page(msgspec.Struct, frozen=True, tag="page"):
    """What one page of a crawl through a site's anime gave.

    Attributes:
        anime: those that could be read, each with a title.
        skipped: entries that could not.
        following: position of the next page; None after the last.
        total: how many anime there are in all, where the site says so.
    """

    anime: tuple[Anime, ...]
    skipped: int
    following: int | None
    total: int | None = None


class Entry(Protocol):
    """An entry of a list as a site has it."""

    def rating(self) -> Rating:
        """The same as a rating."""


class ListPage(NamedTuple):
    """Some entries of a list, not yet decoded, and whether there are more."""

    entries: list[msgspec.Raw]
    more: bool


def checked(username: str) -> str:
    """Return a username without the white space around it, safe to put into an address.

    Raises:
        BadUsername: neither MyAnimeList nor AniList gives out such a name.
    """
    name = username.strip()
    if not _NAME.fullmatch(name):
        raise BadUsername("A username has 2 to 20 characters, which are the letters a-z, digits, - and _.")
    return quote(name, safe="")


def read_pages(fetch_page: Callable[[int, int], ListPage], entry_type: type[Entry]) -> UserList:
    """Read a list page after page, to the last.

    Args:
        fetch_page: fetches the page after so many pages, and so many entries.
        entry_type: what an entry is decoded to.

    Raises:
        InvalidResponse: the pages never end.
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
    """Decode entries one by one, so that one that can't be read, which gives None, costs no other."""
    decoder = msgspec.json.Decoder(entry_type)
    for entry in entries:
        try:
            yield decoder.decode(entry).rating()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield None


def about_it(found: Anime | None, anime_id: int, answer: Answer) -> Anime:
    """What was found, if it is about the anime that was asked for.

    Raises:
        InvalidResponse: it is not.
    """
    if found is None or found.anime_id != anime_id:
        raise InvalidResponse(f"{answer.host} gave an answer about something else than it was asked.")
    return found


def page_of(found: list[Anime | None], following: int | None, total: int | None, answer: Answer) -> Page:
    """Make a page of what its entries gave, those without a title among them left out.

    Raises:
        InvalidResponse: the pages never end.
    """
    if following is not None and (not found or following > MAX_POSITION):
        raise InvalidResponse(f"{answer.host} gave a list of anime that never ends.")
    anime = tuple(one for one in found if one is not None and one.title)
    return Page(anime, len(found) - len(anime), following, total)


def refusal_in(answer: Answer, kind: type[T]) -> T | None:
    """Decode a refusal's body; None when it is not the API's own, such as a page of a firewall."""
    try:
        return answer.decode(kind)
    except InvalidResponse:
        return None


def blocked(answer: Answer, what: str = "show the list") -> SiteBlocked:
    """Make the error of a refusal that does not say whether the user, or the anime, exists."""
    return SiteBlocked(f"{answer.host} refused to {what} and did not say why (status {answer.status}).")
