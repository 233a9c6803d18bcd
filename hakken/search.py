"""Finding titles by what people call them: any of their names, typos forgiven."""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from rapidfuzz import fuzz, process, utils

from hakken.catalogue import Anime, Catalogue

PARTIAL = 0.9
"""What a name counts that the words were only found in, beside one that they are the whole of."""
CUTOFF = 70.0
"""Least likeness, of 100, of what is shown."""
STEP = 5.0
"""Names whose likeness differs by less are taken for equal, so that the popular one wins."""


class Titles:
    """The titles of a catalogue by all of their names. Made once for each catalogue: it takes a part of a second."""

    def __init__(self, catalogue: Catalogue) -> None:
        # By falling popularity, so that what comes first wins every tie.
        self._anime = sorted(catalogue.values(), key=lambda one: -(one.members or 0))
        self._saga_of = catalogue.saga_of
        names = [(name, place) for place, one in enumerate(self._anime) for name in dict.fromkeys(_names(one))]
        self._names = [name for name, _ in names]
        self._titles = [place for _, place in names]
        self._lengths = np.array([len(name) for name in self._names], dtype=np.int64)

    def search(self, text: str, limit: int, *, adult: bool = False) -> tuple[Anime, ...]:
        """The titles that `text` most likely means, the likeliest first.

        First come those that are called so, then those with a name that has a word that begins so, then those with a
        name that looks alike, all by popularity where they are equal.

        Args:
            text: as someone typed it.
            limit: how many there may be.
            adult: whether titles for adults may be among them.
        """
        words = _plain(text)
        if not words:
            return ()
        begun = [place for place, name in enumerate(self._names) if f" {words}" in f" {name}"]
        called = [place for place in begun if self._names[place] == words]
        found = self._shown([*called, *begun], limit, adult=adult)
        # Looking for what is alike is the slow part, and left out where it would not be seen.
        return found if len(found) == limit else self._shown([*called, *begun, *self._alike(words)], limit, adult=adult)

    def _alike(self, words: str) -> list[int]:
        """Places of the names that look like the words, the likest first."""
        whole = process.cdist([words], self._names, scorer=fuzz.ratio, score_cutoff=CUTOFF)[0]
        # A name that is shorter than the words would be found in nearly any of them.
        longer = np.flatnonzero(self._lengths >= len(words))
        names = [self._names[one] for one in longer.tolist()]
        if names:
            parts = process.cdist([words], names, scorer=fuzz.partial_ratio, score_cutoff=CUTOFF / PARTIAL)[0]
            whole[longer] = np.maximum(whole[longer], PARTIAL * parts)
        enough = np.flatnonzero(whole >= CUTOFF)
        ranked: list[int] = enough[np.argsort(-np.floor(whole[enough] / STEP), kind="stable")].tolist()
        return ranked

    def _shown(self, names: Iterable[int], limit: int, *, adult: bool) -> tuple[Anime, ...]:
        """The first titles that have the names at some places, each once."""
        anime = (self._anime[place] for place in dict.fromkeys(self._titles[name] for name in names))
        return tuple(islice((one for one in anime if adult or not one.adult), limit))

    def well_known(self, limit: int, *, known_to: Collection[int], without: Sequence[int]) -> tuple[Anime, ...]:
        """The titles that most people have on their lists, one of each saga and none for adults.

        Args:
            limit: how many there may be.
            known_to: ids of those that may be among them.
            without: ids of titles whose sagas are left out.
        """
        sagas = {self._saga_of(anime_id) for anime_id in without}
        found: list[Anime] = []
        for one in self._anime:
            saga = self._saga_of(one.anime_id)
            if len(found) < limit and not one.adult and saga not in sagas and one.anime_id in known_to:
                sagas.add(saga)
                found.append(one)
        return tuple(found)


def _names(anime: Anime) -> Iterator[str]:
    for name in (anime.title, anime.title_english, anime.title_japanese, *anime.synonyms):
        if plain := _plain(name or ""):
            yield plain


def _plain(text: str) -> str:
    """A name as it is compared: without accents, capitals, widths and signs, one space between words."""
    letters = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    # Taken apart and put together again: what is written in other scripts stays as long as it was.
    return " ".join(utils.default_process(unicodedata.normalize("NFC", bare)).split())
