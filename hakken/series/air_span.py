"""What is a show, and when a set of anime came out."""

from hakken.catalogue import Anime

EPISODES_A_YEAR, ENDLESS = 50, 30
"""Episodes in which a year goes by, and years for which a show of unknown length may run."""
SOLD = frozenset(("ONA", "OVA"))
LONG_ENOUGH = 8
"""Episodes from which on what came out on the web or on discs is a show."""


def is_show(anime: Anime) -> bool:
    """Whether it is what a series is made of, rather than a film, a special or the like."""
    return anime.type == "TV" or (anime.type in SOLD and (anime.episodes or 0) >= LONG_ENOUGH)


class AirSpan:
    """Of a set of anime: when its shows ran or, where there are none, the rest came out; and which relations are known.

    Args:
        anime: the first of the set.
        related: whether any is known of it.
        ordered: whether it certainly is, or has, a sequel.
    """

    def __init__(self, anime: Anime, *, related: bool, ordered: bool) -> None:
        self.has_show = is_show(anime)
        self.related, self.ordered = related, ordered
        self.first, self.last = anime.year, anime.year
        if anime.year and self.has_show:
            self.last = anime.year + (ENDLESS if anime.episodes is None else anime.episodes // EPISODES_A_YEAR)

    def add(self, other: "AirSpan") -> None:
        """Make it that of both sets."""
        spans = [span for span in (self, other) if span.has_show >= (self.has_show or other.has_show) and span.first]
        self.has_show |= other.has_show
        self.related |= other.related
        self.ordered |= other.ordered
        self.first = min((span.first for span in spans if span.first), default=None)
        self.last = max((span.last for span in spans if span.last), default=None)

    def years_to(self, other: "AirSpan") -> int:
        """Years between the two, 0 where they overlap or one has no year."""
        if not (self.first and self.last and other.first and other.last):
            return 0
        return max(0, self.first - other.last, other.first - self.last)
