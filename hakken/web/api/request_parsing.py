"""Parsing queries and JSON bodies; msgspec validates both."""

from functools import lru_cache
from typing import TypeVar, get_args, get_origin

import msgspec
from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from hakken.errors import BadBody, BadOption
from hakken.web.forms import MAX_LENGTH, reading_body

S = TypeVar("S", bound=msgspec.Struct)

JSON = "application/json"


def read_query(kind: type[S], values: MultiDict[str, str]) -> S:
    """Parse the parameters of an address; an empty one counts as left out, as an empty field of the page does.

    Raises:
        BadOption: one is unknown, given twice or out of its range, or one that is needed is missing.
    """
    given: dict[str, str | list[str]] = {}
    for name, texts in values.lists():
        stated = [text for text in texts if text]
        if name in _repeatable(kind):
            given[name] = stated
        elif len(stated) > 1:
            raise BadOption(f"`{name[:MAX_LENGTH]}` can be given only once.")
        elif stated:
            given[name] = stated[0]
        elif name not in kind.__struct_encode_fields__:
            given[name] = ""  # unknown, so msgspec has to refuse it
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


@lru_cache(maxsize=32)
def _repeatable(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The parameters that may be repeated."""
    return frozenset(
        field.encode_name for field in msgspec.structs.fields(kind) if get_origin(get_args(field.type)[0]) is tuple
    )


def _sentence(error: msgspec.ValidationError) -> str:
    """Msgspec's message as a sentence, such as "`n`: expected `int` <= 100."."""
    message, _, path = str(error).partition(" - at `$")
    message = message.replace("Object contains unknown field", "There is no option").replace(
        "Object missing required field", "What is missing is"
    )
    field = path.rstrip("`").lstrip(".")
    return f"`{field}`: {message[0].lower()}{message[1:]}." if field else f"{message}."
