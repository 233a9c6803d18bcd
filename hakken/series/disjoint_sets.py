"""Disjoint sets of ids (union-find), some of which must stay separate."""

from collections import defaultdict
from collections.abc import Iterable


class DisjointSets:
    """Disjoint sets of ids; each id is a set of its own until it is joined."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._separate: defaultdict[int, set[int]] = defaultdict(set)
        self._members: dict[int, list[int]] = {}

    def root(self, node: int) -> int:
        """The representative of an id's set."""
        parent = self._parent
        while (above := parent.get(node, node)) != node:
            parent[node] = parent.get(above, above)
            node = above
        return node

    def roots(self, nodes: Iterable[int]) -> dict[int, int]:
        """Each id → the representative of its set."""
        return {node: self.root(node) for node in nodes}

    def members(self, node: int) -> list[int]:
        """The ids in an id's set."""
        root = self.root(node)
        return self._members.get(root, [root])

    def join(self, one: int, other: int) -> int:
        """Merge two sets, whether they were separated or not; returns the representative of the result."""
        one, other = self.root(one), self.root(other)
        if one > other:
            one, other = other, one
        if one != other:
            self._members[one] = self.members(one) + self.members(other)
            self._parent[other] = one
            if other in self._separate:
                self._separate[one] |= self._separate.pop(other)
        return one

    def separate(self, one: int, other: int) -> None:
        """Record that two sets, if they are not one already, must stay separate."""
        if self.root(one) != self.root(other):
            self._separate[self.root(one)].add(other)
            self._separate[self.root(other)].add(one)

    def are_separate(self, one: int, other: int) -> bool:
        """Whether two sets must stay separate."""
        one, other = self.root(one), self.root(other)
        of_one, of_other = self._separate.get(one), self._separate.get(other)
        if not of_one or not of_other:
            return False
        few, many = (of_one, other) if len(of_one) < len(of_other) else (of_other, one)
        return any(self.root(node) == many for node in few)
