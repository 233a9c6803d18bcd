"""The kind of each entry of a series, and the watching order of the main ones."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from hakken.catalogue import Anime
from hakken.series.disjoint_sets import DisjointSets
from hakken.series.relations import DEPENDABLE, IN_ORDER, SUMMARIES, Relation
from hakken.series.similarity import EXTRA_TYPES, AnimeTitles, genres_in_common
from hakken.series.title_parts import PrefixKind


class Part(StrEnum):
    """The kind of an entry of a series."""

    MAIN = "main"  # a season, or another entry that continues the story
    FILM = "film"  # that continues the story
    SIDE = "side story"
    SPECIAL = "special"
    RECAP = "recap"  # a summary of other entries
    EXTRA = "extra"  # a music video, a commercial, a preview: never recommended


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


class EntryRelations:
    """What relations tell of single anime; an inferred sequel of a film is left out, since it may retell a show.

    Attributes:
        in_order: ids of sequels and prequels of shows, and of what certainly goes on with those.
        sure: those of shows without doubt.
        beside: of side stories.
        recaps: of summaries.
    """

    def __init__(self, relations: Iterable[Relation], anime: Mapping[int, AnimeTitles]) -> None:
        self.in_order, self.sure, self.beside, self.recaps = set[int](), set[int](), set[int](), set[int]()
        chains = DisjointSets()
        for one in relations:
            if one.word in IN_ORDER:
                follows = {a for a, b in (one.pair, one.pair[::-1]) if b in anime and anime[b].is_show}
                self.in_order |= follows
                if one.certainty >= DEPENDABLE:
                    self.sure |= follows
                    chains.join(*one.pair)
            elif one.whole_and_part:
                is_recap = one.word in SUMMARIES or one.word == "fullstory"
                (self.recaps if is_recap else self.beside).add(one.whole_and_part[1])
        self.in_order.update(*map(chains.members, self.sure))


def order_entries(members: Sequence[AnimeTitles], told: EntryRelations) -> tuple[list[int], dict[int, Part]]:
    """Put the entries of a series in order.

    Args:
        members: its anime, at least one, in the order of their ids.
        told: what relations tell of them.

    Returns:
        Ids of its main entries and films in watching order, the first being where a newcomer begins; and the kind of
        each of its anime.
    """
    shows = [one.anime for one in members if one.is_show]
    has_show, has_tv = bool(shows), any(one.anime.type == "TV" for one in members)
    parts = {one.anime.anime_id: _part(one, told, has_show=has_show, has_tv=has_tv) for one in members}
    if len(members) == 1:  # a shortcut for two of three anime
        [only] = parts
        return [only], {only: _of_first(members[0].anime, parts[only])}
    dates = _dates([one.anime for one in members])
    min_members = MIN_FOLLOWERS * max((show.members or 0 for show in shows), default=0)
    films = [one.anime for one in members if one.anime.type == "Movie"]
    long_runner = any(
        len(films) > MANY_FILMS if show.episodes is None else show.episodes >= LONG_RUNNER for show in shows
    )
    last = max((dates[show.anime_id] for show in shows), default=UNDATED)
    for film in films:
        if parts[film.anime_id] is Part.FILM and film.anime_id not in told.in_order:
            has_few = film.members is not None and film.members < min_members
            if long_runner or has_few or (has_show and dates[film.anime_id] < last):
                parts[film.anime_id] = Part.SIDE
    works = sorted(
        [one for one in members if parts[one.anime.anime_id] in MAIN_PARTS] or members,
        key=lambda one: (dates[one.anime.anime_id], not one.is_show, one.titles[0].numbers, one.anime.anime_id),
    )
    first = _first(works, dates)
    entry = first.anime.anime_id
    parts[entry] = _of_first(first.anime, parts[entry])
    main = [entry]
    for one in works:
        anime_id = one.anime.anime_id
        if one is first or parts[anime_id] not in MAIN_PARTS:
            continue
        common = genres_in_common(one, first)
        parody = common is not None and common < OF_THE_STORY
        if anime_id not in told.in_order and (parody or (has_show and dates[anime_id] < dates[entry])):
            parts[anime_id] = Part.SIDE
        else:
            main.append(anime_id)
    return main, parts


def _part(one: AnimeTitles, told: EntryRelations, *, has_show: bool, has_tv: bool) -> Part:  # noqa: PLR0911  # a table
    """The kind of an entry by itself; which of the possible main ones are main is decided afterwards."""
    anime, words = one.anime, set(one.titles[0].words[1:])
    if anime.type in EXTRA_KINDS or words & EXTRA_WORDS:
        return Part.EXTRA
    if anime.anime_id in told.recaps or words & RECAP_WORDS:
        return Part.RECAP
    main = Part.FILM if anime.type == "Movie" else Part.MAIN
    short = has_show and anime.type != "Movie" and not one.is_show and (anime.episodes or 0) < MIN_EPISODES
    if anime.anime_id in told.sure and anime.type in ANY_LENGTH:
        return main
    beside_tv = has_tv and (anime.type == "OVA" or (anime.type == "ONA" and not one.is_show))
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
    date, dates = next((_date(anime) for anime in members if anime.year), UNDATED), {}
    for anime in members:
        date = dates[anime.anime_id] = _date(anime) if anime.year else date
    return dates


def _date(anime: Anime) -> float:
    year, month, day, *_ = map(int, f"{anime.start_date or 0}-0-0".split("-"))
    if year == anime.year and month:
        return year + (month - 1 + (day or 1) / 32) / 12
    return (anime.year or UNDATED) + ((anime.first_month or MID_YEAR) - 1) / 12


def _first(works: Sequence[AnimeTitles], dates: dict[int, float]) -> AnimeTitles:
    """The earliest show, or entry where there is no show; but an entry that it is named after comes first.

    A film or OVA comes first only where it is earlier than the show, and the show has a longer name.
    """
    # An announced anime has neither a year nor a number of episodes in the catalogue.
    out = [work for work in works if work.anime.year or work.anime.episodes] or works
    entry = next((work for work in out if work.is_show), out[0])
    beginnings = {prefix.key: prefix.kind for prefix in entry.titles[0].prefixes()[:-1]}
    for work in works:
        kind = beginnings.get("".join(work.titles[0].words))
        earlier = kind is not PrefixKind.WHOLE and dates[work.anime.anime_id] < dates[entry.anime.anime_id]
        if kind and (work.is_show == entry.is_show or earlier):
            return work
    return entry
