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
"""What a fact is where it is unknown; for a flag, which can't be told from what is known not to be so, it is False."""


def filled(anime: Anime, more: Anime) -> Anime:
    """An anime, and of what it lacks all that somebody else knows; no fact of its own is overwritten.

    Inferred relations give way to those that a site tells. What is found of series is nobody's to tell, and stays as
    they are.
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
    """An anime as it is known now: new facts go before old ones, and what is not known anew stays.

    Names are kept as well: people, and other tables, may still know an anime by an older one.
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
    """A catalogue with all anime that either has, those of both `updated`."""
    changed = (updated(old[one.anime_id], one) if one.anime_id in old else one for one in new.values())
    return Catalogue([*old.values(), *changed])
