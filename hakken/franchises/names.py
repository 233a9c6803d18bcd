"""Which anime share a name: what a title itself says for certain.

A title's name is what stands before its subtitle or its first marker: a season, a number, "OVA", "Movie". Seasons,
films and specials of "Psycho-Pass" are named "Psycho-Pass"; "Noragami Aragoto" is a name of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from hakken.catalogue import Anime
from hakken.franchises.likeness import EXTRA_TYPES, Tie, tied
from hakken.franchises.titles import FILM_OF, Break, Title, weight

LIGHT = 3
"""Weight up to which a name may be anyone's: "K", "Air", "I''s"."""


class Name(NamedTuple):
    """What a title is called.

    Attributes:
        key: its words, run together.
        words: how many there are.
    """

    key: str
    words: int


def name_of(title: str) -> Name:
    """The name in a title."""
    taken_apart = Title.of(title, openings=FILM_OF)
    words = taken_apart.words
    n_words = next((at for at in range(1, len(words)) if _ends_before(taken_apart, at)), len(words))
    return Name("".join(words[:n_words]), n_words)


def same_name(catalogue: Iterable[Anime]) -> Iterator[Tie]:
    """Every two anime whose main titles share a name, unless they have too little else in common."""
    named: defaultdict[Name, list[Anime]] = defaultdict(list)
    for anime in catalogue:
        named[name_of(anime.title)].append(anime)
    for name, found in named.items():
        for one, other in combinations(found if name.key else (), 2):
            yield from tied(one, [other], _asked_of(name, one, other))


def _asked_of(name: Name, one: Anime, other: Anime) -> float:
    """How much two anime of one name must have in common otherwise; a special has few genres of its own."""
    if weight(name.key) <= LIGHT:
        return 0.4
    return 0.05 if name.words > 1 or not EXTRA_TYPES.isdisjoint((one.type, other.type)) else 0.25


def _ends_before(title: Title, at: int) -> bool:
    """Whether a marker or a subtitle begins there; after "Full Metal Panic!" an article begins one, no other word."""
    before = title.breaks[at]
    return title.ends[at] > 0 or before is Break.PART or (before is Break.STOP and title.words[at] == "the")
