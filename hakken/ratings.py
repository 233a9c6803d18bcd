"""Ratings, lists and recommendations: the values that flow through Hakken, and the rules for status and score.

Scores are MyAnimeList's whole points 1-10; 0 (in some tables -1) means "on the list, not scored".
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Self

import msgspec

from hakken.errors import BadOption

MIN_SCORE = 1
MAX_SCORE = 10
MAX_N = 100
"""Longest list of recommendations that a person may ask for."""
MAX_ANIME_ID = 2**31 - 1
"""Ids are stored as 32-bit integers."""

Score = Annotated[int, msgspec.Meta(ge=-1, le=MAX_SCORE)]
"""As sites and tables have it: 0 and -1 both mean that there is none."""
AnimeId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ANIME_ID)]


class Status(StrEnum):
    """How far someone got with an anime, in MyAnimeList's words."""

    WATCHING = "watching"
    COMPLETED = "completed"
    ON_HOLD = "on_hold"
    DROPPED = "dropped"
    PLAN_TO_WATCH = "plan_to_watch"


STATUS_OF_CODE = {
    1: Status.WATCHING,
    2: Status.COMPLETED,
    3: Status.ON_HOLD,
    4: Status.DROPPED,
    6: Status.PLAN_TO_WATCH,
}
"""MyAnimeList's numbers for the statuses; there is no 5."""


class Site(StrEnum):
    """A site that keeps lists."""

    MAL = "mal"
    ANILIST = "anilist"


class Rating(msgspec.Struct, frozen=True):
    """One entry of a list. Its ranges are checked when it is decoded, not when code makes one.

    Attributes:
        anime_id: MyAnimeList id.
        score: 1-10, or 0 for "not scored"; -1 is read as 0.
        status: how far the person got; none given means completed.
    """

    anime_id: AnimeId
    score: Score = 0
    status: Status = Status.COMPLETED

    @property
    def scored(self) -> bool:
        """Whether the entry feeds the prediction."""
        return self.score >= MIN_SCORE

    @property
    def seen(self) -> bool:
        """Whether the anime is off the table: everything on a list but what is only planned."""
        return self.status is not Status.PLAN_TO_WATCH


class UserList(msgspec.Struct, frozen=True):
    """Someone's list, each anime once. Build it with `of`.

    Attributes:
        ratings: the entries, in the order the source gave them.
        skipped: entries that the source held but that could not be read.
        repeats: how many entries were overruled by a later one for the same anime.
    """

    ratings: tuple[Rating, ...] = ()
    skipped: int = 0
    repeats: int = 0

    @classmethod
    def of(cls, ratings: Iterable[Rating], *, skipped: int = 0) -> Self:
        """Make a list in which each anime stands once; of repeated entries the last counts."""
        given = tuple(ratings)
        last = {rating.anime_id: rating for rating in given}
        return cls(tuple(last.values()), skipped, len(given) - len(last))

    def __len__(self) -> int:
        return len(self.ratings)

    @property
    def scored(self) -> Iterator[Rating]:
        """The entries with a score, which are what a prediction is made from."""
        return (rating for rating in self.ratings if rating.scored)

    @property
    def seen(self) -> Iterator[Rating]:
        """The entries that are never recommended."""
        return (rating for rating in self.ratings if rating.seen)


class Username(msgspec.Struct, frozen=True):
    """A name on a site, as the person typed it; the source checks it."""

    name: str
    site: Site = Site.MAL


class Preferences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a visitor may choose about their recommendations.

    Attributes:
        n: length of the list, 1-100.
        adult: whether titles for adults may be in the list.
    """

    n: int = 10
    adult: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_N:
            raise BadOption(f"The number of recommendations must be a whole number from 1 to {MAX_N}.")


class Recommendation(msgspec.Struct, frozen=True):
    """One title of a list, best first.

    Attributes:
        anime_id: MyAnimeList id.
        title: as the catalogue has it.
        predicted_rating: the rating we expect, clipped to 1-10 and rounded to two decimals for reading.
        match: the ranking score: what the list is ordered by.
        support: how many training users scored the title.
    """

    anime_id: int
    title: str
    predicted_rating: float
    match: float
    support: int


class Recommendations(msgspec.Struct, frozen=True):
    """A ranked list and what the reader should know about how it came to be.

    Attributes:
        recommendations: best first.
        notes: plain sentences.
        personal: whether the order comes from the person's own scores; if not, it is that of popularity.
    """

    recommendations: tuple[Recommendation, ...]
    notes: tuple[str, ...] = ()
    personal: bool = True
