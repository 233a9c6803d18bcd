"""Reading forms and addresses: usernames, preferences, picks and uploads. Each option is read in one place, here."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from io import BytesIO
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, cast

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException

from hakken.config import Settings
from hakken.errors import BadList, BadOption, BadUsername
from hakken.lists import encoded_list, picks
from hakken.ratings import CHOICES, MAX_LENGTH, Choice, Preferences, Site, UserList, Username

FORM_OVERHEAD = 64 * 1024
"""Bytes that a form adds to the file in it; generous, so that a file of exactly the largest size is accepted."""
SINGLE = {CHOICES[field].name: field for field in ("seen", "ignored", "hidden", "like", "studios", "series")}
"""Choices about single titles, `seen` with a score, studios and series, which no field of a form shows: name → field of
`Preferences`."""
NUMBERS: Mapping[type, str] = {int: r"[0-9]{1,10}", float: r"-?([0-9]{1,9}|[0-9]{0,9}\.[0-9]{1,9})"}
"""How numbers are written: `int` and `float` also take "+5", "1_0", "nan" and other scripts' digits."""


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

    def _get_file_stream(self, *_: object, **__: object) -> BytesIO:
        return BytesIO()


def body_limit(settings: Settings) -> int:
    """How many bytes the body of a request may have."""
    return settings.max_upload_mb * 2**20 + FORM_OVERHEAD


def read_preferences(values: MultiDict[str, str]) -> Preferences:
    """Read the visitor's preferences; raises BadOption where a value is out of its range, or there are too many.

    An empty field means the default.
    """
    chosen: dict[str, Any] = {}
    for field, choice in CHOICES.items():
        texts = list(dict.fromkeys(stated(values, choice.name)))
        if len(texts) > choice.most > 0:
            raise BadOption(f"At most {choice.most} values can be given for {choice.name}.")
        if choice.most:
            chosen[field] = tuple(_read(choice, text) for text in texts)
        elif texts:
            chosen[field] = _read(choice, texts[0])
    return Preferences(**chosen)


def stated(values: MultiDict[str, str], name: str) -> list[str]:
    """The values of a field that are not empty."""
    return [text for raw in values.getlist(name) if (text := raw.strip())]


def _read(choice: Choice, text: str) -> Any:  # noqa: ANN401  # a value of any field
    """Parse one value; raises BadOption."""
    if choice.kind in NUMBERS:
        number = choice.kind(text) if re.fullmatch(NUMBERS[choice.kind], text) else math.nan
        choice.check(number)
        return number
    if choice.kind is bool:
        if text in {"0", "1"}:
            return text == "1"
        raise BadOption(f"{choice.about['label']} must be 1 for yes or 0 for no.")
    if issubclass(choice.kind, StrEnum) and text not in list(choice.kind):
        raise BadOption(f"{choice.about['label']} must be one of {', '.join(choice.kind)}.")
    return choice.kind(text[:MAX_LENGTH])  # the catalogue knows which types and genres exist


def preferences_to_fields(preferences: Preferences) -> dict[str, tuple[str, ...]]:
    """Write preferences as `read_preferences` reads them, without defaults."""
    return {
        choice.name: _texts(value)
        for field, choice in CHOICES.items()
        if (value := getattr(preferences, field)) != choice.default
    }


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(map(str, value))
    if isinstance(value, bool):
        return (str(int(value)),)
    # Not "1e-05", which is not read.
    return (f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value),)


class FormValues(NamedTuple):
    """What the visitor typed and chose, valid or not, to fill in the form again.

    Attributes:
        picks: those that can be read.
        encoded_list: the list that the page held, if it can be read.
        choices: name of a field → its values.
    """

    username: str = ""
    source: str = ""
    sample: str = ""
    picks: Sequence[str] = ()
    encoded_list: str = ""
    choices: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def one(self, name: str) -> str:
        """The value of a field that has one."""
        return next(iter(self.choices.get(name, ())), "")

    @property
    def form(self) -> str:
        """The form that was sent."""
        sent = {"sample": self.sample == "1", "list": self.encoded_list, "picks": self.picks, "username": self.username}
        return next((name for name, value in sent.items() if value), "upload")

    @property
    def any_filter(self) -> bool:
        """Whether any preference but the length of the list and those in `SINGLE` is not the default."""
        defaults = {choice.name: _texts(choice.default) for choice in CHOICES.values()}
        return any(texts != defaults[name] for name, texts in self.choices.items() if name not in {"n", *SINGLE})

    @property
    def beyond_subject(self) -> bool:
        """Whether more is chosen than a season, studio or series, and the series rule that such a list begins with."""
        subject = {"season", "studio", "series"}
        begins_with = {*subject, "franchise"} if subject & set(self.choices) else set()
        left = {name: texts for name, texts in self.choices.items() if name not in begins_with}
        return self._replace(choices=left).any_filter


def read_form_values(values: MultiDict[str, str]) -> FormValues:
    """Read what was typed and chosen; of something overlong, only as much as a field shows."""
    choices = {
        choice.name: texts
        for choice in CHOICES.values()
        if (
            texts := tuple(
                text[:MAX_LENGTH] for text in values.getlist(choice.name)[: choice.most or 1] if text.strip()
            )
        )
    }
    username, source, sample = (values.get(name, "")[:MAX_LENGTH] for name in ("username", "source", "sample"))
    picked = [text for text in stated(values, "pick") if picks.readable(text)][: picks.MAX_PICKS]
    try:
        encoded_list.unpacked(text := values.get("list", ""))
    except BadList:
        text = ""
    return FormValues(username, source, sample, picked, text, choices)


def read_picks(values: MultiDict[str, str]) -> UserList:
    """Read the titles that were picked; raises BadOption if there are none or too many, or one can't be read."""
    if texts := stated(values, "pick"):
        return picks.parse(texts)
    raise BadOption("No title was picked.")


def read_id(values: Mapping[str, str], name: str) -> int | None:
    """Read the id of a button's title, None where it was not pressed; raises BadOption if it is no id."""
    text = values.get(name)
    return None if text is None else _read(CHOICES["hidden"]._replace(about={"label": "The id of a title"}), text)


def read_username(values: Mapping[str, str]) -> Username:
    """Read a username and its site.

    Raises:
        BadUsername: there is none, or neither site gives out such names.
        BadOption: the site is unknown.
    """
    name, site = values.get("username", ""), values.get("source", "")
    if not name.strip():
        raise BadUsername("No username was given.")
    if site not in {"", *Site}:
        raise BadOption("The site must be MyAnimeList or AniList.")
    return Username(name, Site(site or Site.MAL))


def read_upload(request: Request) -> BinaryIO:
    """Find the uploaded file; raises BadOption if none was chosen."""
    upload = request.files.get("export")
    if upload is None or not upload.filename:
        raise BadOption("No file was chosen.")
    return cast("BinaryIO", upload.stream)  # a BytesIO, see InMemoryRequest; Werkzeug only says IO[bytes]
