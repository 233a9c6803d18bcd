"""The JSON behind MyAnimeList's list pages: undocumented, so it is asked last."""

import msgspec

from hakken.ratings import UserList
from hakken.sites.client import HttpClient
from hakken.sites.decoding import blocked, read_pages
from hakken.sites.http import Deadline, Request

_ALL_STATUSES = 7


class LoadJson:
    """Lists from MyAnimeList's list pages at `url`.

    Unknown users, private lists and blocked requests can't be told apart here, so no error is final.
    """

    name = "load_json"

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list; see `ListSource`."""
        url = f"{self._url}/{username}/load.json"

        def fetch_page(_pages: int, entries: int) -> tuple[list[msgspec.Raw], bool]:
            answer = http.get(Request(url, {"status": _ALL_STATUSES, "offset": entries}), deadline)
            if not answer.ok:
                raise blocked(answer)
            found = answer.decode(list[msgspec.Raw])
            return found, bool(found)  # the page size is undocumented: only an empty page is the end

        return read_pages(fetch_page)
