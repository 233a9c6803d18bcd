"""MyAnimeList's official API, version 2; it wants the id of a registered client."""

from http import HTTPStatus

import msgspec

from hakken.errors import PrivateList, SiteBlocked, SourceError, UserNotFound
from hakken.http import Answer, Deadline, HttpClient
from hakken.ratings import AnimeId, Rating, Score, Status, UserList
from hakken.sources.base import Page, Place, blocked, checked, read_pages, refusal_in

PAGE_SIZE = 1000
"""The most that the API allows."""


class _Node(msgspec.Struct):
    id: AnimeId


class _ListStatus(msgspec.Struct):
    status: Status
    score: Score


class _Entry(msgspec.Struct):
    node: _Node
    list_status: _ListStatus

    def rating(self) -> Rating:
        return Rating(self.node.id, self.list_status.score, self.list_status.status)


class _Paging(msgspec.Struct):
    next: str | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    paging: _Paging


class _Refusal(msgspec.Struct):
    error: str


class Mal:
    """Lists from MyAnimeList's API at the address `url`."""

    name = "mal"

    def __init__(self, http: HttpClient, url: str, client_id: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"X-MAL-CLIENT-ID": client_id}

    def fetch(self, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list, as `Source.fetch` has it."""
        address = f"{self._url}/users/{checked(username)}/animelist"

        def page_at(place: Place) -> Page:
            # The link to the next page only says that there is one: followed, it could lead our client id elsewhere.
            # Counting what came, not what was asked for, loses nothing should the API ever give shorter pages.
            answer = self._http.get(
                address,
                deadline,
                params={"fields": "list_status", "nsfw": "true", "limit": PAGE_SIZE, "offset": place.entries},
                headers=self._headers,
            )
            if not answer.ok:
                raise _refused(answer)
            page = answer.decode(_Page)
            return Page(page.data, more=page.paging.next is not None)

        return read_pages(page_at, _Entry)


def _refused(answer: Answer) -> SourceError:
    if refusal_in(answer, _Refusal):  # and not a page of the firewall before the API
        if answer.status == HTTPStatus.NOT_FOUND:
            return UserNotFound("MyAnimeList has no user of that name.")
        if answer.status == HTTPStatus.FORBIDDEN:
            return PrivateList("This list is private: MyAnimeList shows it to its owner only.")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return SiteBlocked(f"{answer.host} does not accept this server's MAL_CLIENT_ID.")
    return blocked(answer)
