"""Decoding what sites send: pages, entries of lists and fields of anime.

Each entry and each field is decoded on its own, so that an invalid one does not affect the others.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw

from hakken.catalogue import ADULT_GENRE, DATE, MAX_NAME, Anime, Related
from hakken.errors import InvalidResponse, SiteBlocked
from hakken.list_entries import Entry, read_list
from hakken.ratings import MAX_ENTRIES, MAX_SCORE, MIN_SCORE, AnimeId, UserList
from hakken.sites.http import Answer

DAY = len("2026-03-01")
MAX_POSITION = 200_000
"""No site has as many anime: a crawl that gets this far is in a loop."""
UNKNOWN = Raw(b"null")
"""An unknown value in a site's JSON."""
MAX_SYNOPSIS = 4000
"""Characters; the longest that people write have about 3,000."""

Mean = Annotated[float, Meta(ge=MIN_SCORE, le=MAX_SCORE)]
Members = Annotated[int, Meta(ge=0, le=10**9)]
Episodes = Annotated[int, Meta(ge=1, le=100_000)]  # sites write 0 for a number not known yet
Year = Annotated[int, Meta(ge=1900, le=2999)]
Address = Annotated[str, Meta(pattern=r"^https?://[^\s<>\"'\\]+\Z", max_length=1000)]

_KINDS = {
    kind.lower().replace(" ", "_"): kind
    for kind in ("TV", "Movie", "OVA", "ONA", "Special", "Music", "TV Special", "CM", "PV")
}
_SEASONS = frozenset(("winter", "spring", "summer", "fall"))
_NO_PICTURE = re.compile(r"/img/sp/icon/|/images/qm_|/images/questionmark", re.IGNORECASE)
"""Paths of MyAnimeList's placeholder pictures."""
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ADULT_RATING = "rx"

T = TypeVar("T")


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


def read_pages(fetch_page: Callable[[int, int], tuple[list[Raw], bool]]) -> UserList:
    """Read all pages of a list; raises InvalidResponse if it never ends.

    Args:
        fetch_page: given the numbers of pages and of entries read so far, fetches the entries of the next page, and
            whether there are more.
    """
    found: list[Raw] = []
    pages, more = 0, True
    while more:
        entries, more = fetch_page(pages, len(found))
        found += entries
        pages += 1
        if len(found) > MAX_ENTRIES or (more and not entries):
            raise InvalidResponse("The site gave a list that never ends.")
    return read_entries(found)


def read_entries(entries: Iterable[Raw]) -> UserList:
    """Make a list of a site's entries, of which each is decoded on its own; scores are 1-10."""
    entries = list(entries)
    fields = [Json(one).of(dict[str, Any]) or {} for one in entries]
    days = (Json(one)["list_status"]["updated_at"].text[:DAY] for one in entries)
    newest = max((day for day in days if len(day) == DAY and DATE.fullmatch(day)), default=None)
    return msgspec.structs.replace(read_list(map(Entry.of, fields), highest=MAX_SCORE), updated=newest)


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


class Json:
    """A value of a site's JSON, which may hold anything: a missing value, or one of another type, is unknown.

    `value[name]` is a field of an object, and a loop over a value is one over the entries of a list.
    """

    def __init__(self, raw: Raw | bytes = UNKNOWN) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> "Json":
        return Json((self.of(dict[str, Raw]) or {}).get(name, UNKNOWN))

    def __iter__(self) -> Iterator["Json"]:
        return map(Json, self.of(list[Raw]) or ())

    def of(self, kind: type[T]) -> T | None:
        """The decoded value; None if it is of another type."""
        try:
            return msgspec.json.decode(self._raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def text(self) -> str:
        """The text; empty if the value is not a string."""
        return self.of(str) or ""


def plain(text: str, limit: int = MAX_NAME) -> str:
    """Text as one line without entities, control characters and extra white space, cut to `limit` characters."""
    visible = "".join(sign if unicodedata.category(sign) != "Cc" else " " for sign in html.unescape(text))
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rsplit(' ', 1)[0]}…"


def name_of(value: Json) -> str:
    """A title, which may be a JSON number, such as 86; empty if there is none."""
    number = value.of(int)
    return plain(value.text if number is None else str(number))


def names(title: str, english: str, japanese: str, others: Iterable[str]) -> dict[str, Any]:
    """The names of an anime as its fields: empty ones and repeats are left out."""
    return {
        "title": title,
        "title_english": english if english and english != title else None,
        "title_japanese": japanese or None,
        "synonyms": tuple(name for name in dict.fromkeys(others) if name and name not in {title, english}),
    }


def synopsis_of(value: Json) -> str | None:
    """The synopsis: paragraphs of plain text, at most `MAX_SYNOPSIS` characters; None if it is empty."""
    lines = [plain(line, MAX_SYNOPSIS) for line in _BREAK.sub("\n", html.unescape(value.text)).splitlines()]
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if len(whole) > MAX_SYNOPSIS:
        whole = f"{whole[: MAX_SYNOPSIS - 1].rsplit(maxsplit=1)[0]}…"
    return whole or None


def named(*lists: Json) -> tuple[str, ...]:
    """The names of the genres or studios in some lists, without repeats."""
    found = (plain(one["name"].text) for entries in lists for one in entries)
    return tuple(name for name in dict.fromkeys(found) if name)


def studios_of(value: Json) -> tuple[str, ...]:
    """Names of studios, in lower case as in the catalogue."""
    return tuple(dict.fromkeys(name.lower() for name in named(value)))


def kind_of(value: Json) -> str | None:
    """The type of an anime: TV, Movie, OVA, …; None if the value is none of them."""
    return _KINDS.get(value.text.strip().lower().replace(" ", "_"))


def season_of(word: Json, year: int | None) -> str | None:
    """The season, such as "Spring 1998"; None if it is unknown."""
    return f"{word.text.capitalize()} {year}" if year and word.text.lower() in _SEASONS else None


def picture_of(*addresses: Json) -> str | None:
    """The first of some URLs that is valid and not a placeholder picture."""
    found = (address.of(Address) for address in addresses)
    return next((address for address in found if address and not _NO_PICTURE.search(address)), None)


def related(entries: Iterable[tuple[Json, Json]]) -> tuple[Related, ...]:
    """Related anime: their ids, and the relations in MyAnimeList's form, such as "Side story"."""
    found = ((one.of(AnimeId), plain(how.text.replace("_", " ")).capitalize()) for one, how in entries)
    return tuple(dict.fromkeys(Related(anime_id, relation) for anime_id, relation in found if anime_id and relation))


def is_adult(rating: Json, genres: Iterable[str]) -> bool:
    """Whether an age rating or a genre says that an anime is for adults only."""
    return rating.text.strip().lower().startswith(_ADULT_RATING) or ADULT_GENRE in genres
