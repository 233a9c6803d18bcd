"""AniList's GraphQL API; entries without a MyAnimeList id are skipped."""

from typing import Annotated, Literal

import msgspec

from hakken.errors import PrivateList, SourceError, UserNotFound
from hakken.ratings import MAX_SCORE, AnimeId, Rating, Status, UserList
from hakken.sites.client import HttpClient
from hakken.sites.decoding import Json, blocked, decoded
from hakken.sites.http import Answer, Deadline, check_status, unreadable

QUERY = """
query ($name: String) {
  MediaListCollection(userName: $name, type: ANIME) {
    lists { entries { id score(format: POINT_10) status media { idMal } } }
  }
}
"""

_STATUS = {
    "CURRENT": Status.WATCHING,
    "COMPLETED": Status.COMPLETED,
    "REPEATING": Status.COMPLETED,  # whoever is watching it again has completed it before
    "PAUSED": Status.ON_HOLD,
    "DROPPED": Status.DROPPED,
    "PLANNING": Status.PLAN_TO_WATCH,
}


class _Media(msgspec.Struct):
    idMal: AnimeId  # noqa: N815  # AniList's name


class _Entry(msgspec.Struct):
    score: Annotated[float, msgspec.Meta(ge=-1, le=MAX_SCORE)]  # whole points, although its GraphQL type is Float
    status: Literal["CURRENT", "COMPLETED", "REPEATING", "PAUSED", "DROPPED", "PLANNING"]
    media: _Media

    def rating(self) -> Rating:
        return Rating(self.media.idMal, round(self.score), _STATUS[self.status])


class _List(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Error(msgspec.Struct):
    message: str
    status: int | None = None


class AniList:
    """Lists from AniList's API at `url`."""

    name = "anilist"

    def __init__(self, url: str) -> None:
        self._url = url

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list; see `ListSource`."""
        query = {"query": QUERY, "variables": {"name": username}}
        answer = http.post(self._url, deadline, json=query)
        errors = Json(answer.body)["errors"].of(list[_Error])
        if errors or not answer.ok:
            raise _refused(answer, errors or [])
        lists = Json(answer.decode(msgspec.Raw))["data"]["MediaListCollection"]["lists"].of(list[_List])
        if lists is None:
            raise unreadable(answer.host)
        # A custom list repeats entries of the status lists, byte for byte. It can't be ignored, because an entry may be
        # hidden from the status lists.
        entries = dict.fromkeys(bytes(entry) for one in lists for entry in one.entries)
        return UserList.of(decoded(map(msgspec.Raw, entries), _Entry))


def _refused(answer: Answer, errors: list[_Error]) -> SourceError:
    for error in errors:
        if error.message == "Private User":
            return PrivateList("This list is private: AniList shows it to its owner only.")
        if "not found" in error.message.lower():
            return UserNotFound("AniList has no user of that name.")
        check_status(error.status or answer.status, answer.host)  # GraphQL may report it here, with HTTP status 200
    if answer.ok:
        return unreadable(answer.host)
    return blocked(answer)
