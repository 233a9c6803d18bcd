"""What counts as a show, and in which years a set of anime came out."""

from hakken.catalogue import Anime

EPISODES_A_YEAR, ENDLESS = 50, 30
"""Episodes that a show airs in a year, and years for which a show of unknown length may run."""
WEB_AND_DISC = frozenset(("ONA", "OVA"))
MIN_EPISODES = 8
"""Episodes from which on an ONA or OVA counts as a show."""


def is_show(anime: Anime) -> bool:
    """Whether an anime is a show rather than a film, a special or the like."""
    return anime.type == "TV" or (anime.type in WEB_AND_DISC and (anime.episodes or 0) >= MIN_EPISODES)


class AirSpan:
    """The years in which a set of anime's shows ran, or else its other anime came out; and what relations are known.

    Args:
        anime: the first of the set.
        related: whether any relation of it is known.
        ordered: whether it certainly has, or is, a sequel.
    """

    def __init__(self, anime: Anime, *, related: bool = False, ordered: bool = False) -> None:
        self.has_show = is_show(anime)
        self.related, self.ordered = related, ordered
        self.first, self.last = anime.year, anime.year
        if anime.year and self.has_show:
            self.last = anime.year + (ENDLESS if anime.episodes is None else anime.episodes // EPISODES_A_YEAR)

    def add(self, other: "AirSpan") -> None:
        """Extend the span by that of another set."""
        spans = [span for span in (self, other) if span.has_show >= (self.has_show or other.has_show) and span.first]
        self.has_show |= other.has_show
        self.related |= other.related
        self.ordered |= other.ordered
        self.first = min((span.first for span in spans if span.first), default=None)
        self.last = max((span.last for span in spans if span.last), default=None)

    def years_to(self, other: "AirSpan") -> int:
        """Years between two spans, 0 where they overlap or one has no year."""
        if not (self.first and self.last and other.first and other.last):
            return 0
        return max(0, self.first - other.last, other.first - self.last)
