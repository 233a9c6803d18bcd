"""JSON Schemas of the API's structs: msgspec makes them, docstrings describe them."""

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

Schema = dict[str, Any]

PLACE = "#/components/schemas/{name}"
_FIELD = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def components(answers: Iterable[type[msgspec.Struct]], bodies: Iterable[type[msgspec.Struct]]) -> dict[str, Schema]:
    """Schemas of structs, and of what is in them, by name.

    Args:
        answers: what we write, always in full unless a struct leaves out what it lacks.
        bodies: what others write, who may leave out what has a default.
    """
    kinds = list(_with_parts([*answers, *bodies]))
    sent = set(_with_parts(bodies))
    _, made = msgspec.json.schema_components(kinds, ref_template=PLACE)
    for kind in kinds:
        schema = made[kind.__name__]
        _describe(schema, kind)
        if kind not in sent and not kind.__struct_config__.omit_defaults:
            schema["required"] = list(schema["properties"])
            for one in schema["properties"].values():
                one.pop("default", None)
    return _tidy(made)


def parameters(query: type[msgspec.Struct], place: str) -> tuple[list[Schema], dict[str, Schema]]:
    """The fields of a struct as parameters of an address, and the schemas of what is in them by name.

    Args:
        query: the struct.
        place: "query" or "path".
    """
    _, made = msgspec.json.schema_components([query], ref_template=PLACE)
    schema: Schema = made.pop(query.__name__)
    _describe(schema, query)
    described = []
    for name, kind in schema["properties"].items():
        one = {"name": name, "in": place, "required": name in schema["required"]}
        if place == "query" and not one["required"]:
            one["allowEmptyValue"] = True
        described.append(one | {"description": kind.pop("description", ""), "schema": kind})
    return described, _tidy(made)


def _with_parts(kinds: Iterable[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """Structs and the structs in them, each once."""
    seen: set[type[msgspec.Struct]] = set()

    def walk(info: msgspec.inspect.Type) -> Iterator[type[msgspec.Struct]]:
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                return
            seen.add(info.cls)
            yield info.cls
            for one in info.fields:
                yield from walk(one.type)
        elif isinstance(info, msgspec.inspect.UnionType):
            for part in info.types:
                yield from walk(part)
        elif isinstance(info, msgspec.inspect.VarTupleType):
            yield from walk(info.item_type)
        elif isinstance(info, msgspec.inspect.Metadata):
            yield from walk(info.type)

    for kind in kinds:
        yield from walk(msgspec.inspect.type_info(kind))


def _describe(schema: Schema, kind: type[msgspec.Struct]) -> None:
    """Say of each field what the docstrings of the struct and of those it derives from say of it."""
    said: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        said |= dict(_FIELD.findall(inspect.cleandoc(each.__dict__.get("__doc__") or "").partition("Attributes:")[2]))
    for field, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        if field in said:
            schema["properties"][name]["description"] = _sentence(said[field])


def _tidy(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """The same schemas, described by what docstrings say before their sections."""
    for schema in schemas.values():
        schema["description"] = _prose(schema.get("description", ""))
    return schemas


def plain(value: Schema) -> Schema:
    """The same as JSON has it, which knows no tuples."""
    found: Schema = msgspec.json.decode(msgspec.json.encode(value))
    return found


def _prose(docstring: str) -> str:
    """What a docstring says before its sections."""
    return " ".join(inspect.cleandoc(docstring).partition("Attributes:")[0].split())


def _sentence(text: str) -> str:
    """A field's description as a sentence, about JSON and not about Python."""
    words = re.sub(r"\bNone\b", "null", " ".join(text.split()).rstrip("."))
    return f"{words[0].upper()}{words[1:]}."
