"""Series: which anime belong to one show, where a newcomer begins, and what to watch next.

    parsed titles ─► similarity ─► links ─┬─► grouping (series, stories, universes) ─► order (parts)
                               relations ─┘

A *series* is what one would call one show, with its seasons, films and specials. A *story* also holds retellings, such
as "Fullmetal Alchemist" and "Fullmetal Alchemist: Brotherhood". A *universe* is wider, and may be begun anywhere:
all of Gundam.

Pure, and computed once, when a model is trained; the results are stored in the catalogue.
"""

import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.series.grouping import Grouping
from hakken.series.order import EntryRelations, order_entries
from hakken.series.relations import Relation, relations_of
from hakken.series.similarity import AnimeTitles

__all__ = ["Relation", "relations_of", "with_series"]


def with_series(catalogue: Catalogue, relations: Iterable[Relation] = ()) -> Catalogue:
    """The catalogue with each anime's series, story and universe and its part in the series computed anew.

    Args:
        catalogue: the anime.
        relations: known relations between anime, in any order and of any kind; they take precedence over titles.
    """
    was_enabled = gc.isenabled()
    gc.disable()  # a quarter of the time would be spent on scanning a million small objects that are no garbage
    try:
        return Catalogue(_grouped(dict(catalogue), list(relations)))
    finally:
        if was_enabled:
            gc.enable()


def _grouped(anime: Mapping[int, Anime], relations: Collection[Relation]) -> Iterable[Anime]:
    parsed = {anime_id: AnimeTitles.of(its) for anime_id, its in anime.items()}
    certain, series_of, story_of, universe_of = Grouping(parsed, relations).groups()
    told = EntryRelations(relations, parsed)
    result: dict[int, Anime] = {}
    for members in _members(series_of):
        main, kinds = order_entries([parsed[one] for one in members], told)
        for one in members:
            result[one] = msgspec.structs.replace(
                anime[one],
                series=main[0] if len(members) > 1 else None,
                part=main.index(one) + 1 if len(members) > 1 and one in main else None,
                kind=kinds[one],
                probable=certain[one] != certain[main[0]],
                story=None,
                universe=None,
            )
    for name, group_of in (("story", story_of), ("universe", universe_of)):
        for members in _members(group_of):
            begins = {result[one].series or one for one in members}
            if len(begins) > 1:
                first = min(begins, key=lambda one: (anime[one].year or 9999, one))
                result |= {one: msgspec.structs.replace(result[one], **{name: first}) for one in members}
    return result.values()


def _members(group_of: Mapping[int, int]) -> Iterable[list[int]]:
    """The members of each group, ordered by id."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for anime_id in sorted(group_of):
        found[group_of[anime_id]].append(anime_id)
    return found.values()
