"""Which anime their titles tie together.

A title that begins with the whole of another, set apart by a colon or a season number, hardly ever means another story;
one that merely has its first word in common mostly does. So the weaker a tie is, the more the two must have in common
otherwise, genres and studios: the figures were found on the three thousand best-known titles. Which first words are
common ones is asked of the catalogue. There is no list of titles.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, combinations
from operator import eq

import msgspec

from hakken.catalogue import Anime
from hakken.series.similarity import EXTRA_TYPES, MANY, AnimeTitles, Closeness, TitleIndex, TitleLink, likeness, tied
from hakken.series.title_parts import ParsedTitle, Prefix, PrefixKind, weight

LONG, SHORT = 8, 4
"""Weights from which a key of several words, and one of a single word, say enough to look at what else is in common."""
NOTHING_IN_COMMON = 0.15
FULL_WORKS = frozenset(("TV", "Movie"))
"""What is not one may have nothing in common with the series that it parodies."""
NEVER = math.inf
ANY = ""
"""In place of a studio: whichever."""
MANY_WORDS = 3
A_FEW_STUDIOS = 3
"""A word with which more studios begin titles is a common one."""


class Opening(msgspec.Struct, frozen=True, gc=False):
    """Words with which titles begin, run together, and how many they are."""

    key: str
    words: int

    @property
    def is_unmistakable(self) -> bool:
        """Whether no other story begins so."""
        return self.words > MANY_WORDS and weight(self.key) >= 2 * LONG


def title_links(named: Iterable[AnimeTitles]) -> Iterable[TitleLink]:
    """Every two anime that their titles tie together, directly or through a third, and how closely at the most."""
    known = list(named)
    called = TitleIndex(known)
    closest: dict[tuple[int, int], TitleLink] = {}
    for tie in chain(
        _by_beginning(known, called),
        _by_japanese(known, called),
        _by_synonym(known, called),
        _by_common_head(known),
        _by_common_words(known),
        _by_ending(known, called),
    ):
        if closest.setdefault(pair := (tie.one, tie.other), tie).closeness > tie.closeness:
            closest[pair] = tie
    return closest.values()


def _by_beginning(known: list[AnimeTitles], called: TitleIndex) -> Iterator[TitleLink]:
    """Titles that begin with the whole of another one."""
    common = _common_first_words(known, called)
    for one in known:
        for prefix in one.beginnings:
            bases = called.get(prefix.key)
            if bases and (prefix.words > 1 or prefix.kind > PrefixKind.WORDS or prefix.key not in common):
                yield from tied(one, bases, _asked_of_beginning(one.anime, prefix), _closeness(prefix))


def _closeness(prefix: Prefix) -> Closeness:
    """Of a title with a beginning to one that this is the whole of."""
    return Closeness.COUNTED if prefix.kind is PrefixKind.WHOLE else Closeness.BEGUN


def _asked_of_beginning(anime: Anime, prefix: Prefix) -> float:
    """How much two anime must have in common of which one begins with the whole title of the other."""
    heavy = weight(prefix.key)
    if prefix.words > 1:
        return 0.0 if prefix.kind > PrefixKind.WORDS or heavy > SHORT else NEVER
    if prefix.kind is PrefixKind.WORDS:
        return 0.25 if heavy > LONG else 0.45 if heavy >= SHORT else NEVER
    if prefix.kind is PrefixKind.WHOLE and anime.type in EXTRA_TYPES:
        return 0.01  # a special has few genres of its own
    if prefix.kind is PrefixKind.HEAD and heavy >= LONG - 1:
        return 0.2
    return 0.25 if heavy >= SHORT - 1 else 0.5


def _common_first_words(known: list[AnimeTitles], called: TitleIndex) -> set[str]:
    """First words that titles have in common which have nothing else in common, such as "Captain"."""
    return {
        prefix.key
        for one in known
        if one.anime.type in FULL_WORKS
        for prefix in one.beginnings
        if prefix.words == 1 and prefix.kind is PrefixKind.WORDS
        for base in called.get(prefix.key, ())
        if likeness(one, base) < NOTHING_IN_COMMON
    }


def _by_japanese(known: list[AnimeTitles], called: TitleIndex) -> Iterator[TitleLink]:
    """The same in Japanese, which has no spaces: what is not set apart must be long, and nothing is trusted blindly."""
    for one in known:
        for prefix in one.japanese:
            bases = called.get(prefix.key)
            if bases and weight(prefix.key) >= (SHORT if prefix.kind > PrefixKind.WORDS else LONG + SHORT):
                yield from tied(one, bases, 0.3, _closeness(prefix))


def _by_synonym(known: list[AnimeTitles], called: TitleIndex) -> Iterator[TitleLink]:
    """Synonyms hold other stories' names, and scraps of names that held a comma."""
    for one in known:
        for prefix in chain.from_iterable(ParsedTitle.of(text).prefixes() for text in one.anime.synonyms):
            bases = called.get(prefix.key) if prefix.kind > PrefixKind.WORDS else None
            if bases and weight(prefix.key) >= (LONG - 2 if prefix.words > 1 else LONG - 1):
                yield from tied(one, bases, 0.45, Closeness.BEGUN)


def _by_common_head(known: list[AnimeTitles]) -> Iterator[TitleLink]:
    """Titles that differ in their subtitles only, where none goes without."""
    heads: defaultdict[Opening, list[AnimeTitles]] = defaultdict(list)
    for one in known:
        prefixes = (prefix for prefix in chain(one.beginnings, one.japanese) if prefix.kind is PrefixKind.HEAD)
        for head in {Opening(prefix.key, prefix.words) for prefix in prefixes if weight(prefix.key) >= SHORT}:
            heads[head].append(one)
    for head, found in heads.items():
        if len(found) <= MANY:
            for one, other in combinations(found, 2):
                yield from tied(one, [other], 0.0 if head.words >= MANY_WORDS else 0.25, Closeness.LOOSE)


def _by_common_words(known: list[AnimeTitles]) -> Iterator[TitleLink]:
    """Titles that begin with the same words, mostly of one studio: "Seikai no Monshou", "Seikai no Senki"."""
    openings: defaultdict[Opening, list[AnimeTitles]] = defaultdict(list)
    for one in known:
        for opening in {opening for title in one.titles for opening in _openings(title)}:
            openings[opening].append(one)
    for opening, found in openings.items():
        if len(found) > 1:
            yield from _of_one_opening(opening, found)


def _openings(title: ParsedTitle) -> Iterator[Opening]:
    key = ""
    for n_words, word in enumerate(title.words[:-1], start=1):
        key += word
        if weight(key) >= SHORT:
            yield Opening(key, n_words)


def _of_one_opening(opening: Opening, found: list[AnimeTitles]) -> Iterator[TitleLink]:
    by_studio: defaultdict[str, list[AnimeTitles]] = defaultdict(list)
    for one in found:
        for studio in [ANY] if opening.is_unmistakable else one.studios:
            by_studio[studio].append(one)
    if opening.words > 1 or len(by_studio) <= A_FEW_STUDIOS:
        for of_studio in by_studio.values():
            if len(of_studio) <= MANY:
                for one, other in combinations(of_studio, 2):
                    yield from tied(one, [other], _asked_of_opening(opening, one, other), Closeness.LOOSE)


def _asked_of_opening(opening: Opening, one: AnimeTitles, other: AnimeTitles) -> float:
    """How much two anime must have in common that begin with the same words."""
    if opening.is_unmistakable:
        return 0.0
    if opening.words >= MANY_WORDS and weight(opening.key) >= LONG + SHORT:
        return 0.6
    same_places = max(
        sum(map(eq, mine.words, yours.words)) for mine, yours in zip(one.titles, other.titles, strict=False)
    )
    return 0.9 if same_places > 1 else 1.0


def _by_ending(known: list[AnimeTitles], called: TitleIndex) -> Iterator[TitleLink]:
    """Titles of one studio of which one ends in the whole of the other: "Boruto: Naruto the Movie"."""
    for one, title in ((named, title) for named in known for title in named.titles):
        for ending in title.suffixes():
            bases = called.get(ending.key)
            if bases and weight(ending.key) >= (LONG - 2 if ending.before or ending.words > 1 else LONG - 1):
                yield from tied(one, bases, 0.8 if ending.before else 1.0, Closeness.LOOSE, one_studio=True)
        first = title.words[0] if title.words else ""
        for at in range(1, len(first) - LONG + 1):  # "Bakemonogatari"
            yield from tied(one, called.get(first[at:], ()), 0.6, Closeness.LOOSE, one_studio=True)
