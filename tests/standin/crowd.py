"""People by the thousand, made up by number: `fan-1`, `fan-2`, …; their lists change with the months."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.standin.users import COMPLETED, PLANNED, WATCHING, Entry


@dataclass
class Crowd:
    """A number of people, and the titles that they watch.

    Attributes:
        size: how many there are.
        titles: ids of the titles, the best-known first.
        season: ids of the titles of the current season.
        month: how often the lists have changed.
        gone: numbers of those who are gone.
    """

    size: int = 0
    titles: Sequence[int] = ()
    season: Sequence[int] = ()
    month: int = 0
    gone: set[int] = field(default_factory=set)
    _watchers: dict[tuple[int, ...], dict[int, list[str]]] = field(default_factory=dict)

    def empty(self) -> None:
        """Begin anew, with nobody."""
        self.size, self.titles, self.season, self.month = 0, (), (), 0
        self.gone.clear()
        self._watchers.clear()

    def list_of(self, name: str) -> tuple[Entry, ...] | None:
        """Someone's list of this month; None for a name that is none of theirs."""
        kind, _, number = name.partition("-")
        if kind != "fan" or not number.isdecimal() or not 1 <= int(number) <= self.size or int(number) in self.gone:
            return None
        return self._list(int(number))

    def watchers(self, anime_id: int) -> list[str]:
        """The names of those who have a title on their list, in an order of its own."""
        state = (self.size, self.month, len(self.season), len(self.titles))
        if state not in self._watchers:
            found = self._watchers[state] = defaultdict(list)
            for number in range(1, self.size + 1):
                for entry in self._list(number):
                    found[int(str(entry.anime_id))].append(f"fan-{number}")
            for one, names in found.items():
                random.Random(one).shuffle(names)
        return self._watchers[state].get(anime_id, [])

    def _list(self, number: int) -> tuple[Entry, ...]:
        """Half of the titles have two tastes, by their ids' parity: people score theirs high, and the others low."""
        chance, taste = random.Random(number), number % 2
        entries = []
        for place, anime_id in enumerate(self.titles):
            is_theirs = anime_id % 2 == taste
            if chance.random() < (0.5 if is_theirs else 0.15) / (1 + place / 80):
                score = min(10, max(1, round(chance.gauss(8 if is_theirs else 5, 1))))
                entries.append(Entry(anime_id, score if chance.random() < 0.9 else 0, COMPLETED))
        entries += [
            Entry(anime_id, 8 if anime_id % 2 == taste else 4, WATCHING)
            for anime_id in self.season
            if chance.random() < (0.6 if anime_id % 2 == taste else 0.1)
        ]
        later = random.Random(f"{number} {self.month}")
        return tuple(one._replace(code=PLANNED, score=0) if later.random() < 0.05 else one for one in entries)


crowd = Crowd()
"""The one of the stand-in that is running."""
