"""MyAnimeList's official API, version 2; it requires the id of a registered client.

https://myanimelist.net/apiconfig/references/api/v2
"""

from http import HTTPStatus

import msgspec
from msgspec import Raw

from hakken.catalogue import DATE, Anime, made_from
from hakken.errors import ClientIdRefused, PrivateList, SiteBlocked, SourceError, UserNotFound
from hakken.ratings import AnimeId, UserList
from hakken.sites import decoding
from hakken.sites.client import HttpClient
from hakken.sites.decoding import Json, Page, about_it, blocked, name_of, page_of, plain, read_pages
from hakken.sites.http import Answer, Deadline, Request

LIST_PAGE_SIZE = 1000
PAGE_SIZE = 500
"""Both are the maximum that the API allows."""
FIELDS = (
    "title,alternative_titles,synopsis,mean,num_list_users,genres,media_type,source,num_episodes,start_date,"
    "start_season,rating,nsfw,studios,main_picture"
)
ONE_ONLY = "related_anime"
"""A field that the API provides only in requests for a single anime."""


class _Page(msgspec.Struct):
    """A page of a list, or of the ranking.

    The link to the next page only shows that there is one: following it could send our client id to another host. The
    next offset counts the entries received, not those requested, so that short pages lose nothing.
    """

    data: list[Raw]
    paging: dict[str, str | None]


class Mal:
    """Lists and facts from MyAnimeList's API at `url`."""

    name = "mal"

    def __init__(self, url: str, client_id: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-MAL-CLIENT-ID": client_id}

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list; see `ListSource`."""
        url = f"{self._url}/users/{username}/animelist"

        def fetch_page(_pages: int, entries: int) -> tuple[list[Raw], bool]:
            params = {"fields": "list_status", "nsfw": "true", "limit": LIST_PAGE_SIZE, "offset": entries}
            answer = http.get(Request(url, params, self._headers), deadline)
            if not answer.ok:
                raise _list_refused(answer)
            page = answer.decode(_Page)
            return page.data, page.paging.get("next") is not None

        return read_pages(fetch_page)

    def about(self, anime_id: int) -> Request:
        """Make the request for all facts about one anime."""
        return Request(f"{self._url}/anime/{anime_id}", {"fields": f"{FIELDS},{ONE_ONLY}"}, self._headers)

    def read(self, answer: Answer, anime_id: int) -> Anime | None:
        """Read the response to `about`; None if the site says that there is no such anime.

        Fields that are missing or invalid stay unknown, even the title, which is then empty.

        Raises:
            InvalidResponse: the response can't be read, or is about another anime.
            SiteBlocked: the site refused the request without a reason.
        """
        if answer.ok:
            return about_it(_anime(Json(answer.decode(Raw))), anime_id, answer)
        if answer.status == HTTPStatus.NOT_FOUND and _is_its_own(answer):
            return None
        raise _refused(answer, "provide facts about anime")

    def fetch_page(self, http: HttpClient, position: int | None) -> Page:
        """Fetch one page of a crawl, the first if `position` is None; raises SiteError.

        It is a page of the ranking, which has all anime, including adult ones only with `nsfw`.
        """
        offset = position or 0
        params = {"ranking_type": "all", "limit": PAGE_SIZE, "offset": offset, "fields": FIELDS, "nsfw": "true"}
        answer = http.get(Request(f"{self._url}/anime/ranking", params, self._headers), http.new_deadline())
        if not answer.ok:
            raise _refused(answer, "provide facts about anime")
        page = answer.decode(_Page)
        following = offset + len(page.data) if page.paging.get("next") is not None else None
        return page_of([_anime(Json(entry)["node"]) for entry in page.data], following, None, answer)


def _list_refused(answer: Answer) -> SourceError:
    if _is_its_own(answer):
        if answer.status == HTTPStatus.NOT_FOUND:
            return UserNotFound("MyAnimeList has no user of that name.")
        if answer.status == HTTPStatus.FORBIDDEN:
            return PrivateList("This list is private: MyAnimeList shows it to its owner only.")
    return _refused(answer, "show the list")


def _is_its_own(answer: Answer) -> bool:
    """Whether a refusal comes from the API, not from a firewall in front of it."""
    return Json(answer.body)["error"].of(str) is not None


def _refused(answer: Answer, what: str) -> SiteBlocked:
    of_id = answer.status == HTTPStatus.BAD_REQUEST and "client id" in Json(answer.body)["message"].text.lower()
    if of_id or (answer.status == HTTPStatus.UNAUTHORIZED and _is_its_own(answer)):
        return ClientIdRefused(f"{answer.host} does not accept this server's MAL_CLIENT_ID.")
    return blocked(answer, what)


def _anime(data: Json) -> Anime | None:
    anime_id = data["id"].of(AnimeId)
    if anime_id is None:
        return None
    names, relations = data["alternative_titles"], data["related_anime"]
    genres = decoding.named(data["genres"])
    season, date = data["start_season"], data["start_date"].text
    season_year = season["year"].of(decoding.Year)
    return Anime(
        anime_id=anime_id,
        **decoding.names(
            name_of(data["title"]), name_of(names["en"]), name_of(names["ja"]), map(name_of, names["synonyms"])
        ),
        type=decoding.kind_of(data["media_type"]),
        episodes=data["num_episodes"].of(decoding.Episodes),
        genres=genres,
        year=Json(Raw(date.partition("-")[0].encode())).of(decoding.Year) or season_year,
        start_date=date if DATE.fullmatch(date) else None,  # 1998-04-03, 1998-04 or 1998
        made_from=made_from(plain(data["source"].text)),
        season=decoding.season_of(season["season"], season_year),
        studios=decoding.studios_of(data["studios"]),
        mean=data["mean"].of(decoding.Mean),
        members=data["num_list_users"].of(decoding.Members),
        picture=decoding.picture_of(data["main_picture"]["medium"], data["main_picture"]["large"]),
        synopsis=decoding.synopsis_of(data["synopsis"]),
        relations=None
        if relations.of(list[Raw]) is None
        else decoding.related((one["node"]["id"], one["relation_type"]) for one in relations),
        adult=decoding.is_adult(data["rating"], genres) or data["nsfw"].text == "black",
    )
