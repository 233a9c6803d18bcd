"""What to say of a title's series: what it continues, what else of it was seen, where it begins, when it comes out."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from hakken.catalogue import Anime
from hakken.data_time import in_words
from hakken.knowledge import Knowledge, Mask
from hakken.model import Columns
from hakken.model.arrays import Int64s
from hakken.series.titles import Title

SHOWS = frozenset(("TV", "ONA"))
PIECES = frozenset(("part", "cour"))
"""Words for less than a season."""
MONTH = len("2026-10")
FIRST_YEAR = 1900
"""An earlier year of a first episode is a mistake."""


class Teller:
    """Says in a sentence or two what a visitor should know of a title's series.

    Args:
        columns: the visitor's list.
        knowledge: model and catalogue.
        candidates: `(n_items,)` bool, what the filters left.
        today: the day for which it is said what is still to come; None: nothing is said of that.
    """

    def __init__(self, columns: Columns, knowledge: Knowledge, candidates: Mask, today: date | None) -> None:
        self._knowledge = knowledge
        self._catalogue = knowledge.catalogue
        self._candidates = candidates
        self._today = today
        facts = self._facts = self._catalogue.columns
        # What names a series or universe best comes first: what was not dropped, begins its series, is well known.
        seen = np.flatnonzero(np.isin(facts.ids, columns.seen_ids))
        dropped = np.isin(facts.ids[seen], columns.anime_ids[columns.dropped])
        later = facts.series[seen] != facts.ids[seen]
        self._seen: Int64s = seen[np.lexsort((-facts.members[seen], later, dropped))]

    def note(self, anime_id: int) -> str | None:
        """What to say of a title that is recommended; None where there is nothing."""
        if anime_id not in self._catalogue:
            return None
        at = int(np.searchsorted(self._facts.ids, anime_id))
        anime = self._catalogue[anime_id]
        seen = self._seen_with(self._facts.series, at)
        said = [self._continued(anime, seen), coming(anime, self._today)] if len(seen) else self._new(anime, at)
        return " ".join(filter(None, said)) or None

    def _seen_with(self, groups: Int64s, at: int) -> Int64s:
        """Positions of what was seen of a title's group, by which it is named best first."""
        found: Int64s = self._seen[groups[self._seen] == groups[at]]
        return found

    def _continued(self, anime: Anime, seen: Int64s) -> str | None:
        """Which part of a begun series a title is or, where that is only likely, what it continues."""
        entries = self._catalogue.series.get(self._catalogue.series_of(anime.anime_id), ())
        place = entries.index(anime.anime_id) + 1 if anime.anime_id in entries else 0
        if not anime.probable and not self._facts.probable[seen].all():
            return self._counted(anime, place, entries) if place and len(entries) > 1 else None
        ids = self._facts.ids[seen].tolist()
        before = [one for one in entries[: max(place - 1, 0)] if one in ids]
        if before:
            return self._naming("Probably continues", before[-1])
        return self._naming("Probably belongs with", ids[0])

    def _counted(self, anime: Anime, place: int, entries: Sequence[int]) -> str:
        """Which of the main entries one is; they are called seasons only where all titles count seasons alike."""
        others = (self._catalogue[one] for one in entries)
        if anime.type == "Movie" and all(one.type == "Movie" for one in others):
            word = "Film"
        elif (
            anime.type in SHOWS
            and _says(anime, place)
            and all(one.type in SHOWS and _says(one, at) is not False for at, one in enumerate(others, start=1))
        ):
            word = "Season"
        else:
            word = "Part"
        return f"{word} {place} of {len(entries)}."

    def _new(self, anime: Anime, at: int) -> list[str | None]:
        """What was seen beside a series that is new to the visitor, and where it begins."""
        said: list[str | None] = []
        for groups, words in ((self._facts.story, "Another telling of"), (self._facts.universe, "Same universe as")):
            if len(seen := self._seen_with(groups, at)):
                said.append(self._naming(words, int(self._facts.ids[seen[0]])))
                break
        begins = self._catalogue.series_of(anime.anime_id)
        first = self._catalogue.get(begins)
        if begins != anime.anime_id and first and (anime.adult or not first.adult):
            said.append(self._naming("Its series begins with", begins, self._why_not(begins)))
        return said

    def _why_not(self, anime_id: int) -> str:
        """Why a title is not recommended itself; empty where it may be."""
        [row], [known] = self._knowledge.model.rows_of([anime_id])
        if not known:
            return ", of which too little is known to recommend it"
        return "" if self._candidates[row] else ", which the filters leave out"

    def _naming(self, words: str, anime_id: int, more: str = "") -> str:
        return _sentence(f"{words} {self._catalogue.title(anime_id)}{more}")


def coming(anime: Anime, today: date | None) -> str | None:
    """Whether a title is only announced, or still being shown, as far as its date tells.

    A show on television has an episode a week: with so many episodes it can't be over yet.

    Args:
        anime: of which a year, month or day of the first episode may be known.
        today: None: nobody asks.
    """
    began = anime.start_date
    if today is None or not began:
        return None
    if began > today.isoformat()[: len(began)]:
        return f"Announced for {in_words(began)}."
    year, *rest = map(int, began.split("-"))
    if anime.type != "TV" or not anime.episodes or not rest or year < FIRST_YEAR:
        return None
    month, day = (*rest, 1)[:2]
    weeks = (today - (date(year, month, 1) + timedelta(days=day - 1))).days // 7
    return f"Airing since {in_words(began[:MONTH])}." if weeks < anime.episodes else None


def _says(anime: Anime, place: int) -> bool | None:
    """Whether a title says that it is a season of a number; None: it says nothing of a number."""
    title = Title.of(anime.title)
    return title.numbers == (place,) and not PIECES & set(title.words) if title.numbers else None


def _sentence(text: str) -> str:
    """A title may end a sentence itself."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
