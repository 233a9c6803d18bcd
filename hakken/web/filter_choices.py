"""What a visitor can choose from, in words: orders, rules for series and planned titles, types and genres."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

from cachetools import cached

from hakken.bundle import ModelBundle
from hakken.errors import ModelError
from hakken.ratings import FranchiseRule, Order, Planned
from hakken.web.services import services


class ChoiceText(NamedTuple):
    """One value of a choice in words.

    Attributes:
        label: in the form.
        sentence: its effect on a list, as the page above it says; empty where nothing needs saying.
        impersonal: the same of a list that doesn't depend on the visitor.
    """

    label: str
    sentence: str = ""
    impersonal: str = ""


ORDERS = {
    Order.MATCH: ChoiceText(
        "Best match first",
        "What people who like what you like chose to watch and enjoyed, best match first",
        "What many people watch and like, best first",
    ),
    Order.PREDICTED_RATING: ChoiceText(
        "Highest predicted rating first",
        "What you would rate highest, of what enough people have rated",
        "What people rate highest, of what enough of them have rated",
    ),
}
RULES = {
    FranchiseRule.NEW: ChoiceText("New series, one title of each", "one title of each series that is new to you"),
    FranchiseRule.UNRELATED: ChoiceText(
        "Nothing related to what I have seen",
        "one title of each series, and nothing that looks related to what you have seen",
    ),
    FranchiseRule.ALL: ChoiceText("All titles, begun series too", "also of series that you have begun"),
}
PLANNED = {
    Planned.SHOW: ChoiceText("May be in the list"),
    Planned.HIDE: ChoiceText("Is left out", "without what you plan to watch"),
    Planned.ONLY: ChoiceText("Is all there is in the list", "only what you plan to watch"),
}


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
