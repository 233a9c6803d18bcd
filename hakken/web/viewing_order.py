"""A title's series as its page shows it: what to watch in which order, and what else is told of it or around it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from hakken.catalogue import Anime, Catalogue, Int64s, Mask
from hakken.ratings import Rating, Status

MAX_BESIDE = 24
MAX_AROUND = 8
"""How many entries beside the main ones are shown, and how many series of the same story or universe, at most."""
BESIDE_FIRST = ("side story", "special", "recap", "extra")
ON_LIST = {
    Status.COMPLETED: "seen",
    Status.WATCHING: "watching",
    Status.ON_HOLD: "on hold",
    Status.DROPPED: "dropped",
    Status.PLAN_TO_WATCH: "planned",
}


class Member(NamedTuple):
    """A title of the series, or one around it.

    Attributes:
        anime: all that is known of it.
        word: what it is, where it is no main entry, or how sure it is; may be empty.
        yours: what the visitor's list says of it; empty where it says nothing.
    """

    anime: Anime
    word: str
    yours: str


class Members(NamedTuple):
    """Some of what belongs together.

    Attributes:
        entries: what is shown.
        more: how many there are beside those.
    """

    entries: list[Member]
    more: int = 0


class SeriesShown(NamedTuple):
    """What belongs with a title; a part may be empty.

    Attributes:
        main: the main entries of its series in viewing order.
        beside: its specials, side stories and the like.
        tellings: series that tell the same story again, each by where it begins, the best known first; without those
            that are a lone special, music video or the like.
        universe: other series of the same universe; the same.
    """

    main: Members
    beside: Members
    tellings: Members
    universe: Members

    @property
    def alone(self) -> bool:
        """Whether there is no other entry of the series."""
        return len(self.main.entries) + len(self.beside.entries) <= 1

    @property
    def shown(self) -> Iterator[Anime]:
        """All titles that are shown."""
        for part in (() if self.alone else (self.main, self.beside)) + (self.tellings, self.universe):
            yield from (one.anime for one in part.entries)


def series_of(anime_id: int, catalogue: Catalogue, listed: Mapping[int, Rating], *, adult: bool) -> SeriesShown:
    """What belongs with a title.

    Args:
        anime_id: the title.
        catalogue: has the others.
        listed: the entries of the visitor's list, by id.
        adult: whether titles for adults may be among them.
    """
    columns = catalogue.columns
    at = int(np.searchsorted(columns.ids, anime_id))
    if anime_id not in catalogue:
        return SeriesShown(Members([]), Members([]), Members([]), Members([]))
    series, stories, universes = columns.series, columns.story, columns.universe
    own, retold = series == series[at], stories == stories[at]

    def part(ids: Iterable[int], most: int) -> Members:
        shown = [one for each in ids if (one := catalogue.get(each)) and (adult or not one.adult)]
        return Members([_member(one, listed) for one in shown[:most]], max(0, len(shown) - most))

    def around(among: Mask) -> list[int]:
        begins = np.flatnonzero(among & (columns.ids == series) & ~columns.beside)
        best: Int64s = begins[np.argsort(-columns.members[begins], kind="stable")]
        ids: list[int] = columns.ids[best].tolist()
        return ids

    main = catalogue.series.get(int(series[at]), (anime_id,))
    beside = [catalogue[one] for one in columns.ids[own].tolist() if one not in main]
    return SeriesShown(
        main=part(main, len(main)),
        beside=part([one.anime_id for one in sorted(beside, key=_beside)], MAX_BESIDE),
        tellings=part(around(retold & ~own), MAX_AROUND),
        universe=part(around((universes == universes[at]) & ~retold), MAX_AROUND),
    )


def _beside(anime: Anime) -> tuple[int, int, int]:
    place = BESIDE_FIRST.index(anime.kind) if anime.kind in BESIDE_FIRST else len(BESIDE_FIRST)
    return place, anime.year or 9999, anime.anime_id


def _member(anime: Anime, listed: Mapping[int, Rating]) -> Member:
    kind = anime.kind if anime.kind in BESIDE_FIRST and anime.part is None and anime.series else ""
    word = f"probably {kind or 'of this series'}" if anime.probable else kind or ""
    return Member(anime, word, on_list(listed.get(anime.anime_id)))


def on_list(rating: Rating | None) -> str:
    """What a list says of a title, such as "seen, 8"; empty where it says nothing."""
    if rating is None:
        return ""
    word = ON_LIST[rating.status]
    return f"{word}, {rating.score}" if rating.scored else word
