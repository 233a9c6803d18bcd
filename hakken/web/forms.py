"""Reading what a visitor typed, chose or uploaded. Each option is read in one place, here."""

import re
from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO, NamedTuple, cast

from flask import Request
from werkzeug.exceptions import BadRequest, HTTPException

from hakken.config import Settings
from hakken.errors import BadOption, BadUsername
from hakken.ratings import Preferences, Site, Username
from hakken.sources.base import checked

MB = 1024 * 1024
FORM_OVERHEAD = 64 * 1024
"""What a form adds to the file in it; generous, so that a file of exactly the largest size still gets in."""


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
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> BytesIO:
        return BytesIO()


class Typed(NamedTuple):
    """What the visitor typed, right or wrong, to fill in the form again."""

    username: str = ""
    source: str = ""
    n: str = ""


def body_limit(settings: Settings) -> int:
    """How many bytes the body of a request may have."""
    return settings.max_upload_mb * MB + FORM_OVERHEAD


def typed(values: Mapping[str, str]) -> Typed:
    """Take down what was typed; of something overlong, only as much as a field shows."""
    return Typed(**{name: values.get(name, "")[:64] for name in Typed._fields})


def read_preferences(values: Mapping[str, str]) -> Preferences:
    """Read the visitor's choices.

    Raises:
        BadOption: the number of recommendations is not a whole number in its range.
    """
    text = values.get("n", "").strip()
    if not text:
        return Preferences()
    # `int` also takes "+5", "1_0" and other scripts' digits; what is not plain digits is sent on as out of range.
    plain = re.fullmatch(r"[0-9]{1,9}", text)
    return Preferences(n=int(text) if plain else 0)


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
