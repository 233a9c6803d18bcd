"""Series: which anime are one show, where a newcomer begins, and what to watch next.

    titles (taken apart) ─► likeness ─► title_links ─┬─► grouping (series, stories, universes) ─► order (parts)
                                   relations ─┘

A *series* is what one would call one show, with its seasons, films and specials. A *story* holds other tellings of the
same as well, such as "Fullmetal Alchemist" and "Fullmetal Alchemist: Brotherhood". A *universe* is wider, and may be
begun anywhere: all of Gundam.

Pure, and computed once, when a model is trained; what comes out is written in the catalogue.
"""

import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.series.grouping import find_groups
from hakken.series.order import EntryRelations, entries
from hakken.series.relations import Relation, relations_of
from hakken.series.similarity import AnimeTitles
from hakken.series.title_links import title_links

__all__ = ["Relation", "relations_of", "with_series"]


def with_series(catalogue: Catalogue, relations: Iterable[Relation] = ()) -> Catalogue:
    """The catalogue with each anime's series, story and universe and its part in the series, whatever was there before.

    Args:
        catalogue: the anime.
        relations: what is known of how anime are related, in any order and of any kind; it goes before titles.
    """
    with _no_garbage():
        return Catalogue(_placed(dict(catalogue), list(relations)))


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Don't look for garbage: a fourth of the time would go by looking through a million small objects in vain."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()


def _placed(anime: Mapping[int, Anime], known: Collection[Relation]) -> Iterable[Anime]:
    named = {anime_id: AnimeTitles.of(its) for anime_id, its in anime.items()}
    titles = {anime_id: one.titles[0] for anime_id, one in named.items()}
    found = find_groups(anime, titles, known, title_links(named.values()))
    told = EntryRelations.of(known, anime)
    placed: dict[int, Anime] = {}
    for members in _circle(found.series):
        series = entries([anime[one] for one in members], titles, told)
        begin = series.main[0]
        places = {anime_id: place for place, anime_id in enumerate(series.main, start=1)}
        for one in members:
            placed[one] = msgspec.structs.replace(
                anime[one],
                series=begin if len(members) > 1 else None,
                part=places.get(one) if len(members) > 1 else None,
                kind=series.parts[one],
                probable=found.certain[one] != found.certain[begin],
                story=None,
                universe=None,
            )
    for name, of in (("story", found.story), ("universe", found.universe)):
        for members in _circle(of):
            first = min({placed[one].series or one for one in members}, key=lambda one: (anime[one].year or 9999, one))
            if len({placed[one].series or one for one in members}) > 1:
                for one in members:
                    placed[one] = msgspec.structs.replace(placed[one], **{name: first})
    return placed.values()


def _circle(of: Mapping[int, int]) -> Iterator[list[int]]:
    """The members of each circle, by their ids."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for anime_id in sorted(of):
        found[of[anime_id]].append(anime_id)
    yield from found.values()
