"""What a source of lists is, and what all of them do alike: check the name, turn the pages, read the entries."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from hakken.errors import BadUsername, InvalidResponse, SiteBlocked
from hakken.http import Answer, Deadline
from hakken.ratings import Rating, UserList

MAX_ENTRIES = 50_000
"""No list is longer, for no site knows as many anime: a source that gives more entries goes round in circles."""

_NAME = re.compile(r"[A-Za-z0-9_-]{2,20}")

T = TypeVar("T")


class Source(Protocol):
    """A place that knows the lists of a site's users."""

    @property
    def name(self) -> str:
        """The source's name, as settings and messages have it."""

    def fetch(self, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list: all of it or, if a page can't be read, none.

        Raises:
            BadUsername: the site can't have such a user.
            SourceError: the list could not be had; see `hakken.errors` for the kinds.
        """


class Entry(Protocol):
    """An entry as a source has it."""

    def rating(self) -> Rating:
        """The same as a rating."""


class Page(NamedTuple):
    """Some entries of a list, not yet decoded, and whether there are more."""

    entries: list[msgspec.Raw]
    more: bool


class Place(NamedTuple):
    """Where a page begins: after so many pages, and so many entries."""

    pages: int
    entries: int


def checked(username: str) -> str:
    """Return a username without the white space around it, safe to put into an address.

    Raises:
        BadUsername: neither MyAnimeList nor AniList gives out such a name.
    """
    name = username.strip()
    if not _NAME.fullmatch(name):
        raise BadUsername("A username has 2 to 20 characters, which are the letters a-z, digits, - and _.")
    return quote(name, safe="")


def read_pages(page_at: Callable[[Place], Page], entry_type: type[Entry]) -> UserList:
    """Read a list page after page, to the last.

    Args:
        page_at: fetches the page that begins at a place.
        entry_type: what an entry is decoded to.

    Raises:
        InvalidResponse: the pages never end.
    """
    found: list[Rating | None] = []
    pages = 0
    more = True
    while more:
        entries, more = page_at(Place(pages, len(found)))
        found += decoded(entries, entry_type)
        pages += 1
        if len(found) > MAX_ENTRIES or (more and not entries):
            raise InvalidResponse("The site gave a list that never ends.")
    return list_of(found)


def decoded(entries: Iterable[msgspec.Raw], entry_type: type[Entry]) -> Iterator[Rating | None]:
    """Decode entries one by one, so that one that can't be read, which gives None, costs no other."""
    decoder = msgspec.json.Decoder(entry_type)
    for entry in entries:
        try:
            yield decoder.decode(entry).rating()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield None


def list_of(found: Sequence[Rating | None]) -> UserList:
    """Make a list of what could be read, and count what could not."""
    ratings = [rating for rating in found if rating is not None]
    return UserList.of(ratings, skipped=len(found) - len(ratings))


def refusal_in(answer: Answer, kind: type[T]) -> T | None:
    """Decode a refusal's body; None when it is not the API's own, such as a page of a firewall."""
    try:
        return answer.decode(kind)
    except InvalidResponse:
        return None


def blocked(answer: Answer) -> SiteBlocked:
    """Make the error of a refusal that does not say whether the user exists."""
    return SiteBlocked(f"{answer.host} refused to show the list and did not say why (status {answer.status}).")
