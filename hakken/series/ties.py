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
from hakken.series.likeness import EXTRA_TYPES, MANY, Called, Closeness, Named, Tie, likeness, tied
from hakken.series.titles import Kind, Stem, Title, weight

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


def ties(named: Iterable[Named]) -> Iterable[Tie]:
    """Every two anime that their titles tie together, directly or through a third, and how closely at the most."""
    known = list(named)
    called = Called(known)
    closest: dict[tuple[int, int], Tie] = {}
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


def _by_beginning(known: list[Named], called: Called) -> Iterator[Tie]:
    """Titles that begin with the whole of another one."""
    common = _common_first_words(known, called)
    for one in known:
        for stem in one.beginnings:
            bases = called.get(stem.key)
            if bases and (stem.words > 1 or stem.kind > Kind.WORDS or stem.key not in common):
                yield from tied(one, bases, _asked_of_beginning(one.anime, stem), _closeness(stem))


def _closeness(stem: Stem) -> Closeness:
    """Of a title with a beginning to one that this is the whole of."""
    return Closeness.COUNTED if stem.kind is Kind.WHOLE else Closeness.BEGUN


def _asked_of_beginning(anime: Anime, stem: Stem) -> float:
    """How much two anime must have in common of which one begins with the whole title of the other."""
    heavy = weight(stem.key)
    if stem.words > 1:
        return 0.0 if stem.kind > Kind.WORDS or heavy > SHORT else NEVER
    if stem.kind is Kind.WORDS:
        return 0.25 if heavy > LONG else 0.45 if heavy >= SHORT else NEVER
    if stem.kind is Kind.WHOLE and anime.type in EXTRA_TYPES:
        return 0.01  # a special has few genres of its own
    if stem.kind is Kind.HEAD and heavy >= LONG - 1:
        return 0.2
    return 0.25 if heavy >= SHORT - 1 else 0.5


def _common_first_words(known: list[Named], called: Called) -> set[str]:
    """First words that titles have in common which have nothing else in common, such as "Captain"."""
    return {
        stem.key
        for one in known
        if one.anime.type in FULL_WORKS
        for stem in one.beginnings
        if stem.words == 1 and stem.kind is Kind.WORDS
        for base in called.get(stem.key, ())
        if likeness(one, base) < NOTHING_IN_COMMON
    }


def _by_japanese(known: list[Named], called: Called) -> Iterator[Tie]:
    """The same in Japanese, which has no spaces: what is not set apart must be long, and nothing is trusted blindly."""
    for one in known:
        for stem in one.japanese:
            bases = called.get(stem.key)
            if bases and weight(stem.key) >= (SHORT if stem.kind > Kind.WORDS else LONG + SHORT):
                yield from tied(one, bases, 0.3, _closeness(stem))


def _by_synonym(known: list[Named], called: Called) -> Iterator[Tie]:
    """Synonyms hold other stories' names, and scraps of names that held a comma."""
    for one in known:
        for stem in chain.from_iterable(Title.of(text).stems() for text in one.anime.synonyms):
            bases = called.get(stem.key) if stem.kind > Kind.WORDS else None
            if bases and weight(stem.key) >= (LONG - 2 if stem.words > 1 else LONG - 1):
                yield from tied(one, bases, 0.45, Closeness.BEGUN)


def _by_common_head(known: list[Named]) -> Iterator[Tie]:
    """Titles that differ in their subtitles only, where none goes without."""
    heads: defaultdict[Opening, list[Named]] = defaultdict(list)
    for one in known:
        stems = (stem for stem in chain(one.beginnings, one.japanese) if stem.kind is Kind.HEAD)
        for head in {Opening(stem.key, stem.words) for stem in stems if weight(stem.key) >= SHORT}:
            heads[head].append(one)
    for head, found in heads.items():
        if len(found) <= MANY:
            for one, other in combinations(found, 2):
                yield from tied(one, [other], 0.0 if head.words >= MANY_WORDS else 0.25, Closeness.LOOSE)


def _by_common_words(known: list[Named]) -> Iterator[Tie]:
    """Titles that begin with the same words, mostly of one studio: "Seikai no Monshou", "Seikai no Senki"."""
    openings: defaultdict[Opening, list[Named]] = defaultdict(list)
    for one in known:
        for opening in {opening for title in one.titles for opening in _openings(title)}:
            openings[opening].append(one)
    for opening, found in openings.items():
        if len(found) > 1:
            yield from _of_one_opening(opening, found)


def _openings(title: Title) -> Iterator[Opening]:
    key = ""
    for n_words, word in enumerate(title.words[:-1], start=1):
        key += word
        if weight(key) >= SHORT:
            yield Opening(key, n_words)


def _of_one_opening(opening: Opening, found: list[Named]) -> Iterator[Tie]:
    by_studio: defaultdict[str, list[Named]] = defaultdict(list)
    for one in found:
        for studio in [ANY] if opening.is_unmistakable else one.studios:
            by_studio[studio].append(one)
    if opening.words > 1 or len(by_studio) <= A_FEW_STUDIOS:
        for of_studio in by_studio.values():
            if len(of_studio) <= MANY:
                for one, other in combinations(of_studio, 2):
                    yield from tied(one, [other], _asked_of_opening(opening, one, other), Closeness.LOOSE)


def _asked_of_opening(opening: Opening, one: Named, other: Named) -> float:
    """How much two anime must have in common that begin with the same words."""
    if opening.is_unmistakable:
        return 0.0
    if opening.words >= MANY_WORDS and weight(opening.key) >= LONG + SHORT:
        return 0.6
    same_places = max(
        sum(map(eq, mine.words, yours.words)) for mine, yours in zip(one.titles, other.titles, strict=False)
    )
    return 0.9 if same_places > 1 else 1.0


def _by_ending(known: list[Named], called: Called) -> Iterator[Tie]:
    """Titles of one studio of which one ends in the whole of the other: "Boruto: Naruto the Movie"."""
    for one, title in ((named, title) for named in known for title in named.titles):
        for ending in title.endings():
            bases = called.get(ending.key)
            if bases and weight(ending.key) >= (LONG - 2 if ending.before or ending.words > 1 else LONG - 1):
                yield from tied(one, bases, 0.8 if ending.before else 1.0, Closeness.LOOSE, one_studio=True)
        first = title.words[0] if title.words else ""
        for at in range(1, len(first) - LONG + 1):  # "Bakemonogatari"
            yield from tied(one, called.get(first[at:], ()), 0.6, Closeness.LOOSE, one_studio=True)
