"""What a request asks: for whose list, with which choices, shown how; and the form and address that ask the same again.

An uploaded or picked list is no file of ours: it travels in the page as one field, in an address while that stays
short, else in the body of a form.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from flask import Request, current_app, url_for
from werkzeug.datastructures import MultiDict

from hakken.errors import BadOption
from hakken.lists import encoded_list, picks
from hakken.ratings import Order, Preferences, Status, UserList, Username
from hakken.web.addresses import fits
from hakken.web.forms import (
    CHOICES,
    MAX_IGNORED,
    MAX_LIKED,
    Typed,
    read_picks,
    read_preferences,
    read_upload,
    read_username,
    written,
)
from hakken.web.services import services

SAMPLE = "static/sample-export.xml"
LONGEST_LINKED = 1_000
"""Characters of a list, some 300 entries, that each link of a page may hold."""
UNDO = "undo"
"""Field of a button that takes something back: what was chosen and the id of the title, such as "ignore-1"."""
_UNDONE = {CHOICES[field].name: field for field in ("ignored", "hidden", "like")}


class Kind(StrEnum):
    """How a list came to us."""

    USERNAME = "username"
    SAMPLE = "sample"
    CARRIED = "list"


class View(StrEnum):
    """How a list of recommendations is shown."""

    CARDS = "cards"
    TABLE = "table"


class Asked(NamedTuple):
    """Whose list is asked for.

    Attributes:
        kind: how it came to us.
        who: the list, or the username that it is fetched by.
        again: the fields that ask for it again, name → value.
    """

    kind: Kind
    who: Username | UserList
    again: Mapping[str, str]

    @classmethod
    def carrying(cls, user_list: UserList) -> Self:
        """A list that is kept nowhere but in the page."""
        return cls(Kind.CARRIED, user_list, {Kind.CARRIED.value: encoded_list.packed(user_list)})

    @property
    def pickable(self) -> bool:
        """Whether the page on which titles are picked can hold the list as it is: it knows no status."""
        if not isinstance(self.who, UserList) or self.kind is not Kind.CARRIED:
            return False
        return len(self.who) <= picks.MAX_PICKS and all(one.status is Status.COMPLETED for one in self.who.ratings)

    def fetched(self) -> UserList:
        """The list itself, for which a site may have to be asked.

        Raises:
            BadUsername: the site can't have such a user.
            SourceError: the list could not be had.
        """
        return services().fetch(self.who) if isinstance(self.who, Username) else self.who

    def at_hand(self) -> UserList | None:
        """The list, if no site has to be asked for it.

        Raises:
            BadUsername: the site can't have such a user.
        """
        return services().find(self.who) if isinstance(self.who, Username) else self.who

    @property
    def linked(self) -> Mapping[str, str]:
        """The fields by which links to titles take the list along; none where it is too long for each to hold it."""
        return self.again if sum(map(len, self.again.values())) <= LONGEST_LINKED else {}

    def fields(self, kept: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """The fields of a form or an address about this list, name → values, with what was chosen about it."""
        return {name: [value] for name, value in self.again.items()} | dict(kept)


def read_asked(values: MultiDict[str, str], request: Request | None = None) -> Asked:
    """Read whose list is asked for: the sample's, one that the page carries, picks, or one at a site.

    Args:
        values: the fields of a form or an address.
        request: where a file may have come along.

    Raises:
        BadUsername: no list, and no usable username, is named.
        BadOption: a pick can't be read, there are none, or the site is unknown.
        BadList: the list that is carried can't be read.
        ExportError: the file can't be used.
    """
    if values.get(Kind.SAMPLE.value) == "1":
        return Asked(Kind.SAMPLE, _sample(), {Kind.SAMPLE.value: "1"})
    if Kind.CARRIED.value in values:
        text = values[Kind.CARRIED.value]
        return Asked(Kind.CARRIED, encoded_list.unpacked(text), {Kind.CARRIED.value: text})
    if "pick" in values:
        return Asked.carrying(read_picks(values))
    if request is not None and (request.files or "username" not in values):
        return Asked.carrying(services().parse_export(read_upload(request)))
    who = read_username(values)
    return Asked(Kind.USERNAME, who, {"username": who.name, "source": who.site.value})


def _sample() -> UserList:
    return _read_sample(Path(current_app.root_path, SAMPLE))


@lru_cache(maxsize=1)
def _read_sample(path: Path) -> UserList:
    with path.open("rb") as file:
        return services().parse_export(file)


@dataclass(frozen=True, eq=False)
class Question:
    """What a page of results answers.

    Attributes:
        asked: whose list it is about.
        preferences: what the visitor chose.
        view: how the answer is shown.
    """

    asked: Asked
    preferences: Preferences
    view: View = View.CARDS

    @classmethod
    def read(cls, values: MultiDict[str, str], request: Request | None = None) -> Self:
        """Read it, with what the button that was pressed changes.

        Raises:
            BadOption: a choice is out of its range.
            InputError, ExportError: as `read_asked`.
        """
        preferences = _undone(read_preferences(values), values.getlist(UNDO))
        return cls(read_asked(values, request), preferences, _view(values.getlist("view")))

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """All of it as fields of a form, name → values, without what is the default."""
        return self.named | written(self.preferences)

    @property
    def named(self) -> dict[str, Any]:
        """Those fields that are no choice: whose list it is, and how it is shown."""
        return self.asked.fields({} if self.view is View.CARDS else {"view": [self.view.value]})

    @property
    def address(self) -> str:
        """The address that asks all of it again."""
        return url_for("pages.recommendations", **self.fields)

    @cached_property
    def shareable(self) -> bool:
        """Whether the address can hold it; else a form has to carry it."""
        return fits("pages.recommendations", self.fields)

    @cached_property
    def typed(self) -> Typed:
        """What to fill into the form of choices."""
        return Typed(choices=written(self.preferences))

    @property
    def by_match(self) -> bool:
        """Whether the list is ordered by match."""
        return self.preferences.order is Order.MATCH

    @property
    def can_ignore(self) -> bool:
        """Whether one more entry of the list can be left out."""
        return len(self.preferences.ignored) < MAX_IGNORED

    @property
    def can_hide(self) -> bool:
        """Whether one more title can be hidden."""
        return len(self.preferences.hidden) < MAX_IGNORED

    @property
    def can_like(self) -> bool:
        """Whether more of one more title can be asked for: it has no say in the order by predicted rating."""
        return self.by_match and len(self.preferences.like) < MAX_LIKED


def untidy(values: MultiDict[str, str], fields: Collection[str]) -> bool:
    """Whether an address holds more than the fields it need: a button, an empty field, a default, picks."""
    return not set(values) <= set(fields) or any(not text.strip() for _, text in values.items(multi=True))


def _undone(preferences: Preferences, undo: list[str]) -> Preferences:
    for text in undo:
        name, _, anime_id = text.partition("-")
        if name not in _UNDONE or not anime_id.isdecimal():
            raise BadOption("What is taken back must be a choice and the id of a title, such as ignore-1.")
        field = _UNDONE[name]
        left = tuple(one for one in getattr(preferences, field) if str(one) != anime_id)
        preferences = msgspec.structs.replace(preferences, **{field: left})
    return preferences


def _view(texts: list[str]) -> View:
    # A button's own value comes last.
    try:
        return View(texts[-1]) if texts and texts[-1] else View.CARDS
    except ValueError as error:
        raise BadOption("A list can be shown as cards or as table.") from error
