"""Title search: by any of a title's names, tolerating typos; empty where no title is similar enough.

*Exact*: names equal to the query whatever its spaces; abbreviations, also before other words, as in "aot season 2";
names that hold all of its words, or begin with it. *Fuzzy*, only where no exact match is found: names whose similarity
to the query reaches a threshold; see `Titles._fuzzy`. Titles are ranked by popularity, which a closer match outweighs;
see `Match`.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import chain

import numpy as np

from hakken.catalogue import Anime, Catalogue
from hakken.model.arrays import Float64s, Int32s, Int64s
from hakken.search.index import PackedStrings, PrefixIndex, WordIndex
from hakken.search.spelling import PARTICLES, PARTS, SHORT_FOR, head, initials, is_unspaced, plain, solid

NO_MATCH = -np.inf
"""Score of a title that does not match."""
MIN_SIMILARITY = 0.78
"""Least similarity for a fuzzy match of the best-known title: a typo in five letters."""
LESS_KNOWN = 0.045
"""Added to `MIN_SIMILARITY` for each power of ten fewer members: fewer people mean such a title, and there are more."""
TYPO_COST = 10.0
"""Score lost at a similarity of 0, in powers of ten of members: a typo in ten letters is offset by one."""
PART_WEIGHT, NUMBER_WEIGHT = 1.0, 3.0
"""Weights of words that say which part of a story is meant; "no" has 2, a word that occurs in one name has 10."""
MIN_PREFIX = 3
"""Letters from which on a word that is not the last may be an incomplete one."""
ABBREVIATED = {2: 100, 3: 1000}
ABBREVIATED_LONG = 2000
"""Letters of an abbreviation → how many titles have such, the best known: less known ones are rarely abbreviated."""


class Match(float, Enum):
    """How a name matches the query, with the score: powers of ten in members, as popularity is counted."""

    CALLED = 1.5  # it is the whole name
    SHORTENED = 1.0  # it is an abbreviation of the name
    PHRASE = 0.5  # the name holds it
    BEGUN = 0.0  # the name holds it, its last word being incomplete
    SCATTERED = -0.5  # the name has its words, in another order or with others in between


class Titles:
    """Search index of a catalogue's titles. Build it once for each catalogue: that takes a part of a second."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        columns = catalogue.columns
        # By falling popularity, so that what comes first wins every tie.
        order = np.argsort(-columns.members, kind="stable")
        self._ids, self._adult, self._series = columns.ids[order], columns.adult[order], columns.series[order]
        self._popularity: Float64s = np.log10(1 + columns.members[order])
        self._threshold = MIN_SIMILARITY + LESS_KNOWN * (self._popularity.max(initial=0.0) - self._popularity)
        counts: list[int] = []

        def names() -> Iterator[str]:  # a title at a time: all of them as strings would take 30 MB more
            for anime_id in self._ids.tolist():
                own = dict.fromkeys(_names(catalogue[anime_id]))
                counts.append(len(own))
                yield from own

        self._names = PackedStrings(names())
        # The title of each name, as a position in `_ids`.
        self._title_of: Int32s = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        # The year distinguishes a title from its remakes: "fruits basket 2019".
        self._words = WordIndex(self._names, columns.year[order][self._title_of])
        self._whole = PrefixIndex(self._names)
        self._abbreviations: dict[str, list[int]] = {}
        for rank, anime_id in enumerate(self._ids[:ABBREVIATED_LONG].tolist()):
            anime = catalogue[anime_id]
            found = chain.from_iterable(map(initials, filter(None, (anime.title, anime.title_english))))
            for short in dict.fromkeys(found):
                if rank < ABBREVIATED.get(len(short), ABBREVIATED_LONG):
                    self._abbreviations.setdefault(short, []).append(rank)

    def search(self, text: str, limit: int, *, adult: bool = False) -> tuple[Anime, ...]:
        """The titles that `text` most likely means, the likeliest first; none where no title is similar enough.

        Args:
            text: as typed.
            limit: largest number of results.
            adult: whether titles for adults are included.
        """
        words = " ".join(SHORT_FOR.get(word, word) for word in plain(text).split())
        if not words:
            return ()
        for score in (self._exact_or_abbreviated, self._fuzzy):
            scores = score(words)
            if not adult:
                scores[self._adult] = NO_MATCH
            titles = np.flatnonzero(scores > NO_MATCH)
            if len(titles):
                ranked = titles[np.argsort(-(scores + self._popularity)[titles], kind="stable")]
                return self._anime(ranked[:limit])
        return ()

    def _exact_or_abbreviated(self, words: str) -> Float64s:
        """Exact scores of the query, also with the first of several words written out: `(n_titles,)`."""
        scores = self._exact(words)
        first, _, rest = words.partition(" ")
        titles = [*self._abbreviations.get(first, []), *self._title_of[self._whole.equal(first)].tolist()]
        if rest and titles:
            [meant] = self._anime(np.array([min(titles)]))
            for name in filter(None, (meant.title, meant.title_english)):
                scores = np.maximum(scores, self._exact(f"{plain(head(name))} {rest}"))
        return scores

    def _exact(self, words: str) -> Float64s:
        """The best `Match` of each title's names with the query, or `NO_MATCH`: `(n_titles,)`."""
        scores = np.full(len(self._ids), NO_MATCH)
        text = solid(words)
        matches = [*self._with_words(words), (Match.CALLED, self._whole.equal(text))]
        if len(text) > MIN_PREFIX:
            matches.append((Match.BEGUN, self._whole.equal(text, begun=True)))
        if is_unspaced(text) and len(text) > 1:
            matches.append((Match.BEGUN, self._whole.holding(text)))
        for match, names in matches:
            np.maximum.at(scores, self._title_of[names], match)
        short = self._abbreviations.get(words, [])
        scores[short] = np.maximum(scores[short], Match.SHORTENED)
        return scores

    def _with_words(self, words: str) -> Iterator[tuple[Match, Int32s]]:
        """The names that hold all words, any of which may be incomplete."""
        *others, last = words.split()
        if not others:
            yield Match.BEGUN, self._with_prefix(last)
            yield Match.PHRASE, self._words.having(last)
            return
        held = np.ones(len(self._names), dtype=np.bool_)
        for at, word in enumerate((*others, last)):
            may_go_on = len(word) >= MIN_PREFIX or at == len(others)
            having = np.zeros_like(held)
            having[self._with_prefix(word) if may_go_on else self._words.having(word)] = True
            held &= having
        found = np.flatnonzero(held).astype(np.int32)
        names = [f" {self._names[index]} " for index in found.tolist()]
        for match, phrase in ((Match.PHRASE, f" {words} "), (Match.BEGUN, f" {words}")):
            yield match, found[np.array([phrase in name for name in names], dtype=np.bool_)]
        if not _is_vague(words):
            yield Match.SCATTERED, found

    def _with_prefix(self, word: str) -> Int32s:
        """The names that have a word that begins with this one; a number must be complete."""
        return self._words.having(word, begun=not word.isdigit())

    def _fuzzy(self, words: str) -> Float64s:
        """Score of each title's names where the query may have typos: `(n_titles,)`, negative or `NO_MATCH`.

        The similarity of a name to the query is the weighted mean, over the query's words, of the similarity of the
        most similar word in the name, 0 where there is none; rare words weigh more, and those that only say which part
        of a story is meant weigh little. It has to reach `MIN_SIMILARITY`, more for less known titles.
        """
        scores = np.full(len(self._ids), NO_MATCH)
        if _is_vague(words):
            return scores
        similarity, total = np.zeros(len(self._names)), 0.0
        for word in dict.fromkeys(words.split()):
            usual = NUMBER_WEIGHT if word.isdigit() else self._words.weight(word)
            weight = PART_WEIGHT if word in PARTS else usual
            best = np.zeros(len(self._names))
            for value, names in self._words.similar(word):
                best[names] = value
            if len(word) >= MIN_PREFIX:
                best[self._with_prefix(word)] = 1
            similarity += weight * best
            total += weight
        similarity /= total
        found = np.flatnonzero(similarity >= self._threshold[self._title_of])
        np.maximum.at(scores, self._title_of[found], TYPO_COST * (similarity[found] - 1))
        return scores

    def well_known(self, limit: int, *, known_to: Int32s, without: Sequence[int]) -> tuple[Anime, ...]:
        """The titles with the most members, one of each series and none for adults.

        Args:
            limit: largest number of results.
            known_to: `(n,)`, ids of the titles to choose from.
            without: ids of titles whose series are left out.
        """
        left_out = [self._catalogue.series_of(anime_id) for anime_id in without]
        titles = np.flatnonzero(~self._adult & np.isin(self._ids, known_to) & ~np.isin(self._series, left_out))
        firsts = np.sort(np.unique(self._series[titles], return_index=True)[1])
        return self._anime(titles[firsts[:limit]])

    def _anime(self, titles: Int64s) -> tuple[Anime, ...]:
        return tuple(map(self._catalogue.__getitem__, self._ids[titles].tolist()))


def _names(anime: Anime) -> Iterator[str]:
    for name in (anime.title, anime.title_english, anime.title_japanese, *anime.synonyms):
        if words := plain(name or ""):
            yield words


def _is_vague(words: str) -> bool:
    """Whether all but one of several words are particles: "the office" is not just any name with "the" and "office"."""
    several = words.split()
    return len(several) > 1 and sum(word not in PARTICLES for word in several) == 1
