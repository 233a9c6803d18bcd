"""Titles picked on the page: no site is asked and no account is needed, since the URL contains all of them.

A pick is a text such as "1-9": the MyAnimeList id and a score; score 0, or none, means seen but not scored.
"""

import re
from collections.abc import Iterable

from hakken.errors import BadOption
from hakken.ratings import MAX_ANIME_ID, Rating, UserList

MAX_PICKS = 200
"""Maximum number of picks, limited by the length of a URL."""

_PICK = re.compile(r"([0-9]{1,10})(?:-(10|[0-9])?)?")


def parse(texts: Iterable[str]) -> UserList:
    """Parse picks; of several for the same anime the last counts. Raises BadOption if one is invalid, or too many."""
    user_list = UserList.of(map(_rating, texts))
    check_length(user_list)
    return user_list


def check_length(user_list: UserList) -> None:
    """Raise BadOption if a list is longer than `MAX_PICKS`, too long to be written as picks."""
    if len(user_list) > MAX_PICKS:
        raise BadOption(f"At most {MAX_PICKS} titles can be picked.")


def written(user_list: UserList) -> list[str]:
    """Write a list as picks, which `parse` reads."""
    return [f"{rating.anime_id}-{rating.score}" for rating in user_list.ratings]


def readable(text: str) -> bool:
    """Whether a text is a valid pick."""
    pick = _PICK.fullmatch(text.strip())
    return pick is not None and 1 <= int(pick[1]) <= MAX_ANIME_ID


def _rating(text: str) -> Rating:
    if not readable(text):
        raise BadOption("A pick is the id of a title and a score from 0 to 10, such as 1-9.")
    anime_id, _, score = text.strip().partition("-")
    return Rating(int(anime_id), int(score or 0))
