"""Titles picked on the page: no site is asked and no account is needed, since the URL contains all of them.

A pick is a text such as "1-9": the MyAnimeList id and a score; score 0, or none, means seen but not scored.
"""

import re
from collections.abc import Iterable

from hakken.errors import BadOption
from hakken.list_entries import Entry, anime_id_of, read_list
from hakken.ratings import UserList

MAX_PICKS = 200
"""Maximum number of picks, limited by the length of a URL."""

_PICK = re.compile(r"([0-9]{1,10})(?:-(.*))?", re.DOTALL)


def parse(texts: Iterable[str]) -> UserList:
    """Parse picks; of several for the same anime the last counts. Raises BadOption if one is invalid, or too many."""
    user_list = read_list(map(_entry, texts))
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
    """Whether a text is a pick whose title can be read."""
    pick = _PICK.fullmatch(text.strip())
    return pick is not None and anime_id_of(pick[1]) is not None


def _entry(text: str) -> Entry:
    if not readable(text):
        raise BadOption("A pick must be the id of a title and a score from 0 to 10, such as 1-9.")
    anime_id, _, score = text.strip().partition("-")
    return Entry(anime_id, score)
