"""What sites say of how two anime are related."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from hakken.catalogue import Catalogue

IN_ORDER = frozenset(("sequel", "prequel"))
PART_OF_OTHER = frozenset(("parentstory", "parent", "fullstory"))
OTHER_IS_PART = frozenset(("sidestory", "summary", "compilation"))
RETELLINGS = frozenset(("alternativeversion", "alternative"))
SUMMARIES = frozenset(("summary", "compilation"))
OTHERWISE_RELATED = frozenset(("spinoff", "alternativesetting", "other"))
DEPENDABLE, FAIRLY_SURE = 0.8, 0.7
"""Confidence from which on an inferred sequel, and a side story, are of one series, whatever else is said."""
ONE_NAME = 0.35
"""Confidence from which on something else is at least of the same name."""


class Relation(NamedTuple):
    """That `related_id` is a sequel, side story, … of `anime_id`.

    Attributes:
        anime_id: whose relation it is.
        kind: in a site's words, such as "Side story" or "SPIN_OFF".
        related_id: to whom.
        confidence: how sure that is, 0-1, where it was inferred.
    """

    anime_id: int
    kind: str
    related_id: int
    confidence: float | None = None

    @property
    def word(self) -> str:
        """The kind in small letters without spaces or the like, as the sets above have it."""
        return _word(self.kind)

    @property
    def is_dependable(self) -> bool:
        """Whether a site says so, or it was inferred with little doubt."""
        return self.confidence is None or self.confidence >= DEPENDABLE

    @property
    def is_fairly_sure(self) -> bool:
        """Whether a site says so, or it was inferred with some doubt."""
        return self.confidence is None or self.confidence >= FAIRLY_SURE

    @property
    def is_of_one_name(self) -> bool:
        """Whether it was inferred to be something else of the same name: a special, a film, another telling."""
        return self.word == "other" and self.confidence is not None and ONE_NAME <= self.confidence < FAIRLY_SURE

    @property
    def keeps_apart(self) -> bool:
        """Whether it says that the two are not of one series."""
        return self.word in RETELLINGS | OTHERWISE_RELATED and not self.is_of_one_name

    @property
    def is_within_series(self) -> bool:
        """Whether it says that the two are of one series."""
        return self.word in IN_ORDER | PART_OF_OTHER | OTHER_IS_PART


@lru_cache
def _word(kind: str) -> str:
    return "".join(filter(str.isalpha, kind)).lower()


def relations_of(catalogue: Catalogue) -> Iterator[Relation]:
    """The relations that a catalogue holds, to find its series by again."""
    for anime in catalogue.values():
        for related in anime.relations or ():
            yield Relation(anime.anime_id, related.relation, related.anime_id, related.confidence)
        if anime.relations is not None and not anime.relations:
            # That it has none is known too: so titles alone can't put it among others of whom the same is known.
            yield Relation(anime.anime_id, "none", anime.anime_id)


def parents(relations: Iterable[Relation]) -> dict[int, set[int]]:
    """Of what each side story or summary is one."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for one in relations:
        if one.word in OTHER_IS_PART:
            found[one.related_id].add(one.anime_id)
        elif one.word in PART_OF_OTHER:
            found[one.anime_id].add(one.related_id)
    return dict(sorted(found.items()))
