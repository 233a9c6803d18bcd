"""Franchises: which anime tell one story, where a newcomer begins, and what to watch next.

    titles (taken apart) ─► names ──────────────┐
                        └─► likeness ─► links ──┴─► relations (groups) ─► parts (order)

There are two circles. A *franchise* is what relations say or, where none is known, what the titles themselves say for
certain: anime of one name. A *saga* is wider: franchises that are most likely one story under several names, such as
"Bakemonogatari" and "Nisemonogatari", or all of "Mobile Suit Gundam"; who has seen one has met it. The watching order
is that of the saga.

Pure, and computed once, when a model is trained; what comes out is written in the catalogue.
"""

from collections.abc import Iterable
from itertools import chain

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.franchises.links import ties
from hakken.franchises.names import same_name
from hakken.franchises.parts import in_order
from hakken.franchises.relations import Relation, groups

__all__ = ["Relation", "with_franchises"]


def with_franchises(catalogue: Catalogue, relations: Iterable[Relation] = ()) -> Catalogue:
    """The catalogue with each anime's franchise, its saga and its part in that, whatever was there before.

    Args:
        catalogue: the anime.
        relations: what is known of how anime are related, in any order and of any kind; it goes before titles.
    """
    known = list(relations)
    named = list(same_name(catalogue.values()))
    franchises = groups(catalogue, known, named)
    franchise_of = {anime_id: members for members in franchises for anime_id in members}
    found: list[Anime] = []
    for members in groups(catalogue, known, chain(named, ties(catalogue.values()))):
        anime = [catalogue[anime_id] for anime_id in members]
        main = [one.anime_id for one in in_order(anime)] if len(anime) > 1 else []
        parts = {anime_id: part for part, anime_id in enumerate(main, start=1)}
        for one in anime:
            franchise = franchise_of[one.anime_id]
            found.append(
                msgspec.structs.replace(
                    one,
                    franchise=_first(catalogue, franchise, main) if len(franchise) > 1 else None,
                    saga=main[0] if main else None,
                    part=parts.get(one.anime_id),
                )
            )
    return Catalogue(found)


def _first(catalogue: Catalogue, franchise: list[int], main: list[int]) -> int:
    """Where a franchise begins: with the earliest of its saga's main entries or, where it has none, its own first."""
    of_saga = next((anime_id for anime_id in main if anime_id in franchise), None)
    return of_saga or in_order([catalogue[anime_id] for anime_id in franchise])[0].anime_id
