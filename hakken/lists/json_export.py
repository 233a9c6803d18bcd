"""Lists in JSON, as the sites' own programming interfaces and the tools around them write them.

AniList      lists of entries {"score", "status", "media": {"idMal"}}, with the user's `scoreFormat` where it is there
Kitsu        JSON:API: library entries with `ratingTwenty` and, under `included`, the mappings to MyAnimeList's ids
MyAnimeList  {"node": {"id"}, "list_status": {"status", "score"}}, or load.json's {"anime_id", "status", "score"}
others       any objects with an id of MyAnimeList, see `hakken.list_entries`
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hakken.errors import ExportTooLarge, MangaExport, NotAnExport
from hakken.list_entries import ID_FIELDS, SCORE_FIELDS, STATUS_FIELDS, Entry, read_list
from hakken.ratings import MAX_ENTRIES, UserList

MAX_BYTES = 2**24
MAX_VALUES = 2**20
"""Objects, lists and fields of a file."""
HIGHEST_SCORES = {"POINT_100": 100, "POINT_10_DECIMAL": 10, "POINT_10": 10, "POINT_5": 5, "POINT_3": 3}
"""AniList's score formats."""
KITSU_ENTRY, KITSU_MAPPING, MAL_ANIME = "libraryEntries", "mappings", "myanimelist/anime"
KITSU_HIGHEST = 20
TOO_LARGE = "The file contains more than a list can have."
NO_LIST = "The file is not an anime list that Hakken can read."
NO_IDS = (
    "The file identifies anime only by its own site's ids. For AniList, enter the username instead; for other sites, "
    "choose an export in MyAnimeList's format."
)

_OWN_IDS = (b'"series_id"', b'"media"', b'"libraryEntries"')
_POSITION = re.compile(r"byte ([0-9]+)")
_IDS_OUTSIDE = frozenset(name for (name, *_) in ID_FIELDS)
_SAYS = frozenset(name for (name, *_) in (*SCORE_FIELDS, *STATUS_FIELDS))
_MANGA_IDS = frozenset(("manga_mangadb_id", "manga_id"))


def parse(chunks: Iterable[bytes]) -> UserList:
    """Parse a file.

    Raises:
        NotAnExport: it is not whole, or holds no list with ids of MyAnimeList.
        MangaExport: it has manga only.
        ExportTooLarge: a limit is exceeded.
    """
    text = b"".join(chunks).removeprefix(b"\xef\xbb\xbf")
    if len(text) > MAX_BYTES or sum(map(text.count, (b"{", b"[", b","))) > MAX_VALUES:
        raise ExportTooLarge(TOO_LARGE)
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        position = _POSITION.search(str(error))
        line = text.count(b"\n", 0, int(position[1]) if position else len(text)) + 1
        raise NotAnExport(f"{NO_LIST[:-1]}: it is damaged on line {line}.") from error
    objects = list(_objects(content))
    kitsu = [one for one, _ in objects if one.get("type") == KITSU_ENTRY]
    if kitsu:
        mal_ids = dict(_mal_ids(one for one, _ in objects))
        entries = [_kitsu_entry(one, mal_ids) for one in kitsu if not _is_manga(one)]
        manga = len(kitsu) - len(entries)
        highest: int | None = KITSU_HIGHEST
    else:
        found = [entry for one, entry in objects if entry and not _is_manga(one)]
        manga = sum(_is_manga(one) for one, _ in objects)
        # AniList's custom lists repeat the entries of others.
        entries = list({(one.anime_id or n, repr(one)): one for n, one in enumerate(found)}.values())
        formats = (HIGHEST_SCORES.get(str(one["scoreFormat"])) for one, _ in objects if "scoreFormat" in one)
        highest = next(formats, None)
    if manga and not entries:
        raise MangaExport("This is a manga list; please choose an anime list.")
    if all(entry.anime_id is None for entry in entries) and text.strip() not in {b"[]", b"{}"}:
        raise NotAnExport(NO_IDS if any(name in text for name in _OWN_IDS) else NO_LIST)
    return read_list(entries, highest=highest, manga=manga)


def _objects(content: object) -> Iterator[tuple[Mapping[str, object], Entry | None]]:
    """All objects of a file, in their order, but for those inside of entries: what they are as entries, if they are."""
    left = [content]
    n_entries = 0
    while left:
        value = left.pop()
        if isinstance(value, dict):
            entry = Entry.of(value) if _IDS_OUTSIDE & value.keys() else None
            if entry and entry.anime_id is None and not _SAYS & value.keys():
                entry = None  # something else, with a field of that name
            n_entries += entry is not None
            if n_entries > MAX_ENTRIES:
                raise ExportTooLarge(TOO_LARGE)
            yield value, entry
            left += [] if entry else reversed(value.values())
        elif isinstance(value, list):
            left += reversed(value)


def _is_manga(entry: Mapping[str, object]) -> bool:
    return (
        _at(entry, "media", "type") == "MANGA"
        or _at(entry, "relationships", "manga", "data") is not None
        or not _MANGA_IDS.isdisjoint(entry)
    )


def _mal_ids(objects: Iterable[Mapping[str, object]]) -> Iterator[tuple[object, object]]:
    """MyAnimeList's id of each anime of Kitsu: a mapping names its anime, or the anime names its mappings."""
    anime_of_mapping: dict[str, object] = {}
    mappings = []
    for one in objects:
        if one.get("type") == KITSU_MAPPING and _at(one, "attributes", "externalSite") == MAL_ANIME:
            mappings.append(one)
        elif one.get("type") == "anime":
            named = _at(one, "relationships", "mappings", "data")
            anime_of_mapping |= {str(_at(it, "id")): one.get("id") for it in named} if isinstance(named, list) else {}
    for one in mappings:
        anime_id = _at(one, "relationships", "item", "data", "id") or anime_of_mapping.get(str(one.get("id")))
        yield str(anime_id), _at(one, "attributes", "externalId")


def _kitsu_entry(entry: Mapping[str, object], mal_ids: Mapping[object, object]) -> Entry:
    anime_id = _at(entry, "relationships", "anime", "data", "id") or _at(entry, "relationships", "media", "data", "id")
    score, status = _at(entry, "attributes", "ratingTwenty"), _at(entry, "attributes", "status")
    return Entry(mal_ids.get(str(anime_id)), score, status)


def _at(value: object, *names: str) -> object:
    """A nested field; None where it is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
