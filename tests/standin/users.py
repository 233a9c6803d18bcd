"""The users that the stand-in knows. Any other is unknown to it."""

from typing import NamedTuple

from hakken.ratings import STATUS_OF_CODE, Rating, Status

WATCHING, COMPLETED, ON_HOLD, DROPPED, PLANNED = 1, 2, 3, 4, 6


class Entry(NamedTuple):
    """An entry of a list. Its fields may hold what no site should send: so ids and scores are any object."""

    anime_id: object
    score: object = 0
    code: int = COMPLETED
    title: object = "A title"
    rewatching: bool = False
    gray: bool = False
    """Whether MyAnimeList's API leaves it out unless told `nsfw=true`."""
    custom: str = ""
    """On AniList: "also" in a custom list, or "only" there."""


UNREADABLE = (
    None,  # instead of an entry
    Entry(None, 8),
    Entry(0, 8),
    Entry(2**31, 8),
    Entry("one", 8),
    Entry(None, 8, custom="also"),
)
"""Without an anime."""
UNCLEAR = (Entry(71, "ten"), Entry(72, 11), Entry(73, -2), Entry(74, 8, code=5))
"""Without a readable score or status."""

USERS: dict[str, tuple[Entry | None, ...]] = {
    "everything": (
        Entry(1, 10, COMPLETED, "カウボーイビバップ"),
        Entry(5, 0, COMPLETED, "Tengoku no Tobira ☄️", custom="also"),
        Entry(21, 7, WATCHING, "ONE PIECE"),
        Entry(30, 9, COMPLETED, 86, rewatching=True, custom="also"),
        Entry(16498, 1, DROPPED, "</script>", gray=True),
        Entry(9253, 6, ON_HOLD, "Steins;Gate", custom="only"),
        Entry(52991, 0, PLANNED, "\N{ZERO WIDTH SPACE}"),
        Entry(2**31 - 1, 0, WATCHING, ""),
    ),
    "empty": (),
    "long-list": tuple(Entry(number, number % 11) for number in range(1, 1251)),
    "even-list": tuple(Entry(number, 5) for number in range(1, 3001)),  # ends where a page does, whatever the site
    "repeats": (
        Entry(1, 3, WATCHING),
        *(Entry(number, 5) for number in range(2, 1101)),
        Entry(1, 9, COMPLETED),
        Entry(2, 9, DROPPED),
    ),
    "unreadable": (Entry(70, 8), *UNREADABLE, *UNCLEAR, Entry(75, None), Entry(80, 4)),
    "recluse": (Entry(1, 10),),  # whose list is private
    **{f"visitor-{number}": tuple(Entry(one, 8) for one in (1, 5, 6, 30, 43 + number)) for number in range(20)},
    "endless": tuple(Entry(number, 5) for number in range(1, 10_001)),  # page after page, always this one
}


def ratings_of(user: str) -> set[Rating]:
    """What a source must make of a user's entries, if all can be read and none stands twice."""
    ratings = set()
    for entry in USERS[user]:
        assert entry is not None
        assert isinstance(entry.anime_id, int)
        assert isinstance(entry.score, int)
        ratings.add(Rating(entry.anime_id, entry.score, Status(STATUS_OF_CODE[entry.code])))
    return ratings
