"""Reading what a visitor typed, chose or uploaded. Each option is read in one place, here."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from io import BytesIO
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, Self, cast

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException

from hakken.config import Settings
from hakken.errors import BadList, BadOption, BadUsername
from hakken.lists import encoded_list, picks
from hakken.ratings import MAX_ANIME_ID, MAX_N, FranchiseRule, Order, Planned, Preferences, Site, UserList, Username
from hakken.sites.base import checked

MB = 1024 * 1024
FORM_OVERHEAD = 64 * 1024
"""What a form adds to the file in it; generous, so that a file of exactly the largest size still gets in."""
LONGEST = 64
"""Characters of one field that are looked at."""
YEARS = 1900, 2200
MAX_IGNORED = 100
"""How many entries of a list can be left out at once: an address has to hold them."""
MAX_LIKED = 10
"""Of how many titles more can be asked for at once."""
DEFAULTS = Preferences()


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: Werkzeug's own puts larger ones on disk, and we promise not to."""

    def _load_form_data(self) -> None:
        try:
            super()._load_form_data()
        except HTTPException:
            raise
        except Exception as error:
            # Each server has errors of its own for a body that breaks off or is not framed as it says.
            raise BadRequest from error

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002  # Werkzeug gives all four
        content_type: str | None,  # noqa: ARG002  # the same
        filename: str | None = None,  # noqa: ARG002  # the same
        content_length: int | None = None,  # noqa: ARG002  # the same
    ) -> BytesIO:
        return BytesIO()


def body_limit(settings: Settings) -> int:
    """How many bytes the body of a request may have."""
    return settings.max_upload_mb * MB + FORM_OVERHEAD


SINGLE = ("ignore", "hide", "like")
"""Fields that each hold ids of titles about which something was said, one at a time."""

Read = Callable[[str], Any]
"""Makes the value of one text, or raises BadOption."""


class Choice(NamedTuple):
    """How one of the visitor's preferences stands in forms and addresses.

    Attributes:
        name: of the field.
        read: makes the value.
        most: how many values there may be, where it may be given more than once.
    """

    name: str
    read: Read
    most: int = 0


def _whole(what: str, lowest: int, highest: int) -> Read:
    def read(text: str) -> int:
        # `int` also takes "+5", "1_0" and other scripts' digits, which are no more plain than "five".
        if re.fullmatch(r"[0-9]{1,10}", text) and lowest <= int(text) <= highest:
            return int(text)
        raise BadOption(f"{what} must be a whole number from {lowest} to {highest}.")

    return read


def _one_of(what: str, kind: type[StrEnum]) -> Read:
    def read(text: str) -> StrEnum:
        if text in list(kind):
            return kind(text)
        raise BadOption(f"{what} must be one of {', '.join(kind)}.")

    return read


def _switch(what: str) -> Read:
    def read(text: str) -> bool:
        if text in {"0", "1"}:
            return text == "1"
        raise BadOption(f"{what} must be 1 for yes or 0 for no.")

    return read


def _number(text: str) -> float:
    # What is no plain number is sent on as out of every range.
    return float(text) if re.fullmatch(r"-?([0-9]{1,9}|[0-9]{0,9}\.[0-9]{1,9})", text) else math.nan


def _name(text: str) -> str:
    return text[:LONGEST]  # longer than any; whether there is such a type or genre is the catalogue's to say


CHOICES = {
    "n": Choice("n", _whole("The number of recommendations", 1, MAX_N)),
    "order": Choice("order", _one_of("The order", Order)),
    "popularity": Choice("popularity", _number),
    "franchise": Choice("franchise", _one_of("Series", FranchiseRule)),
    "types": Choice("type", _name, most=50),
    "genres": Choice("genre", _name, most=50),
    "without_genres": Choice("without_genre", _name, most=50),
    "year_from": Choice("year_from", _whole("The first year", *YEARS)),
    "year_to": Choice("year_to", _whole("The last year", *YEARS)),
    "min_members": Choice("min_members", _whole("The least number of members", 0, 10**9)),
    "adult": Choice("adult", _switch("Titles for adults")),
    "rated_only": Choice("rated_only", _switch("Only rated titles")),
    "planned": Choice("planned", _one_of("Planned titles", Planned)),
    "ignored": Choice("ignore", _whole("The id of a title to leave out", 1, MAX_ANIME_ID), most=MAX_IGNORED),
    "hidden": Choice("hide", _whole("The id of a title to hide", 1, MAX_ANIME_ID), most=MAX_IGNORED),
    "like": Choice("like", _whole("The id of a title to find more like", 1, MAX_ANIME_ID), most=MAX_LIKED),
}
"""Every field of `Preferences`: where it is read, and where it is written into an address."""


def read_preferences(values: MultiDict[str, str]) -> Preferences:
    """Read the visitor's choices; an empty field means the default.

    Raises:
        BadOption: a value is out of its range, or there are too many.
    """
    chosen: dict[str, Any] = {}
    for field, choice in CHOICES.items():
        texts = list(dict.fromkeys(text for raw in values.getlist(choice.name) if (text := raw.strip())))
        if len(texts) > choice.most > 0:
            raise BadOption(f"At most {choice.most} values can be given for {choice.name}.")
        if choice.most:
            chosen[field] = tuple(dict.fromkeys(map(choice.read, texts)))
        elif texts:
            chosen[field] = choice.read(texts[0])
    return Preferences(**chosen)


def written(preferences: Preferences) -> dict[str, list[str]]:
    """Write choices as `read_preferences` reads them, without those that are the default."""
    return {
        choice.name: _texts(value)
        for field, choice in CHOICES.items()
        if (value := getattr(preferences, field)) != getattr(DEFAULTS, field)
    }


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if isinstance(value, bool):
        return [str(int(value))]
    # Not as "1e-05", which is not read.
    return [f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)]


class Typed(NamedTuple):
    """What the visitor typed and chose, right or wrong, to fill in the form again.

    Attributes:
        username: of the list asked for.
        source: the site it is on.
        sample: "1" where the sample was asked for.
        picks: those that can be read.
        carried: the list that the page carried, if it can be read.
        choices: name of a field → its values.
    """

    username: str = ""
    source: str = ""
    sample: str = ""
    picks: Sequence[str] = ()
    carried: str = ""
    choices: Mapping[str, Sequence[str]] = MappingProxyType({})

    def one(self, name: str) -> str:
        """What stands in a field that has one value."""
        return next(iter(self.choices.get(name, ())), "")

    def several(self, name: str) -> tuple[str, ...]:
        """What stands in a field that has several values."""
        return tuple(self.choices.get(name, ()))

    @property
    def form(self) -> str:
        """The form that it was typed into."""
        if self.sample == "1":
            return "sample"
        if self.carried:
            return "list"
        return "picks" if self.picks else "username" if self.username else "upload"

    def unchosen(self) -> Self:
        """The same without the choices."""
        return self._replace(choices={})

    @property
    def particular(self) -> bool:
        """Whether anything but the length of the list, and what was said of single titles, is not the default."""
        usual = {choice.name: _texts(getattr(DEFAULTS, field)) for field, choice in CHOICES.items()}
        return any(list(texts) != usual[name] for name, texts in self.choices.items() if name not in {"n", *SINGLE})


def typed(values: MultiDict[str, str]) -> Typed:
    """Take down what was typed; of something overlong, only as much as a field shows."""
    choices = {
        choice.name: texts
        for choice in CHOICES.values()
        if (texts := [text[:LONGEST] for text in values.getlist(choice.name)[: choice.most or 1] if text.strip()])
    }
    username, source, sample = (values.get(name, "")[:LONGEST] for name in ("username", "source", "sample"))
    picked = [text for text in pick_texts(values) if picks.readable(text)][: picks.MAX_PICKS]
    return Typed(username, source, sample, picked, _readable(values.get("list", "")), choices)


def _readable(text: str) -> str:
    try:
        encoded_list.unpacked(text)
    except BadList:
        return ""
    return text


def pick_texts(values: MultiDict[str, str]) -> list[str]:
    """The picks as they stand in a form, of which each title not rated leaves one empty."""
    return [text for raw in values.getlist("pick") if (text := raw.strip())]


def read_picks(values: MultiDict[str, str]) -> UserList:
    """Read the titles that the visitor picked.

    Raises:
        BadOption: there are none or too many, or one can't be read.
    """
    texts = pick_texts(values)
    if not texts:
        raise BadOption("No title was picked.")
    return picks.parse(texts)


def read_id(values: Mapping[str, str], name: str) -> int | None:
    """Read the title that a button stands for; None where it was not pressed.

    Raises:
        BadOption: it is no id.
    """
    text = values.get(name)
    found: int | None = None if text is None else _whole("The id of a title", 1, MAX_ANIME_ID)(text)
    return found


def read_username(values: Mapping[str, str]) -> Username:
    """Read a username and its site.

    Raises:
        BadUsername: there is none, or neither site gives out such names.
        BadOption: the site is unknown.
    """
    name = values.get("username", "")
    if not name.strip():
        raise BadUsername("No username was given.")
    return Username(checked(name), _site(values.get("source", "")))


def _site(text: str) -> Site:
    try:
        return Site(text) if text else Site.MAL
    except ValueError as error:
        raise BadOption("The site must be MyAnimeList or AniList.") from error


def read_upload(request: Request) -> BinaryIO:
    """Find the uploaded file.

    Raises:
        BadOption: none was chosen.
    """
    upload = request.files.get("export")
    if upload is None or not upload.filename:
        raise BadOption("No file was chosen.")
    return cast("BinaryIO", upload.stream)  # a BytesIO, see InMemoryRequest; Werkzeug only says IO[bytes]
