"""Anime with their parsed titles, and how similar two of them are beside these."""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple, Self

from hakken.catalogue import ADULT_GENRE, Anime
from hakken.series.title_parts import LONGEST, ParsedTitle, Prefix

EXTRA_TYPES = frozenset(("Special", "Music"))
IGNORED_GENRES = frozenset((ADULT_GENRE,))  # titles that have it are only compared with each other
STUDIO_BONUS = 0.3
UNKNOWN_GENRES = 0.25
"""Similarity of two anime of which one has no genres."""
EDITION = re.compile(r"\s*\((?:tv|\d{4})\)$")
WEB_AND_DISC = frozenset(("ONA", "OVA"))
MIN_EPISODES = 8
"""Episodes from which on an ONA or OVA counts as a show."""

Pair = tuple[int, int]
"""Ids of two anime; of two that titles link, the lower one first."""


class Closeness(IntEnum):
    """What the titles of two anime have in common."""

    SAME = 1  # all of it, but for a type or year in brackets
    COUNTED = 2  # all but a number, a season, "OVA" or the like
    BEGUN = 3  # one has the whole other one as a prefix
    LOOSE = 4  # some words: more likely one universe than one series
    BESIDE = 5  # words, and a word or number that marks a spin-off
    NONE = 6


class AnimeTitles(NamedTuple):
    """An anime and its parsed titles.

    Attributes:
        anime: the anime.
        undated: its main title in lower case, without a type or year in brackets.
        genres: those that are compared.
        studios: that worked on it.
        titles: the main title and, where there is one, the English one.
        prefixes: of those.
        japanese: prefixes of the title in Japanese script.
        is_show: whether it is a show rather than a film, a special or the like.
    """

    anime: Anime
    undated: str
    genres: frozenset[str]
    studios: frozenset[str]
    titles: list[ParsedTitle]
    prefixes: list[Prefix]
    japanese: list[Prefix]
    is_show: bool

    @classmethod
    def of(cls, anime: Anime) -> Self:
        """Parse an anime's titles."""
        english = (anime.title_english,) if anime.title_english else ()
        titles = [ParsedTitle.of(text) for text in (anime.title, *english)]
        return cls(
            anime,
            EDITION.sub("", anime.title[:LONGEST].casefold()),
            frozenset(anime.genres) - IGNORED_GENRES,
            frozenset(anime.studios),
            titles,
            prefixes=[prefix for title in titles for prefix in title.prefixes()],
            japanese=ParsedTitle.of(anime.title_japanese or "").prefixes(),
            is_show=anime.type == "TV" or (anime.type in WEB_AND_DISC and (anime.episodes or 0) >= MIN_EPISODES),
        )


def similarity(one: AnimeTitles, other: AnimeTitles) -> float:
    """Similarity of two anime beside their titles: 0 to 1 for genres, and a bonus for a common studio."""
    genres = genres_in_common(one, other)
    bonus = 0.0 if one.studios.isdisjoint(other.studios) else STUDIO_BONUS
    return (UNKNOWN_GENRES if genres is None else genres) + bonus


def genres_in_common(one: AnimeTitles, other: AnimeTitles) -> float | None:
    """Share of their genres that two anime have in common; None where one has none."""
    mine, yours = one.genres, other.genres
    if not mine or not yours:
        return None
    return len(mine & yours) / max(len(mine | yours), 2)  # one common genre says little


def tags_in_common(one: AnimeTitles, other: AnimeTitles) -> float:
    """Cosine similarity of the tags of two anime, all with equal weight: 0 to 1; 0 where one has none."""
    mine, yours = {*one.anime.tags}, {*other.anime.tags}
    return len(mine & yours) / (len(mine) * len(yours)) ** 0.5 if mine and yours else 0.0


def links_between(
    one: AnimeTitles, others: Iterable[AnimeTitles], least: float, closeness: Closeness, *, one_studio: bool = False
) -> Iterator[tuple[Pair, Closeness]]:
    """Links of an anime to those of several others that are similar enough.

    Titles for adults are never linked to others, most of which they parody under the same name.
    """
    for other in others:
        if (
            other is not one
            and other.anime.adult == one.anime.adult
            and similarity(one, other) >= least
            and not (one_studio and one.studios.isdisjoint(other.studios))
        ):
            same = closeness is Closeness.COUNTED and one.undated == other.undated
            mine, theirs = one.anime.anime_id, other.anime.anime_id
            yield (min(mine, theirs), max(mine, theirs)), Closeness.SAME if same else closeness
