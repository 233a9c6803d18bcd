"""Finding titles by what people call them: by any of their names, with typos; or finding none, where none is known.

*As typed*: names that are what was typed, wherever the spaces are; abbreviations, also before other words, as in "aot
season 2"; names that hold all of the words, or begin with what was typed. *Mistyped*, only where that finds nothing:
names whose likeness to what was typed reaches a threshold; see `Titles._mistyped`. Titles are ranked by popularity,
which a closer match outweighs; see `Match`.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from hakken.catalogue import Anime, Catalogue
from hakken.search.index import PackedStrings, Places, PrefixIndex, WordIndex
from hakken.search.spelling import PARTICLES, PARTS, SHORT_FOR, head, initials, is_unspaced, plain, solid

Scores = npt.NDArray[np.float64]

NEVER = -np.inf
"""Score of what is not found."""
LIKE_ENOUGH = 0.78
"""Least likeness of what is taken for a mistyped name of the best known title: a typo in five letters."""
LESS_KNOWN = 0.045
"""How much more is asked of a title with a tenth of its members: fewer mean it, and more titles look like anything."""
TYPO_COSTS = 10.0
"""What a likeness of 0 would cost, in powers of ten of members: a typo in ten letters is made up for by one."""
PART_WEIGHT, NUMBER_WEIGHT = 1.0, 3.0
"""What words that say which part of a story is meant count, beside 2 for "no" and 10 for words of one name only."""
BEGUN_FROM = 3
"""Letters from which on a word that is not the last may be the beginning of one."""
ABBREVIATED = {2: 100, 3: 1000}
ABBREVIATED_LONG = 2000
"""Letters of an abbreviation → of how many titles there are such, the best known: few shorten what few people know."""


class Match(float, Enum):
    """How a name matches what was typed: worth as many powers of ten in members, as popularity is counted."""

    CALLED = 1.5
    """It is the whole name."""
    SHORTENED = 1.0
    """It is an abbreviation of it."""
    PHRASE = 0.5
    """The name holds it."""
    BEGUN = 0.0
    """The name holds it but for the end of its last word."""
    SCATTERED = -0.5
    """The name has its words, in another order or with others in between."""


class Titles:
    """The titles of a catalogue by all of their names. Made once for each catalogue: it takes a part of a second."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        columns = catalogue.columns
        # By falling popularity, so that what comes first wins every tie.
        order = np.argsort(-columns.members, kind="stable")
        self._ids, self._adult, self._series = columns.ids[order], columns.adult[order], columns.series[order]
        self._popularity: Scores = np.log10(1 + columns.members[order])
        self._enough = LIKE_ENOUGH + LESS_KNOWN * (self._popularity.max(initial=0.0) - self._popularity)
        self._names, self._title_of = _all_names(catalogue, self._ids)
        # A title is told from its remakes by its year: "fruits basket 2019".
        self._words = WordIndex(self._names, columns.year[order][self._title_of])
        self._beginnings = PrefixIndex(self._names)
        self._short: dict[str, list[int]] = {}
        for place, anime_id in enumerate(self._ids[:ABBREVIATED_LONG].tolist()):
            for short in dict.fromkeys(_abbreviations(catalogue[anime_id], place)):
                self._short.setdefault(short, []).append(place)

    def search(self, text: str, limit: int, *, adult: bool = False) -> tuple[Anime, ...]:
        """The titles that `text` most likely means, the likeliest first; none where no title is like it.

        Args:
            text: as someone typed it.
            limit: how many there may be.
            adult: whether titles for adults may be among them.
        """
        words = " ".join(SHORT_FOR.get(word, word) for word in plain(text).split())
        if not words:
            return ()
        for way in (self._typed_or_short, self._mistyped):
            scores = way(words)
            if not adult:
                scores[self._adult] = NEVER
            titles = np.flatnonzero(scores > NEVER)
            if len(titles):
                ranked = titles[np.argsort(-(scores + self._popularity)[titles], kind="stable")]
                return self._anime(ranked[:limit])
        return ()

    def _typed_or_short(self, words: str) -> Scores:
        """How well each title matches as typed, or with the first of several words written out: `(n_titles,)`."""
        scores = self._typed(words)
        first, _, rest = words.partition(" ")
        places = [*self._short.get(first, []), *self._title_of[self._beginnings.called(first)].tolist()]
        if rest and places:
            [meant] = self._anime(np.array([min(places)]))
            for name in filter(None, (meant.title, meant.title_english)):
                scores = np.maximum(scores, self._typed(f"{plain(head(name))} {rest}"))
        return scores

    def _typed(self, words: str) -> Scores:
        """How well each title's names match what was typed, letter by letter: `(n_titles,)`, `Match` or `NEVER`."""
        scores = np.full(len(self._ids), NEVER)
        text = solid(words)
        matches = [*self._with_words(words), (Match.CALLED, self._beginnings.called(text))]
        if len(text) > BEGUN_FROM:
            matches.append((Match.BEGUN, self._beginnings.begun(text)))
        if is_unspaced(text) and len(text) > 1:
            matches.append((Match.BEGUN, self._beginnings.holding(text)))
        for match, names in matches:
            np.maximum.at(scores, self._title_of[names], match)
        short = self._short.get(words, [])
        scores[short] = np.maximum(scores[short], Match.SHORTENED)
        return scores

    def _with_words(self, words: str) -> Iterator[tuple[Match, Places]]:
        """The names that hold all words, any of which may be only the beginning of one of theirs."""
        *others, last = words.split()
        if not others:
            yield Match.BEGUN, self._begun(last)
            yield Match.PHRASE, self._words.having(last)
            return
        held = np.ones(len(self._names), dtype=np.bool_)
        for word in others:
            held &= self._mask(self._begun(word) if len(word) >= BEGUN_FROM else self._words.having(word))
        held &= self._mask(self._begun(last))
        found = np.flatnonzero(held).astype(np.int32)
        names = [f" {self._names[place]} " for place in found.tolist()]
        begun = np.array([f" {words}" in name for name in names], dtype=np.bool_)
        whole = np.array([f" {words} " in name for name in names], dtype=np.bool_)
        yield Match.PHRASE, found[whole]
        yield Match.BEGUN, found[begun]
        if not _says_little(words):
            yield Match.SCATTERED, found

    def _begun(self, word: str) -> Places:
        """The names that have a word that begins so; a number is whole."""
        return self._words.having(word) if word.isdigit() else self._words.having_begun(word)

    def _mask(self, names: Places) -> npt.NDArray[np.bool_]:
        mask = np.zeros(len(self._names), dtype=np.bool_)
        mask[names] = True
        return mask

    def _mistyped(self, words: str) -> Scores:
        """How well each title's names match what may be mistyped: `(n_titles,)`, negative or `NEVER`.

        The likeness of a name to what was typed is the mean, over the words that were typed, of the likeness of the
        likest word in the name, 0 where there is none; words that few names have count more, and those that only say
        which part of a story is meant count little. It has to reach `LIKE_ENOUGH`, more for titles that are less known.
        """
        scores = np.full(len(self._ids), NEVER)
        if _says_little(words):
            return scores
        likeness, total = np.zeros(len(self._names)), 0.0
        for word in dict.fromkeys(words.split()):
            weight = self._weight(word)
            best = np.zeros(len(self._names))
            for like, names in self._words.alike(word):
                best[names] = like
            if len(word) >= BEGUN_FROM:
                best[self._begun(word)] = 1
            likeness += weight * best
            total += weight
        likeness /= total
        found = np.flatnonzero(likeness >= self._enough[self._title_of])
        np.maximum.at(scores, self._title_of[found], TYPO_COSTS * (likeness[found] - 1))
        return scores

    def _weight(self, word: str) -> float:
        if word in PARTS:
            return PART_WEIGHT
        return NUMBER_WEIGHT if word.isdigit() else self._words.weight(word)

    def well_known(self, limit: int, *, known_to: Places, without: Sequence[int]) -> tuple[Anime, ...]:
        """The titles that most people have on their lists, one of each series and none for adults.

        Args:
            limit: how many there may be.
            known_to: `(n,)`, ids of those that may be among them.
            without: ids of titles whose series are left out.
        """
        left_out = [self._catalogue.series_of(anime_id) for anime_id in without]
        places = np.flatnonzero(~self._adult & np.isin(self._ids, known_to) & ~np.isin(self._series, left_out))
        firsts = np.sort(np.unique(self._series[places], return_index=True)[1])
        return self._anime(places[firsts[:limit]])

    def _anime(self, places: npt.NDArray[np.intp]) -> tuple[Anime, ...]:
        """The titles at some places, as the catalogue has them."""
        return tuple(map(self._catalogue.__getitem__, self._ids[places].tolist()))


def _all_names(catalogue: Catalogue, anime_ids: npt.NDArray[np.int64]) -> tuple[PackedStrings, Places]:
    """The plain names of some titles, one title's after another's, and which of the titles each is of."""
    names: list[str] = []
    n_names = []
    for anime_id in anime_ids.tolist():
        some = dict.fromkeys(_names(catalogue[anime_id]))
        names += some
        n_names.append(len(some))
    return PackedStrings(names), np.repeat(np.arange(len(n_names), dtype=np.int32), n_names)


def _names(anime: Anime) -> Iterator[str]:
    for name in (anime.title, anime.title_english, anime.title_japanese, *anime.synonyms):
        if words := plain(name or ""):
            yield words


def _abbreviations(anime: Anime, place: int) -> Iterator[str]:
    """What a title may be shortened to, if it is known well enough for that."""
    for name in filter(None, (anime.title, anime.title_english)):
        for short in initials(name):
            if place < ABBREVIATED.get(len(short), ABBREVIATED_LONG):
                yield short


def _says_little(words: str) -> bool:
    """Whether all but one of several words are particles: "the office" is not just any name with "the" and "office"."""
    several = words.split()
    return len(several) > 1 and sum(word not in PARTICLES for word in several) == 1
