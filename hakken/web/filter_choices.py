"""The types, genres and seasons that a visitor can choose from."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from cachetools import cached

from hakken.bundle import ModelBundle
from hakken.errors import ModelError
from hakken.seasons import Season
from hakken.web.services import services


class FilterChoices(NamedTuple):
    """What can be recommended is of these types, most frequent first, genres, and seasons, the latest first.

    A genre is its name and whether all its titles are for adults, by alphabet.
    """

    types: tuple[str, ...] = ()
    genres: tuple[tuple[str, bool], ...] = ()
    seasons: tuple[Season, ...] = ()


def current_filter_choices() -> FilterChoices:
    """The choices of the current catalogue; none where there is no model, as the pages then say."""
    try:
        return filter_choices(services().bundle())
    except ModelError:
        return FilterChoices()


@cached(WeakKeyDictionary(), key=lambda bundle: bundle.facts)
def filter_choices(bundle: ModelBundle) -> FilterChoices:
    """The choices of a catalogue; computed once per model, and dropped with it."""
    facts = bundle.facts
    types = [name for name in bundle.catalogue.columns.types if name.lower() in facts.types]
    types.sort(key=lambda name: -int(facts.types[name.lower()].sum()))
    genres = [(facts.genre_names[key], not (facts.genres[key] & ~facts.adult).any()) for key in sorted(facts.genres)]
    numbers = np.unique(facts.season[(facts.season > 0) & ~facts.adult])[::-1].tolist()
    return FilterChoices(tuple(types), tuple(genres), tuple(map(Season.numbered, numbers)))
