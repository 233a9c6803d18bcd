"""Reading what a program sent: parameters of an address, and JSON bodies; both are checked by msgspec."""

from functools import lru_cache
from typing import TypeVar

import msgspec
from flask import Request
from msgspec import inspect
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType

from hakken.errors import BadBody, BadOption
from hakken.web.forms import LONGEST

S = TypeVar("S", bound=msgspec.Struct)

JSON = "application/json"


def read_query(kind: type[S], values: MultiDict[str, str]) -> S:
    """Read the parameters of an address; an empty one counts as left out, as an empty field of the page does.

    Raises:
        BadOption: one is unknown, given twice or out of its range, or one that is needed is missing.
    """
    given: dict[str, str | list[str]] = {}
    for name, texts in values.lists():
        stated = [text for text in texts if text]
        if name in _repeatable(kind):
            given[name] = stated
        elif len(stated) > 1:
            raise BadOption(f"`{name[:LONGEST]}` can be given only once.")
        elif stated:
            given[name] = stated[0]
        elif name not in kind.__struct_encode_fields__:
            given[name] = ""  # unknown all the same
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadOption(_sentence(error)) from error


def read_body(kind: type[S], request: Request) -> S:
    """Read a JSON body, of at most the size that uploads may have.

    Raises:
        BadBody: it is not JSON.
        BadOption: a field is unknown, missing, of another type or out of its range.
        HTTPException: it is too large, not said to be JSON, or breaks off.
    """
    if request.mimetype != JSON:
        raise UnsupportedMediaType
    try:
        return msgspec.json.decode(_whole(request), type=kind)
    except msgspec.ValidationError as error:
        raise BadOption(_sentence(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody(f"The body can't be read: {error}.") from error


def _whole(request: Request) -> bytes:
    try:
        return request.get_data(cache=False)
    except HTTPException:
        raise
    except Exception as error:
        # As for a form: each server has errors of its own for a body that breaks off or is not framed as it says.
        raise BadRequest from error


@lru_cache(maxsize=32)
def _repeatable(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The parameters that may be given more than once."""
    info = inspect.type_info(kind)
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    return frozenset(one.encode_name for one in fields if isinstance(_bare(one.type), inspect.VarTupleType))


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _sentence(error: msgspec.ValidationError) -> str:
    """What msgspec found wrong as a sentence, such as "`n`: expected `int` <= 100."."""
    said, _, place = str(error).partition(" - at `$")
    said = said.replace("Object contains unknown field", "There is no option").replace(
        "Object missing required field", "What is missing is"
    )
    where = place.rstrip("`").lstrip(".")
    return f"`{where}`: {said[0].lower()}{said[1:]}." if where else f"{said}."
