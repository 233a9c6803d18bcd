"""Decoding the fields of a site's anime, each on its own, so that an odd one costs no other."""

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw

from hakken.catalogue import ADULT_GENRE, MAX_NAME, Related, made_from
from hakken.ratings import MAX_SCORE, MIN_SCORE, AnimeId

UNKNOWN = Raw(b"null")
"""What a site writes for what it does not know."""
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


class Json:
    """A value of a site's JSON, which may hold anything: what is not there, or of another kind, is unknown."""

    def __init__(self, raw: Raw = UNKNOWN) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> "Json":
        """A field of an object."""
        return Json((self.of(dict[str, Raw]) or {}).get(name, UNKNOWN))

    def of(self, kind: type[T]) -> T | None:
        """The value decoded; None when it is of another kind."""
        try:
            return msgspec.json.decode(self._raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def entries(self) -> "list[Json] | None":
        """The entries of a list; None when it is none."""
        found = self.of(list[Raw])
        return None if found is None else [Json(raw) for raw in found]

    @property
    def text(self) -> str:
        """The text; empty when it is none."""
        return self.of(str) or ""


def plain(text: str, limit: int = MAX_NAME) -> str:
    """A line of text without entities, control characters and needless white space, cut off at `limit` characters."""
    visible = "".join(sign if unicodedata.category(sign) != "Cc" else " " for sign in html.unescape(text))
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rsplit(' ', 1)[0]}…"


def name_of(value: Json) -> str:
    """A title, which may come as a number, such as 86; empty where there is none."""
    number = value.of(int)
    return plain(value.text if number is None else str(number))


def names_of(value: Json) -> list[str]:
    """The titles of a list."""
    return [name_of(one) for one in value.entries or ()]


def synonyms(names: Iterable[str], title: str, english: str | None) -> tuple[str, ...]:
    """Other names, each once, without those that an anime has anyway."""
    return tuple(name for name in dict.fromkeys(names) if name and name not in {title, english})


def unless_same(name: str, title: str) -> str | None:
    """A name that says more than the title does."""
    return name if name and name != title else None


def synopsis_of(value: Json) -> str | None:
    """What an anime is about: paragraphs of plain text, at most `MAX_SYNOPSIS` characters of it."""
    lines = [plain(line, MAX_SYNOPSIS) for line in _BREAK.sub("\n", html.unescape(value.text)).splitlines()]
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if len(whole) > MAX_SYNOPSIS:
        whole = f"{whole[: MAX_SYNOPSIS - 1].rsplit(maxsplit=1)[0]}…"
    return whole or None


def named(*lists: Json) -> tuple[str, ...]:
    """The names of genres or studios that several lists have, each once."""
    found = (plain(one["name"].text) for entries in lists for one in entries.entries or ())
    return tuple(name for name in dict.fromkeys(found) if name)


def studios_of(value: Json) -> tuple[str, ...]:
    """Studios, in lower case as the catalogue has them."""
    return tuple(dict.fromkeys(name.lower() for name in named(value)))


def kind_of(value: Json) -> str | None:
    """TV, Movie, OVA, …; None for what is no kind."""
    return _KINDS.get(value.text.strip().lower().replace(" ", "_"))


def season_of(word: Json, year: int | None) -> str | None:
    """Such as "Spring 1998"."""
    return f"{word.text.capitalize()} {year}" if year and word.text.lower() in _SEASONS else None


def picture_of(*addresses: Json) -> str | None:
    """The first of some addresses that leads to a picture, and not to what stands in its place."""
    found = (address.of(Address) for address in addresses)
    return next((address for address in found if address and not _NO_PICTURE.search(address)), None)


def related(entries: Iterable[tuple[Json, Json]]) -> tuple[Related, ...]:
    """Ids of anime and how they are related, as MyAnimeList writes it, such as "Side story"."""
    found = ((one.of(AnimeId), plain(how.text.replace("_", " ")).capitalize()) for one, how in entries)
    return tuple(dict.fromkeys(Related(anime_id, relation) for anime_id, relation in found if anime_id and relation))


def made_from_of(value: Json) -> str | None:
    """What it was made from, such as "light novel"."""
    return made_from(plain(value.text))


def is_adult(rating: Json, genres: Iterable[str]) -> bool:
    """Whether an age rating or a genre says that an anime is for adults only."""
    return rating.text.strip().lower().startswith(_ADULT_RATING) or ADULT_GENRE in genres
