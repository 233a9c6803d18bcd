"""Jikan v4, the unofficial API of MyAnimeList, as a source of facts: https://docs.api.jikan.moe."""

from http import HTTPStatus

import msgspec
from msgspec import Raw

from hakken.catalogue import DATE, Anime, Related
from hakken.details import reading
from hakken.details.base import Page, Request, about_it, blocked, is_refusal, page_of
from hakken.details.reading import UNKNOWN, Fact
from hakken.http import Answer
from hakken.ratings import AnimeId

PAGE_SIZE = 25
"""The most that the API allows."""


class _Title(msgspec.Struct):
    type: str
    title: str | int


class _Jpg(msgspec.Struct):
    image_url: Raw = UNKNOWN  # the middle one of three sizes
    large_image_url: Raw = UNKNOWN
    small_image_url: Raw = UNKNOWN


class _Images(msgspec.Struct):
    jpg: _Jpg


class _Day(msgspec.Struct):
    year: reading.Year
    month: Raw = UNKNOWN
    day: Raw = UNKNOWN


class _Prop(msgspec.Struct):
    begun: _Day = msgspec.field(name="from")


class _Aired(msgspec.Struct):
    prop: _Prop


class _Entry(msgspec.Struct):
    mal_id: AnimeId
    type: str


class _Relation(msgspec.Struct):
    relation: str
    entry: Raw


class _Anime(msgspec.Struct):
    """An anime in which each fact is read later, on its own."""

    mal_id: AnimeId
    title: Raw = UNKNOWN
    title_english: Raw = UNKNOWN
    title_japanese: Raw = UNKNOWN
    title_synonyms: Raw = UNKNOWN
    titles: Raw = UNKNOWN
    type: Raw = UNKNOWN
    episodes: Raw = UNKNOWN
    source: Raw = UNKNOWN
    aired: Raw = UNKNOWN
    rating: Raw = UNKNOWN
    score: Raw = UNKNOWN
    members: Raw = UNKNOWN
    synopsis: Raw = UNKNOWN
    season: Raw = UNKNOWN
    year: Raw = UNKNOWN
    images: Raw = UNKNOWN
    genres: Raw = UNKNOWN
    explicit_genres: Raw = UNKNOWN
    themes: Raw = UNKNOWN
    demographics: Raw = UNKNOWN
    studios: Raw = UNKNOWN
    relations: Raw = UNKNOWN
    streaming: Raw = UNKNOWN


class _One(msgspec.Struct):
    data: Raw


class _Items(msgspec.Struct):
    total: int | None = None


class _Pagination(msgspec.Struct):
    has_next_page: bool
    items: Raw = UNKNOWN


class _Many(msgspec.Struct):
    data: list[Raw]
    pagination: _Pagination


class _Refusal(msgspec.Struct):
    status: int | str
    type: str | None = None
    message: str | None = None


_ANIME, _TITLE, _IMAGES, _AIRED = Fact(_Anime), Fact(_Title), Fact(_Images), Fact(_Aired)
_ENTRY, _RELATION, _ITEMS = Fact(_Entry), Fact(_Relation), Fact(_Items)


class Jikan:
    """Facts from a Jikan v4 at the address `url`, as `FactsSite` has it."""

    name = "jikan"
    first = 1

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def about(self, anime_id: int) -> Request:
        """What to ask for all facts about one anime."""
        return Request(f"{self._url}/anime/{anime_id}/full", {}, {})

    def read(self, answer: Answer, anime_id: int) -> Anime | None:
        """Read the answer to that."""
        if answer.ok:
            return about_it(_anime(answer.decode(_One).data), anime_id, answer)
        if answer.status == HTTPStatus.NOT_FOUND and is_refusal(answer, _Refusal):
            return None
        raise blocked(answer)

    def page(self, place: int) -> Request:
        """What to ask for a page: by ids, so that nothing moves while we walk."""
        params: dict[str, str | int] = {"order_by": "mal_id", "sort": "asc", "page": place, "limit": PAGE_SIZE}
        return Request(f"{self._url}/anime", params, {})

    def read_page(self, answer: Answer, place: int) -> Page:
        """Read the answer to that."""
        if not answer.ok:
            raise blocked(answer)
        many = answer.decode(_Many)
        items = _ITEMS.of(many.pagination.items)
        following = place + 1 if many.pagination.has_next_page else None
        return page_of([_anime(entry) for entry in many.data], following, items.total if items else None, answer)


def _anime(raw: Raw) -> Anime | None:
    found = _ANIME.of(raw)
    if found is None:
        return None
    named = _TITLE.each(found.titles) or []
    title = reading.name_of(found.title) or _first(named, "Default")
    english = reading.unless_same(reading.name_of(found.title_english) or _first(named, "English"), title)
    others = [*reading.names_of(found.title_synonyms), *_all(named, "Synonym")]
    genres = reading.named(found.genres, found.explicit_genres, found.themes, found.demographics)
    aired, year = _AIRED.of(found.aired), reading.YEAR.of(found.year)
    return Anime(
        anime_id=found.mal_id,
        title=title,
        title_english=english,
        title_japanese=reading.name_of(found.title_japanese) or _first(named, "Japanese") or None,
        synonyms=reading.synonyms(others, title, english),
        type=reading.kind_of(found.type),
        episodes=reading.EPISODES.of(found.episodes),
        genres=genres,
        year=aired.prop.begun.year if aired else year,  # a season's year may be the next one
        start_date=_date(aired.prop.begun) if aired else None,
        made_from=reading.made_from_of(found.source),
        season=reading.season_of(reading.WORDS.of(found.season), year),
        studios=reading.studios_of(found.studios),
        mean=reading.MEAN.of(found.score),
        members=reading.MEMBERS.of(found.members),
        picture=_picture(found.images),
        synopsis=reading.synopsis_of(found.synopsis),
        relations=_relations(found.relations),
        streaming=reading.streaming_of(found.streaming),
        adult=reading.is_adult(found.rating, genres),
    )


def _date(begun: _Day) -> str:
    """1998-04-03, 1998-04 or 1998: what is not known of a day, Jikan has as null, and in its `from` as 1."""
    date = str(begun.year)
    for part in (reading.NUMBER.of(begun.month), reading.NUMBER.of(begun.day)):
        if part is None or not DATE.fullmatch(f"{date}-{part:02}"):
            break
        date = f"{date}-{part:02}"
    return date


def _first(titles: list[_Title], kind: str) -> str:
    return next(iter(_all(titles, kind)), "")


def _all(titles: list[_Title], kind: str) -> list[str]:
    return [reading.plain(str(one.title)) for one in titles if one.type == kind]


def _picture(raw: Raw) -> str | None:
    images = _IMAGES.of(raw)
    return reading.picture_of(*msgspec.structs.astuple(images.jpg)) if images else None


def _relations(raw: Raw) -> tuple[Related, ...] | None:
    found = _RELATION.each(raw)
    if found is None:
        return None
    related = (
        Related(entry.mal_id, reading.relation_of(one.relation))
        for one in found
        for entry in _ENTRY.each(one.entry) or ()
        if entry.type == "anime"  # and not the manga that it was made from
    )
    return tuple(dict.fromkeys(one for one in related if one.relation))
