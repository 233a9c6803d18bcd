"""MyAnimeList's official API as a source of facts: https://myanimelist.net/apiconfig/references/api/v2."""

from http import HTTPStatus

import msgspec
from msgspec import Raw

from hakken.catalogue import Anime, Related
from hakken.details import reading
from hakken.details.base import Page, Request, about_it, blocked, is_refusal, page_of
from hakken.details.reading import UNKNOWN, Fact
from hakken.errors import SiteBlocked, SiteError
from hakken.http import Answer
from hakken.ratings import AnimeId

PAGE_SIZE = 500
"""The most that the API allows."""
FIELDS = (
    "title",
    "alternative_titles",
    "synopsis",
    "mean",
    "num_list_users",
    "genres",
    "media_type",
    "source",
    "num_episodes",
    "start_date",
    "start_season",
    "rating",
    "nsfw",
    "studios",
    "main_picture",
)
ONE_ONLY = ("related_anime",)
"""What the API tells of a single anime only."""


class _Names(msgspec.Struct):
    en: Raw = UNKNOWN
    ja: Raw = UNKNOWN
    synonyms: Raw = UNKNOWN


class _Season(msgspec.Struct):
    year: reading.Year
    season: Raw = UNKNOWN


class _Pictures(msgspec.Struct):
    medium: Raw = UNKNOWN
    large: Raw = UNKNOWN


class _Node(msgspec.Struct):
    id: AnimeId


class _Relation(msgspec.Struct):
    node: _Node
    relation_type: str


class _Anime(msgspec.Struct):
    """An anime in which each fact is read later, on its own."""

    id: AnimeId
    title: Raw = UNKNOWN
    alternative_titles: Raw = UNKNOWN
    synopsis: Raw = UNKNOWN
    mean: Raw = UNKNOWN
    num_list_users: Raw = UNKNOWN
    genres: Raw = UNKNOWN
    media_type: Raw = UNKNOWN
    source: Raw = UNKNOWN
    num_episodes: Raw = UNKNOWN
    start_date: Raw = UNKNOWN
    start_season: Raw = UNKNOWN
    rating: Raw = UNKNOWN
    nsfw: Raw = UNKNOWN
    studios: Raw = UNKNOWN
    main_picture: Raw = UNKNOWN
    related_anime: Raw = UNKNOWN


class _Ranked(msgspec.Struct):
    node: _Anime


class _Paging(msgspec.Struct):
    next: str | None = None


class _Many(msgspec.Struct):
    data: list[Raw]
    paging: _Paging


class _Refusal(msgspec.Struct):
    error: str


_ANIME, _RANKED, _NAMES, _SEASON = Fact(_Anime), Fact(_Ranked), Fact(_Names), Fact(_Season)
_PICTURES, _RELATION = Fact(_Pictures), Fact(_Relation)


class Mal:
    """Facts from MyAnimeList's API at the address `url`, as `FactsSite` has it."""

    name = "mal"
    first = 0

    def __init__(self, url: str, client_id: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-MAL-CLIENT-ID": client_id}

    def about(self, anime_id: int) -> Request:
        """What to ask for all facts about one anime."""
        return Request(f"{self._url}/anime/{anime_id}", {"fields": ",".join(FIELDS + ONE_ONLY)}, self._headers)

    def read(self, answer: Answer, anime_id: int) -> Anime | None:
        """Read the answer to that."""
        if answer.ok:
            return about_it(_anime(_ANIME.of(answer.decode(Raw))), anime_id, answer)
        if answer.status == HTTPStatus.NOT_FOUND and is_refusal(answer, _Refusal):
            return None
        raise _refused(answer)

    def page(self, place: int) -> Request:
        """What to ask for a page: of the ranking, which holds all anime; those not for everyone only if told so."""
        params: dict[str, str | int] = {
            "ranking_type": "all",
            "limit": PAGE_SIZE,
            "offset": place,
            "fields": ",".join(FIELDS),
            "nsfw": "true",
        }
        return Request(f"{self._url}/anime/ranking", params, self._headers)

    def read_page(self, answer: Answer, place: int) -> Page:
        """Read the answer to that."""
        if not answer.ok:
            raise _refused(answer)
        many = answer.decode(_Many)
        # The link only says that there is more: followed, it could lead our client id elsewhere. What came is counted,
        # not what was asked for, so that shorter pages would lose nothing.
        following = place + len(many.data) if many.paging.next is not None else None
        ranked = [_RANKED.of(entry) for entry in many.data]
        return page_of([_anime(one.node) if one else None for one in ranked], following, None, answer)


def _refused(answer: Answer) -> SiteError:
    if answer.status == HTTPStatus.UNAUTHORIZED and is_refusal(answer, _Refusal):
        return SiteBlocked(f"{answer.host} does not accept this server's MAL_CLIENT_ID.")
    return blocked(answer)


def _anime(found: _Anime | None) -> Anime | None:
    if found is None:
        return None
    names = _NAMES.of(found.alternative_titles) or _Names()
    title = reading.name_of(found.title)
    english = reading.unless_same(reading.name_of(names.en), title)
    genres = reading.named(found.genres)
    season = _SEASON.of(found.start_season)
    return Anime(
        anime_id=found.id,
        title=title,
        title_english=english,
        title_japanese=reading.name_of(names.ja) or None,
        synonyms=reading.synonyms(reading.names_of(names.synonyms), title, english),
        type=reading.kind_of(found.media_type),
        episodes=reading.EPISODES.of(found.num_episodes),
        genres=genres,
        year=_year(found.start_date) or (season.year if season else None),
        start_date=reading.date_of(found.start_date),
        made_from=reading.made_from_of(found.source),
        season=reading.season_of(reading.WORDS.of(season.season), season.year) if season else None,
        studios=reading.studios_of(found.studios),
        mean=reading.MEAN.of(found.mean),
        members=reading.MEMBERS.of(found.num_list_users),
        picture=_picture(found.main_picture),
        synopsis=reading.synopsis_of(found.synopsis),
        relations=_relations(found.related_anime),
        adult=reading.is_adult(found.rating, genres) or reading.WORDS.of(found.nsfw) == "black",
    )


def _year(raw: Raw) -> int | None:
    """The year of a date, which is 1998-04-03, 1998-04 or 1998."""
    return reading.YEAR.of(Raw((reading.WORDS.of(raw) or "").partition("-")[0].encode()))


def _picture(raw: Raw) -> str | None:
    pictures = _PICTURES.of(raw)
    return reading.picture_of(pictures.medium, pictures.large) if pictures else None


def _relations(raw: Raw) -> tuple[Related, ...] | None:
    found = _RELATION.each(raw)
    if found is None:
        return None
    related = (Related(one.node.id, reading.relation_of(one.relation_type)) for one in found)
    return tuple(dict.fromkeys(one for one in related if one.relation))
