"""What a site of anime facts is: what to ask it for, and how its answers are read. Asking is somebody else's job."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from hakken.catalogue import Anime
from hakken.errors import InvalidResponse, SiteBlocked
from hakken.http import Answer

MAX_PLACE = 200_000
"""No site knows as many anime: a walk that comes this far goes round in circles."""


class Request(NamedTuple):
    """What to ask for with GET."""

    url: str
    params: Mapping[str, str | int]
    headers: Mapping[str, str]


class Page(msgspec.Struct, frozen=True, tag="page"):
    """What one page of a walk through a site's anime gave.

    Attributes:
        anime: those that could be read, each with a title.
        skipped: entries that could not.
        following: where the next page begins; None after the last.
        total: how many anime there are in all, where the site says so.
    """

    anime: tuple[Anime, ...]
    skipped: int
    following: int | None
    total: int | None = None


class FactsSite(Protocol):
    """A site that knows facts about anime. It only says what to ask and reads the answer."""

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

    @property
    def first(self) -> int:
        """Where the first page of a walk begins."""

    def page(self, place: int) -> Request:
        """What to ask for the page of a walk that begins there."""

    def read_page(self, answer: Answer, place: int) -> Page:
        """Read the answer to that; an entry that can't be read is skipped and counted.

        Raises:
            InvalidResponse: it can't be read.
            SiteBlocked: the site refused and did not say why.
        """


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
    if following is not None and (not found or following > MAX_PLACE):
        raise InvalidResponse(f"{answer.host} gave a list of anime that never ends.")
    anime = tuple(one for one in found if one is not None and one.title)
    return Page(anime, len(found) - len(anime), following, total)


def blocked(answer: Answer) -> SiteBlocked:
    """Make the error of a refusal that says nothing of the anime."""
    return SiteBlocked(f"{answer.host} refused to tell of anime and did not say why (status {answer.status}).")


def is_refusal(answer: Answer, kind: type[msgspec.Struct]) -> bool:
    """Whether a refusal is the site's own, of a certain shape, and not a page of what stands before it."""
    try:
        answer.decode(kind)
    except InvalidResponse:
        return False
    return True
