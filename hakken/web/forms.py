"""Reading forms and addresses: usernames, preferences, picks and uploads. Each option is read in one place, here."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
"""Bytes that a form adds to the file in it; generous, so that a file of exactly the largest size is accepted."""
MAX_LENGTH = 64
"""Characters of one field that are read."""
YEARS = 1900, 2200
MAX_IGNORED = 100
"""How many entries of a list can be left out at once: an address has to hold them all."""
MAX_LIKED = 10
"""For how many titles "more like this" can be asked at once."""
DEFAULTS = Preferences()


@contextmanager
def reading_body() -> Iterator[None]:
    """Raise BadRequest for any error but Werkzeug's own: each server has others for a body that breaks off."""
    try:
        yield
    except HTTPException:
        raise
    except Exception as error:
        raise BadRequest from error


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: Werkzeug writes larger ones to disk, and we promise not to."""

    def _load_form_data(self) -> None:
        with reading_body():
            super()._load_form_data()

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
"""Fields of choices about single titles, by their ids."""


class Choice(NamedTuple):
    """How one of the visitor's preferences is written in forms and addresses.

    Attributes:
        name: of the field.
        kind: type of a value.
        label: in a message about a value that can't be read.
        bounds: least and greatest number.
        most: how many values there may be; 0 where there is only one.
    """

    name: str
    kind: type[Any]
    label: str = ""
    bounds: tuple[int, int] = 0, 0
    most: int = 0

    def read(self, text: str) -> Any:  # noqa: ANN401  # a value of any field
        """Parse one value.

        Raises:
            BadOption: it can't be read or, but for floats, which `Preferences` checks, it is out of its bounds.
        """
        if self.kind is int:
            return _whole(text, self.label, *self.bounds)
        if self.kind is float:
            # NaN is out of every range, so what is no plain number is refused later.
            return float(text) if re.fullmatch(r"-?([0-9]{1,9}|[0-9]{0,9}\.[0-9]{1,9})", text) else math.nan
        if self.kind is bool:
            if text in {"0", "1"}:
                return text == "1"
            raise BadOption(f"{self.label} must be 1 for yes or 0 for no.")
        if issubclass(self.kind, StrEnum):
            if text in list(self.kind):
                return self.kind(text)
            raise BadOption(f"{self.label} must be one of {', '.join(self.kind)}.")
        return text[:MAX_LENGTH]  # longer than any type or genre; the catalogue knows which exist


def _whole(text: str, label: str, lowest: int, highest: int) -> int:
    # `int` also takes "+5", "1_0" and other scripts' digits.
    if re.fullmatch(r"[0-9]{1,10}", text) and lowest <= int(text) <= highest:
        return int(text)
    raise BadOption(f"{label} must be a whole number from {lowest} to {highest}.")


_IDS = 1, MAX_ANIME_ID
CHOICES = {
    "n": Choice("n", int, "The number of recommendations", (1, MAX_N)),
    "order": Choice("order", Order, "The order"),
    "popularity": Choice("popularity", float, bounds=(-1, 1)),
    "franchise": Choice("franchise", FranchiseRule, "Series"),
    "types": Choice("type", str, most=50),
    "genres": Choice("genre", str, most=50),
    "without_genres": Choice("without_genre", str, most=50),
    "year_from": Choice("year_from", int, "The first year", YEARS),
    "year_to": Choice("year_to", int, "The last year", YEARS),
    "min_members": Choice("min_members", int, "The least number of members", (0, 10**9)),
    "adult": Choice("adult", bool, "Titles for adults"),
    "rated_only": Choice("rated_only", bool, "Only rated titles"),
    "planned": Choice("planned", Planned, "Planned titles"),
    "ignored": Choice("ignore", int, "The id of a title to leave out", _IDS, most=MAX_IGNORED),
    "hidden": Choice("hide", int, "The id of a title to hide", _IDS, most=MAX_IGNORED),
    "like": Choice("like", int, "The id of a title to find more like", _IDS, most=MAX_LIKED),
}
"""How every field of `Preferences` is read from and written to a form or an address."""


def read_preferences(values: MultiDict[str, str]) -> Preferences:
    """Read the visitor's preferences; an empty field means the default.

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


def preferences_to_fields(preferences: Preferences) -> dict[str, list[str]]:
    """Write preferences as `read_preferences` reads them, without defaults."""
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
    # Not "1e-05", which is not read.
    return [f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)]


class FormValues(NamedTuple):
    """What the visitor typed and chose, valid or not, to fill in the form again.

    Attributes:
        username: whose list is asked for.
        source: the site it is on.
        sample: "1" where the sample is asked for.
        picks: those that can be read.
        encoded_list: the list that the page held, if it can be read.
        choices: name of a field → its values.
    """

    username: str = ""
    source: str = ""
    sample: str = ""
    picks: Sequence[str] = ()
    encoded_list: str = ""
    choices: Mapping[str, Sequence[str]] = MappingProxyType({})

    def one(self, name: str) -> str:
        """The value of a field that has one."""
        return next(iter(self.choices.get(name, ())), "")

    def several(self, name: str) -> tuple[str, ...]:
        """The values of a field that has several."""
        return tuple(self.choices.get(name, ()))

    @property
    def form(self) -> str:
        """The form that was sent."""
        if self.sample == "1":
            return "sample"
        if self.encoded_list:
            return "list"
        return "picks" if self.picks else "username" if self.username else "upload"

    def without_choices(self) -> Self:
        """The same without the preferences."""
        return self._replace(choices={})

    @property
    def any_filter(self) -> bool:
        """Whether any preference but the length of the list and those about single titles is not the default."""
        defaults = {choice.name: _texts(getattr(DEFAULTS, field)) for field, choice in CHOICES.items()}
        return any(list(texts) != defaults[name] for name, texts in self.choices.items() if name not in {"n", *SINGLE})


def read_form_values(values: MultiDict[str, str]) -> FormValues:
    """Read what was typed and chosen; of something overlong, only as much as a field shows."""
    choices = {
        choice.name: texts
        for choice in CHOICES.values()
        if (texts := [text[:MAX_LENGTH] for text in values.getlist(choice.name)[: choice.most or 1] if text.strip()])
    }
    username, source, sample = (values.get(name, "")[:MAX_LENGTH] for name in ("username", "source", "sample"))
    picked = [text for text in pick_texts(values) if picks.readable(text)][: picks.MAX_PICKS]
    return FormValues(username, source, sample, picked, _readable(values.get("list", "")), choices)


def _readable(text: str) -> str:
    try:
        encoded_list.unpacked(text)
    except BadList:
        return ""
    return text


def pick_texts(values: MultiDict[str, str]) -> list[str]:
    """The picks in a form, without the empty ones of titles that were not rated."""
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
    """Read the id of the title of a button; None where the button was not pressed.

    Raises:
        BadOption: it is no id.
    """
    text = values.get(name)
    return None if text is None else _whole(text, "The id of a title", *_IDS)


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
