"""The options of a list as the API takes them, in addresses and bodies: made from `Preferences`, named as on the page.

What stands in these structs is both what msgspec lets in and what the API's document says.
"""

from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hakken.lists.picks import MAX_PICKS
from hakken.neighbours import N_SHOWN
from hakken.ratings import MAX_ENTRIES, MAX_N, AnimeId, Preferences, Rating, Site
from hakken.web.forms import CHOICES, DEFAULTS, LONGEST, YEARS

Switch = Literal["0", "1", "false", "true"]
"""Yes or no in an address: the page writes 1, most programs true."""
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
RANGES = {
    "n": Meta(ge=1, le=MAX_N),
    "popularity": Meta(ge=-1, le=1),
    "year_from": Meta(ge=YEARS[0], le=YEARS[1]),
    "year_to": Meta(ge=YEARS[0], le=YEARS[1]),
    "min_members": Meta(ge=0, le=10**9),
}
"""Of the fields that are numbers; the page reads them within the same ranges."""
_HINTS = get_type_hints(Preferences, include_extras=True)
_NAMES = {field: choice.name for field, choice in CHOICES.items()}

# Said for programs; `checked` is what looks, and answers by itself.
_UsernameText = Annotated[str, Meta(extra_json_schema={"pattern": "^[A-Za-z0-9_-]{2,20}$"})]


class Whose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose list is meant: exactly one of `username`, `sample`, `pick` and `list`.

    Attributes:
        username: whose list to fetch from the site; it has to be public.
        source: the site that the username is of. Whom this server asks for each stands in `usernames` at /readyz; where
            that is nobody, the answer is 501.
        sample: 1 for the sample list, with which everything can be tried.
        pick: a title of the list, as its MyAnimeList id and a score from 0, none, to 10.
        list: a list as an address of the page carries it.
    """

    username: _UsernameText | UnsetType = UNSET
    source: Site = Site.MAL
    sample: Literal["1"] | UnsetType = UNSET
    pick: Annotated[tuple[str, ...], Meta(max_length=MAX_PICKS)] = ()
    list: str | UnsetType = UNSET


class Entry(Rating, frozen=True, forbid_unknown_fields=True):
    """One entry of a list."""


class ListBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list.

    Attributes:
        ratings: what is on it. Of several entries of a title the last counts.
    """

    ratings: Annotated[tuple[Entry, ...], Meta(max_length=MAX_ENTRIES)]


def _text_kind(field: str) -> tuple[Any, Any]:
    """Type and default of an option in an address."""
    kind, default = _json_kind(field)
    if kind is bool:
        return Switch, str(default).lower()
    if default is None:
        # Left out or a number: an address has no null.
        return get_args(kind)[0] | UnsetType, UNSET
    return kind, default


def _json_kind(field: str) -> tuple[Any, Any]:
    """Type and default of an option in a body."""
    kind, default = _HINTS[field], getattr(DEFAULTS, field)
    if most := CHOICES[field].most:
        items: Any = tuple[Name, ...] if kind == tuple[str, ...] else kind
        return Annotated[items, Meta(max_length=most)], default
    if field in RANGES:
        if get_origin(kind) is UnionType:
            return Annotated[get_args(kind)[0], RANGES[field]] | None, default
        return Annotated[kind, RANGES[field]], default
    return kind, default


def _options(name: str, base: type[msgspec.Struct], kind: Callable[[str], tuple[Any, Any]]) -> type[msgspec.Struct]:
    """A struct of all options, by the page's names, beside what says whose list is meant."""
    return msgspec.defstruct(
        name,
        [(field, *kind(field)) for field in CHOICES],
        bases=(base,),
        namespace={"__doc__": Preferences.__doc__},
        module=__name__,
        rename=_NAMES,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


RecommendationsQuery = _options("RecommendationsQuery", Whose, _text_kind)
"""Whose list, and every option of the page."""
RecommendationsBody = _options("RecommendationsBody", ListBody, _json_kind)
"""A list, and every option of the page."""


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to search for.

    Attributes:
        q: any name of the title, or a part of it; typos are forgiven.
        limit: how many titles there may be.
        adult: whether titles for adults may be among them.
    """

    q: Name
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    adult: Switch = "false"


class NeighboursQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many neighbours to name, and which.

    Attributes:
        limit: how many of each kind there may be.
        adult: whether titles for adults may be among them; left out, only if the title itself is one.
    """

    limit: Annotated[int, Meta(ge=1, le=50)] = N_SHOWN
    adult: Switch | UnsetType = UNSET


class TasteQuery(Whose, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose taste is meant."""


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For what takes no parameters."""


class TitlePath(msgspec.Struct, frozen=True):
    """Which title an address is about.

    Attributes:
        anime_id: its MyAnimeList id.
    """

    anime_id: AnimeId


def on(switch: Switch) -> bool:
    """What a switch says."""
    return switch in {"1", "true"}


def preferences_of(options: msgspec.Struct) -> Preferences:
    """The preferences that options say.

    Raises:
        BadOption: two of them don't go together.
    """
    chosen: dict[str, Any] = {}
    for field in CHOICES:
        value = getattr(options, field)
        if isinstance(value, tuple):
            value = tuple(dict.fromkeys(value))
        elif _HINTS[field] is bool and isinstance(value, str):
            value = value in {"1", "true"}
        if value is not UNSET:
            chosen[field] = value
    return Preferences(**chosen)
