"""Links between anime by their titles.

A title that has the whole of another as a prefix, followed by a colon or a season number, is hardly ever another story;
one that merely shares its first word mostly is. So the weaker a link is, the more similar the two must be in genres and
studios: the thresholds were tuned on the three thousand best-known titles. Which first words are common is counted in
the catalogue. There is no list of titles.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, combinations
from operator import eq

from hakken.catalogue import Anime
from hakken.series.similarity import EXTRA_TYPES, AnimeTitles, Closeness, Pair, links_between, similarity
from hakken.series.title_parts import ParsedTitle, Prefix, PrefixKind, weight

LONG, SHORT = 8, 4
"""Least weights of keys, of several words and of a single word, for which the other criteria are considered."""
DISSIMILAR = 0.15
FULL_WORKS = frozenset(("TV", "Movie"))
"""Types that are compared to find common first words: others may be parodies, dissimilar to what they parody."""
NEVER = math.inf
MANY = 80
"""A key that more titles share is no name of a series."""
ANY = ""
"""In place of a studio: any."""
MANY_WORDS = 3
A_FEW_STUDIOS = 3
"""A first word that more studios use is a common word."""


Links = Iterator[tuple[Pair, Closeness]]
TitleIndex = dict[str, list[AnimeTitles]]
"""Key of a whole title without markers → the anime with it as main, English or Japanese title, `MANY` at most."""
Opening = tuple[str, int]
"""First words of titles: the key, and the number of words."""


def title_links(named: Iterable[AnimeTitles]) -> dict[Pair, Closeness]:
    """All pairs of anime that are linked by their titles, and how closely at most."""
    known = list(named)
    index: defaultdict[str, list[AnimeTitles]] = defaultdict(list)
    for one in known:
        for key in {prefix.key for prefix in chain(one.prefixes, one.japanese) if prefix.kind is PrefixKind.WHOLE}:
            index[key].append(one)
    few = {key: bases for key, bases in index.items() if len(bases) <= MANY}
    closest: dict[Pair, Closeness] = {}
    for pair, closeness in chain(
        _by_prefix(known, few), _by_common_head(known), _by_common_words(known), _by_suffix(known, few)
    ):
        if closest.setdefault(pair, closeness) > closeness:
            closest[pair] = closeness
    return closest


def _by_prefix(known: list[AnimeTitles], index: TitleIndex) -> Links:
    """Titles that have the whole of another as a prefix."""
    common = _common_first_words(known, index)
    for one in known:
        for prefix, bases, closeness in _bases(one.prefixes, index):
            if prefix.words > 1 or prefix.kind > PrefixKind.WORDS or prefix.key not in common:
                yield from links_between(one, bases, _least_for_prefix(one.anime, prefix), closeness)
        # Japanese has no spaces: unseparated prefixes must be long, and none is trusted blindly.
        for prefix, bases, closeness in _bases(one.japanese, index):
            if weight(prefix.key) >= (SHORT if prefix.kind > PrefixKind.WORDS else LONG + SHORT):
                yield from links_between(one, bases, 0.3, closeness)
        # Some synonyms are other stories' names, or parts of names.
        of_synonyms = chain.from_iterable(ParsedTitle.of(text).prefixes() for text in one.anime.synonyms)
        for prefix, bases, _ in _bases(of_synonyms, index):
            long = weight(prefix.key) >= (LONG - 2 if prefix.words > 1 else LONG - 1)
            if long and prefix.kind > PrefixKind.WORDS:
                yield from links_between(one, bases, 0.45, Closeness.BEGUN)


def _bases(prefixes: Iterable[Prefix], index: TitleIndex) -> Iterator[tuple[Prefix, list[AnimeTitles], Closeness]]:
    """The prefixes that are whole titles of anime, those anime, and how close they are."""
    for prefix in prefixes:
        if bases := index.get(prefix.key):
            yield prefix, bases, Closeness.COUNTED if prefix.kind is PrefixKind.WHOLE else Closeness.BEGUN


def _least_for_prefix(anime: Anime, prefix: Prefix) -> float:
    """Least similarity of two anime of which one has the other's whole title as a prefix."""
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


def _common_first_words(known: list[AnimeTitles], index: TitleIndex) -> set[str]:
    """First words shared by dissimilar anime, such as "Captain"."""
    return {
        prefix.key
        for one in known
        if one.anime.type in FULL_WORKS
        for prefix in one.prefixes
        if prefix.words == 1 and prefix.kind is PrefixKind.WORDS
        for base in index.get(prefix.key, ())
        if similarity(one, base) < DISSIMILAR
    }


def _by_common_head(known: list[AnimeTitles]) -> Links:
    """Titles that differ only in their subtitles, where none has no subtitle."""
    heads: defaultdict[Opening, list[AnimeTitles]] = defaultdict(list)
    for one in known:
        prefixes = (prefix for prefix in chain(one.prefixes, one.japanese) if prefix.kind is PrefixKind.HEAD)
        for head in {(prefix.key, prefix.words) for prefix in prefixes if weight(prefix.key) >= SHORT}:
            heads[head].append(one)
    for (_, words), found in heads.items():
        for one, other in combinations(found if len(found) <= MANY else (), 2):
            yield from links_between(one, [other], 0.0 if words >= MANY_WORDS else 0.25, Closeness.LOOSE)


def _by_common_words(known: list[AnimeTitles]) -> Links:
    """Titles with the same first words, mostly of one studio: "Seikai no Monshou", "Seikai no Senki"."""
    openings: defaultdict[Opening, dict[int, AnimeTitles]] = defaultdict(dict)
    for one in known:
        for key, n_words in ((key, n) for title in one.titles for n, key in enumerate(accumulate(title.words[:-1]), 1)):
            if weight(key) >= SHORT:
                openings[key, n_words][one.anime.anime_id] = one
    for opening, found in openings.items():
        by_studio: defaultdict[str, list[AnimeTitles]] = defaultdict(list)
        for one in found.values():
            for studio in [ANY] if _is_unique(opening) else one.studios:
                by_studio[studio].append(one)
        if opening[1] > 1 or len(by_studio) <= A_FEW_STUDIOS:
            for of_studio in by_studio.values():
                for one, other in combinations(of_studio if len(of_studio) <= MANY else (), 2):
                    yield from links_between(one, [other], _least_for_opening(opening, one, other), Closeness.LOOSE)


def _is_unique(opening: Opening) -> bool:
    """Whether no other story begins like this."""
    key, words = opening
    return words > MANY_WORDS and weight(key) >= 2 * LONG


def _least_for_opening(opening: Opening, one: AnimeTitles, other: AnimeTitles) -> float:
    """Least similarity of two anime with the same first words."""
    if _is_unique(opening):
        return 0.0
    key, words = opening
    if words >= MANY_WORDS and weight(key) >= LONG + SHORT:
        return 0.6
    both = zip(one.titles, other.titles, strict=False)
    return 0.9 if max(sum(map(eq, mine.words, yours.words)) for mine, yours in both) > 1 else 1.0


def _by_suffix(known: list[AnimeTitles], index: TitleIndex) -> Links:
    """Titles of one studio of which one has the whole other one as a suffix: "Boruto: Naruto the Movie"."""
    for one, title in ((named, title) for named in known for title in named.titles):
        for key, words, separator in title.suffixes():
            bases = index.get(key)
            if bases and weight(key) >= (LONG - 2 if separator or words > 1 else LONG - 1):
                yield from links_between(one, bases, 0.8 if separator else 1.0, Closeness.LOOSE, one_studio=True)
        first = title.words[0] if title.words else ""
        for at in range(1, len(first) - LONG + 1):  # "Bakemonogatari"
            yield from links_between(one, index.get(first[at:], ()), 0.6, Closeness.LOOSE, one_studio=True)
