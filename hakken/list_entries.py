"""Reading the entries of lists, whatever site or program wrote them.

An entry whose anime id can be read is never lost: without a readable status it counts as completed, without a readable
score as not scored. docs/reference/list-files.md describes what is understood.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Self

from msgspec import Struct
from msgspec.structs import replace

from hakken.about import about
from hakken.ratings import MAX_ANIME_ID, MAX_SCORE, AnimeId, Rating, Status, UserList

STATUSES = {
    Status.WATCHING: ("watching", "currently watching", "current", "reading", "currently reading", "1"),
    Status.COMPLETED: ("completed", "complete", "finished", "watched", "repeating", "rewatching", "rereading", "2"),
    Status.ON_HOLD: ("on hold", "paused", "stalled", "3"),
    Status.DROPPED: ("dropped", "won't watch", "4"),
    Status.PLAN_TO_WATCH: ("plan to watch", "plan to read", "planned", "planning", "want to watch", "ptw", "6"),
}
"""What programs call each status. Case, spaces and punctuation don't matter."""
NOT_SCORED = ("", "-", "none", "null", "nan", "n/a", "not scored", "unscored", "no score", "-1")
"""Texts, in lower case, that say that there is no score."""
MAX_POINTS = 100
MAX_WORD = 64
"""Characters of a status or a score that are looked at."""

ID_FIELDS = (
    *(("series_animedb_id",), ("anime_animedb_id",), ("mal_id",), ("myanimelist_id",), ("idMal",), ("anime_id",)),
    *(("media", "idMal"), ("anime", "mal_id"), ("node", "id")),
)
SCORE_FIELDS = (("my_score",), ("score",), ("list_status", "score"), ("rating",))
STATUS_FIELDS = (("my_status",), ("watching_status",), ("status",), ("list_status", "status"))
"""Fields of an entry, or of an object in it; the first that is there is taken, of ids the first that can be read."""

_NUMBER = re.compile(r"\+?([0-9]{1,10}([.,][0-9]*)?|[.,][0-9]+)")
_PUNCTUATION = re.compile(r"[\W_]+")
_STATUS_OF_WORD = {_PUNCTUATION.sub("", name): status for status, names in STATUSES.items() for name in names}


class StatedEntry(Struct, frozen=True):
    """One entry of a list, as programs state it."""

    anime_id: Annotated[AnimeId, about("MyAnimeList id.")]
    score: Annotated[
        float | str | None,
        about(
            "1-10, rounded half up, or 1-100 where any score of the list is above 10; 0, -1, null or none given means "
            "not scored. A text is read as in a list file."
        ),
    ] = None
    status: Annotated[
        float | str | None,
        about(
            "How far the person got: watching, completed, on_hold, dropped, plan_to_watch, or what other programs call "
            "these; none given means completed."
        ),
    ] = None


class Entry(NamedTuple):
    """An entry as it was written: each of its values may be anything."""

    anime_id: object
    score: object = None
    status: object = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Find the id, score and status in the fields of an entry."""
        anime_id = next(filter(None, map(anime_id_of, _values(fields, ID_FIELDS))), None)
        return cls(anime_id, next(_values(fields, SCORE_FIELDS), None), next(_values(fields, STATUS_FIELDS), None))


def _values(fields: Mapping[str, Any], names: Sequence[tuple[str, ...]]) -> Iterator[Any]:
    for outer, *inner in names:
        value = fields.get(outer)
        if inner:
            value = value.get(inner[0]) if isinstance(value, dict) else None
        if value is not None:
            yield value


def read_list(
    entries: Iterable[Entry | StatedEntry], *, highest: float | None = None, manga: int = 0, repaired: bool = False
) -> UserList:
    """Make a list of entries as they were written.

    Args:
        entries: the entries.
        highest: the highest score of the format; by default 100 if any score is above 10, or else 10.
        manga: how many manga were left out.
        repaired: whether the file had to be repaired.
    """
    read = [(anime_id_of(entry.anime_id), points_of(entry.score), status_of(entry.status)) for entry in entries]
    if highest is None:
        is_hundred = any(points is not None and points > MAX_SCORE for _, points, _ in read)
        highest = MAX_POINTS if is_hundred else MAX_SCORE
    ratings: list[Rating | None] = []
    unclear = 0
    for anime_id, points, status in read:
        is_score = points is not None and points <= highest
        unclear += anime_id is not None and (status is None or not is_score)
        score = score_of(points, highest) if points and is_score else 0
        ratings.append(None if anime_id is None else Rating(anime_id, score, status or Status.COMPLETED))
    return replace(UserList.of(ratings), unclear=unclear, manga=manga, repaired=repaired)


def anime_id_of(value: object) -> int | None:
    """A MyAnimeList id: a whole number, or its ASCII digits; None if it is anything else."""
    number = _number(value)
    return int(number) if number and number.is_integer() and 1 <= number <= MAX_ANIME_ID else None


def points_of(value: object) -> float | None:
    """A score as it was written, 0-100; 0 where there is none, and None if it can't be read."""
    if value is None or value == -1:
        return 0.0
    points = _number(value)
    if points is None:
        return 0.0 if isinstance(value, str) and value.strip().lower() in NOT_SCORED else None
    return points if 0 <= points <= MAX_POINTS else None


def status_of(value: object) -> Status | None:
    """A status: `COMPLETED` where there is none, and None if it can't be read."""
    if isinstance(value, int | float) and (number := _number(value)) is not None:
        value = f"{number:g}"
    if not isinstance(value, str):
        return Status.COMPLETED if value is None else None
    word = value.strip()[:MAX_WORD].casefold()
    return _STATUS_OF_WORD.get(_PUNCTUATION.sub("", word)) if word else Status.COMPLETED


def score_of(points: float, highest: float) -> int:
    """The score, 1-10, of points above 0: rounded half up."""
    return max(1, math.floor(points * MAX_SCORE / highest + 0.5))


def _number(value: object) -> float | None:
    """A finite number, or a text that is one; MyAnimeList's ids are exact in float64."""
    if isinstance(value, str):
        if len(value) <= MAX_WORD and value.isascii() and value.isdigit():  # most are: the pattern takes longer
            return float(value)
        text = value.strip()
        return float(text.replace(",", ".")) if len(text) <= MAX_WORD and _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= 2**53 else None  # neither NaN nor infinite
