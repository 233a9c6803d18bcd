"""Indexes of names: by words, exact or similar, and by prefixes. Names are referred to by their position, int32."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from hakken.model.arrays import Int32s, Int64s
from hakken.search.spelling import is_unspaced, solid, with_short_vowels

Codes = npt.NDArray[np.uint32]
LetterSets = npt.NDArray[np.uint64]

LETTERS_PER_TYPO, MOST_TYPOS = 4, 2
"""A word may have one typo for so many letters, up to a maximum."""
LAST = chr(0x10FFFF)
"""Sorts after all that may follow in a name."""
SEPARATOR = "\n"


class PackedStrings:
    """Many strings, none with a line break, in one block of memory: a `str` takes 50 bytes more than its letters."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._bytes = SEPARATOR.join(chain(texts, ("",))).encode()
        ends = np.flatnonzero(np.frombuffer(self._bytes, dtype=np.uint8) == ord(SEPARATOR))
        self._begins = np.concatenate([[0], ends + 1]).astype(np.int32)

    def __len__(self) -> int:
        return len(self._begins) - 1

    def __getitem__(self, index: int) -> str:
        return self._bytes[self._begins[index] : self._begins[index + 1] - 1].decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self._bytes.decode().split(SEPARATOR)[:-1])


class WordIndex:
    """Which names each word is in.

    Args:
        names: plain names.
        years: `(n_names,)`, one more word for each of them; 0 for none.
    """

    def __init__(self, names: PackedStrings, years: Int64s) -> None:
        self._n_names = len(names)
        dated = np.flatnonzero(years)
        words = chain(chain.from_iterable(map(str.split, names)), map(str, years[dated].tolist()))
        # Words are numbered in the order of first use, then renumbered alphabetically.
        numbers: dict[str, int] = defaultdict(count().__next__)
        number_of = np.fromiter(map(numbers.__getitem__, words), dtype=np.int32)
        distinct = sorted(numbers)
        rank = np.empty(len(distinct), dtype=np.int32)
        rank[[numbers[word] for word in distinct]] = np.arange(len(distinct))
        number_of = rank[number_of]
        n_words = [name.count(" ") + 1 for name in names]
        name_of = np.concatenate([np.repeat(np.arange(len(names), dtype=np.int32), n_words), dated.astype(np.int32)])
        order = np.argsort(number_of, kind="stable")
        self._names: Int32s = name_of[order]
        self._begins = np.searchsorted(number_of[order], np.arange(len(distinct) + 1)).astype(np.int32)
        self._words = PackedStrings(distinct)
        sounds = [with_short_vowels(word) for word in distinct]
        self._lengths = np.fromiter(map(len, sounds), dtype=np.int32)
        codes, begins = codes_of(sounds)
        self._firsts = codes[begins]
        # Of words of one letter this is the next word's, but nothing is similar to them anyway.
        self._seconds = codes[np.minimum(begins + 1, max(0, len(codes) - 1))]
        self._letters = letters_of(codes, begins)

    def weight(self, word: str) -> float:
        """How much a word distinguishes names: more, the fewer names have it."""
        return float(np.log1p(self._n_names / max(1, len(self.having(word)))))

    def having(self, word: str, *, begun: bool = False) -> Int32s:
        """The names that have a word; or one that begins with it, each as often as it has one."""
        first, last = (bisect_left(self._words, end) for end in (word, word + (LAST if begun else SEPARATOR)))
        return self._names[self._begins[first] : self._begins[last]]

    def similar(self, word: str) -> Iterator[tuple[float, Int32s]]:
        """The words of which one may be a misspelling, the least similar first: similarity, at most 1, and their names.

        Similarity is 1 - typos / letters, of the longer word. A typo is a letter that is wrong, missing or too much, or
        two that changed places (optimal string alignment). The first letter has to be right, or in the second place.
        """
        sound = with_short_vowels(word)
        typos = min(len(sound) // LETTERS_PER_TYPO, MOST_TYPOS)
        if not typos:
            yield 1.0, self.having(word)
            return
        near = self._candidates(sound, typos)
        sounds = [with_short_vowels(self._words[one]) for one in near]
        [found] = process.cdist([sound], sounds, scorer=OSA.distance, score_cutoff=typos)
        for distance in range(typos, -1, -1):
            for index in np.flatnonzero(found == distance).tolist():
                similarity = 1 - distance / max(len(sound), len(sounds[index]))
                yield similarity, self._names[self._begins[near[index]] : self._begins[near[index] + 1]]

    def _candidates(self, sound: str, typos: int) -> list[int]:
        """Numbers of all words within so many typos, and of few others."""
        first, second = map(ord, sound[:2])
        begins = (self._firsts == first) | ((self._firsts == second) & (self._seconds == first))
        different = np.bitwise_count(self._letters ^ letters_of(*codes_of([sound])))
        longer = self._lengths - len(sound)
        possible = begins & (abs(longer) <= typos) & (different <= 2 * typos)
        if len(sound) == LETTERS_PER_TYPO:
            # Of so few letters a wrong one makes another word, as "darc" for "dark"; a missing one rarely does.
            possible &= (longer != 0) | (different == 0)
        numbers: list[int] = np.flatnonzero(possible).tolist()
        return numbers


class PrefixIndex:
    """Which names equal, begin with, or hold a text, wherever the spaces are.

    Args:
        names: plain names.
    """

    def __init__(self, names: PackedStrings) -> None:
        solids = [*map(solid, names)]
        self._order = order = np.array(sorted(range(len(solids)), key=solids.__getitem__), dtype=np.int32)
        self._solid: Callable[[int], str] = lambda rank: solid(names[order[rank]])
        unspaced = [index for index, text in enumerate(solids) if is_unspaced(text)]
        self._unspaced: Int32s = np.array(unspaced, dtype=np.int32)
        self._text = SEPARATOR.join(solids[index] for index in unspaced)
        self._ends = np.cumsum([len(solids[index]) + 1 for index in unspaced], dtype=np.int32)

    def equal(self, text: str, *, begun: bool = False) -> Int32s:
        """The names that equal a text without spaces, or that begin with it."""
        ranks, ends = range(len(self._order)), (text, text + (LAST if begun else SEPARATOR))
        return self._order[slice(*(bisect_left(ranks, end, key=self._solid) for end in ends))]

    def holding(self, text: str) -> Int32s:
        """The names in scripts without spaces that hold a text; each as often as it does."""
        found, at = [], self._text.find(text)
        while at >= 0:
            found.append(at)
            at = self._text.find(text, at + 1)
        return self._unspaced[np.searchsorted(self._ends, np.array(found, dtype=np.int64), side="right")]


def codes_of(words: Sequence[str]) -> tuple[Codes, Int32s]:
    """The code points of some words, none empty, joined, `(n_letters,)`, and where each begins, `(n_words,)`."""
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32)
    lengths = np.fromiter(map(len, words), dtype=np.int32)
    return codes, np.cumsum(lengths, dtype=np.int32) - lengths


def letters_of(codes: Codes, begins: Int32s) -> LetterSets:
    """The letters of each of some words as bits, `(n_words,)` uint64. A typo changes two bits at most."""
    bits = np.uint64(1) << (codes % np.uint32(64)).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, begins) if len(begins) else bits
