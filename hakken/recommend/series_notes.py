"""Notes on a title's series: what it continues, what else of it was seen, where it begins, when it comes out."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.data_time import in_words
from hakken.model import ListColumns
from hakken.model.arrays import Bools, Int64s, look_up
from hakken.series.title_parts import ParsedTitle

SHOWS = frozenset(("TV", "ONA"))
SUB_SEASON_WORDS = frozenset(("part", "cour"))
"""Words for parts of a season."""
SENTENCE_ENDS = (*".!?…", "\N{FULLWIDTH EXCLAMATION MARK}", "\N{FULLWIDTH QUESTION MARK}")
MONTH = len("2026-10")
FIRST_YEAR = 1900
"""Earlier years of a first episode are mistakes in the data."""


class SeriesNotes:
    """Writes notes on titles' series for one visitor, of a sentence or two.

    Args:
        columns: the visitor's list.
        bundle: model and catalogue.
        candidates: `(n_items,)` bool, what passed the filters.
        rows: `(n,)` inner indices of what there will be notes on.
        today: date for notes on announced and airing titles; None: without these notes.
    """

    def __init__(
        self, columns: ListColumns, bundle: ModelBundle, candidates: Bools, rows: Int64s, today: date | None
    ) -> None:
        self._model, self._catalogue = bundle.model, bundle.catalogue
        self._candidates, self._today = candidates, today
        facts = self._catalogue.columns
        # Seen entries of the same universes, those that name a series best first: not dropped, first of their series,
        # with the most members.
        titles, described = look_up(facts.ids, self._model.arrays.anime_ids[rows].astype(np.int64))
        listed, known = look_up(facts.ids, columns.anime_ids)
        known &= ~columns.planned
        known[known] = np.isin(facts.universe[listed[known]], facts.universe[titles[described]])
        seen, dropped = listed[known], columns.dropped[known]
        later = facts.series[seen] != facts.ids[seen]
        seen = seen[np.lexsort((-facts.members[seen], later, dropped))]
        backwards = seen[::-1]  # so that the first of each group stays
        ids = facts.ids[backwards].tolist()
        self._seen = frozenset(ids)
        self._of_series, self._of_story, self._of_universe = (
            dict(zip(group[backwards].tolist(), ids, strict=True))
            for group in (facts.series, facts.story, facts.universe)
        )
        self._certain = frozenset(facts.series[seen[~facts.probable[seen]]].tolist())

    def of(self, anime_id: int) -> tuple[str | None, str | None]:
        """The part and the note of a recommended title, see `Recommendation`."""
        anime = self._catalogue.get(anime_id)
        if anime is None:
            return None, None
        series, part = anime.series or anime_id, None
        if series not in self._of_series:
            said = self._new(anime, series)
        else:
            entries = self._catalogue.series.get(series, ())
            position = entries.index(anime_id) + 1 if anime_id in entries else 0
            is_certain = not anime.probable and series in self._certain
            if is_certain and position and len(entries) > 1:
                part = self._counted(anime, position, entries)
            probably = None if is_certain else self._probably(series, entries[: max(position - 1, 0)])
            said = [probably, coming(anime, self._today)]
        return part, " ".join(filter(None, said)) or None

    def _probably(self, series: int, before: Sequence[int]) -> str:
        """What a title of a begun series continues where that is only likely, of the main entries before it."""
        if seen := [one for one in before if one in self._seen]:
            return self._naming("Probably continues", seen[-1])
        return self._naming("Probably belongs with", self._of_series[series])

    def _counted(self, anime: Anime, position: int, entries: Sequence[int]) -> str:
        """The number of a main entry; entries are called seasons only where no title numbers them differently."""
        main = self._catalogue.main  # numbers are read from main titles, whatever names are shown
        word, others = "Part", (main[one] for one in entries)
        if anime.type == "Movie":
            word = "Film" if all(one.type == "Movie" for one in others) else word
        elif anime.type in SHOWS and _numbers_itself(main.title(anime.anime_id), position):
            numbered = (
                one.type in SHOWS and _numbers_itself(one.title, at) is not False for at, one in enumerate(others, 1)
            )
            word = "Season" if all(numbered) else word
        return f"{word} {position} of {len(entries)}"

    def _new(self, anime: Anime, series: int) -> list[str | None]:
        """Of a series that is new to the visitor: what they saw of its story or universe, and where it begins."""
        said: list[str | None] = []
        story = anime.story or series
        for words, groups, group in (
            ("Another telling of", self._of_story, story),
            ("Same universe as", self._of_universe, anime.universe or story),
        ):
            if group in groups:
                said.append(self._naming(words, groups[group]))
                break
        first = self._catalogue.get(series)
        if series != anime.anime_id and first and (anime.adult or not first.adult):
            [row], [known] = self._model.rows_of([series])
            left_out = "" if self._candidates[row] else ", which the filters leave out"
            why_not = left_out if known else ", which we know too little about to recommend"
            said.append(self._naming("Its series begins with", series, why_not))
        return said

    def _naming(self, words: str, anime_id: int, more: str = "") -> str:
        """A sentence that names a title, which may end the sentence with its own punctuation."""
        text = f"{words} {self._catalogue.title(anime_id)}{more}"
        return text if text.endswith(SENTENCE_ENDS) else f"{text}."


def coming(anime: Anime, today: date | None) -> str | None:
    """A note on whether a title is only announced or still airing, as far as its start date tells.

    A television show is assumed to air an episode a week. There is no note where `today` is None.
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


@lru_cache(maxsize=4096)  # the same titles come up in most lists
def _numbers_itself(title: str, part: int) -> bool | None:
    """Whether a title has the number of this season; None where it has no number."""
    parsed = ParsedTitle.of(title)
    if not parsed.numbers:
        return None
    return parsed.numbers == (part,) and SUB_SEASON_WORDS.isdisjoint(parsed.words)
