"""Merging the facts of two sources about one anime: an unknown fact never replaces a known one."""

from typing import Any

import msgspec

from hakken.catalogue import Anime, Catalogue

SERIES_FIELDS = ("series", "part", "kind", "probable", "story", "universe")
_UNKNOWN: dict[str, object] = {
    field.name: field.default
    for field in msgspec.structs.fields(Anime)
    if field.default is not msgspec.NODEFAULT and field.name not in SERIES_FIELDS
}
"""Value of each unknown fact; for a flag it is False, so an unknown flag equals one known to be false."""


def filled(anime: Anime, more: Anime) -> Anime:
    """Fill in the facts that an anime lacks from another source; known facts are not overwritten.

    Relations from a site replace inferred ones. The fields of `SERIES_FIELDS` are computed here and come from no site,
    so they are unchanged.
    """
    added: dict[str, Any] = {
        name: getattr(more, name) for name, unknown in _UNKNOWN.items() if getattr(anime, name) == unknown
    }
    if more.relations_asked and not anime.relations_asked:
        added["relations"] = more.relations
    title = anime.title or more.title
    english = added.get("title_english", anime.title_english)
    if english == title:
        english = None
    added["title_english"] = english
    added["synonyms"] = tuple(name for name in added.get("synonyms", anime.synonyms) if name not in {title, english})
    return msgspec.structs.replace(anime, title=title, **added)


def updated(old: Anime, new: Anime) -> Anime:
    """Update an anime: new facts replace old ones, and old facts without a new value are kept.

    Old names are kept as synonyms, since people and other tables may still use them.
    """
    both = filled(new, old)
    names = dict.fromkeys((*both.synonyms, *old.synonyms))
    known = {both.title, both.title_english}
    return msgspec.structs.replace(
        both,
        synonyms=tuple(name for name in names if name not in known),
        **{name: getattr(old, name) for name in SERIES_FIELDS},
    )


def updated_all(old: Catalogue, new: Catalogue) -> Catalogue:
    """Merge two catalogues: all anime of either, those in both `updated`."""
    changed = (updated(old[one.anime_id], one) if one.anime_id in old else one for one in new.values())
    return Catalogue([*old.values(), *changed])
