"""Jikan v4, the unofficial API of MyAnimeList: https://docs.api.jikan.moe.

Lists usually come from a self-hosted instance, since the public one no longer provides any.
"""

import re
from http import HTTPStatus

import msgspec
from msgspec import Raw

from hakken.catalogue import DATE, Anime, Link, Related, made_from
from hakken.errors import UserNotFound
from hakken.list_entries import anime_id_of
from hakken.ratings import USERNAME, AnimeId, UserList
from hakken.sites import decoding
from hakken.sites.client import HttpClient
from hakken.sites.decoding import UNKNOWN, Json, Page, about_it, blocked, name_of, page_of, plain, read_pages
from hakken.sites.http import Answer, Deadline, Request

LIST_PAGE_SIZE = 300
PAGE_SIZE = 25
"""The maximum that the API allows."""

_USERNAME = re.compile(USERNAME)


class _ListPage(msgspec.Struct):
    data: list[Raw]


class _Pagination(msgspec.Struct):
    has_next_page: bool
    items: Raw = UNKNOWN


class _Page(_ListPage):
    pagination: _Pagination


class Jikan:
    """Lists and facts from a Jikan v4 instance at `url`."""

    name = "jikan"

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def fetch_list(self, http: HttpClient, username: str, deadline: Deadline) -> UserList:
        """Fetch someone's whole list; see `ListSource`."""
        url = f"{self._url}/users/{username}/animelist"

        def fetch_page(pages: int, _entries: int) -> tuple[list[Raw], bool]:
            answer = http.get(Request(url, {"page": pages + 1}), deadline)
            if not answer.ok:
                # Jikan also answers 404 if it could not fetch a list itself; only this message means an unknown user.
                said = Json(answer.body)
                unknown = "Resource does not exist" in f"{said['message'].text} {said['error'].text}"
                if answer.status == HTTPStatus.NOT_FOUND and unknown:
                    raise UserNotFound("MyAnimeList has no user of that name.")
                raise blocked(answer)
            entries = answer.decode(_ListPage).data
            return entries, len(entries) >= LIST_PAGE_SIZE

        return read_pages(fetch_page)

    def fetch_updates(self, http: HttpClient, anime_id: int) -> list[str]:
        """Fetch the names of people who touched an anime on their lists lately; raises as `HttpClient.get` does.

        Raises:
            SiteBlocked: the site does not tell it.
        """
        answer = http.get(Request(f"{self._url}/anime/{anime_id}/userupdates"), http.new_deadline())
        if not answer.ok:
            raise blocked(answer, "tell who watches anime")
        names = (Json(one)["user"]["username"].text for one in answer.decode(_ListPage).data)
        return [name for name in names if _USERNAME.fullmatch(name)]

    def fetch_season(self, http: HttpClient) -> list[int]:
        """Fetch ids of anime of the current season, as far as the site tells them; raises as `fetch_updates`."""
        answer = http.get(Request(f"{self._url}/seasons/now"), http.new_deadline())
        if not answer.ok:
            raise blocked(answer, "tell the anime of a season")
        ids = (anime_id_of(Json(one)["mal_id"].of(int)) for one in answer.decode(_ListPage).data)
        return [one for one in ids if one is not None]

    def about(self, anime_id: int) -> Request:
        """Make the request for all facts about one anime."""
        return Request(f"{self._url}/anime/{anime_id}/full")

    def read(self, answer: Answer, anime_id: int) -> Anime | None:
        """Read the response to `about`, as `Mal.read` does."""
        if answer.ok:
            return about_it(_anime(Json(answer.decode(Raw))["data"]), anime_id, answer)
        if answer.status == HTTPStatus.NOT_FOUND and Json(answer.body)["status"].of(object) is not None:
            return None
        raise blocked(answer, "provide facts about anime")

    def fetch_page(self, http: HttpClient, position: int | None) -> Page:
        """Fetch one page of a crawl as `Mal.fetch_page`, sorted by id, so that entries don't move between pages."""
        number = position or 1
        params = {"order_by": "mal_id", "sort": "asc", "page": number, "limit": PAGE_SIZE}
        answer = http.get(Request(f"{self._url}/anime", params), http.new_deadline())
        if not answer.ok:
            raise blocked(answer, "provide facts about anime")
        page = answer.decode(_Page)
        total = Json(page.pagination.items)["total"].of(int)
        following = number + 1 if page.pagination.has_next_page else None
        return page_of([_anime(Json(entry)) for entry in page.data], following, total, answer)


def _anime(data: Json) -> Anime | None:
    anime_id = data["mal_id"].of(AnimeId)
    if anime_id is None:
        return None
    titles = [(one["type"].text, name_of(one["title"])) for one in data["titles"]]
    by_kind = dict(reversed(titles))  # the first of each kind
    names = decoding.names(
        name_of(data["title"]) or by_kind.get("Default", ""),
        name_of(data["title_english"]) or by_kind.get("English", ""),
        name_of(data["title_japanese"]) or by_kind.get("Japanese", ""),
        [*map(name_of, data["title_synonyms"]), *(name for kind, name in titles if kind == "Synonym")],
    )
    genres = decoding.named(data["genres"], data["explicit_genres"], data["themes"], data["demographics"])
    begun, year = data["aired"]["prop"]["from"], data["year"].of(decoding.Year)
    first_year = begun["year"].of(decoding.Year)
    pictures = data["images"]["jpg"]
    return Anime(
        anime_id=anime_id,
        **names,
        type=decoding.kind_of(data["type"]),
        episodes=data["episodes"].of(decoding.Episodes),
        genres=genres,
        year=first_year or year,  # the year of the season may be the following one
        start_date=_date(first_year, begun) if first_year else None,
        made_from=made_from(plain(data["source"].text)),
        season=decoding.season_of(data["season"], year),
        studios=decoding.studios_of(data["studios"]),
        mean=data["score"].of(decoding.Mean),
        members=data["members"].of(decoding.Members),
        picture=decoding.picture_of(pictures["image_url"], pictures["large_image_url"], pictures["small_image_url"]),
        synopsis=decoding.synopsis_of(data["synopsis"]),
        relations=_relations(data["relations"]),
        streaming=_streaming(data["streaming"]),
        adult=decoding.is_adult(data["rating"], genres),
    )


def _date(year: int, begun: Json) -> str:
    """1998-04-03, 1998-04 or 1998: an unknown month or day is null here, but 1 in Jikan's `aired.from`."""
    date = str(year)
    for part in (begun["month"].of(int), begun["day"].of(int)):
        if part is None or not DATE.fullmatch(f"{date}-{part:02}"):
            break
        date = f"{date}-{part:02}"
    return date


def _relations(value: Json) -> tuple[Related, ...] | None:
    if value.of(list[Raw]) is None:
        return None
    found = ((entry, one["relation"]) for one in value for entry in one["entry"])
    # Leave out manga, such as the source of an adaptation.
    return decoding.related((entry["mal_id"], how) for entry, how in found if entry["type"].text == "anime")


def _streaming(value: Json) -> tuple[Link, ...]:
    found = ((plain(one["name"].text), one["url"].of(decoding.Address)) for one in value)
    return tuple(dict.fromkeys(Link(name, url) for name, url in found if name and url))
