"""AniList's GraphQL API; its entries count where AniList knows the anime's MyAnimeList id."""

from typing import Annotated, Literal

import msgspec

from hakken.errors import InvalidResponse, PrivateList, SourceError, UserNotFound
from hakken.ratings import MAX_SCORE, AnimeId, Rating, Status, UserList
from hakken.sites.base import blocked, checked, decoded, refusal_in
from hakken.sites.client import HttpClient
from hakken.sites.http import Answer, Deadline, check_status

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
    "REPEATING": Status.COMPLETED,  # who watches it again has watched it once
    "PAUSED": Status.ON_HOLD,
    "DROPPED": Status.DROPPED,
    "PLANNING": Status.PLAN_TO_WATCH,
}


class _Media(msgspec.Struct):
    idMal: AnimeId  # noqa: N815  # AniList's name


class _Entry(msgspec.Struct):
    score: Annotated[float, msgspec.Meta(ge=-1, le=MAX_SCORE)]  # whole points, though of GraphQL's type Float
    status: Literal["CURRENT", "COMPLETED", "REPEATING", "PAUSED", "DROPPED", "PLANNING"]
    media: _Media

    def rating(self) -> Rating:
        return Rating(self.media.idMal, round(self.score), _STATUS[self.status])


class _List(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Collection(msgspec.Struct):
    lists: list[_List]


class _Data(msgspec.Struct):
    MediaListCollection: _Collection


class _Answer(msgspec.Struct):
    data: _Data


class _Error(msgspec.Struct):
    message: str
    status: int | None = None


class _Refusal(msgspec.Struct):
    errors: Annotated[list[_Error], msgspec.Meta(min_length=1)]


class AniList:
    """Lists from AniList's API at the address `url`."""

    name = "anilist"

    def __init__(self, url: str) -> None:
        self._url = url

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list, as `ListSource` has it."""
        query = {"query": QUERY, "variables": {"name": checked(username)}}
        answer = http.post(self._url, deadline, json=query)
        refusal = refusal_in(answer, _Refusal)
        if refusal or not answer.ok:
            raise _refused(answer, refusal)
        lists = answer.decode(_Answer).data.MediaListCollection.lists
        # A custom list holds entries of the others once more, to the last byte. It can't just be left out, since an
        # entry may be hidden from the others.
        entries = dict.fromkeys(bytes(entry) for one in lists for entry in one.entries)
        return UserList.of(decoded(map(msgspec.Raw, entries), _Entry))


def _refused(answer: Answer, refusal: _Refusal | None) -> SourceError:
    for error in refusal.errors if refusal else ():
        if error.message == "Private User":
            return PrivateList("This list is private: AniList shows it to its owner only.")
        if "not found" in error.message.lower():
            return UserNotFound("AniList has no user of that name.")
        check_status(error.status or answer.status, answer.host)  # GraphQL may put it here, under a status of 200
    if answer.ok:
        return InvalidResponse(f"{answer.host} gave an answer that can't be read.")
    return blocked(answer)
