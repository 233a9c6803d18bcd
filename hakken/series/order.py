"""Which entries of a franchise are its main ones, and in which order to watch them."""

from collections.abc import Sequence

from hakken.catalogue import Anime
from hakken.franchises.likeness import EXTRA_TYPES, genres_in_common
from hakken.franchises.titles import Kind, Title

SERIES = "TV"
ASIDE = frozenset(
    (
        *("recap", "recaps", "soushuuhen", "digest", "omake", "pv", "cm", "pilot", "preview", "trailer", "drama"),
        *("special", "specials", "episode", "bonus", "extra", "extras", "総集編", "特別編", "番外編"),
    )
)
"""Words that say in a title that it is no entry of its own."""
BESIDE_A_SERIES = frozenset(("ova", "ovas", "oad", "ona"))
"""Words that say so where there is a series."""
OF_THE_STORY = 0.2
"""Share of genres that a main entry has in common with the first."""
MIN_EPISODES = 4
"""What came out beside a series, other than films, is a story of its own if it is as long as this."""
LONG_RUNNER = 100
"""Films beside a series of so many episodes are outings, not the story."""
MANY_FILMS = 3
"""With more films than this, a series of unknown length is a long one."""
QUARTERS = {"winter": 0.0, "spring": 0.25, "summer": 0.5, "fall": 0.75}
UNDATED = 9999.0


def in_order(members: Sequence[Anime]) -> list[Anime]:
    """The main entries of a franchise in watching order; the first is where a newcomer begins.

    Args:
        members: its anime, at least one, in the order of their ids.
    """
    dates = _dates(members)
    titles = {anime.anime_id: Title.of(anime.title) for anime in members}
    beside_series = any(anime.type == SERIES for anime in members)
    aside = ASIDE | BESIDE_A_SERIES if beside_series else ASIDE
    outings = _films_are_outings(members)

    def order(anime: Anime) -> tuple[float, bool, tuple[int, ...], int]:
        return dates[anime.anime_id], anime.type != SERIES, titles[anime.anime_id].numbers, anime.anime_id

    def late(anime: Anime) -> bool:
        """Whether it is mostly another telling: films that are counted off, or what was there before the series."""
        film = entry.type == SERIES and anime.type == "Movie" and bool(titles[anime.anime_id].numbers)
        return film or dates[anime.anime_id] < dates[entry.anime_id]

    works = [one for one in members if one.type == SERIES or _is_work(one, titles[one.anime_id], aside)] or members
    entry = _entry(sorted(works, key=order), dates, titles)
    others = (one for one in works if one is not entry and _is_main(one, entry, beside_series, outings))
    return [entry, *sorted(others, key=lambda one: (late(one), order(one)))]


def _is_work(anime: Anime, title: Title, aside: frozenset[str]) -> bool:
    return anime.type not in EXTRA_TYPES and aside.isdisjoint(title.words)


def _dates(members: Sequence[Anime]) -> dict[int, float]:
    """When each began, in years; where nobody knows, when the one before it did, by their ids, or the one after."""
    known = {
        anime.anime_id: anime.year + QUARTERS.get((anime.season or "").split(" ")[0].lower(), 0.5)
        for anime in members
        if anime.year
    }
    first = next(iter(known.values()), UNDATED)
    dates: dict[int, float] = {}
    for anime in members:
        first = dates[anime.anime_id] = known.get(anime.anime_id, first)
    return dates


def _entry(works: Sequence[Anime], dates: dict[int, float], titles: dict[int, Title]) -> Anime:
    """The earliest series, or work where there is none; but what it is named after goes before it.

    A film or OVA goes before a series only where it came before it, and the series has a longer name.
    """
    out = [work for work in works if _is_out(work)] or works
    entry = next((work for work in out if work.type == SERIES), out[0])
    beginnings = {stem.key: stem.kind for stem in titles[entry.anime_id].stems()[:-1]}
    for work in works:
        kind = beginnings.get("".join(titles[work.anime_id].words))
        earlier = kind is not Kind.WHOLE and dates[work.anime_id] < dates[entry.anime_id]
        if kind and (work.type == entry.type or earlier):
            return work
    return entry


def _is_out(anime: Anime) -> bool:
    """Whether it has been shown; what is only announced has neither a year, here, nor a number of episodes."""
    return bool(anime.year or anime.episodes)


def _is_main(anime: Anime, entry: Anime, beside_series: bool, outings: bool) -> bool:
    common = genres_in_common(anime, entry)
    if common is not None and common < OF_THE_STORY:  # a parody with the same characters
        return False
    if anime.type == "Movie":
        return not outings
    return anime.type == SERIES or not beside_series or (anime.episodes or 0) >= MIN_EPISODES


def _films_are_outings(members: Sequence[Anime]) -> bool:
    films = sum(anime.type == "Movie" for anime in members)
    series = [anime.episodes for anime in members if anime.type == SERIES]
    return any((films > MANY_FILMS) if episodes is None else episodes >= LONG_RUNNER for episodes in series)
