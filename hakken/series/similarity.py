"""Names of anime, and how much two anime have in common beside them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import chain
from typing import NamedTuple, Self

from hakken.catalogue import ADULT_GENRE, Anime
from hakken.series.title_parts import LONGEST, ParsedTitle, Prefix, PrefixKind

EXTRA_TYPES = frozenset(("Special", "Music"))
SAYS_NOTHING = frozenset((ADULT_GENRE,))  # those who have it are compared among themselves
STUDIO_BONUS = 0.3
UNKNOWN_GENRES = 0.25
"""Likeness of two anime of which it can't be said."""
MANY = 80
"""What more titles have in common is no name."""
EDITION = re.compile(r"\s*\((?:tv|\d{4})\)$")


class Closeness(IntEnum):
    """What the titles of two anime have in common."""

    SAME = 1
    """All of it, but for a type or year in brackets."""
    COUNTED = 2
    """All but a number, a season, "OVA" or the like."""
    BEGUN = 3
    """One begins with the whole of the other."""
    LOOSE = 4
    """Some words: rather of one universe than of one series."""
    BESIDE = 5
    """Words, and a word or number that tells of another show beside the first."""


class TitleLink(NamedTuple):
    """Two anime that belong together, as far as their titles tell.

    Attributes:
        one: id of an anime.
        other: of the other.
        closeness: how much the titles have in common.
    """

    one: int
    other: int
    closeness: Closeness


class AnimeTitles(NamedTuple):
    """An anime and what it is called, taken apart.

    Attributes:
        anime: the anime.
        undated: its main title in small letters, without a type or year in brackets.
        genres: those that say something.
        studios: which worked on it.
        titles: the main title and, where there is one, the English one.
        beginnings: of those.
        japanese: beginnings of the title in Japanese script.
    """

    anime: Anime
    undated: str
    genres: frozenset[str]
    studios: frozenset[str]
    titles: list[ParsedTitle]
    beginnings: list[Prefix]
    japanese: list[Prefix]

    @classmethod
    def of(cls, anime: Anime) -> Self:
        """Take an anime's titles apart."""
        english = [anime.title_english] if anime.title_english else []
        titles = [ParsedTitle.of(text) for text in (anime.title, *english)]
        return cls(
            anime,
            EDITION.sub("", anime.title[:LONGEST].casefold()),
            _genres(anime),
            frozenset(anime.studios),
            titles,
            beginnings=[prefix for title in titles for prefix in title.prefixes()],
            japanese=ParsedTitle.of(anime.title_japanese).prefixes() if anime.title_japanese else [],
        )


class TitleIndex(dict[str, list[AnimeTitles]]):
    """Who is called what, markers left out; by the main, the English and the Japanese title.

    What more than `MANY` are called is no name.
    """

    def __init__(self, known: Iterable[AnimeTitles]) -> None:
        called: defaultdict[str, list[AnimeTitles]] = defaultdict(list)
        for one in known:
            for key in {
                prefix.key for prefix in chain(one.beginnings, one.japanese) if prefix.kind is PrefixKind.WHOLE
            }:
                called[key].append(one)
        super().__init__((key, named) for key, named in called.items() if len(named) <= MANY)


def likeness(one: AnimeTitles, other: AnimeTitles) -> float:
    """How much two anime have in common beside their titles: 0 to 1 for genres, and a bonus for a common studio."""
    genres = _share(one.genres, other.genres)
    return (UNKNOWN_GENRES if genres is None else genres) + STUDIO_BONUS * same_studio(one, other)


def genres_in_common(one: Anime, other: Anime) -> float | None:
    """Share of their genres that two anime have in common, or None where it can't be said."""
    return _share(_genres(one), _genres(other))


def tags_in_common(one: Anime, other: Anime) -> float:
    """Cosine of the tags of two anime, each counted alike: 0 to 1; 0 where one has none."""
    mine, yours = {*one.tags}, {*other.tags}
    return len(mine & yours) / (len(mine) * len(yours)) ** 0.5 if mine and yours else 0.0


def _genres(anime: Anime) -> frozenset[str]:
    return frozenset(anime.genres) - SAYS_NOTHING


def _share(mine: frozenset[str], yours: frozenset[str]) -> float | None:
    if not mine or not yours:
        return None
    return len(mine & yours) / max(len(mine | yours), 2)  # one common genre says little


def same_studio(one: AnimeTitles, other: AnimeTitles) -> bool:
    """Whether a studio worked on both."""
    return not one.studios.isdisjoint(other.studios)


def tied(
    one: AnimeTitles, others: Iterable[AnimeTitles], least: float, closeness: Closeness, *, one_studio: bool = False
) -> Iterator[TitleLink]:
    """Ties to those that are alike enough.

    What is for adults only is never tied to what is not: it mostly parodies it, under the same name.
    """
    for other in others:
        if (
            other is not one
            and other.anime.adult == one.anime.adult
            and likeness(one, other) >= least
            and (not one_studio or same_studio(one, other))
        ):
            same = closeness is Closeness.COUNTED and one.undated == other.undated
            one_id, other_id = sorted((one.anime.anime_id, other.anime.anime_id))
            yield TitleLink(one_id, other_id, Closeness.SAME if same else closeness)
