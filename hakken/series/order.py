"""The kind of each entry of a series, and the watching order of the main ones."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Self

from hakken.catalogue import Anime
from hakken.series.air_span import is_show
from hakken.series.disjoint_sets import DisjointSets
from hakken.series.relations import IN_ORDER, OTHER_IS_PART, PART_OF_OTHER, SUMMARIES, Relation
from hakken.series.similarity import EXTRA_TYPES, genres_in_common
from hakken.series.title_parts import ParsedTitle, PrefixKind


class Part(StrEnum):
    """The kind of an entry of a series."""

    MAIN = "main"
    """A season, or another entry that continues the story."""
    FILM = "film"
    """A film that continues the story."""
    SIDE = "side story"
    SPECIAL = "special"
    RECAP = "recap"
    """A summary of other entries."""
    EXTRA = "extra"
    """A music video, a commercial, a preview: never recommended."""


MAIN_PARTS = frozenset((Part.MAIN, Part.FILM))
NEVER_MAIN = frozenset((Part.RECAP, Part.EXTRA))
"""Never a main entry, even where a series has nothing else."""
EXTRA_KINDS = frozenset(("Music", "CM", "PV"))
RECAP_WORDS = frozenset(("recap", "recaps", "soushuuhen", "digest", "総集編"))
EXTRA_WORDS = frozenset(("pv", "cm", "pilot", "preview", "trailer", "drama", "omake"))
SPECIAL_WORDS = frozenset(("mini", "special", "specials", "episode", "bonus", "extra", "extras", "特別編", "番外編"))
OF_THE_STORY = 0.2
"""Least share of genres that a main entry has in common with the first."""
MIN_EPISODES = 6
"""Episodes from which on an entry beside a show, other than a film, may be a main one."""
ANY_LENGTH = frozenset(("TV", "TV Special", "Movie"))
"""Types that may be main entries however short they are."""
MIN_FOLLOWERS = 0.1
"""Share of a series' members from which on a film may continue it; compilation films have fewer."""
LONG_RUNNER = 100
"""Films of a show with so many episodes do not continue its story."""
MANY_FILMS = 3
"""With more films than this, a show of unknown length is taken for a long one."""
MID_YEAR = 7
"""Month assumed where only the year is known."""
UNDATED = 9999.0


class EntryRelations(NamedTuple):
    """What relations tell of single anime.

    Attributes:
        in_order: ids of sequels and prequels of shows, and of what certainly goes on with those.
        sure: those of shows without doubt.
        beside: of side stories.
        recaps: of summaries.
    """

    in_order: set[int]
    sure: set[int]
    beside: set[int]
    recaps: set[int]

    @classmethod
    def of(cls, relations: Iterable[Relation], anime: Mapping[int, Anime]) -> Self:
        """Collect ids from relations; an inferred sequel of a film is left out, since it may retell a show."""
        told = cls(set(), set(), set(), set())
        chains = DisjointSets()
        for one in relations:
            if one.word in IN_ORDER:
                follows = {a for a, b in (one.pair, one.pair[::-1]) if b in anime and is_show(anime[b])}
                told.in_order.update(follows)
                if one.is_dependable:
                    told.sure.update(follows)
                    chains.join(*one.pair)
            elif one.word in OTHER_IS_PART:
                (told.recaps if one.word in SUMMARIES else told.beside).add(one.related_id)
            elif one.word in PART_OF_OTHER:
                (told.recaps if one.word == "fullstory" else told.beside).add(one.anime_id)
        told.in_order.update(*map(chains.members, told.sure))
        return told


def order_entries(
    members: Sequence[Anime], titles: Mapping[int, ParsedTitle], told: EntryRelations
) -> tuple[list[int], dict[int, Part]]:
    """Put the entries of a series in order.

    Args:
        members: its anime, at least one, in the order of their ids.
        titles: their parsed titles.
        told: what relations tell of them.

    Returns:
        Ids of its main entries and films in watching order, the first being where a newcomer begins; and the kind of
        each of its anime.
    """
    shows = [anime for anime in members if is_show(anime)]
    has_show, has_tv = bool(shows), any(anime.type == "TV" for anime in members)
    parts = {one.anime_id: _part(one, titles[one.anime_id], told, has_show=has_show, has_tv=has_tv) for one in members}
    if len(members) == 1:  # a shortcut for two of three anime
        return [members[0].anime_id], {members[0].anime_id: _of_first(members[0], parts[members[0].anime_id])}
    dates = _dates(members)
    min_members = MIN_FOLLOWERS * max((show.members or 0 for show in shows), default=0)
    long_runner = _is_long_runner(members)

    def order(anime: Anime) -> tuple[float, bool, tuple[int, ...], int]:
        return dates[anime.anime_id], not is_show(anime), titles[anime.anime_id].numbers, anime.anime_id

    last = max((dates[show.anime_id] for show in shows), default=UNDATED)
    for one in members:
        if parts[one.anime_id] is Part.FILM and one.anime_id not in told.in_order:
            has_few = one.members is not None and one.members < min_members
            if long_runner or has_few or (has_show and dates[one.anime_id] < last):
                parts[one.anime_id] = Part.SIDE
    works = sorted([one for one in members if parts[one.anime_id] in MAIN_PARTS] or members, key=order)
    entry = _entry(works, dates, titles)
    parts[entry.anime_id] = _of_first(entry, parts[entry.anime_id])
    main = [entry.anime_id]
    for one in works:
        if one is entry or parts[one.anime_id] not in MAIN_PARTS:
            continue
        common = genres_in_common(one, entry)
        parody = common is not None and common < OF_THE_STORY
        if one.anime_id not in told.in_order and (parody or (has_show and dates[one.anime_id] < dates[entry.anime_id])):
            parts[one.anime_id] = Part.SIDE
        else:
            main.append(one.anime_id)
    return main, parts


def _part(anime: Anime, title: ParsedTitle, told: EntryRelations, *, has_show: bool, has_tv: bool) -> Part:  # noqa: PLR0911  # a table
    """The kind of an entry by itself; which of the possible main ones are main is decided afterwards."""
    words = set(title.words[1:])
    if anime.type in EXTRA_KINDS or words & EXTRA_WORDS:
        return Part.EXTRA
    if anime.anime_id in told.recaps or words & RECAP_WORDS:
        return Part.RECAP
    main = Part.FILM if anime.type == "Movie" else Part.MAIN
    short = has_show and anime.type != "Movie" and not is_show(anime) and (anime.episodes or 0) < MIN_EPISODES
    if anime.anime_id in told.sure and anime.type in ANY_LENGTH:
        return main
    beside_tv = has_tv and (anime.type == "OVA" or (anime.type == "ONA" and not is_show(anime)))
    if anime.anime_id in (told.sure if beside_tv else told.in_order) and anime.type not in EXTRA_TYPES and not short:
        return main
    if anime.type in EXTRA_TYPES or words & SPECIAL_WORDS:
        return Part.SPECIAL
    if anime.type == "Movie":  # inferred relations of films are as often wrong as right
        return Part.FILM
    return Part.SIDE if anime.anime_id in told.beside or short or beside_tv else main


def _of_first(anime: Anime, part: Part) -> Part:
    """The kind of the first entry of a series, which would have another kind beside others."""
    return part if part in NEVER_MAIN else Part.FILM if anime.type == "Movie" else Part.MAIN


def _dates(members: Sequence[Anime]) -> dict[int, float]:
    """Start of each in years; where it is unknown, that of the one before by id, or else of the one after."""
    known = {anime.anime_id: _date(anime) for anime in members if anime.year}
    first = next(iter(known.values()), UNDATED)
    dates: dict[int, float] = {}
    for anime in members:
        first = dates[anime.anime_id] = known.get(anime.anime_id, first)
    return dates


def _date(anime: Anime) -> float:
    year, month, day, *_ = map(int, f"{anime.start_date or 0}-0-0".split("-"))
    if year == anime.year and month:
        return year + (month - 1 + (day or 1) / 32) / 12
    return (anime.year or UNDATED) + ((anime.first_month or MID_YEAR) - 1) / 12


def _entry(works: Sequence[Anime], dates: dict[int, float], titles: Mapping[int, ParsedTitle]) -> Anime:
    """The earliest show, or entry where there is no show; but an entry that it is named after comes first.

    A film or OVA comes first only where it is earlier than the show, and the show has a longer name.
    """
    # An announced anime has neither a year nor a number of episodes in the catalogue.
    out = [work for work in works if work.year or work.episodes] or works
    entry = next((work for work in out if is_show(work)), out[0])
    beginnings = {prefix.key: prefix.kind for prefix in titles[entry.anime_id].prefixes()[:-1]}
    for work in works:
        kind = beginnings.get("".join(titles[work.anime_id].words))
        earlier = kind is not PrefixKind.WHOLE and dates[work.anime_id] < dates[entry.anime_id]
        if kind and (is_show(work) == is_show(entry) or earlier):
            return work
    return entry


def _is_long_runner(members: Sequence[Anime]) -> bool:
    """Whether a series has a show so long that its films do not continue the story."""
    films = sum(anime.type == "Movie" for anime in members)
    shows = [anime.episodes for anime in members if is_show(anime)]
    return any((films > MANY_FILMS) if episodes is None else episodes >= LONG_RUNNER for episodes in shows)
