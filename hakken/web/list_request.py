"""What a request asks for: whose list, with which preferences, in which view; and the form or address that repeats it.

An uploaded or picked list is not stored: it travels in the page as one field, in an address while that stays short,
otherwise in the body of a form.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from flask import Request, current_app, url_for
from werkzeug.datastructures import MultiDict

from hakken.errors import BadOption
from hakken.lists import encoded_list, picks
from hakken.ratings import MAX_IGNORED, MAX_LIKED, Order, Preferences, Site, Status, UserList, Username
from hakken.web import title_names
from hakken.web.forms import SINGLE, preferences_to_fields, read_picks, read_preferences, read_upload, read_username
from hakken.web.services import services

SAMPLE = "sample-export.xml"
"""Of the static files."""
MAX_ADDRESS = 3_500
"""Characters of an address that browsers, servers and messengers between them can be trusted with."""
MAX_LINKED = 1_000
"""Characters of a list, some 300 entries, that each link of a page may hold."""
UNDO = "undo"
"""Field of a button that undoes one choice of `SINGLE`: its name and value, such as "ignore-1"."""
KINDS = ("username", "sample", "list")
"""Where a list comes from, by the field that names it; the last is encoded in the page."""
NAMES = (*KINDS, "pick")
"""Fields of which any one says whose list is meant."""
VIEWS = ("cards", "grid", "table")
"""How a list of recommendations is shown; the first by default."""


SORTS = ("rank", "title", "match", "predicted", "sure", "type", "year", "episodes", "because", "genres")
"""Columns that the table can be sorted by, the first by default; with "-" before it, the other way round."""


class ListRef(NamedTuple):
    """Whose list a request is about.

    Attributes:
        kind: where the list comes from, one of `KINDS`, or "everyone" where there is none.
        who: the list, or the username that it is fetched by.
        again: the fields that ask for it again, name → value.
        seen: titles that were seen beside those on the list, see `Preferences.seen`.
    """

    kind: str
    who: Username | UserList
    again: Mapping[str, str]
    seen: tuple[str, ...] = ()

    @classmethod
    def encoding(cls, user_list: UserList) -> Self:
        """A list that exists only in the page."""
        return cls("list", user_list, {"list": encoded_list.packed(user_list)})

    @classmethod
    def everyone(cls) -> Self:
        """No list, of which recommendations are what many people watch and like."""
        return cls("everyone", UserList(), {})

    @property
    def pickable(self) -> bool:
        """Whether the page on which titles are picked can hold the list without loss: it has no statuses."""
        if not isinstance(self.who, UserList) or self.kind != "list":
            return False
        return len(self.who) <= picks.MAX_PICKS and all(one.status is Status.COMPLETED for one in self.who.ratings)

    @property
    def from_anilist(self) -> bool:
        """Whether it is the list of a username at AniList."""
        return isinstance(self.who, Username) and self.who.site is Site.ANILIST

    @property
    def linked(self) -> Mapping[str, Any]:
        """The fields by which links to titles name the list; none where they are too long for each link."""
        length = sum(map(len, (*self.again.values(), *self.seen)))
        return self.again_with_seen if length <= MAX_LINKED else {}

    @property
    def again_with_seen(self) -> Mapping[str, Any]:
        """The fields that ask for the list again, and those of what was seen beside it."""
        return {**self.again, "seen": self.seen}

    def fields(self, choices: Mapping[str, Collection[str]]) -> dict[str, Any]:
        """The fields of a form or an address about this list, name → values, with what was chosen about it."""
        return {name: [value] for name, value in self.again.items()} | dict(choices)


def read_list_ref(values: MultiDict[str, str], request: Request | None = None) -> ListRef:
    """Read whose list a request is about: the sample's, one encoded in the page, picks, or one at a site.

    The `request` is given where a file may have been uploaded.

    Raises:
        BadUsername: no list, and no usable username, is named.
        BadOption: a pick can't be read, there are none, or the site is unknown.
        BadList: the encoded list can't be read.
        ExportError: the file can't be used.
    """
    if values.get("sample") == "1":
        return ListRef("sample", _read_sample(Path(current_app.static_folder or "", SAMPLE)), {"sample": "1"})
    if "list" in values:
        return ListRef("list", encoded_list.unpacked(values["list"]), {"list": values["list"]})
    if "pick" in values:
        return ListRef.encoding(read_picks(values))
    if request is not None and (request.files or "username" not in values):
        return ListRef.encoding(services().parse_export(read_upload(request)))
    who = read_username(values)
    return ListRef("username", who, {"username": who.name, "source": who.site.value})


@lru_cache(maxsize=1)
def _read_sample(path: Path) -> UserList:
    with path.open("rb") as file:
        return services().parse_export(file)


@dataclass(frozen=True, eq=False)
class RecommendationRequest:
    """What a page of results shows: whose list, or everyone's, with which choices, in which view and order."""

    list_ref: ListRef
    preferences: Preferences
    view: str = VIEWS[0]
    sort: str = SORTS[0]

    @classmethod
    def read(cls, values: MultiDict[str, str], request: Request | None = None) -> Self:
        """Read it, with the effect of the button that was pressed; raises as `read_preferences` and `read_list_ref`."""
        preferences = read_preferences(values)
        for text in values.getlist(UNDO):
            preferences = _without(preferences, *text.partition("-")[::2])
        # A button's own value comes last.
        view, sort = (
            [first, *values.getlist(name)][-1] or first for name, first in (("view", VIEWS[0]), ("sort", SORTS[0]))
        )
        named = request is not None or any(name in values for name in NAMES)
        list_ref = read_list_ref(values, request) if named else ListRef.everyone()
        list_ref = list_ref._replace(seen=preferences.seen)
        if view not in VIEWS:
            raise BadOption(f"A list can be shown as one of {', '.join(VIEWS)}.")
        if sort.removeprefix("-") not in SORTS:
            raise BadOption(f"A table can be sorted by one of {', '.join(SORTS)}.")
        return cls(list_ref, preferences, view, sort)

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """All of it as fields of a form, name → values, without defaults."""
        return self.fields_without_choices | preferences_to_fields(self.preferences)

    @property
    def fields_without_choices(self) -> dict[str, Any]:
        """Whose list it is and how it is shown, as fields."""
        shown = {"view": (self.view, VIEWS[0]), "sort": (self.sort, SORTS[0])}
        return self.list_ref.fields({name: [value] for name, (value, default) in shown.items() if value != default})

    @property
    def sorted_by(self) -> dict[str, str]:
        """The column that the table is sorted by, and which way, in ARIA's words."""
        return {self.sort.removeprefix("-"): "descending" if self.sort.startswith("-") else "ascending"}

    @cached_property
    def shareable(self) -> bool:
        """Whether an address can hold it; otherwise a form has to."""
        return fits_address("pages.recommendations", self.fields)

    @property
    def by_match(self) -> bool:
        """Whether the results are ordered by match."""
        return self.preferences.order is Order.MATCH

    def can_add(self, field: str) -> bool:
        """Whether one more title can be `seen`, `ignored`, `hidden` or, in the order by match only, one to `like`."""
        if field == "like":
            return self.by_match and len(self.preferences.like) < MAX_LIKED
        return len(getattr(self.preferences, field)) < MAX_IGNORED


def fits_address(endpoint: str, fields: Mapping[str, Any]) -> bool:
    """Whether the full address of one of our pages, with some fields, is short enough to be used."""
    return len(url_for(endpoint, **fields, _external=True)) <= MAX_ADDRESS


def needs_redirect(values: MultiDict[str, str], fields: Collection[str]) -> bool:
    """Whether an address holds more than the fields it needs: a button, an empty field, a default, picks.

    Which names titles are shown by is no such thing: a redirect keeps it.
    """
    needed = {*fields, title_names.FIELD}
    return not set(values) <= needed or any(not text.strip() for _, text in values.items(multi=True))


def _without(preferences: Preferences, choice: str, value: str) -> Preferences:
    """Take back a choice about a title, studio or series."""
    if choice not in SINGLE or not (value.isdecimal() or choice == "studio"):
        raise BadOption("What to undo must be given as a choice and the id of a title, such as ignore-1.")
    stated = getattr(preferences, SINGLE[choice])
    left = tuple(one for one in stated if value != (one.partition("-")[0] if choice == "seen" else str(one)))
    return msgspec.structs.replace(preferences, **{SINGLE[choice]: left})
