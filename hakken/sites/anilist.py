"""AniList's GraphQL API; entries without a MyAnimeList id are skipped."""

import msgspec

from hakken.errors import InvalidResponse, PrivateList, SiteDown, SourceError, UserNotFound
from hakken.ratings import UserList
from hakken.sites.client import HttpClient
from hakken.sites.decoding import Json, blocked, read_entries
from hakken.sites.http import Answer, Deadline, check_status, unreadable

QUERY = """
query ($name: String, $chunk: Int) {
  MediaListCollection(userName: $name, type: ANIME, chunk: $chunk) {
    hasNextChunk
    lists { entries { id score(format: POINT_10) status media { idMal } } }
  }
}
"""


class _List(msgspec.Struct):
    entries: list[msgspec.Raw] | None = None


class _Collection(msgspec.Struct):
    lists: list[_List | None]
    hasNextChunk: bool | None = None  # noqa: N815  # AniList's name


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
        # A custom list repeats entries of the status lists, byte for byte. It can't be ignored, because an entry may be
        # hidden from the status lists.
        entries: dict[bytes, None] = {}
        chunk, n_before = 1, -1
        while len(entries) > n_before:
            n_before = len(entries)
            collection = self._fetch(http, {"name": username, "chunk": chunk if chunk > 1 else None}, deadline)
            entries |= dict.fromkeys(bytes(one) for each in collection.lists if each for one in each.entries or ())
            if not collection.hasNextChunk:
                return read_entries(map(msgspec.Raw, entries))
            chunk += 1
        raise InvalidResponse("The site gave a list that never ends.")

    def _fetch(self, http: HttpClient, variables: dict[str, object], deadline: Deadline) -> _Collection:
        answer = http.post(self._url, deadline, json={"query": QUERY, "variables": variables})
        errors = Json(answer.body)["errors"].of(list[_Error])
        if errors or not answer.ok:
            raise _refused(answer, errors or [])
        collection = Json(answer.decode(msgspec.Raw))["data"]["MediaListCollection"].of(_Collection)
        if collection is None:
            raise unreadable(answer.host)
        return collection


def _refused(answer: Answer, errors: list[_Error]) -> SourceError:
    for error in errors:
        if error.message == "Private User":
            return PrivateList("This list is private: AniList shows it to its owner only.")
        if "not found" in error.message.lower():
            return UserNotFound("AniList has no user of that name.")
        if "disabled" in error.message.lower():
            return SiteDown(f"{answer.host} says that it is temporarily disabled.")
        check_status(error.status or answer.status, answer.host)  # GraphQL may report it here, with HTTP status 200
    if answer.ok:
        return unreadable(answer.host)
    return blocked(answer)
