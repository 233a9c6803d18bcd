"""What the API accepts in addresses and bodies, and parsing it; the options of a list are those of `Preferences`.

msgspec validates by these structs, and the OpenAPI document is made from them.
"""

from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from flask import Request
from msgspec import UNSET, Meta, UnsetType
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from hakken.about import about
from hakken.errors import BadBody, BadOption
from hakken.list_entries import StatedEntry
from hakken.lists.picks import MAX_PICKS
from hakken.neighbours import N_SHOWN
from hakken.ratings import MAX_ENTRIES, MAX_LENGTH, USERNAME, AnimeId, Name, Preferences, Site
from hakken.web.forms import reading_body

S = TypeVar("S", bound=msgspec.Struct)

JSON = "application/json"
Switch = Literal["0", "1", "false", "true"]
SWITCH, ON = get_args(Switch), ("1", "true")
"""Yes or no in an address, and its values for yes: pages use 1, most programs true."""
Limit = Annotated[int, Meta(ge=1, le=50)]


class NoQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For what takes no parameters."""


class ListQuery(NoQuery, frozen=True, kw_only=True):
    """Whose list is meant: exactly one of `username`, `sample`, `pick` and `list`."""

    username: Annotated[
        Annotated[str, Meta(extra_json_schema={"pattern": f"^{USERNAME}$"})] | UnsetType,
        about("Whose list to fetch from the site; it has to be public."),
    ] = UNSET
    source: Annotated[
        Site,
        about(
            "The username's site. `usernames` at /readyz lists the sources that this server asks for each site; if "
            "there are none, the answer is 501."
        ),
    ] = Site.MAL
    sample: Annotated[Literal["1"] | UnsetType, about("1 for the sample list, to try things out.")] = UNSET
    pick: Annotated[
        tuple[str, ...],
        about(
            "A title on the list: its MyAnimeList id and a score from 1 to 10, or 0 for none, such as 1-9.",
            max_length=MAX_PICKS,
        ),
    ] = ()
    list: Annotated[str | UnsetType, about("A list as encoded in the address of a page.")] = UNSET


class Entry(StatedEntry, frozen=True, forbid_unknown_fields=True):
    """One entry of a list."""


class ListBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list."""

    ratings: Annotated[
        tuple[Entry, ...],
        about("Its entries. If a title has several, the last one counts.", max_length=MAX_ENTRIES),
    ]


def _with_options(name: str, base: type[msgspec.Struct], *, in_query: bool) -> type[msgspec.Struct]:
    """A struct of all options in addition to the base's fields."""
    options = msgspec.structs.fields(Preferences)
    fields = []
    for one in options:
        kind, *metas = get_args(one.type)
        default = one.default
        if in_query and kind is bool:
            kind, default = Switch, str(default).lower()
        elif in_query and default is None:  # an address has no null: left out or a number
            kind, default = get_args(kind)[0] | UnsetType, UNSET
        fields.append((one.name, Annotated[kind, *metas], default))
    return msgspec.defstruct(
        name,
        fields,
        bases=(base,),
        namespace={"__doc__": Preferences.__doc__},
        module=__name__,
        rename={one.name: one.encode_name for one in options},
        kw_only=True,
    )


RecommendationsQuery = _with_options("RecommendationsQuery", ListQuery, in_query=True)
"""Whose list, and every option of the page."""
RecommendationsBody = _with_options("RecommendationsBody", ListBody, in_query=False)
"""A list, and every option of the page."""


class SearchQuery(NoQuery, frozen=True, kw_only=True):
    """What to search for."""

    q: Annotated[Name, about("Any name of the title, or a part of it; typos are forgiven.")]
    limit: Annotated[Limit, about("How many titles there may be.")] = 10
    adult: Annotated[Switch, about("Whether adult titles may be among them.")] = "false"


class NeighboursQuery(NoQuery, frozen=True, kw_only=True):
    """How many neighbours to name, and which."""

    limit: Annotated[Limit, about("How many of each kind there may be.")] = N_SHOWN
    adult: Annotated[
        Switch | UnsetType,
        about("Whether adult titles may be among them; by default, only if the title itself is one."),
    ] = UNSET


class TitlePath(msgspec.Struct, frozen=True):
    """Which title an address is about."""

    anime_id: Annotated[AnimeId, about("Its MyAnimeList id.")]


def preferences_of(options: msgspec.Struct) -> Preferences:
    """The preferences that options state; raises BadOption where two of them don't go together."""
    given = {field: getattr(options, field) for field in Preferences.__struct_fields__}
    chosen: dict[str, Any] = {
        field: value in ON if value in SWITCH else value for field, value in given.items() if value is not UNSET
    }
    return Preferences(**chosen)


def read_query(kind: type[S], values: MultiDict[str, str]) -> S:
    """Parse the parameters of an address; an empty one counts as left out, as an empty field of the page does.

    Raises:
        BadOption: one is unknown, given twice or out of its range, or one that is needed is missing.
    """
    names = kind.__struct_encode_fields__
    defaults = dict(zip(reversed(names), reversed(kind.__struct_defaults__), strict=False))
    given: dict[str, str | list[str]] = {}
    for name, texts in values.lists():
        stated = [text for text in texts if text]
        if defaults.get(name) == ():
            given[name] = stated
        elif len(stated) > 1:
            raise BadOption(f"`{name[:MAX_LENGTH]}` can be given only once.")
        elif stated or name not in names:  # of those that are unknown msgspec says so
            given[name] = "".join(stated)
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadOption(_sentence(error)) from error


def read_body(kind: type[S], request: Request) -> S:
    """Parse a JSON body, of at most the size that uploads may have.

    Raises:
        BadBody: it is not JSON.
        BadOption: a field is unknown, missing, of another type or out of its range.
        HTTPException: it is too large, not said to be JSON, or breaks off.
    """
    if request.mimetype != JSON:
        raise UnsupportedMediaType
    try:
        with reading_body():
            body = request.get_data(cache=False)
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadOption(_sentence(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody(f"The body can't be read: {error}.") from error


def _sentence(error: msgspec.ValidationError) -> str:
    """Msgspec's message as a sentence, such as "`n`: expected `int` <= 100."."""
    message, _, path = str(error).partition(" - at `$")
    message = message.replace("Object contains unknown field", "There is no option").replace(
        "Object missing required field", "There is no value for"
    )
    field = path.rstrip("`").lstrip(".")
    return f"`{field}`: {message[0].lower()}{message[1:]}." if field else f"{message}."
