"""Reading a site's facts, each on its own, so that an odd one costs no other; and putting them in our words."""

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw

from hakken.catalogue import ADULT_GENRE, DATE, MAX_NAME, Link, made_from
from hakken.ratings import MAX_SCORE, MIN_SCORE

UNKNOWN = Raw(b"null")
"""The default of every field, as a site writes what it does not know."""
MAX_SYNOPSIS = 4000
"""Characters; the longest that people write come to about 3,000."""

Mean = Annotated[float, Meta(ge=MIN_SCORE, le=MAX_SCORE)]
Members = Annotated[int, Meta(ge=0, le=10**9)]
Episodes = Annotated[int, Meta(ge=1, le=100_000)]  # 0 stands for what nobody knows yet
Year = Annotated[int, Meta(ge=1900, le=2999)]
Address = Annotated[str, Meta(pattern=r"^https?://[^\s<>\"'\\]+\Z", max_length=1000)]

_KINDS = {
    "tv": "TV",
    "movie": "Movie",
    "ova": "OVA",
    "ona": "ONA",
    "special": "Special",
    "music": "Music",
    "tv_special": "TV Special",
    "cm": "CM",
    "pv": "PV",
}
_SEASONS = frozenset(("winter", "spring", "summer", "fall"))
_NO_PICTURE = re.compile(r"/img/sp/icon/|/images/qm_|/images/questionmark", re.IGNORECASE)
"""Where MyAnimeList keeps what it shows in place of a picture."""
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ADULT_RATING = "rx"

T = TypeVar("T")


class Fact(Generic[T]):
    """Reads facts of one kind, from JSON that may hold anything."""

    def __init__(self, kind: type[T]) -> None:
        self._one = msgspec.json.Decoder(kind)

    def of(self, raw: Raw) -> T | None:
        """The fact; None when it is of another kind."""
        try:
            return self._one.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def each(self, raw: Raw) -> list[T] | None:
        """Those facts of a list that are of this kind; None when it is no list."""
        entries = _LIST.of(raw)
        return None if entries is None else [one for one in map(self.of, entries) if one is not None]


_LIST = Fact(list[Raw])


class Named(msgspec.Struct):
    """What a site knows a genre or a studio by."""

    name: str


class Service(msgspec.Struct):
    """Where an anime can be watched, as Jikan has it."""

    name: str
    url: Address


WORDS = Fact(str)
NAME: Fact[str | int] = Fact(str | int)  # type: ignore[arg-type]  # a union is no class, but something to decode
"""A title such as 86 may come as a number."""
NAMED = Fact(Named)
SERVICE = Fact(Service)
ADDRESS: Fact[str] = Fact(Address)
MEAN: Fact[float] = Fact(Mean)
MEMBERS: Fact[int] = Fact(Members)
EPISODES: Fact[int] = Fact(Episodes)
YEAR: Fact[int] = Fact(Year)
NUMBER = Fact(int)


def plain(text: str, limit: int = MAX_NAME) -> str:
    """A line of text without entities, control characters and needless white space, cut off at `limit` characters."""
    visible = "".join(sign if unicodedata.category(sign) != "Cc" else " " for sign in html.unescape(text))
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rsplit(' ', 1)[0]}…"


def name_of(raw: Raw) -> str:
    """A title; empty where there is none."""
    found = NAME.of(raw)
    return "" if found is None else plain(str(found))


def names_of(raw: Raw) -> list[str]:
    """The titles of a list."""
    return [plain(str(name)) for name in NAME.each(raw) or ()]


def synonyms(names: Iterable[str], title: str, english: str | None) -> tuple[str, ...]:
    """Other names, each once, without those that an anime has anyway."""
    return tuple(name for name in dict.fromkeys(names) if name and name not in {title, english})


def unless_same(name: str, title: str) -> str | None:
    """A name that says more than the title does."""
    return name if name and name != title else None


def synopsis_of(raw: Raw) -> str | None:
    """What an anime is about: paragraphs of plain text, at most `MAX_SYNOPSIS` characters of it."""
    text = html.unescape(WORDS.of(raw) or "")
    lines = [plain(line, MAX_SYNOPSIS) for line in _BREAK.sub("\n", text).splitlines()]
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if len(whole) > MAX_SYNOPSIS:
        whole = f"{whole[: MAX_SYNOPSIS - 1].rsplit(maxsplit=1)[0]}…"
    return whole or None


def named(*lists: Raw) -> tuple[str, ...]:
    """The names of genres or studios that several lists have, each once."""
    found = (plain(one.name) for raw in lists for one in NAMED.each(raw) or ())
    return tuple(name for name in dict.fromkeys(found) if name)


def studios_of(raw: Raw) -> tuple[str, ...]:
    """Studios, in lower case as the catalogue has them."""
    return tuple(dict.fromkeys(name.lower() for name in named(raw)))


def kind_of(raw: Raw) -> str | None:
    """TV, Movie, OVA, …; None for what is no kind."""
    return _KINDS.get((WORDS.of(raw) or "").strip().lower().replace(" ", "_"))


def season_of(word: str | None, year: int | None) -> str | None:
    """Such as "Spring 1998"."""
    return f"{word.capitalize()} {year}" if word and year and word.lower() in _SEASONS else None


def picture_of(*addresses: Raw) -> str | None:
    """The first of some addresses that leads to a picture, and not to what stands in its place."""
    found = (ADDRESS.of(raw) for raw in addresses)
    return next((address for address in found if address and not _NO_PICTURE.search(address)), None)


def relation_of(words: str) -> str:
    """A relation as MyAnimeList writes it, such as "Side story"."""
    return plain(words.replace("_", " ")).capitalize()


def made_from_of(raw: Raw) -> str | None:
    """What it was made from, such as "light novel"."""
    return made_from(plain(WORDS.of(raw) or ""))


def date_of(raw: Raw) -> str | None:
    """A date, which is 1998-04-03, 1998-04 or 1998."""
    found = WORDS.of(raw) or ""
    return found if DATE.fullmatch(found) else None


def streaming_of(raw: Raw) -> tuple[Link, ...]:
    """Where an anime can be watched."""
    found = (Link(plain(one.name), one.url) for one in SERVICE.each(raw) or ())
    return tuple(dict.fromkeys(link for link in found if link.name))


def is_adult(rating: Raw, genres: Iterable[str]) -> bool:
    """Whether an age rating or a genre says that an anime is for adults only."""
    return (WORDS.of(rating) or "").strip().lower().startswith(_ADULT_RATING) or ADULT_GENRE in genres
