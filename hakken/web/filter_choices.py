"""The types and genres that a visitor can choose from."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

from cachetools import cached

from hakken.bundle import ModelBundle
from hakken.errors import ModelError
from hakken.web.services import services


class Genre(NamedTuple):
    """A genre: its position in the alphabet, from 1; its name; whether all its titles are for adults."""

    number: int
    name: str
    adult: bool


class FilterChoices(NamedTuple):
    """The types, most frequent first, and the genres, by alphabet, of what can be recommended."""

    types: tuple[str, ...] = ()
    genres: tuple[Genre, ...] = ()


def current_filter_choices() -> FilterChoices:
    """The choices of the current catalogue; none where there is no model, as the pages then say."""
    try:
        return filter_choices(services().bundle())
    except ModelError:
        return FilterChoices()


@cached(WeakKeyDictionary(), key=lambda bundle: bundle)
def filter_choices(bundle: ModelBundle) -> FilterChoices:
    """The choices of a catalogue; computed once per model, and dropped with it."""
    facts = bundle.facts
    types = [name for name in bundle.catalogue.columns.types if name.lower() in facts.types]
    genres = (
        Genre(number, facts.genre_names[key], not (facts.genres[key] & ~facts.adult).any())
        for number, key in enumerate(sorted(facts.genres), start=1)
    )
    return FilterChoices(tuple(sorted(types, key=lambda name: -int(facts.types[name.lower()].sum()))), tuple(genres))
