"""Who belongs together: what relations say, and titles where no relation is known."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

ONE_STORY = frozenset(
    (
        "sequel",
        "prequel",
        "sidestory",
        "parentstory",
        "parent",  # so AniList calls it
        "summary",
        "compilation",
        "fullstory",
        "alternativeversion",
        "alternativesetting",
        "alternative",
        "spinoff",
    )
)
"""Kinds of relations that keep to one story; a common character or an adaptation would in the end join everything."""


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
    def keeps_to_the_story(self) -> bool:
        """Whether both are of one franchise."""
        return "".join(filter(str.isalpha, self.kind)).lower() in ONE_STORY


def groups(
    anime_ids: Iterable[int], relations: Collection[Relation], ties: Iterable[tuple[int, int]]
) -> list[list[int]]:
    """The anime of each franchise, by their ids; also of those that are a single anime.

    An anime whose relations are known is in no franchise beside the one they put it in: a tie by title may bring in
    others, but joins no two franchises that relations tell apart.

    Args:
        anime_ids: whom to group.
        relations: may name others too, through which anime are related.
        ties: pairs of anime whose titles say that they belong together, the surest first.
    """
    forest = _Forest(relation.anime_id for relation in relations)
    for relation in relations:
        if relation.keeps_to_the_story:
            forest.join(relation.anime_id, relation.related_id)
    for one, other in ties:
        if not (forest.has_known(one) and forest.has_known(other)):
            forest.join(one, other)
    found: dict[int, list[int]] = {}
    for anime_id in sorted(anime_ids):
        found.setdefault(forest.root(anime_id), []).append(anime_id)
    return list(found.values())


class _Forest:
    """Disjoint sets of ids, and which of them hold one that is known."""

    def __init__(self, known: Iterable[int]) -> None:
        self._parent: dict[int, int] = {}
        self._known = set(known)

    def root(self, node: int) -> int:
        parent = self._parent
        while (above := parent.get(node, node)) != node:
            parent[node] = parent.get(above, above)
            node = above
        return node

    def join(self, one: int, other: int) -> None:
        one, other = sorted((self.root(one), self.root(other)))
        if one != other:
            self._parent[other] = one
            if other in self._known:
                self._known.add(one)

    def has_known(self, node: int) -> bool:
        return self.root(node) in self._known
