"""Relations between anime, as sites tell them or as they were inferred."""

from collections.abc import Iterator
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
"""Confidence from which on an inferred sequel, and a side story, belong to the series whatever else is known."""
ONE_NAME = 0.35
"""Confidence from which on an inferred relation of another kind at least means the same name."""


class Relation(NamedTuple):
    """`related_id` is a sequel, side story, … of `anime_id`.

    Attributes:
        anime_id: MyAnimeList id.
        kind: in a site's words, such as "Side story" or "SPIN_OFF".
        related_id: MyAnimeList id of the other.
        confidence: how sure that is, 0-1, where it was inferred.
    """

    anime_id: int
    kind: str
    related_id: int
    confidence: float | None = None

    @property
    def pair(self) -> tuple[int, int]:
        """Both ids."""
        return self.anime_id, self.related_id

    @property
    def word(self) -> str:
        """The kind in lower case, letters only, as in the sets above."""
        return _word(self.kind)

    @property
    def whole_and_part(self) -> tuple[int, int] | None:
        """Both ids, that of the side story or summary last; None where neither is one of the other."""
        return self.pair if self.word in OTHER_IS_PART else self.pair[::-1] if self.word in PART_OF_OTHER else None

    @property
    def certainty(self) -> float:
        """The confidence; 1 where a site tells it."""
        return 1.0 if self.confidence is None else self.confidence

    @property
    def is_of_one_name(self) -> bool:
        """Whether another kind with the same name was inferred: a special, a film, a retelling."""
        return self.word == "other" and ONE_NAME <= self.certainty < FAIRLY_SURE

    @property
    def separates(self) -> bool:
        """Whether it means that the two belong to different series."""
        return self.word in RETELLINGS | OTHERWISE_RELATED and not self.is_of_one_name

    @property
    def is_within_series(self) -> bool:
        """Whether it means that the two belong to one series."""
        return self.word in IN_ORDER or self.whole_and_part is not None


@lru_cache
def _word(kind: str) -> str:
    return "".join(filter(str.isalpha, kind)).lower()


def relations_of(catalogue: Catalogue) -> Iterator[Relation]:
    """The relations in a catalogue, to compute its series from."""
    for anime in catalogue.values():
        for related in anime.relations or ():
            yield Relation(anime.anime_id, related.relation, related.anime_id, related.confidence)
        if anime.relations == ():
            # It is known to have none: then its title alone can't link it to others of which the same is known.
            yield Relation(anime.anime_id, "none", anime.anime_id)
