"""Which titles to ask for the people who touched them lately: what is new first, then what few have rated."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from hakken.catalogue import Anime

DAY = 86_400
NEW_SECONDS, OTHER_SECONDS = DAY, 30 * DAY
"""How often a new title is asked for, and any other."""
NEW_MONTHS = 6
"""The current season and the last."""


class Sweep:
    """Titles in the order in which to ask for them.

    Args:
        anime: all titles that are known.
        raters: how many people rated a title, by its id.
        asked: when titles were asked for, in seconds since 1970, by id.
        today: the day.
    """

    def __init__(
        self, anime: Iterable[Anime], raters: Callable[[int], int], asked: Mapping[int, int], today: date
    ) -> None:
        self._asked = dict(asked)
        self._raters = {one.anime_id: raters(one.anime_id) for one in anime}
        self._new = {one.anime_id for one in anime if _is_new(one, today)}

    def add_new(self, anime_ids: Iterable[int]) -> None:
        """Take titles as new ones."""
        for anime_id in anime_ids:
            self._new.add(anime_id)
            self._raters.setdefault(anime_id, 0)

    def due(self, now: int) -> list[int]:
        """The titles to ask for: new ones first, those that few rated before others."""
        wanted = [one for one in self._raters if now - self._asked.get(one, 0) >= self._pause(one)]
        return sorted(wanted, key=lambda one: (one not in self._new, self._raters[one], one))

    def done(self, anime_id: int, now: int) -> None:
        """Note that a title was asked for."""
        self._asked[anime_id] = now

    def _pause(self, anime_id: int) -> int:
        return NEW_SECONDS if anime_id in self._new else OTHER_SECONDS


def _is_new(anime: Anime, today: date) -> bool:
    month = anime.first_month or 1
    return anime.year is not None and 0 <= 12 * (today.year - anime.year) + today.month - month < NEW_MONTHS
