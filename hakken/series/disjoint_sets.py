"""Disjoint sets of ids, some of which are to stay apart."""

from collections import defaultdict
from collections.abc import Iterable


class DisjointSets:
    """Disjoint sets of ids; each id is one of its own until it is joined."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._against: defaultdict[int, set[int]] = defaultdict(set)
        self._members: dict[int, list[int]] = {}

    def root(self, node: int) -> int:
        """The id that stands for a set."""
        parent = self._parent
        while (above := parent.get(node, node)) != node:
            parent[node] = parent.get(above, above)
            node = above
        return node

    def roots(self, nodes: Iterable[int]) -> dict[int, int]:
        """Each id → the one that stands for its set."""
        return {node: self.root(node) for node in nodes}

    def members(self, node: int) -> list[int]:
        """The ids of a set."""
        root = self.root(node)
        return self._members.get(root, [root])

    def join(self, one: int, other: int) -> int:
        """Make one set of two, whether they were to stay apart or not; the id that stands for it."""
        one, other = self.root(one), self.root(other)
        if one > other:
            one, other = other, one
        if one != other:
            self._members[one] = self.members(one) + self.members(other)
            self._parent[other] = one
            if other in self._against:
                self._against[one] |= self._against.pop(other)
        return one

    def part(self, one: int, other: int) -> None:
        """Note that two sets are to stay apart."""
        self._against[self.root(one)].add(other)
        self._against[self.root(other)].add(one)

    def are_apart(self, one: int, other: int) -> bool:
        """Whether two sets are to stay apart."""
        one, other = self.root(one), self.root(other)
        against, of_other = self._against.get(one), self._against.get(other)
        if not against or not of_other:
            return False
        few, many = (against, other) if len(against) < len(of_other) else (of_other, one)
        return any(self.root(node) == many for node in few)
