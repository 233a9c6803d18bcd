"""What the API accepts in addresses and bodies; the options of a list are those of `Preferences`.

msgspec validates by these structs, and the OpenAPI document is made from them.
"""

from typing import Annotated, Any, Literal, cast, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hakken.lists.picks import MAX_PICKS
from hakken.neighbours import N_SHOWN
from hakken.ratings import MAX_ENTRIES, AnimeId, Preferences, Rating, Site
from hakken.web.forms import CHOICES, DEFAULTS, MAX_LENGTH

Switch = Literal["0", "1", "false", "true"]
"""Yes or no in an address: pages use 1, most programs true."""
Name = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
_HINTS = get_type_hints(Preferences, include_extras=True)
_TYPES = {field: get_args(hint)[0] for field, hint in _HINTS.items()}
_DESCRIPTIONS = {field: get_args(hint)[1] for field, hint in _HINTS.items()}

# For the document only: usernames are checked by `hakken.sites`.
_UsernameText = Annotated[str, Meta(extra_json_schema={"pattern": "^[A-Za-z0-9_-]{2,20}$"})]


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose list is meant: exactly one of `username`, `sample`, `pick` and `list`."""

    username: Annotated[
        _UsernameText | UnsetType, Meta(description="Whose list to fetch from the site; it has to be public.")
    ] = UNSET
    source: Annotated[
        Site,
        Meta(
            description="The site that the username is of. Whom this server asks for each stands in `usernames` at "
            "/readyz; where that is nobody, the answer is 501."
        ),
    ] = Site.MAL
    sample: Annotated[
        Literal["1"] | UnsetType, Meta(description="1 for the sample list, with which everything can be tried.")
    ] = UNSET
    pick: Annotated[
        tuple[str, ...],
        Meta(
            max_length=MAX_PICKS,
            description="A title of the list, as its MyAnimeList id and a score from 0, none, to 10.",
        ),
    ] = ()
    list: Annotated[str | UnsetType, Meta(description="A list as an address of the page carries it.")] = UNSET


class Entry(Rating, frozen=True, forbid_unknown_fields=True):
    """One entry of a list."""


class ListBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list."""

    ratings: Annotated[
        tuple[Entry, ...],
        Meta(max_length=MAX_ENTRIES, description="What is on it. Of several entries of a title the last counts."),
    ]


def _json_type(field: str) -> Any:  # noqa: ANN401  # a type
    """The type of an option in a body."""
    kind, choice = _TYPES[field], CHOICES[field]
    if choice.most:
        return Annotated[tuple[Name, ...] if choice.kind is str else kind, Meta(max_length=choice.most)]
    if choice.kind in {int, float}:
        number: Any = Annotated[choice.kind, Meta(ge=choice.bounds[0], le=choice.bounds[1])]
        return number | None if type(None) in get_args(kind) else number
    return kind


def _options(name: str, base: type[msgspec.Struct], *, in_query: bool) -> type[msgspec.Struct]:
    """A struct of all options, by the page's names, in addition to the base's fields."""
    fields = []
    for field in CHOICES:
        kind, default = _json_type(field), getattr(DEFAULTS, field)
        if in_query and kind is bool:
            kind, default = Switch, str(default).lower()
        elif in_query and default is None:  # an address has no null: left out or a number
            kind, default = get_args(kind)[0] | UnsetType, UNSET
        fields.append((field, Annotated[kind, _DESCRIPTIONS[field]], default))
    return msgspec.defstruct(
        name,
        fields,
        bases=(base,),
        namespace={"__doc__": Preferences.__doc__},
        module=__name__,
        rename={field: choice.name for field, choice in CHOICES.items()},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


RecommendationsQuery = _options("RecommendationsQuery", ListQuery, in_query=True)
"""Whose list, and every option of the page."""
RecommendationsBody = _options("RecommendationsBody", ListBody, in_query=False)
"""A list, and every option of the page."""


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to search for."""

    q: Annotated[Name, Meta(description="Any name of the title, or a part of it; typos are forgiven.")]
    limit: Annotated[int, Meta(ge=1, le=50, description="How many titles there may be.")] = 10
    adult: Annotated[Switch, Meta(description="Whether titles for adults may be among them.")] = "false"


class NeighboursQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many neighbours to name, and which."""

    limit: Annotated[int, Meta(ge=1, le=50, description="How many of each kind there may be.")] = N_SHOWN
    adult: Annotated[
        Switch | UnsetType,
        Meta(description="Whether titles for adults may be among them; left out, only if the title itself is one."),
    ] = UNSET


class TasteQuery(ListQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose taste is meant."""


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For what takes no parameters."""


class TitlePath(msgspec.Struct, frozen=True):
    """Which title an address is about."""

    anime_id: Annotated[AnimeId, Meta(description="Its MyAnimeList id.")]


def is_on(switch: Switch) -> bool:
    """The value of a switch."""
    return switch in {"1", "true"}


def preferences_of(options: msgspec.Struct) -> Preferences:
    """The preferences that options state.

    Raises:
        BadOption: two of them don't go together.
    """
    chosen: dict[str, Any] = {}
    for field in CHOICES:
        value = getattr(options, field)
        if isinstance(value, tuple):
            value = tuple(dict.fromkeys(value))
        elif _TYPES[field] is bool and isinstance(value, str):
            value = is_on(cast("Switch", value))
        if value is not UNSET:
            chosen[field] = value
    return Preferences(**chosen)
