"""What a visitor can choose from, in words: orders, rules for series and planned titles, types and genres."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

from cachetools import cached

from hakken.bundle import ModelBundle
from hakken.errors import ModelError
from hakken.ratings import FranchiseRule, Order, Planned
from hakken.web.services import services


class Wording(NamedTuple):
    """One value of a choice in words.

    Attributes:
        label: in the form.
        sentence: what it makes of a list, as the page above it says; empty where nothing needs saying.
        impersonal: the same of a list that tells nothing about the visitor.
    """

    label: str
    sentence: str = ""
    impersonal: str = ""


_ORDERS = {
    "match": Wording(
        "Best match first",
        "What people who like what you like chose to watch and enjoyed, best match first",
        "What many people watch and like, best first",
    ),
    "predicted_rating": Wording(
        "Highest predicted rating first",
        "What you would rate highest, of what enough people have rated",
        "What people rate highest, of what enough of them have rated",
    ),
}
_RULES = {
    "new": Wording("New series, one title of each", "one title of each series that is new to you"),
    "unrelated": Wording(
        "Nothing related to what I have seen",
        "one title of each series, and nothing that looks related to what you have seen",
    ),
    "all": Wording("All titles, begun series too", "also of series that you have begun"),
}


_PLANNED = {
    "show": Wording("May be in the list"),
    "hide": Wording("Is left out", "without what you plan to watch"),
    "only": Wording("Is all there is in the list", "only what you plan to watch"),
}


def _worded(kind: type[Order | FranchiseRule | Planned], words: dict[str, Wording]) -> dict[str, Wording]:
    # A value without words is offered all the same, by its own name.
    return {one.value: words.get(one.value) or Wording(one.value.replace("_", " ").capitalize()) for one in kind}


ORDERS = _worded(Order, _ORDERS)
RULES = _worded(FranchiseRule, _RULES)
PLANNED = _worded(Planned, _PLANNED)


class Genre(NamedTuple):
    """A genre.

    Attributes:
        number: its place in the alphabet, from 1.
        name: as the catalogue spells it.
        adult: whether no title with it is for everyone: without titles for adults it finds nothing.
    """

    number: int
    name: str
    adult: bool


class Offer(NamedTuple):
    """The types, most frequent first, and the genres, by alphabet, of what can be recommended."""

    types: tuple[str, ...]
    genres: tuple[Genre, ...]


def current_offer() -> Offer:
    """What the current catalogue offers: nothing when there is none, as the pages then say."""
    try:
        return offer_of(services().bundle())
    except ModelError:
        return Offer((), ())


@cached(WeakKeyDictionary(), key=lambda bundle: bundle)
def offer_of(bundle: ModelBundle) -> Offer:
    """What a catalogue offers; made once, and gone when the model goes."""
    facts = bundle.facts
    types = [name for name in bundle.catalogue.columns.types if name.lower() in facts.types]
    genres = ((facts.genre_names[key], mask) for key, mask in sorted(facts.genres.items()))
    return Offer(
        tuple(sorted(types, key=lambda name: -int(facts.types[name.lower()].sum()))),
        tuple(
            Genre(number, name, not (mask & ~facts.adult).any()) for number, (name, mask) in enumerate(genres, start=1)
        ),
    )
