"""The JSON behind MyAnimeList's own list pages: undocumented, so it is asked only where an operator says so."""

from typing import Literal

import msgspec

from hakken.http import Deadline, HttpClient
from hakken.ratings import STATUS_OF_CODE, AnimeId, Rating, Score, UserList
from hakken.sources.base import Page, Place, blocked, checked, read_pages

_ALL_STATUSES = 7


class _Entry(msgspec.Struct):
    anime_id: AnimeId
    score: Score
    status: Literal[1, 2, 3, 4, 6]

    def rating(self) -> Rating:
        return Rating(self.anime_id, self.score, STATUS_OF_CODE[self.status])


class LoadJson:
    """Lists from MyAnimeList's list pages at the address `url`.

    An unknown user, a private list and a refusal look the same here, so none of its answers is final.
    """

    name = "load_json"

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    def fetch(self, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list, as `Source.fetch` has it."""
        address = f"{self._url}/{checked(username)}/load.json"

        def page_at(place: Place) -> Page:
            params = {"status": _ALL_STATUSES, "offset": place.entries}
            answer = self._http.get(address, deadline, params=params)
            if not answer.ok:
                raise blocked(answer)
            entries = answer.decode(list[msgspec.Raw])
            return Page(entries, more=bool(entries))  # nobody promises a page's length: only an empty one is the end

        return read_pages(page_at, _Entry)
