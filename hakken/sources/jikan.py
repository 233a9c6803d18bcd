"""Jikan, the unofficial API of MyAnimeList; mostly one of one's own, since the public one no longer gives lists."""

from http import HTTPStatus
from typing import Literal

import msgspec

from hakken.errors import SourceError, UserNotFound
from hakken.http import Answer, Deadline, HttpClient
from hakken.ratings import STATUS_OF_CODE, AnimeId, Rating, Score, UserList
from hakken.sources.base import Page, Place, blocked, checked, read_pages, refusal_in

PAGE_SIZE = 300


class _Anime(msgspec.Struct):
    mal_id: AnimeId


class _Entry(msgspec.Struct):
    watching_status: Literal[1, 2, 3, 4, 6]
    score: Score
    anime: _Anime

    def rating(self) -> Rating:
        return Rating(self.anime.mal_id, self.score, STATUS_OF_CODE[self.watching_status])


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]


class _Refusal(msgspec.Struct):
    message: str | None = None
    error: str | None = None

    @property
    def user_unknown(self) -> bool:
        return any("Resource does not exist" in (text or "") for text in (self.message, self.error))


class Jikan:
    """Lists from a Jikan v4 at the address `url`."""

    name = "jikan"

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    def fetch(self, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list, as `Source.fetch` has it."""
        address = f"{self._url}/users/{checked(username)}/animelist"

        def page_at(place: Place) -> Page:
            answer = self._http.get(address, deadline, params={"page": place.pages + 1})
            if not answer.ok:
                raise _refused(answer)
            entries = answer.decode(_Page).data
            return Page(entries, more=len(entries) >= PAGE_SIZE)

        return read_pages(page_at, _Entry)


def _refused(answer: Answer) -> SourceError:
    # A 404 also stands for what Jikan itself could not fetch; only these words are about the user.
    refusal = refusal_in(answer, _Refusal)
    if answer.status == HTTPStatus.NOT_FOUND and refusal and refusal.user_unknown:
        return UserNotFound("MyAnimeList has no user of that name.")
    return blocked(answer)
