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
    Order.MATCH.value: ChoiceText(
        "Best match first",
        "What people who like what you like chose to watch and enjoyed, best match first",
        "What many people watch and like, best first",
    ),
    Order.PREDICTED_RATING.value: ChoiceText(
        "Highest predicted rating first",
        "What you would rate highest, of what enough people have rated",
        "What people rate highest, of what enough of them have rated",
    ),
}
RULES = {
    FranchiseRule.NEW.value: ChoiceText("New series, one title of each", "one title of each series that is new to you"),
    FranchiseRule.UNRELATED.value: ChoiceText(
        "Nothing related to what I have seen",
        "one title of each series, and nothing that looks related to what you have seen",
    ),
    FranchiseRule.ALL.value: ChoiceText("All titles, begun series too", "also of series that you have begun"),
}
PLANNED = {
    Planned.SHOW.value: ChoiceText("May be in the list"),
    Planned.HIDE.value: ChoiceText("Is left out", "without what you plan to watch"),
    Planned.ONLY.value: ChoiceText("Is all there is in the list", "only what you plan to watch"),
}


class Genre(NamedTuple):
    """A genre.

    Attributes:
        number: its position in the alphabet, from 1.
        name: as the catalogue spells it.
        adult: whether all its titles are for adults: it finds nothing without those.
    """

    number: int
    name: str
    adult: bool


class FilterChoices(NamedTuple):
    """The types, most frequent first, and the genres, by alphabet, of what can be recommended."""

    types: tuple[str, ...]
    genres: tuple[Genre, ...]


def current_filter_choices() -> FilterChoices:
    """The choices of the current catalogue; none where there is no model, as the pages then say."""
    try:
        return filter_choices(services().bundle())
    except ModelError:
        return FilterChoices((), ())


@cached(WeakKeyDictionary(), key=lambda bundle: bundle)
def filter_choices(bundle: ModelBundle) -> FilterChoices:
    """The choices of a catalogue; computed once per model, and dropped with it."""
    facts = bundle.facts
    types = [name for name in bundle.catalogue.columns.types if name.lower() in facts.types]
    genres = ((facts.genre_names[key], mask) for key, mask in sorted(facts.genres.items()))
    return FilterChoices(
        tuple(sorted(types, key=lambda name: -int(facts.types[name.lower()].sum()))),
        tuple(
            Genre(number, name, not (mask & ~facts.adult).any()) for number, (name, mask) in enumerate(genres, start=1)
        ),
    )
