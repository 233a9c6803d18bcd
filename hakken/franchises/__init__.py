"""Franchises: which anime tell one story, where a newcomer begins, and what to watch next.

    titles (taken apart) ─► likeness ─► links (ties) ─► relations (groups) ─► parts (order)

Pure, and computed once, when a model is trained; what comes out is written in the catalogue.

Remakes and alternative versions are of one franchise, and so is what shares its name with a series in another
setting, such as all of "Mobile Suit Gundam": who has seen one has met it.
"""

from collections.abc import Iterable

import msgspec

from hakken.catalogue import Anime, Catalogue
from hakken.franchises.links import ties
from hakken.franchises.parts import in_order
from hakken.franchises.relations import Relation, groups

__all__ = ["Relation", "with_franchises"]


def with_franchises(catalogue: Catalogue, relations: Iterable[Relation] = ()) -> Catalogue:
    """The catalogue with each anime's franchise and its part in it, whatever was there before.

    Args:
        catalogue: the anime.
        relations: what is known of how anime are related, in any order and of any kind; it goes before titles.
    """
    found: list[Anime] = []
    for members in groups(catalogue, list(relations), ties(catalogue.values())):
        anime = [catalogue[anime_id] for anime_id in members]
        if len(anime) == 1:
            found.append(msgspec.structs.replace(anime[0], franchise=None, part=None))
            continue
        main = [one.anime_id for one in in_order(anime)]
        parts = {anime_id: part for part, anime_id in enumerate(main, start=1)}
        found += (msgspec.structs.replace(one, franchise=main[0], part=parts.get(one.anime_id)) for one in anime)
    return Catalogue(found)
