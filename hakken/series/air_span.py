"""In which years a set of anime came out."""

from hakken.series.similarity import AnimeTitles

EPISODES_A_YEAR, ENDLESS = 50, 30
"""Episodes that a show airs in a year, and years for which a show of unknown length may run."""


class AirSpan:
    """The years in which a set of anime's shows ran, or else its other anime came out; and what relations are known.

    Args:
        one: the first of the set.
        related: whether any relation of it is known.
        ordered: whether it certainly has, or is, a sequel.
    """

    def __init__(self, one: AnimeTitles, *, related: bool = False, ordered: bool = False) -> None:
        self.has_show, self.related, self.ordered = one.is_show, related, ordered
        self.first = self.last = one.anime.year
        if self.last and one.is_show:
            episodes = one.anime.episodes
            self.last += ENDLESS if episodes is None else episodes // EPISODES_A_YEAR

    def add(self, other: "AirSpan") -> None:
        """Extend the span by that of another set."""
        self.related |= other.related
        self.ordered |= other.ordered
        spans = [(one.first, one.last) for one in (self, other) if one.has_show or not self.has_show | other.has_show]
        self.has_show |= other.has_show
        self.first = min((first for first, _ in spans if first), default=None)
        self.last = max((last for _, last in spans if last), default=None)

    def years_to(self, other: "AirSpan") -> int:
        """Years between two spans, 0 where they overlap or one has no year."""
        if not (self.first and self.last and other.first and other.last):
            return 0
        return max(0, self.first - other.last, other.first - self.last)
