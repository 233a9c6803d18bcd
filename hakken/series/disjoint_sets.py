"""Disjoint sets of ids, some of which must stay separate."""

from collections import defaultdict
from collections.abc import Iterable


class DisjointSets:
    """Disjoint sets of ids; each id is a set of its own until it is joined."""

    def __init__(self) -> None:
        self._set_of: dict[int, list[int]] = {}  # all members of a set share one list
        self._separate: defaultdict[int, set[int]] = defaultdict(set)

    def members(self, node: int) -> list[int]:
        """The ids in an id's set; the first of them represents it."""
        return self._set_of.setdefault(node, [node])

    def root(self, node: int) -> int:
        """The representative of an id's set."""
        return self.members(node)[0]

    def roots(self, nodes: Iterable[int]) -> dict[int, int]:
        """Each id → the representative of its set."""
        return {node: self.root(node) for node in nodes}

    def join(self, one: int, other: int) -> int:
        """Merge two sets, whether they were separated or not; returns the representative of the result."""
        large, small = sorted((self.members(one), self.members(other)), key=len, reverse=True)
        if large[0] != small[0]:
            self._separate[large[0]] |= self._separate.pop(small[0], set())
            large += small
            self._set_of.update(dict.fromkeys(small, large))
        return large[0]

    def separate(self, one: int, other: int) -> None:
        """Record that two sets, if they are not one already, must stay separate."""
        one, other = self.root(one), self.root(other)
        if one != other:
            self._separate[one].add(other)
            self._separate[other].add(one)

    def are_separate(self, one: int, other: int) -> bool:
        """Whether two sets must stay separate."""
        one, other = self.root(one), self.root(other)
        few, many = sorted((one, other), key=lambda root: len(self._separate.get(root, ())))
        return any(self.root(node) == many for node in self._separate.get(few, ()))
